"""Timeouts and retries of the AWS clients."""

from botocore.config import Config

# Three attempts and a cold start fit into the 10 seconds that GitHub waits for a webhook's response.
CLIENT_CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)
