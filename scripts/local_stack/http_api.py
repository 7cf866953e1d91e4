"""The HTTP API's routes, and the origins whose pages may call it.

SAM declares them in an OpenAPI document inside ``AWS::ApiGatewayV2::Api``, which API Gateway imports.
MiniStack does not, so they are created here from the same document, through API Gateway's own calls. It
answers preflight requests then as API Gateway does, but for those of other origins: 403 instead of an answer
without CORS headers, which is the same to a browser.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from local_stack.ministack import REGION

# Among API Gateway's extensions to OpenAPI.
_CORS = "x-amazon-apigateway-cors"
_ANY_METHOD = "x-amazon-apigateway-any-method"


class Route(NamedTuple):
    """One operation of the OpenAPI document."""

    key: str
    """API Gateway's name for it, such as ``GET /api/timelogs/{id}``."""
    integration: Mapping[str, Any]
    """Its ``x-amazon-apigateway-integration``."""


def routes_of(template: Mapping[str, Any], api: str) -> Iterator[Route]:
    """Read the routes of one API of a template that SAM has processed.

    Raises
    ------
    ToolError
        A route wants an authorizer, which the local stack would silently leave out.
    """
    for path, operations in template["Resources"][api]["Properties"]["Body"]["paths"].items():
        for method, operation in operations.items():
            name = "ANY" if method == _ANY_METHOD else method.upper()
            key = path if path == "$default" else f"{name} {path}"
            if operation.get("security"):
                raise ToolError(f"The local stack cannot do the authorizer of {key}")
            yield Route(key, operation["x-amazon-apigateway-integration"])


def create_routes(stack: DeployedStack, api: str) -> None:
    """Give a deployed API, by its logical id, the routes that its template declares, and no others.

    Each is there a second time with a slash at its end, which MiniStack takes and API Gateway does not: in
    AWS, the distribution's function takes the slash off.
    """
    template = stack.aws.client("cloudformation").get_template(StackName=stack.name)["TemplateBody"]
    gateway = stack.aws.client("apigatewayv2")
    api_id = stack.resources[api]
    for page in gateway.get_paginator("get_routes").paginate(ApiId=api_id):
        for existing in page["Items"]:
            gateway.delete_route(ApiId=api_id, RouteId=existing["RouteId"])
    for integrations in gateway.get_paginator("get_integrations").paginate(ApiId=api_id):
        for unused in integrations["Items"]:
            gateway.delete_integration(ApiId=api_id, IntegrationId=unused["IntegrationId"])

    targets: dict[str, str] = {}
    for route in routes_of(template, api):
        uri = route.integration["uri"]["Fn::Sub"]
        if uri not in targets:
            targets[uri] = gateway.create_integration(
                ApiId=api_id,
                IntegrationType="AWS_PROXY",
                IntegrationUri=_substitute(stack, uri),
                PayloadFormatVersion=route.integration["payloadFormatVersion"],
            )["IntegrationId"]
        for key in (route.key,) if route.key == "$default" else (route.key, f"{route.key}/"):
            gateway.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{targets[uri]}")


def allow_origins(stack: DeployedStack, api: str) -> None:
    """Give a deployed API, by its logical id, the CORS configuration that its template declares.

    The origins are taken from the stack's parameter ``AllowedOrigins``: MiniStack has SAM write the
    parameter's default into the document. Without any, nothing is configured, as the template's condition
    has it.
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
    """Do what ``Fn::Sub`` does, for the references that SAM puts into an integration."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "AWS::Partition":
            return "aws"
        if name == "AWS::Region":
            return REGION
        function = stack.resources[name.removesuffix(".Arn")]
        return stack.aws.client("lambda").get_function_configuration(FunctionName=function)["FunctionArn"]

    return re.sub(r"\$\{([^}]+)\}", value, text)
