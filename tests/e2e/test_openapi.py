"""The API conforms to its description, whatever is sent (schemathesis)."""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests import PreparedRequest
from schemathesis import CheckFunction, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from deployed_stack.deliveries import WEBHOOK_PATH, delivery_headers
from tests.e2e.conftest import Site
from tests.support.examples import examples

_DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
_OPERATIONS = [
    (path, method, mode)
    for path, methods in _DOCUMENT["paths"].items()
    for method, operation in methods.items()
    for mode in GenerationMode
    # An operation without parameters and body has no invalid requests.
    if mode.is_positive or operation.keys() & {"parameters", "requestBody"}
]
# The actions that prepare a timer of Ann's for a request about it.
_LIVES = [["start/"], ["start/", "pause/"], ["start/", "stop/"]]
_EVENTS = ["ping", "issues", "issue_comment", "projects_v2_item", "repository", "star"]


def _timer(site: Site, life: list[str]) -> str:
    timer_id = ""
    for action in life:
        path = f"/api/timelogs/{timer_id}/{action}" if timer_id else f"/api/timelogs/{action}"
        timer_id = json.loads(site.send("POST", path).body)["id"]
    return timer_id


def _signed(site: Site, event: str) -> Callable[[PreparedRequest], PreparedRequest]:
    """Return a function that turns a request into a signed delivery just before it is sent."""

    def sign(request: PreparedRequest) -> PreparedRequest:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        assert isinstance(body, bytes)
        headers = delivery_headers(event, body, site.secret)
        if "Content-Type" in request.headers:
            del headers["Content-Type"]
        request.headers.update(headers)
        return request

    return sign


@pytest.mark.parametrize(("path", "method", "mode"), _OPERATIONS)
def test_the_api_conforms_to_its_description(
    site: Site, path: str, method: str, mode: GenerationMode
) -> None:
    load_all_checks()
    schema = schemathesis.openapi.from_dict(_DOCUMENT)
    # The API's own address: schemathesis cannot resolve the names under .localhost.
    api_id = site.stack.resources["HttpApi"]
    base_url = f"{site.stack.endpoint_url}/_aws/execute-api/{api_id}/$default"
    credentials = {"Authorization": f"Token {site.ann}"}

    # A schema cannot express that exactly one of end and duration is needed, and the like.
    excluded: list[CheckFunction] = [positive_data_acceptance]
    if method == "get":
        # A query may be valid although a value breaks the schema: a list of one looks like its element.
        excluded.append(negative_data_rejection)
    # Chance finds no timer's id and no valid signature: half of the examples get one, and the first one does.
    help_with_timer = st.sampled_from([*_LIVES, None, None, None]) if "{timer_id}" in path else st.none()
    help_with_signature = st.sampled_from(_EVENTS) | st.none() if path == WEBHOOK_PATH else st.none()

    @given(
        case=schema[path][method].as_strategy(generation_mode=mode),
        life=help_with_timer,
        event=help_with_signature,
    )
    @settings(max_examples=examples(0.15), deadline=None, suppress_health_check=list(HealthCheck))
    def holds(case: schemathesis.Case[Any], life: list[str] | None, event: str | None) -> None:
        if life is not None:
            case.path_parameters["timer_id"] = _timer(site, life)
        # With a valid id or signature, a negative example may have become valid.
        helped = [negative_data_rejection] if life or event else []
        response = case.call(
            base_url=base_url, headers=credentials, auth=_signed(site, event) if event else None
        )
        if response.status_code in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            # The emulator adds a content type although there is no content.
            assert response.content == b""
            return
        case.validate_response(response, headers=credentials, excluded_checks=[*excluded, *helped])

    holds()
