"""The OpenAPI document of the REST API, generated from the routes of its functions."""

import json
import os
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.models import APIKey, APIKeyIn, HTTPBearer, License, Tag

from timer_core import __version__
from timer_core.api.problems import CONTENT_TYPE
from timer_core.api.sessions import SESSION_COOKIE


def _webhook_response(description: str, *statuses: str) -> dict[str, Any]:
    status = {"type": "string", "enum": list(statuses)}
    properties = {"status": status, "delivery": {"type": "string"}, "reason": {"type": "string"}}
    schema = {"type": "object", "required": ["status"], "properties": properties}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _webhook_problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {CONTENT_TYPE: {"schema": schema}}}


def _header(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
    }


# The webhook is described here: its function has no resolver, which would slow down the cold start.
_WEBHOOK: dict[str, Any] = {
    "operationId": "deliver",
    "summary": "Receive a delivery from GitHub",
    "tags": ["webhook"],
    "security": [],
    "parameters": [
        _header("X-GitHub-Event", "The event's name, such as issues"),
        _header("X-GitHub-Delivery", "The delivery's GUID; the same when it is redelivered"),
        _header("X-Hub-Signature-256", "sha256= and the HMAC of the raw body with the webhook's secret"),
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["payload"],
                    "properties": {"payload": {"type": "string", "contentMediaType": "application/json"}},
                }
            },
        },
    },
    "responses": {
        "200": _webhook_response("A ping, or an event that needs no processing", "pong", "ignored"),
        "202": _webhook_response("The delivery is queued", "accepted"),
        "400": _webhook_problem("The request is not a delivery from GitHub"),
        "401": _webhook_problem("The signature is missing or wrong"),
        "415": _webhook_problem("The body is neither JSON nor a form"),
        "503": _webhook_problem("The delivery could not be queued; redeliver it"),
    },
}


_ABOUT_WEBHOOK: dict[str, Any] = {
    "operationId": "describe_webhook",
    "summary": "Say what the webhook's address is, to a person who opens it in a browser",
    "tags": ["webhook"],
    "security": [],
    "responses": {
        "200": {"description": "Success", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
}


def openapi_document() -> str:
    """Return the document (OpenAPI 3.1, JSON) of all functions."""
    # The modules read these variables when they are imported, without calling AWS.
    os.environ.setdefault("TABLE_NAME", "none")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    import auth.routes
    import reports.routes
    import schedule.webhook_routes
    import timelogs.routes

    document = _describe(timelogs.routes.app)
    # These routes come from several modules, whose order has no meaning.
    document["paths"] = {
        path: dict(sorted(operations.items())) for path, operations in sorted(document["paths"].items())
    }
    for app in (auth.routes.app, schedule.webhook_routes.app, reports.routes.app):
        others = _describe(app)
        document["paths"] |= others["paths"]
        document["components"]["schemas"] |= others["components"]["schemas"]
    # Powertools drops an empty list, which in OpenAPI means that no credentials are required.
    document["paths"]["/api/health/"]["get"]["security"] = []
    document["paths"]["/api/github-timer-webhook/"] = {"get": _ABOUT_WEBHOOK, "post": _WEBHOOK}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _describe(app: APIGatewayHttpResolver) -> dict[str, Any]:
    schema = app.get_openapi_json_schema(
        title="Issue Timer",
        version=__version__,
        description="Time tracking for GitHub issues. Times are in UTC (RFC 3339), durations in seconds.",
        license_info=License(name="Apache-2.0", identifier="Apache-2.0"),
        tags=[
            Tag(name="timers"),
            Tag(name="account"),
            Tag(name="schedule"),
            Tag(name="team"),
            Tag(name="reports"),
            Tag(name="webhook"),
            Tag(name="operation"),
        ],
        security_schemes={
            "token": HTTPBearer(bearerFormat="itt_..."),
            "session": APIKey(name=SESSION_COOKIE, in_=APIKeyIn.cookie),
        },
        security=[{"token": []}, {"session": []}],
    )
    document: dict[str, Any] = json.loads(schema)
    # Powertools documents a 422 for invalid requests, but this API responds with a 400 and a problem.
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            # Powertools adds the content of a 200, but these responses have none (RFC 9110, sections 15.3.5
            # and 15.4.5).
            for status in ("204", "304"):
                operation["responses"].get(status, {}).pop("content", None)
    for name in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document
