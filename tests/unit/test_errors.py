"""The responses to refused requests, and their codes."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from auth.models import TokenRequest
from timer_core.api import errors, german
from timer_core.api.models import AddRequest, PatchRequest, StartRequest
from timer_core.api.problems import HttpError
from timer_core.api.resolver import translated
from timer_core.domain.errors import (
    ErrorCode,
    InvalidInput,
    IssueTimerError,
    TooManyTransitions,
    TransitionNotAllowed,
)
from timer_core.domain.state import Status
from timer_core.observability import make_logger


def problem_of(error: Exception, method: str = "POST", body: str = "") -> Any:
    event = {
        "rawPath": "/api/timelogs/",
        "headers": {},
        "body": body,
        "requestContext": {"http": {"method": method}},
    }
    return json.loads(errors.error_response(error, event, make_logger("test"))["body"])


def subclasses(cls: type[IssueTimerError]) -> Iterator[type[IssueTimerError]]:
    for one in cls.__subclasses__():
        yield one
        yield from subclasses(one)


def test_a_transition_beyond_the_limit_is_a_bad_request_that_says_what_to_do() -> None:
    problem = problem_of(TooManyTransitions("pause", "150 manual transitions"))
    assert problem["status"] == 400
    assert problem["detail"] == (
        "Cannot pause a timer that has 150 manual transitions, which is the limit. "
        "Stop it and start another one."
    )


def test_every_error_that_a_caller_can_cause_has_a_code() -> None:
    # The code of these errors depends on the constructor's arguments; mypy checks the first.
    variable = {InvalidInput, TransitionNotAllowed}
    codes = {cls: cls.code for cls in subclasses(IssueTimerError) if cls not in variable}
    assert len(codes) >= 10
    assert {type(code) for code in codes.values()} == {ErrorCode}


@pytest.mark.parametrize("status", Status)
def test_a_refused_transition_has_the_timers_state_as_its_code(status: Status) -> None:
    assert problem_of(TransitionNotAllowed("pause", status))["code"] == f"timer_{status}"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError(), "internal_error"),
        (HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Not JSON."), "invalid_request"),
        (InvalidInput("at", "No.", ErrorCode.TOO_LONG_AGO), "invalid_request"),
    ],
)
def test_a_problem_names_its_reason(error: Exception, code: str) -> None:
    assert problem_of(error)["code"] == code


def test_pages_and_widget_have_the_same_german_text_for_each_code() -> None:
    script = (Path(__file__).parents[2] / "web" / "widget" / "strings.de.js").read_text()
    of_widget = re.findall(r'^    (\w+):\s+"(.*)",$', script.partition("  errors: {")[2], re.MULTILINE)
    assert dict(of_widget) == german.ERRORS
    assert german.ERRORS.keys() == set(ErrorCode)


def test_every_status_of_an_error_has_a_german_title() -> None:
    assert german.TITLES.keys() >= set(errors._STATUS.values())


@pytest.mark.parametrize(
    ("method", "body", "part"),
    [("POST", "{}", "body"), ("POST", "", "path"), ("DELETE", "", "path"), ("GET", "", "query")],
)
def test_an_invalid_value_names_its_field_and_its_reason(method: str, body: str, part: str) -> None:
    error = InvalidInput("at", "Too old.", ErrorCode.TOO_LONG_AGO)
    assert problem_of(error, method, body)["errors"] == [
        {"loc": [part, "at"], "msg": "Too old.", "code": "too_long_ago"}
    ]


@pytest.mark.parametrize(
    ("model", "body", "code"),
    [
        (StartRequest, {"description": "a" * 2001}, "too_long"),
        (StartRequest, {"description": "\0"}, "control_characters"),
        (StartRequest, {"description": 1}, "invalid_value"),
        (StartRequest, {"github_issue_url": ""}, "too_short"),
        (StartRequest, {"github_issue_number": 0}, "out_of_range"),
        (StartRequest, {"at": "yesterday"}, "invalid_time"),
        (StartRequest, {"at": "1969-01-01T00:00:00Z"}, "invalid_time"),
        (StartRequest, {"issue": 7}, "unknown_field"),
        (AddRequest, {}, "required"),
        (PatchRequest, {"description": None}, "required"),
        (PatchRequest, {"github_issue_url": None, "github_issue_number": 7}, "contradiction"),
        (TokenRequest, {"name": "a", "scope": "all"}, "invalid_value"),
    ],
)
def test_an_invalid_body_has_the_code_of_the_failed_check(
    model: type[BaseModel], body: dict[str, Any], code: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(body)
    details: list[Any] = raised.value.errors(include_url=False)
    problem = problem_of(translated(RequestValidationError(details)))
    assert [error["code"] for error in problem["errors"]] == [code]
