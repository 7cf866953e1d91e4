"""Timeouts and retries of the AWS clients."""

from botocore.config import Config

# GitHub ends a delivery after 10 seconds. Three attempts and a cold start fit into this time.
CLIENT_CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)
