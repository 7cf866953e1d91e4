"""The comparison of responses with the models that describe them."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from timer_core.api.replies import to_json
from timer_core.api.resolver import Resolver


def check_body(app: Resolver, event: Mapping[str, Any], response: Mapping[str, Any]) -> None:
    """Compare the JSON body of a successful response with the model of its route.

    Most bodies are plain dictionaries. They must have the model's members, in its order and of its types, so
    that docs/openapi.json describes them.
    """
    headers = {name.lower(): value for name, value in response.get("headers", {}).items()}
    is_json = headers.get("content-type", "application/json") == "application/json"
    if response["statusCode"] not in {200, 201} or not response["body"] or not is_json:
        return
    request = event["requestContext"]["http"]
    for route in (*app._static_routes, *app._dynamic_routes):
        if route.method == request["method"] and route.rule.match(event["rawPath"]):
            field = route.dependant.return_param  # codespell:ignore dependant
            break
    else:
        raise AssertionError(f"{request['method']} {event['rawPath']} is not a route")
    if field is None or field.type_ is str:
        return
    model: TypeAdapter[Any] = TypeAdapter(field.type_)
    described = model.validate_json(response["body"], strict=True)
    shown = model.dump_python(described, mode="json", by_alias=True)
    assert to_json(shown) == response["body"], json.dumps(shown)
