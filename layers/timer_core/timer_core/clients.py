"""How the clients of AWS's services wait and try again."""

from botocore.config import Config

# Three attempts fit into GitHub's 10 seconds for a delivery, a cold start included.
CLIENT_CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)
