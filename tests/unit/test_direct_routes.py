"""Direct routes read a request as the resolver reads it, or leave the request to the resolver."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.gateway import Context, request_event
from tests.support.handlers import loaded
from timer_core.api import requests
from timer_core.api.auth import Caller
from timer_core.api.conditional import NotModified
from timer_core.api.direct import Unusual
from timer_core.api.problems import HttpError
from timer_core.api.requests import Request
from timer_core.store.people import Person

TIMER_ID = "583231-01JD3K5W9GZ8Q4T1M6V7X0Y2BC"
TIMER = f"/api/timelogs/{TIMER_ID}/"
NOW = 1_763_900_000_000
URL = "https://github.com/octocat/hello-world/issues/7"

texts = st.text(max_size=20) | st.sampled_from(
    ["UTC", "Europe/Berlin", "a,b", "\ud800", "x" * 2001, "line\nbreak"]
)
numbers = st.integers(-2, 10**19) | st.integers(1, 120)
times = st.datetimes().map(lambda one: one.isoformat(timespec="milliseconds") + "Z") | st.sampled_from(
    [
        "2026-01-31T09:00:00.000Z",
        "2026-01-31T24:00:00.000Z",
        "2026-02-30T09:00:00.000Z",
        "2026-01-31T09:00:60.000Z",
        "2026-01-31T09:00:00.0001Z",
        "2026-01-31T09:00:00+01:00",
        "1969-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.999Z",
        "١٩٧٠-01-01T00:00:00.000Z",
    ]
)
flags = st.sampled_from(["true", "false", "True", "1", "on", "", " 7", "+7", "07", "٧"])
dates = st.dates().map(str) | st.sampled_from(["20260131", "2026-W05-6", "2200-01-01", "2026-02-30"])
values = texts | times | dates | flags | numbers.map(str)
PARAMETERS = [
    "end_time__isnull",
    "github_repo",
    "github_issue_number",
    "start_time__gte",
    "start_time__lt",
    "since",
    "until",
    "time_zone",
    "count",
    "page_size",
    "cursor",
    "user",
    "from",
    "to",
    "unknown",
]
MEMBERS = {
    "github_issue_url": texts | st.just(URL),
    "github_repo": texts | st.just("octocat/hello-world"),
    "github_issue_number": numbers,
    "organization_url": texts,
    "description": texts,
    "at": times,
    "overtime": st.booleans(),
    "unknown": texts,
}
anything: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), numbers, st.floats(), texts, times, st.lists(texts, max_size=1), st.just({})
)
WRONG_MEMBERS = {name: value | anything for name, value in MEMBERS.items()}
bodies = (
    st.fixed_dictionaries({}, optional=WRONG_MEMBERS).map(json.dumps)
    | st.fixed_dictionaries({}, optional=MEMBERS).map(lambda body: json.dumps(body, ensure_ascii=False))
    | anything.map(json.dumps)
    | st.sampled_from(
        [
            "",
            " ",
            "{",
            "[" * 3000,
            '{"at": 1, "at": "2026-01-31T09:00:00.000Z"}',
            '{"at": 1e999, "at": "2026-01-31T09:00:00.000Z"}',
            '{"description": "\\ud800"}',
            '{"description": "\\n"}',
            '{"description": "\t"}',
            "\ufeff{}",
            '{"github_issue_number": 7.0}',
            '{"github_issue_number": ' + "1" * 5000 + "}",
            '{"overtime": NaN}',
        ]
    )
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "idempotency-key": st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=300),
        "if-none-match": st.sampled_from(["", "*", 'W/"a", "b"', '"a",']),
    },
)
# The values that the resolver adds for missing parameters and members.
DEFAULTS: dict[str, Any] = {
    "time_zone": "UTC",
    "count": False,
    "page_size": 50,
    "description": "",
    "overtime": False,
}
FUNCTIONS = {
    "auth.account": ["log_in", "log_out"],
    "timelogs.reading": ["list_timers", "get_timer", "get_totals"],
    "timelogs.timeline": ["get_timeline"],
    "timelogs.timesheets": ["get_timesheets"],
    "timelogs.transitions": ["start", "pause", "resume", "stop", "focus"],
}


class Recorder:
    """Replaces the functions that both kinds of routes call, and records their arguments."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def __call__(self, _request: Request, *arguments: Any, **named: Any) -> NoReturn:
        self.calls.append([*(DEFAULTS | one if isinstance(one, dict) else one for one in arguments), named])
        # Both kinds of routes pass this exception on, whatever the body would be.
        raise NotModified("recorded")


class Function(NamedTuple):
    module: ModuleType
    recorder: Recorder

    def read(self, request: Request) -> tuple[Any, Any]:
        """Return what the direct route and the resolver read; None if they do not accept the request."""
        http = request.event["requestContext"]["http"]
        direct = self.module.direct.find(http["method"], request.event["rawPath"])
        found = []
        for answer in (direct, self.module.resolver().answer):
            self.recorder.calls.clear()
            with suppress(NotModified, Unusual):
                answer(request)
            found.append(self.recorder.calls[0] if self.recorder.calls else None)
        return found[0], found[1]


@contextmanager
def recorded(name: str) -> Iterator[Function]:
    recorder = Recorder()
    with (
        loaded(f"{name}.api", "none", AWS_DEFAULT_REGION="eu-west-1") as module,
        pytest.MonkeyPatch.context() as patch,
    ):
        for path, functions in FUNCTIONS.items():
            for function in functions if path.startswith(name) else ():
                patch.setattr(sys.modules[path], function, recorder)
        yield Function(module, recorder)


@pytest.fixture(scope="module")
def timelogs() -> Iterator[Function]:
    with recorded("timelogs") as function:
        yield function


@pytest.fixture(scope="module")
def auth() -> Iterator[Function]:
    with recorded("auth") as function:
        yield function


def request(method: str, target: str, headers: dict[str, str], *, body: str = "", **query: str) -> Request:
    event = request_event(method, target, headers=headers, body=body.encode(errors="surrogatepass"))
    event["queryStringParameters"] = query
    requests.normalize(event)
    return Request(event, Context(), NOW, Caller(Person(583231, "octocat")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path", ["/api/timelogs/", "/api/timelogs/totals/", TIMER, "/api/timeline/", "/api/timesheets/"]
)
@given(query=st.dictionaries(st.sampled_from(PARAMETERS), values, max_size=4), headers=headers)
def test_a_direct_route_reads_a_query_as_the_resolver_does_or_refuses_to(
    timelogs: Function, path: str, query: dict[str, str], headers: dict[str, str]
) -> None:
    direct, resolver = timelogs.read(request("GET", path, headers, **query))
    assert direct in (None, resolver)


@pytest.mark.parametrize("act", ["start", "pause", "resume", "stop", "focus"])
@given(body=bodies, headers=headers)
def test_a_direct_route_reads_a_body_as_the_resolver_does_or_refuses_to(
    timelogs: Function, act: str, body: str, headers: dict[str, str]
) -> None:
    path = f"/api/timelogs/{act}/" if act == "start" else f"{TIMER}{act}/"
    try:
        sent = request("POST", path, headers, body=body)
    except HttpError:
        return  # the guard refuses it before any route
    direct, resolver = timelogs.read(sent)
    assert direct in (None, resolver)


@given(query=st.dictionaries(st.sampled_from(["next", "origin", "unknown"]), texts, max_size=3))
def test_a_direct_sign_in_reads_its_query_as_the_resolver_does_or_refuses_to(
    auth: Function, query: dict[str, str]
) -> None:
    direct, resolver = auth.read(request("GET", "/api/auth/login/", {}, **query))
    assert direct in (None, resolver)


@given(
    body=st.dictionaries(st.sampled_from(["everywhere", "unknown"]), anything, max_size=2).map(json.dumps)
    | st.sampled_from(["", "{}", "null", '{"everywhere": true}'])
)
def test_a_direct_sign_out_reads_its_body_as_the_resolver_does_or_refuses_to(
    auth: Function, body: str
) -> None:
    direct, resolver = auth.read(request("POST", "/api/auth/logout/", {}, body=body))
    assert direct in (None, resolver)


def test_the_sign_in_and_the_sign_out_of_the_pages_are_answered_directly(auth: Function) -> None:
    target, origin = "/api/auth/login/", "https://wiki.example.org"
    for sent in (
        request("GET", target, {}, next="/?day=2026-11-30#now"),
        request("GET", target, {}, origin=origin),
        request("POST", "/api/auth/logout/", {}),
        request("POST", "/api/auth/logout/", {}, body='{"everywhere":true}'),
    ):
        direct, resolver = auth.read(sent)
        assert direct == resolver is not None


KEY = {"idempotency-key": "01JD3K5W9GZ8Q4T1M6V7X0Y2BC"}
AT = '"at":"2026-01-31T09:00:00.000Z"'


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("GET", "/api/timelogs/", {"end_time__isnull": "true", "page_size": "100"}),
        (
            "GET",
            "/api/timelogs/",
            {
                "since": "2026-01-31T00:00:00.000Z",
                "time_zone": "Europe/Berlin",
                "github_repo": "octocat/hello",
            },
        ),
        ("GET", TIMER, {}),
        ("GET", "/api/timelogs/totals/", {"since": "2026-01-31T00:00:00.000Z", "time_zone": "Europe/Berlin"}),
        ("GET", "/api/timeline/", {"since": "2026-01-31T00:00:00.000Z", "until": "2026-02-01T00:00:00.000Z"}),
        ("GET", "/api/timesheets/", {"from": "2026-01-26", "to": "2026-02-01"}),
        ("POST", "/api/timelogs/start/", {"body": "{" + AT + "}"}),
        ("POST", "/api/timelogs/start/", {"body": f'{{"github_issue_url":"{URL}",{AT}}}'}),
        ("POST", f"{TIMER}pause/", {"body": ""}),
        ("POST", f"{TIMER}resume/", {"body": "{" + AT + "}"}),
        ("POST", f"{TIMER}stop/", {"body": "{" + AT + "}"}),
        ("POST", f"{TIMER}focus/", {"body": '{"overtime":true,' + AT + "}"}),
    ],
)
def test_the_requests_of_the_widget_and_the_page_are_answered_directly(
    timelogs: Function, method: str, path: str, sent: dict[str, str]
) -> None:
    direct, resolver = timelogs.read(request(method, path, KEY | {"if-none-match": 'W/"a"'}, **sent))
    assert direct == resolver is not None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/timelogs/<timer_id>/"),
        ("GET", "/api/timelogs/start/"),
        ("DELETE", TIMER),
        ("POST", TIMER),
        ("GET", f"{TIMER}{TIMER_ID}/"),
        ("GET", "//"),
        ("GET", ""),
    ],
)
def test_other_paths_and_methods_have_no_direct_route(timelogs: Function, method: str, path: str) -> None:
    assert timelogs.module.direct.find(method, path) is None
