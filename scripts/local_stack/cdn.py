"""CloudFront in front of the local stack.

MiniStack serves a distribution at ``<label>.cloudfront.localhost``, with its behaviours and origins. The
following differs from AWS and is changed through CloudFront's own API:

- there is no certificate, so plain HTTP is allowed;
- AWS's host names are not resolved, so the API's origin is its path on the emulator;
- a function's cold start may take longer than CloudFront waits, so the origin's time-out is longer;
- the emulator would need Node to run the distribution's function, so the origin's custom headers replace the
  headers that the function adds, and http_api.py creates the routes that end in a slash.
"""

from typing import TYPE_CHECKING

from deployed_stack import DeployedStack
from local_stack.ministack import HOST

if TYPE_CHECKING:
    from mypy_boto3_cloudfront.type_defs import CustomHeadersOutputTypeDef

# CloudFront's default of 30 s is too short while many workers of a function start on few cores.
_ORIGIN_READ_SECONDS = 120


def serve_locally(stack: DeployedStack, port: int) -> None:
    """Point the stack's distribution at the emulator on this port."""
    cloudfront = stack.aws.client("cloudfront")
    distribution_id, api_id = stack.resources["WebDistribution"], stack.resources["HttpApi"]
    current = cloudfront.get_distribution_config(Id=distribution_id)
    config = current["DistributionConfig"]
    # CloudFront's API requires a comment, but the emulator's response has none.
    config.setdefault("Comment", "")
    for behavior in (config["DefaultCacheBehavior"], *config["CacheBehaviors"].get("Items", [])):
        behavior["ViewerProtocolPolicy"] = "allow-all"
        behavior["FunctionAssociations"] = {"Quantity": 0}
    for origin in config["Origins"]["Items"]:
        if "CustomOriginConfig" in origin:
            origin["DomainName"] = HOST
            origin["CustomHeaders"] = _forwarded(stack, port)
            origin["OriginPath"] = f"/_aws/execute-api/{api_id}/$default"
            origin["CustomOriginConfig"] |= {
                "HTTPPort": port,
                "HTTPSPort": 443,
                "OriginProtocolPolicy": "http-only",
                "OriginReadTimeout": _ORIGIN_READ_SECONDS,
            }
    cloudfront.update_distribution(Id=distribution_id, IfMatch=current["ETag"], DistributionConfig=config)


def _forwarded(stack: DeployedStack, port: int) -> "CustomHeadersOutputTypeDef":
    scheme, _, host = local_url(stack.outputs["DistributionDomainName"], port).partition("://")
    headers = {"X-Viewer-Host": host, "X-Forwarded-Proto": scheme}
    return {
        "Quantity": len(headers),
        "Items": [{"HeaderName": name, "HeaderValue": value} for name, value in headers.items()],
    }


def local_url(domain: str, port: int) -> str:
    """Return the emulator's URL of the distribution at ``<label>.cloudfront.net``."""
    label = domain.partition(".")[0]
    return f"http://{label}.cloudfront.localhost:{port}"
