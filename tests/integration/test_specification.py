"""The checked-in OpenAPI document, the routes of the code and those of the template agree."""

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from local_stack.http_api import routes_of
from release.openapi_document import openapi_document
from tests.integration.conftest import Api
from tests.support.template import translated
from timer_core.api.requests import BODY_PATHS

_DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_checked_in_document_is_what_the_routes_generate() -> None:
    """If this fails, run `make openapi`."""
    assert _DOCUMENT.read_text() == openapi_document()


def test_the_page_about_the_api_names_only_fields_that_exist() -> None:
    page = _DOCUMENT.with_name("api.md").read_text()
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", page))
    assert {name for name in named if name not in _DOCUMENT.read_text()} == set()


def test_the_page_about_the_api_shows_all_fields_of_a_timer() -> None:
    schemas = json.loads(_DOCUMENT.read_text())["components"]["schemas"]
    examples = [
        json.loads(text)
        for text in re.findall(r"```json\n(.*?)```", _DOCUMENT.with_name("api.md").read_text(), re.DOTALL)
    ]
    timer = next(example for example in examples if "stopped_by" in example)
    waiting = next(example for example in examples if "waiting_for" in example and example is not timer)
    assert timer.keys() == schemas["TimeLog"]["properties"].keys()
    assert waiting.keys() < timer.keys()
    assert waiting["why"].keys() == schemas["Why"]["properties"].keys()


def test_the_api_serves_the_checked_in_document(api: Api) -> None:
    assert api.nobody("GET", "/api/openapi.json").body == _DOCUMENT.read_text()


def test_a_cold_start_loads_neither_the_document_nor_the_routes_of_other_functions() -> None:
    program = (
        "import sys; from timelogs import api, operation\n"
        "others = {'auth', 'reports', 'schedule', 'webhook'} & sys.modules.keys()\n"
        "print(operation.specification.cache_info().currsize, *sorted(others))"
    )
    environment = os.environ | {"TABLE_NAME": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout.split() == ["0"]


def test_a_cold_start_does_not_load_the_holidays() -> None:
    program = "import sys; from schedule import api; print('holidays' in sys.modules)"
    environment = os.environ | {"TABLE_NAME": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout.split() == ["False"]


def test_a_cold_start_of_the_reports_does_not_load_the_writer_of_workbooks() -> None:
    program = "import sys; from reports import api; api.resolver(); print('xlsxwriter' in sys.modules)"
    environment = os.environ | {"TABLE_NAME": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout.split() == ["False"]


@cache
def _routes() -> dict[str, str]:
    """Map the key of each route in API Gateway to the logical id of the alias of the route's function."""
    return {
        route.key: re.findall(r"functions/\$\{(\w+)\}/", route.integration["uri"]["Fn::Sub"])[0]
        for route in routes_of({"Resources": translated().resources}, "HttpApi")
    }


def _unnamed(key: str) -> str:
    return re.sub(r"{\w+}", "{}", key)


def test_every_operation_has_a_route() -> None:
    described = {
        _unnamed(f"{method.upper()} {path.rstrip('/')}")
        for path, methods in json.loads(_DOCUMENT.read_text())["paths"].items()
        for method in methods
    }
    # The document describes neither pages for browsers nor the document itself.
    others = {"GET /api/auth/login", "GET /api/auth/callback", "GET /api/openapi.json"}
    for_slashes = {
        "$default",
        "ANY /api/auth/{proxy+}",
        "ANY /api/reports/{proxy+}",
        "ANY /api/schedule/{proxy+}",
        "ANY /api/admin/settings/{proxy+}",
        "ANY /api/admin/lock/{proxy+}",
        "ANY /api/admin/hooks/{proxy+}",
        "ANY /api/github-timer-webhook/{proxy+}",
        "ANY /api/team/{proxy+}",
    }
    # Other methods of these paths would reach the function timelogs.
    others |= {"ANY /api/reports", "ANY /api/team"}
    others |= {"ANY /api/schedule", "ANY /api/admin/settings", "ANY /api/admin/lock", "ANY /api/admin/hooks"}
    # The webhook's function has no list of its methods, so one route passes all methods to it.
    described.remove("GET /api/github-timer-webhook")
    others.add("ANY /api/github-timer-webhook")
    assert {_unnamed(key) for key in _routes()} == described | others | for_slashes


def test_every_body_in_the_document_is_read() -> None:
    """The body of a POST request to other paths is ignored."""
    operations = json.loads(openapi_document())["paths"].items()
    unread = [
        path
        for path, methods in operations
        if "requestBody" in methods.get("post", {})
        and not path.endswith((*BODY_PATHS, "/api/github-timer-webhook/"))
    ]
    assert unread == []


def test_no_route_ends_in_a_slash() -> None:
    """API Gateway refuses such a route, and then the whole deployment fails."""
    assert [key for key in _routes() if key.endswith("/")] == []


def test_a_path_with_a_slash_at_its_end_invokes_the_function_of_the_route() -> None:
    routes = _routes()
    greedy = {key.removesuffix("{proxy+}"): function for key, function in routes.items() if "+" in key}
    for key, function in routes.items():
        method, _, path = key.partition(" ")
        if not path or "+" in path or path.endswith(".json"):
            continue
        matching = [
            target
            for prefix, target in greedy.items()
            if f"{method} {path}/".startswith(prefix) or f"ANY {path}/".startswith(prefix)
        ]
        assert (matching or [routes["$default"]]) == [function], key


def test_route_settings_name_existing_routes() -> None:
    """API Gateway refuses settings for a missing route, and then the whole deployment fails."""
    source = translated()
    stages = source.of_type("AWS::ApiGatewayV2::Stage").values()
    (stage,) = (one for one in stages if "RouteSettings" in one)
    assert stage["RouteSettings"].keys() <= _routes().keys()


def test_api_gateway_may_call_the_function_of_each_route() -> None:
    allowed = [
        (
            permission["FunctionName"]["Ref"],
            permission["SourceArn"]["Fn::Sub"][0].partition("/${__Stage__}/")[2],
        )
        for permission in translated().of_type("AWS::Lambda::Permission").values()
        if "${__Stage__}" in str(permission["SourceArn"])
    ]
    for key, function in _routes().items():
        called = key.replace(" ", "")
        assert [pattern for name, pattern in allowed if name == function and fnmatchcase(called, pattern)], (
            key
        )
