"""The HTTP API's routes, the origins whose pages may call it, and the WebSocket API's reply to pings.

SAM declares both in an OpenAPI document inside ``AWS::ApiGatewayV2::Api``. API Gateway imports that document,
but MiniStack does not; so this module creates routes and origins from the document, with API Gateway's calls.
MiniStack then responds to preflight requests as API Gateway does, with one exception: an origin that is not
allowed gets a 403 instead of a response without CORS headers. Browsers treat both responses in the same way.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from local_stack.ministack import REGION

# Two of API Gateway's extensions to OpenAPI.
_CORS = "x-amazon-apigateway-cors"
_ANY_METHOD = "x-amazon-apigateway-any-method"


class Route(NamedTuple):
    """One operation of the OpenAPI document."""

    key: str
    """API Gateway's name of the route, such as ``GET /api/timelogs/{id}``."""
    integration: Mapping[str, Any]
    """The ``x-amazon-apigateway-integration``."""


def routes_of(template: Mapping[str, Any], api: str) -> Iterator[Route]:
    """Yield the routes of one API of a template that SAM has processed.

    Raises
    ------
    ToolError
        A route needs an authorizer, which the local stack would silently ignore.
    """
    for path, operations in template["Resources"][api]["Properties"]["Body"]["paths"].items():
        for method, operation in operations.items():
            name = "ANY" if method == _ANY_METHOD else method.upper()
            key = path if path == "$default" else f"{name} {path}"
            if operation.get("security"):
                raise ToolError(f"The local stack does not support the authorizer of {key}")
            yield Route(key, operation["x-amazon-apigateway-integration"])


def create_routes(stack: DeployedStack, api: str) -> None:
    """Make an API's routes those of the template; ``api`` is the logical id.

    Routes that stay are not replaced, so that no request fails during an upgrade. Each route is created a
    second time with a slash at its end. MiniStack accepts such routes. API Gateway does not, so in AWS the
    distribution's function removes the slash.
    """
    template = stack.aws.client("cloudformation").get_template(StackName=stack.name)["TemplateBody"]
    gateway, api_id = stack.aws.client("apigatewayv2"), stack.resources[api]
    integrations = {
        each["IntegrationUri"]: each["IntegrationId"]
        for page in gateway.get_paginator("get_integrations").paginate(ApiId=api_id)
        for each in page["Items"]
    }
    existing = {
        each["RouteKey"]: each
        for page in gateway.get_paginator("get_routes").paginate(ApiId=api_id)
        for each in page["Items"]
    }
    kept = set()
    for route in routes_of(template, api):
        uri = _substitute(stack, route.integration["uri"]["Fn::Sub"])
        if uri not in integrations:
            integrations[uri] = gateway.create_integration(
                ApiId=api_id,
                IntegrationType="AWS_PROXY",
                IntegrationUri=uri,
                PayloadFormatVersion=route.integration["payloadFormatVersion"],
            )["IntegrationId"]
        target = f"integrations/{integrations[uri]}"
        for key in (route.key,) if route.key == "$default" else (route.key, f"{route.key}/"):
            kept.add(key)
            if key not in existing:
                gateway.create_route(ApiId=api_id, RouteKey=key, Target=target)
            elif existing[key].get("Target") != target:
                gateway.update_route(ApiId=api_id, RouteId=existing[key]["RouteId"], Target=target)
    for key in existing.keys() - kept:
        gateway.delete_route(ApiId=api_id, RouteId=existing[key]["RouteId"])


def allow_origins(stack: DeployedStack, api: str) -> None:
    """Create an API's CORS configuration as in the template; ``api`` is the logical id.

    The origins come from the stack's parameter ``AllowedOrigins``, because in MiniStack the document contains
    the parameter's default. Without origins there is no configuration, as in the template's condition.
    """
    gateway, api_id = stack.aws.client("apigatewayv2"), stack.resources[api]
    origins = stack.parameters["AllowedOrigins"]
    if not origins:
        gateway.delete_cors_configuration(ApiId=api_id)
        return
    template = stack.aws.client("cloudformation").get_template(StackName=stack.name)["TemplateBody"]
    _condition, declared, _otherwise = template["Resources"][api]["Properties"]["Body"][_CORS]["Fn::If"]
    gateway.update_api(
        ApiId=api_id,
        CorsConfiguration={
            "AllowOrigins": origins.split(","),
            "AllowHeaders": declared["allowHeaders"],
            "AllowMethods": declared["allowMethods"],
            "ExposeHeaders": declared["exposeHeaders"],
            "MaxAge": declared["maxAge"],
        },
    )


def _substitute(stack: DeployedStack, text: str) -> str:
    """Replace the references of ``Fn::Sub`` that SAM puts into an integration."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "AWS::Partition":
            return "aws"
        if name == "AWS::Region":
            return REGION
        # The physical id of a function's alias is its ARN.
        return stack.resources[name]

    return re.sub(r"\$\{([^}]+)\}", value, text)
