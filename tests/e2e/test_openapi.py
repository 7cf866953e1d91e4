"""The API conforms to docs/openapi.json for generated requests, valid and invalid (schemathesis)."""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, settings
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
# Actions that put a new timer into a certain state before the tested request.
_PREPARATIONS = [["start/"], ["start/", "pause/"], ["start/", "stop/"]]
_EVENTS = ["ping", "issues", "issue_comment", "projects_v2_item", "repository", "star"]


def _new_timer(site: Site, actions: list[str]) -> str:
    timer_id = ""
    for action in actions:
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
    credentials = {"Authorization": f"Token {site.ann}"}

    # This check is excluded, because a schema cannot express some rules. For example, a request has either an
    # end or a duration.
    excluded: list[CheckFunction] = [positive_data_acceptance]
    if method == "get":
        # An invalid query can become valid when it is sent, because a list of one value looks like the value.
        excluded.append(negative_data_rejection)
    # Generated requests have neither a timer's id nor a valid signature, so half of the examples get one.
    # A request for a pause needs a timer with a pause.
    preparations = [["start/", "pause/"]] if "{number}" in path else _PREPARATIONS
    timer_actions = st.sampled_from([*preparations, None, None, None]) if "{timer_id}" in path else st.none()
    signed_event = st.sampled_from(_EVENTS) | st.none() if path == WEBHOOK_PATH else st.none()

    operation = schema[path][method]

    @given(
        case=operation.as_strategy(generation_mode=mode),
        actions=timer_actions,
        event=signed_event,
    )
    @settings(max_examples=examples(0.15), deadline=None, suppress_health_check=list(HealthCheck))
    def holds(case: schemathesis.Case[Any], actions: list[str] | None, event: str | None) -> None:
        if actions is not None:
            case.path_parameters["timer_id"] = _new_timer(site, actions)
            case.path_parameters |= {"number": 0} if "{number}" in path else {}
        # A valid id or signature can make a negative example valid.
        excluded_here = [negative_data_rejection] if actions or event else []
        response = case.call(
            base_url=site.url, headers=credentials, auth=_signed(site, event) if event else None
        )
        # The emulator may change a body of arbitrary bytes, so that its signature is no longer valid.
        if actions or (event and not isinstance(case.body, bytes)):
            assert response.status_code not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND}
        if response.status_code in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            # The emulator adds a content type to empty responses, which the description does not allow.
            assert response.content == b""
            return
        case.validate_response(response, headers=credentials, excluded_checks=[*excluded, *excluded_here])

    if "{timer_id}" in path or path == WEBHOOK_PATH:
        # Add an explicit example, so that at least one request per operation has a valid id or signature.
        body: dict[str, Any] = {}
        if "requestBody" in _DOCUMENT["paths"][path][method]:
            body = {"body": {}, "media_type": "application/json"}
        parameters = {"timer_id": ""} | ({"number": 0} if "{number}" in path else {})
        case = operation.Case(path_parameters=parameters, **body)
        actions, event = (None, "ping") if path == WEBHOOK_PATH else (preparations[0], None)
        holds = example(case=case, actions=actions, event=event)(holds)
    holds()
