"""Timeouts and retries of the AWS clients."""

from botocore.config import Config

# Three attempts and a cold start fit into 10 seconds, after which GitHub ends a delivery.
CLIENT_CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)
