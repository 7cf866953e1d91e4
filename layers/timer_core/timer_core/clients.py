"""The AWS clients of all functions, made by one botocore session.

boto3 is not imported: its resources and S3 transfers would take as long as a sixth of a bare client. The
layer contains botocore with the data of the services below only (layers/slim_botocore.py).
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import UnknownRegionError
from botocore.handlers import BUILTIN_HANDLERS
from botocore.session import Session

# GitHub ends a delivery after 10 seconds. Three attempts and a cold start fit into this time.
CLIENT_CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)

# For hints, which nobody repeats later: a page also requests its timers from time to time without a hint
# (docs/decisions/0018-live.md). The second attempt replaces a connection that was lost while the function was
# frozen.
_HINT_CONFIG = Config(
    connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2}
)

# The services that the functions call, as the names of botocore's events contain them.
SERVICES = {"apigatewaymanagementapi", "dynamodb", "lambda", "secrets-manager", "sqs", "ssm"}

# The roots of Amazon Trust Services, which sign the certificates of AWS's endpoints. Amazon recommends these
# five for custom trust stores (https://www.amazontrust.com/repository/). botocore's own file has 25 times as
# many, and each connection parses the whole file.
AMAZON_ROOTS = Path(__file__).with_name("amazon_roots.pem")


def client(service: str) -> Any:
    """Return a new client, with the region, the credentials and the endpoint of the environment."""
    return session().create_client(service, config=CLIENT_CONFIG)


@cache
def connections_client(endpoint_url: str) -> Any:
    """Return the client of the management API of a WebSocket API, given the URL of its stage."""
    return session().create_client("apigatewaymanagementapi", endpoint_url=endpoint_url, config=_HINT_CONFIG)


@cache
def session() -> Session:
    """Return the session of this process, which reads AWS's data once for all clients."""
    made = Session(include_builtin_handlers=False)
    for event, handler in (spec for spec in BUILTIN_HANDLERS if _is_used(spec[0])):
        made.register(event, handler)
    # botocore would otherwise compose this text again for each request.
    made.set_default_client_config(Config(user_agent=made.user_agent()))
    if _trusts_amazon_only(made):
        made.set_config_variable("ca_bundle", str(AMAZON_ROOTS))
    return made


def _is_used(event: str) -> bool:
    """Whether a handler's event can occur.

    Registering the hundred handlers of other services takes as long as creating a client.
    """
    kind, *service = event.split(".")[:2]
    return kind != "docs" and (not service or service[0] in SERVICES)


def _trusts_amazon_only(session: Session) -> bool:
    """Whether Amazon's roots alone verify AWS's endpoints.

    The endpoints of other partitions (China, GovCloud, the European Sovereign Cloud) may have certificates of
    other roots. The same is true of endpoints and roots that the environment names.
    """
    if any(name.startswith("AWS_ENDPOINT_URL") for name in os.environ):
        return False
    region, roots = session.get_config_variable("region"), session.get_config_variable("ca_bundle")
    try:
        return roots is None and session.get_partition_for_region(region or "") == "aws"
    except UnknownRegionError:
        return False
