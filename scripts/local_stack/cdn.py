"""CloudFront in front of the local stack.

MiniStack serves a distribution with its behaviours and origins. The following differs from AWS and is changed
through CloudFront's own API:

- there is no certificate, so plain HTTP is allowed;
- the emulator would need Node to run the distribution's function, so the front door adds the header that the
  function adds, and http_api.py creates the routes that end in a slash.
"""

from deployed_stack import DeployedStack


def serve_locally(stack: DeployedStack) -> None:
    """Let the stack's distribution answer requests without TLS, and without its function."""
    cloudfront, distribution_id = stack.aws.client("cloudfront"), stack.resources["WebDistribution"]
    current = cloudfront.get_distribution_config(Id=distribution_id)
    config = current["DistributionConfig"]
    behaviors = [config["DefaultCacheBehavior"], *config["CacheBehaviors"].get("Items", [])]
    if all(behavior["ViewerProtocolPolicy"] == "allow-all" for behavior in behaviors):
        return
    # CloudFront's API requires a comment and ports, but the emulator's response has none.
    config.setdefault("Comment", "")
    for origin in config["Origins"]["Items"]:
        if custom := origin.get("CustomOriginConfig"):
            custom.setdefault("HTTPPort", 80)
            custom.setdefault("HTTPSPort", 443)
    for behavior in behaviors:
        behavior["ViewerProtocolPolicy"] = "allow-all"
        behavior["FunctionAssociations"] = {"Quantity": 0}
    cloudfront.update_distribution(Id=distribution_id, IfMatch=current["ETag"], DistributionConfig=config)
