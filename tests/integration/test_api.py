"""The routes of the REST API, on Amazon's DynamoDB Local."""

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.conftest import Api
from tests.support.gateway import Answer, Client, Context, request_event
from tests.support.handlers import Clock, loaded
from timer_core import __version__
from timer_core.api import german
from timer_core.api.cursors import encode_cursor
from timer_core.clock import now_ms
from timer_core.domain.errors import ErrorCode
from timer_core.domain.ids import new_ulid
from timer_core.store.people import Person
from timer_core.store.positions import Position
from timer_core.store.progress import ProgressStore
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

ISSUE = "https://github.com/octocat/Hello-World/issues/{}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def start(client: Client, number: int | None = None, **body: Any) -> dict[str, Any]:
    if number is not None:
        body["github_issue_url"] = ISSUE.format(number)
    answer = client("POST", "/api/timelogs/start/", body or None)
    assert answer.status == 201, answer.body
    timer: dict[str, Any] = answer.json()
    return timer


def act(client: Client, timer: dict[str, Any], action: str, **headers: Any) -> Answer:
    return client("POST", f"/api/timelogs/{timer['id']}/{action}/", **headers)


def get(client: Client, timer: dict[str, Any]) -> dict[str, Any]:
    answer = client("GET", f"/api/timelogs/{timer['id']}/")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


def patch(client: Client, timer: dict[str, Any], body: Any) -> Answer:
    return client("PATCH", f"/api/timelogs/{timer['id']}/", body)


def problem(answer: Answer, status: int) -> dict[str, Any]:
    """Check that a response is a problem (RFC 9457) with this status, and return its body."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"]
    assert body["title"]
    assert body["detail"]
    assert ErrorCode(body["code"])
    for error in body.get("errors", []):
        assert error.keys() == {"loc", "msg", "code"}
        assert ErrorCode(error["code"])
        assert error["loc"]
        assert error["msg"]
    return body


def time_of(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def add(
    client: Client, clock: Clock, ago_s: float, duration: float | None = 60, **body: Any
) -> dict[str, Any]:
    """Add a stopped timer that began some seconds ago."""
    sent = {"start_time": time_of(clock.ms - round(ago_s * 1000)), "duration": duration, **body}
    answer = client("POST", "/api/timelogs/", sent)
    assert answer.status == 201, answer.body
    added: dict[str, Any] = answer.json()
    return added


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [timer["id"] for timer in answer.json()["results"]]


def target(link: str) -> str:
    """Return the request target of a link."""
    url = urlsplit(link)
    assert (url.scheme, url.netloc) == ("https", "api.example.com")
    return f"{url.path}?{url.query}"


ROUTES = [
    ("GET", "/api/timelogs", None, 200),
    ("POST", "/api/timelogs", {"start_time": "2026-01-31T09:00:00Z", "duration": 1.5}, 201),
    ("POST", "/api/timelogs/start", None, 201),
    ("POST", "/api/timelogs/{}/pause", None, 200),
    ("POST", "/api/timelogs/{}/stop", None, 200),
    ("POST", "/api/timelogs/{}/focus", None, 200),
    ("POST", "/api/timelogs/{}/pauses", None, 400),
    ("PUT", "/api/timelogs/{}/pauses/0", {"start": "2026-01-31T09:00:00Z"}, 404),
    ("DELETE", "/api/timelogs/{}/pauses/0", None, 404),
    ("POST", "/api/timelogs/{}/split", {"at": "2026-01-31T09:00:00Z"}, 400),
    ("GET", "/api/timelogs/{}", None, 200),
    ("PATCH", "/api/timelogs/{}", {"description": "x"}, 200),
    ("DELETE", "/api/timelogs/{}", None, 204),
    ("GET", "/api/health", None, 200),
]


@pytest.mark.parametrize("slash", ["/", ""])
@pytest.mark.parametrize(("method", "path", "body", "status"), ROUTES)
def test_every_route_works_with_and_without_a_trailing_slash(
    api: Api, method: str, path: str, body: Any, status: int, slash: str
) -> None:
    timer = start(api.ann)
    assert api.ann(method, path.format(timer["id"]) + slash, body).status == status


@pytest.mark.parametrize("slash", ["/", ""])
def test_resuming_works_with_and_without_a_trailing_slash(api: Api, slash: str) -> None:
    timer = start(api.ann)
    act(api.ann, timer, "pause")
    assert api.ann("POST", f"/api/timelogs/{timer['id']}/resume{slash}").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/nothing/"),
        ("POST", "/api/timelogs/{}/restart/"),
        ("GET", "/api/timelogs/{}/../{}/"),
    ],
)
def test_an_unknown_route_is_not_found(api: Api, method: str, path: str) -> None:
    timer = start(api.ann)
    problem(api.ann(method, path.replace("{}", timer["id"])), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/timelogs/", "GET, HEAD, POST"),
        ("PUT", "/api/timelogs", "GET, HEAD, POST"),
        ("DELETE", "/api/timelogs/totals/", "GET, HEAD"),
        # "start" is a path of its own, and not the id of a timer.
        ("GET", "/api/timelogs/start/", "POST"),
        ("HEAD", "/api/timelogs/start/", "POST"),
        ("GET", "/api/timelogs/{}/pause/", "POST"),
        ("POST", "/api/timelogs/{}/", "DELETE, GET, HEAD, PATCH"),
        ("TRACE", "/api/timelogs/{}/", "DELETE, GET, HEAD, PATCH"),
        ("POST", "/api/admin/timers/", "GET, HEAD"),
        ("POST", "/api/health/", "GET, HEAD"),
        ("POST", "/api/openapi.json", "GET, HEAD"),
    ],
)
def test_another_method_of_a_path_is_refused_with_the_allowed_ones(
    api: Api, method: str, path: str, allowed: str
) -> None:
    timer = start(api.ann)
    for caller in (api.ann, api.nobody):
        answer = caller(method, path.replace("{}", timer["id"]))
        assert (answer.status, answer.headers["allow"]) == (405, allowed)
        assert answer.headers["content-type"] == "application/problem+json"
        assert method == "HEAD" or answer.json()["detail"] == f"This path does not allow {method}."
    assert get(api.ann, timer)["status"] == "running"


@pytest.mark.parametrize(
    "path",
    [
        "/api/timelogs/",
        "/api/timelogs/?page_size=0",
        "/api/timelogs/totals/",
        "/api/timelogs/{}/",
        "/api/timelogs/1/",
        "/api/admin/timers/",
        "/api/admin/health/",
        "/api/health/",
        "/api/openapi.json",
        "/api/nothing/",
        "/nothing.html",
    ],
)
@pytest.mark.usefixtures("clock")
def test_head_is_answered_as_get_without_a_body(api: Api, path: str) -> None:
    path = path.replace("{}", start(api.ann)["id"])
    for caller in (api.ann, api.nobody):
        got, head = caller("GET", path), caller("HEAD", path)
        assert (head.status, head.headers, head.body) == (got.status, got.headers, "")
        assert got.body


def test_head_does_not_count_as_a_change(api: Api) -> None:
    """A token of scope read may send it."""
    _, text = api.tokens.mint(Person(api.ann_id, "ann"), name="read", now_ms=now_ms(), scope="read")
    assert Client(api.module.handler, text)("HEAD", "/api/timelogs/").status == 200


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def test_the_page_for_an_invalid_request_names_the_parameter(api: Api) -> None:
    for query, name in (("page_size=0", "page_size"), ("user=x", "user"), ("sort=1", "sort")):
        page = api.ann("GET", f"/api/timelogs/?{query}", accept=BROWSER)
        assert (page.status, page.headers["content-type"]) == (400, "text/html; charset=utf-8")
        assert f"The request is not valid. {name}: " in page.body


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/api/nothing/", 404, "This path does not exist."),
        ("GET", "/api/timelogs/", 401, "Sign in, or send an API token"),
        ("GET", "/api/timelogs/start/", 405, "This path does not allow GET."),
        ("GET", "/api/admin/health/", 401, "Sign in"),
    ],
)
def test_a_person_who_opens_an_address_of_the_api_gets_errors_as_pages(
    api: Api, method: str, path: str, status: int, text: str
) -> None:
    page = api.nobody(method, path, accept=BROWSER)
    assert (page.status, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert text in page.body
    assert '<a href="/">' in page.body
    assert page.headers["cache-control"] == "no-store"
    for accept in ("application/json", "*/*", "application/json, text/plain, */*"):
        assert problem(api.nobody(method, path, accept=accept), status)["detail"].startswith(text)


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        ("text/html", True),
        ("TEXT/HTML; charset=utf-8", True),
        ("text/html;level=1;q=0.1", True),
        ("application/json;q=0.8, text/html;q=0.9", True),
        ("application/json;q=0, text/html;q=0.1", True),
        ('application/json;a="b, text/html"', False),
        ("application/json, text/html;q=0", False),
        ("text/html; Q=0.000", False),
        ("text/html, application/json", False),
        ("text/html;q=0.8, application/json;q=0.9", False),
        ("text/html;q=0.8, application/problem+json;q=0.8", False),
        ("text/html;q=high", False),
        ("text/*, */*", False),
        ("application/x-text/html", False),
        ("", False),
    ],
)
def test_an_error_is_a_page_only_if_the_request_prefers_html_to_json(
    api: Api, accept: str, *, is_page: bool
) -> None:
    """Weights as in RFC 9110, section 12.4.2."""
    answer = api.ann("GET", "/api/timelogs/?page_size=0", accept=accept)
    expected = "text/html; charset=utf-8" if is_page else "application/problem+json"
    assert (answer.status, answer.headers["content-type"]) == (400, expected)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/timelogs/?x=1", HTTPStatus.BAD_REQUEST, ErrorCode.UNKNOWN_FIELD),
        ("GET", "/api/timelogs/?page_size=0", HTTPStatus.BAD_REQUEST, ErrorCode.OUT_OF_RANGE),
        ("GET", "/api/nothing/", HTTPStatus.NOT_FOUND, ErrorCode.NOT_FOUND),
        ("GET", "/api/timelogs/start/", HTTPStatus.METHOD_NOT_ALLOWED, ErrorCode.INVALID_REQUEST),
        ("GET", "/api/admin/health/", HTTPStatus.FORBIDDEN, ErrorCode.FORBIDDEN),
    ],
)
def test_a_german_browser_gets_errors_in_german(
    api: Api, method: str, path: str, status: HTTPStatus, code: ErrorCode
) -> None:
    page = api.ann(method, path, accept=BROWSER, accept_language="de-AT,de;q=0.9,en;q=0.8")
    assert page.status == status
    assert '<html lang="de">' in page.body
    assert f"<h1>{german.TITLES[status]}</h1>" in page.body
    assert german.ERRORS[code] in page.body


def test_a_path_that_begins_like_one_of_the_sign_in_gets_a_problem(api: Api) -> None:
    problem(api.nobody("GET", "/api/auth/login-x/"), 404)
    problem(api.nobody("GET", "/api/auth/callback/x/"), 404)


@pytest.mark.parametrize("path", ["/", "/nothing.html", "/widget/nothing.js", "/api", "/api/", "/.env"])
@pytest.mark.parametrize("accept", [BROWSER, "*/*", ""])
def test_a_wrong_address_of_the_page_is_a_page(api: Api, path: str, accept: str) -> None:
    """CloudFront sends these requests if the bucket has no such file."""
    page = api.nobody("GET", path, accept=accept)
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no page at this address." in page.body
    # CloudFront caches the page for all languages.
    assert '<div lang="de"><h2>Seite nicht gefunden</h2>' in page.body
    assert page.headers["cache-control"] == "public, max-age=60"


def test_the_specification_is_served_to_everybody(api: Api) -> None:
    answer = api.nobody("GET", "/api/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["openapi"].startswith("3.1")


class TestStart:
    def test_starts_without_a_body(self, api: Api, clock: Clock) -> None:
        timer = start(api.ann)
        assert timer == {
            "id": timer["id"],
            "user": api.ann_id,
            "organization": None,
            "status": "running",
            "start_time": time_of(clock.ms),
            "end_time": None,
            "duration": None,
            "active_duration": 0,
            "is_paused": False,
            "paused_duration": 0,
            "last_pause_time": None,
            "pauses": [],
            "github_issue_url": None,
            "github_issue_number": None,
            "github_repo": None,
            "github_issue_title": None,
            "description": "",
            "source": "manual",
            "stopped_by": None,
            "last_sign_at": time_of(clock.ms),
            "created": time_of(clock.ms),
            "details_deleted": False,
            "working_duration": 0,
            "is_counting": True,
            "waiting_for": None,
            "counting_share": 1,
            # Without another sign of life, the timer becomes stale.
            "counting_changes_at": time_of(clock.ms + 24 * 3_600_000),
            "why": {
                "rule": "only",
                "action": "start",
                "by": "manual",
                "at": time_of(clock.ms),
                "timer": None,
            },
            "counts_for": None,
        }

    def test_the_response_has_the_location_of_the_new_timer(self, api: Api) -> None:
        answer = api.ann("POST", "/api/timelogs/start/", {})
        assert answer.headers["location"] == f"/api/timelogs/{answer.json()['id']}/"
        assert api.ann("GET", answer.headers["location"]).status == 200

    @pytest.mark.parametrize(
        "body",
        [
            {"github_issue_url": ISSUE.format(7)},
            {"github_repo": "octocat/Hello-World", "github_issue_number": 7},
            {"github_issue_url": ISSUE.format(7), "github_issue_number": 7},
        ],
    )
    def test_an_issue_is_identified_by_url_or_by_repository_and_number(
        self, api: Api, body: dict[str, Any]
    ) -> None:
        timer = start(api.ann, **body)
        assert timer["github_issue_url"] == ISSUE.format(7)
        assert (timer["github_repo"], timer["github_issue_number"]) == ("octocat/Hello-World", 7)
        assert timer["organization"] == "octocat"

    def test_an_organization_can_be_given(self, api: Api) -> None:
        timer = start(api.ann, 7, organization_url="https://github.com/acme")
        assert timer["organization"] == "acme"

    def test_starting_again_on_an_issue_returns_the_open_timer(self, api: Api) -> None:
        timer = start(api.ann, 7)
        again = api.ann("POST", "/api/timelogs/start/", {"github_issue_url": ISSUE.format(7).lower()})
        assert (again.status, again.json()["id"]) == (200, timer["id"])
        assert "location" not in again.headers

    def test_each_person_and_issue_has_its_own_timer(self, api: Api) -> None:
        timers = [start(api.ann, 7), start(api.ann, 8), start(api.bob, 7)]
        assert len({timer["id"] for timer in timers}) == 3

    def test_any_number_of_timers_without_an_issue_can_be_open(self, api: Api) -> None:
        assert start(api.ann)["id"] != start(api.ann)["id"]

    def test_after_a_stop_a_start_creates_a_new_timer(self, api: Api) -> None:
        timer = start(api.ann, 7)
        act(api.ann, timer, "stop")
        assert start(api.ann, 7)["id"] != timer["id"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"github_repo": "octocat/Hello-World"}, "github_issue_number"),
            ({"github_issue_number": 7}, "github_repo"),
            ({"github_issue_url": ISSUE.format(7), "github_issue_number": 8}, "github_issue_number"),
            ({"github_issue_url": ISSUE.format(7), "github_repo": "octocat/other"}, "github_repo"),
            ({"github_issue_url": "https://github.com/octocat/Hello-World/labels/7"}, "github_issue_url"),
            ({"github_issue_url": "https://gitlab.com/octocat/Hello-World/issues/7"}, "github_issue_url"),
            ({"github_issue_url": ISSUE.format(0)}, "github_issue_url"),
            ({"github_issue_url": ISSUE.format(10**12)}, "github_issue_url"),
            ({"github_repo": "o/r", "github_issue_number": 0}, "github_issue_number"),
            ({"github_repo": "o/r", "github_issue_number": -1}, "github_issue_number"),
            ({"github_repo": "o/r", "github_issue_number": 10**12}, "github_issue_number"),
            ({"github_repo": "o/r", "github_issue_number": 10**400}, "github_issue_number"),
            ({"github_repo": "o/r", "github_issue_number": "7"}, "github_issue_number"),
            ({"github_repo": "no repository", "github_issue_number": 7}, "github_repo"),
            ({"organization_url": "ftp://example.com/acme"}, "organization_url"),
            ({"description": "x" * 2001}, "description"),
            ({"description": "nul \0"}, "description"),
            ({"description": None}, "description"),
            ({"user": 1}, "user"),
            ({"end_time": "2026-01-31T09:00:00Z"}, "end_time"),
        ],
    )
    def test_invalid_input_is_refused_with_the_name_of_the_field(
        self, api: Api, body: dict[str, Any], field: str
    ) -> None:
        refused = problem(api.ann("POST", "/api/timelogs/start/", body), 400)
        assert [error["loc"] for error in refused["errors"]] == [["body", field]]
        assert ids(api.ann("GET", "/api/timelogs/")) == []


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"}",
            b"x",
            b"[]",
            b"5",
            b'"text"',
            b"true",
            b"{'description': 'x'}",
            b'{"description": "x",}',
            b'{"description": "x"} {}',
            b'{"description": NaN}',
            b'{"github_issue_number": NaN, "github_repo": "o/r"}',
            b'{"github_issue_number": Infinity, "github_repo": "o/r"}',
            b'{"github_issue_number": 1e999, "github_repo": "o/r"}',
            b'{"github_issue_number": ' + b"9" * 5000 + b', "github_repo": "o/r"}',
            b'{"github_issue_number": 007, "github_repo": "o/r"}',
            b'{"description": ' + b"[" * 20_000,
            b'{"a": ' * 5_000 + b"1" + b"}" * 5_000,
            b'{"description": "\\ud800"}',
            b'{"description": "\\udc00\\ud800"}',
            b'{"\\ud800": 1}',
            b'{"description": "a\nb"}',
            b'{"description": "a\x00b"}',
            b'{"description": "\\u0000"}',
            b'{"description": "\\x41"}',
            b'\xef\xbb\xbf{"description": "x"}',
            b'{"description": "\xff"}',
            b'{"description": "\xed\xa0\x80"}',
            b"\xff\xfe{\x00}\x00",
            '{"description": "x"}'.encode("utf-16"),
        ],
    )
    def test_a_body_that_is_not_a_json_object_is_refused(self, api: Api, body: bytes) -> None:
        problem(api.ann("POST", "/api/timelogs/start/", body=body), 400)
        assert ids(api.ann("GET", "/api/timelogs/")) == []

    def test_the_last_of_duplicate_keys_counts(self, api: Api) -> None:
        answer = api.ann("POST", "/api/timelogs/start/", body=b'{"description": "a", "description": "b"}')
        assert (answer.status, answer.json()["description"]) == (201, "b")

    @pytest.mark.parametrize("body", [b"", b" \n", b"{}"])
    def test_an_empty_body_starts_a_timer(self, api: Api, body: bytes) -> None:
        assert api.ann("POST", "/api/timelogs/start/", body=body).status == 201

    @pytest.mark.parametrize(
        "text", ["é ☕ 漢字 🎉", "<b>&amp;</b>", '"\\', "a\tb\r\nc", "\u2028\ufeff", "x" * 2000]
    )
    def test_a_text_is_returned_unchanged(self, api: Api, text: str) -> None:
        timer = start(api.ann, description=text)
        assert timer["description"] == get(api.ann, timer)["description"] == text

    def test_a_pair_of_surrogates_is_one_character(self, api: Api) -> None:
        answer = api.ann("POST", "/api/timelogs/start/", body=b'{"description": "\\ud83c\\udf89"}')
        assert answer.json()["description"] == "🎉"

    def test_a_body_in_base64_is_read(self, api: Api) -> None:
        event = request_event(
            "POST", "/api/timelogs/start/", headers={"authorization": f"Token {api.ann.token}"}
        )
        event["body"] = base64.b64encode(b'{"description": "x"}').decode()
        event["isBase64Encoded"] = True
        answer = api.module.handler(event, Context())
        assert (answer["statusCode"], json.loads(answer["body"])["description"]) == (201, "x")

    @pytest.mark.parametrize(("body", "is_base64"), [('{"description": "\ud800"}', False), ("a", True)])
    def test_a_body_with_invalid_encoding_is_refused(self, api: Api, body: str, is_base64: bool) -> None:
        event = request_event(
            "POST", "/api/timelogs/start/", headers={"authorization": f"Token {api.ann.token}"}
        )
        event["body"], event["isBase64Encoded"] = body, is_base64
        assert api.module.handler(event, Context())["statusCode"] == 400

    @pytest.mark.parametrize("size", [64 * 1024 + 1, 2_000_000])
    def test_a_body_that_is_too_large_is_refused(self, api: Api, size: int) -> None:
        problem(api.ann("POST", "/api/timelogs/start/", body=b" " * size), 413)
        problem(api.ann("POST", "/api/timelogs/start/", {"description": "x" * size}), 413)

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ""],
    )
    def test_a_body_of_another_type_is_refused(self, api: Api, content_type: str) -> None:
        answer = api.ann("POST", "/api/timelogs/start/", body=b"{}", content_type=content_type)
        problem(answer, 415)

    @pytest.mark.parametrize(
        "content_type", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "x"]
    )
    def test_the_media_type_of_an_empty_body_is_ignored(self, api: Api, content_type: str) -> None:
        timer = start(api.ann)
        assert act(api.ann, timer, "stop", content_type=content_type).status == 200
        answer = api.ann("POST", "/api/timelogs/start/", body=b"", content_type=content_type)
        assert answer.status == 201

    @pytest.mark.parametrize(
        "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"]
    )
    def test_json_is_accepted_in_every_spelling_of_its_media_type(self, api: Api, content_type: str) -> None:
        answer = api.ann("POST", "/api/timelogs/start/", body=b"{}", content_type=content_type)
        assert answer.status == 201


class TestAdd:
    def test_adds_time_from_start_to_end(self, api: Api, clock: Clock) -> None:
        timer = add(api.ann, clock, 3600, duration=None, end_time=time_of(clock.ms - 1_000))
        assert (timer["status"], timer["duration"], timer["active_duration"]) == ("stopped", 3599, 3599)
        assert (timer["source"], timer["stopped_by"]) == ("manual", "manual")
        assert get(api.ann, timer) == timer

    def test_adds_a_duration_to_the_millisecond(self, api: Api, clock: Clock) -> None:
        timer = add(api.ann, clock, 3600, duration=12.345)
        assert (timer["duration"], timer["end_time"]) == (12.345, time_of(clock.ms - 3_587_655))

    @pytest.mark.parametrize("ahead_ms", [1, 60_000])
    @pytest.mark.parametrize("start_ms", [-3_600_000, 1, 500])
    def test_an_end_slightly_in_the_future_counts_as_now(
        self, api: Api, clock: Clock, ahead_ms: int, start_ms: int
    ) -> None:
        """The client's clock is ahead."""
        began, ended = clock.ms + min(start_ms, ahead_ms), clock.ms + ahead_ms
        by_end: dict[str, Any] = {"end_time": time_of(ended)}
        by_duration = {"duration": (ended - began) / 1000}
        for end in (by_end, by_duration):
            body = {"start_time": time_of(began), **end}
            timer = api.ann("POST", "/api/timelogs/", body).json()
            assert (timer["start_time"], timer["end_time"]) == (
                time_of(min(began, clock.ms)),
                time_of(clock.ms),
            )

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"start_time": 60_001, "end_time": 60_001}, "start_time"),
            ({"start_time": 0, "end_time": 60_001}, "end_time"),
            ({"start_time": 0, "duration": 60.001}, "duration"),
        ],
    )
    def test_a_time_further_in_the_future_is_refused(
        self, api: Api, clock: Clock, body: dict[str, Any], field: str
    ) -> None:
        sent = {
            name: value if name == "duration" else time_of(clock.ms + value) for name, value in body.items()
        }
        refused = problem(api.ann("POST", "/api/timelogs/", sent), 400)
        assert refused["errors"] == [
            {"loc": ["body", field], "msg": "Must not lie in the future.", "code": ErrorCode.IN_THE_FUTURE}
        ]

    @pytest.mark.parametrize("seconds", [0, 24 * 3600 + 1, 400 * 86_400])
    def test_an_entry_of_any_length_may_be_added(self, api: Api, clock: Clock, seconds: int) -> None:
        end = time_of(clock.ms - 1_000)
        start_time = time_of(clock.ms - 1_000 - seconds * 1_000)
        timer = add(api.ann, clock, 0, start_time=start_time, end_time=end, duration=None)
        assert timer["duration"] == seconds
        patched = api.ann("PATCH", f"/api/timelogs/{timer['id']}/", {"start_time": end}).json()
        assert patched["duration"] == 0

    def test_the_same_time_may_be_added_twice(self, api: Api, clock: Clock) -> None:
        first, second = (add(api.ann, clock, 3600, github_issue_url=ISSUE.format(7)) for _ in range(2))
        assert first["id"] != second["id"]
        assert first["start_time"] == second["start_time"]

    def test_keeps_the_open_timer_of_the_issue(self, api: Api, clock: Clock) -> None:
        opened = start(api.ann, 7)
        add(api.ann, clock, 60, github_issue_url=ISSUE.format(7), duration=1)
        assert get(api.ann, opened)["status"] == "running"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "start_time"),
            ({"start_time": None}, "start_time"),
            ({"start_time": "2026-01-31"}, "start_time"),
            ({"start_time": "2026-01-31T09:00:00"}, "start_time"),
            ({"start_time": 1769850000}, "start_time"),
            ({"start_time": "1969-12-31T23:59:59Z"}, "start_time"),
            ({"start_time": "9999-12-31T23:59:59Z", "duration": 1}, "start_time"),
            ({"start_time": "2026-01-31T09:00:00Z"}, "end_time"),
            ({"start_time": "2026-01-31T09:00:00Z", "end_time": "2026-01-31T08:59:59Z"}, "end_time"),
            ({"start_time": "2026-01-31T09:00:00Z", "end_time": "9999-12-31T23:59:59Z"}, "end_time"),
            ({"start_time": "2026-01-31T09:00:00Z", "duration": 3e8}, "duration"),
            ({"start_time": "2026-01-31T09:00:00Z", "duration": -1}, "duration"),
            ({"start_time": "2026-01-31T09:00:00Z", "duration": 1e300}, "duration"),
            ({"start_time": "2026-01-31T09:00:00Z", "duration": "60"}, "duration"),
        ],
    )
    def test_invalid_times_are_refused_with_the_name_of_the_field(
        self, api: Api, body: dict[str, Any], field: str
    ) -> None:
        refused = problem(api.ann("POST", "/api/timelogs/", body), 400)
        assert [error["loc"] for error in refused["errors"]] == [["body", field]]
        assert ids(api.ann("GET", "/api/timelogs/")) == []

    def test_a_body_is_required(self, api: Api) -> None:
        problem(api.ann("POST", "/api/timelogs/"), 400)


class TestTransitions:
    def test_a_timer_counts_the_time_between_its_pauses(self, api: Api, clock: Clock) -> None:
        timer = start(api.ann, 7)
        clock.advance(10.001)
        assert act(api.ann, timer, "pause").json()["active_duration"] == 10.001
        clock.advance(5)
        assert act(api.ann, timer, "resume").json()["paused_duration"] == 5
        clock.advance(0.5)
        stopped = act(api.ann, timer, "stop").json()
        assert (stopped["duration"], stopped["active_duration"], stopped["paused_duration"]) == (
            10.501,
            10.501,
            5,
        )
        assert (stopped["status"], stopped["stopped_by"]) == ("stopped", "manual")
        assert get(api.ann, timer) == stopped

    def test_a_pause_is_shown_while_it_lasts(self, api: Api, clock: Clock) -> None:
        timer = start(api.ann)
        clock.advance(1)
        paused_at = time_of(clock.ms)
        act(api.ann, timer, "pause")
        clock.advance(60)
        seen = get(api.ann, timer)
        assert (seen["is_paused"], seen["last_pause_time"], seen["active_duration"]) == (True, paused_at, 1)
        resumed = act(api.ann, timer, "resume").json()
        assert (resumed["is_paused"], resumed["last_pause_time"]) == (False, None)

    def test_stopping_while_paused_ends_the_pause_uncounted(self, api: Api, clock: Clock) -> None:
        timer = start(api.ann)
        clock.advance(1)
        act(api.ann, timer, "pause")
        clock.advance(60)
        stopped = act(api.ann, timer, "stop").json()
        assert (stopped["duration"], stopped["paused_duration"]) == (1, 60)

    @pytest.mark.parametrize(
        ("before", "action", "state"),
        [
            ([], "resume", "running"),
            (["pause"], "pause", "paused"),
            (["stop"], "pause", "stopped"),
            (["stop"], "resume", "stopped"),
            (["stop"], "stop", "stopped"),
        ],
    )
    def test_an_impossible_transition_is_refused_with_the_state(
        self, api: Api, clock: Clock, before: list[str], action: str, state: str
    ) -> None:
        timer = start(api.ann)
        for step in before:
            act(api.ann, timer, step)
        seen = get(api.ann, timer)
        clock.advance(1)
        refused = problem(act(api.ann, timer, action), 400)
        assert refused["detail"] == f"Cannot {action} a timer that is {state}."
        clock.advance(-1)
        assert get(api.ann, timer) == seen

    def test_times_have_milliseconds_and_durations_three_decimals(self, api: Api, clock: Clock) -> None:
        clock.ms = clock.ms // 1000 * 1000
        timer = start(api.ann)
        clock.advance(0.1)
        act(api.ann, timer, "pause")
        clock.advance(0.2)
        answer = act(api.ann, timer, "stop")
        stopped = answer.json()
        assert (stopped["duration"], stopped["paused_duration"]) == (0.1, 0.2)
        for name in ("start_time", "end_time", "created"):
            assert TIME.fullmatch(stopped[name])
        for number in re.findall(r'duration":([0-9.]+)', answer.body):
            assert len(number.partition(".")[2]) <= 3


class TestIdempotencyKey:
    def test_repeating_a_start_returns_the_first_timer(self, api: Api) -> None:
        answers = [api.ann("POST", "/api/timelogs/start/", {}, idempotency_key="k") for _ in range(2)]
        assert [answer.status for answer in answers] == [201, 201]
        assert answers[0].json()["id"] == answers[1].json()["id"]

    def test_repeating_an_addition_adds_once(self, api: Api) -> None:
        body = {"start_time": "2026-01-31T09:00:00Z", "duration": 60}
        answers = [api.ann("POST", "/api/timelogs/", body, idempotency_key="k") for _ in range(2)]
        assert [answer.status for answer in answers] == [201, 201]
        assert len(ids(api.ann("GET", "/api/timelogs/"))) == 1

    @pytest.mark.parametrize("action", ["pause", "resume", "stop"])
    def test_a_repeated_transition_succeeds_and_counts_once(
        self, api: Api, clock: Clock, action: str
    ) -> None:
        timer = start(api.ann)
        clock.advance(1)
        if action == "resume":
            act(api.ann, timer, "pause")
        first = act(api.ann, timer, action, idempotency_key="k")
        clock.advance(1)
        again = act(api.ann, timer, action, idempotency_key="k")
        assert (first.status, again.status) == (200, 200)
        again_seen, first_seen = again.json(), first.json()
        for seen in (first_seen, again_seen):
            del seen["active_duration"], seen["working_duration"]
        assert again_seen == first_seen

    def test_a_key_cannot_be_reused_for_another_request(self, api: Api) -> None:
        api.ann("POST", "/api/timelogs/start/", {"description": "a"}, idempotency_key="k")
        problem(api.ann("POST", "/api/timelogs/start/", {"description": "b"}, idempotency_key="k"), 400)
        body = {"start_time": "2026-01-31T09:00:00Z", "duration": 60}
        problem(api.ann("POST", "/api/timelogs/", body, idempotency_key="k"), 400)
        assert len(ids(api.ann("GET", "/api/timelogs/"))) == 1

    def test_two_people_may_use_the_same_key(self, api: Api) -> None:
        first = api.ann("POST", "/api/timelogs/start/", {}, idempotency_key="k")
        second = api.bob("POST", "/api/timelogs/start/", {}, idempotency_key="k")
        assert (first.status, second.status) == (201, 201)
        assert first.json()["id"] != second.json()["id"]

    def test_a_key_expires_after_a_day(self, api: Api, clock: Clock) -> None:
        first = api.ann("POST", "/api/timelogs/start/", {}, idempotency_key="k")
        clock.advance(86_400 + 1)
        second = api.ann("POST", "/api/timelogs/start/", {}, idempotency_key="k")
        assert first.json()["id"] != second.json()["id"]

    @pytest.mark.parametrize("key", ["", "x" * 256])
    def test_a_key_has_up_to_255_characters(self, api: Api, key: str) -> None:
        problem(api.ann("POST", "/api/timelogs/start/", {}, idempotency_key=key), 400)
        assert ids(api.ann("GET", "/api/timelogs/")) == []


class TestPatch:
    def stopped(self, api: Api, clock: Clock) -> dict[str, Any]:
        """Return a timer that lasted 100 seconds, 40 of them paused, and was stopped 10 seconds ago."""
        timer = start(api.ann, 7)
        clock.advance(30)
        act(api.ann, timer, "pause")
        clock.advance(40)
        act(api.ann, timer, "resume")
        clock.advance(30)
        stopped: dict[str, Any] = act(api.ann, timer, "stop").json()
        clock.advance(10)
        return stopped

    def test_corrects_start_and_end_of_a_stopped_timer(self, api: Api, clock: Clock) -> None:
        timer = self.stopped(api, clock)
        began, now = clock.ms - 110_000, clock.ms
        for body, active in (
            ({"start_time": time_of(began - 5_000)}, 65),
            ({"end_time": time_of(now)}, 75),
            ({"start_time": time_of(began), "end_time": time_of(now - 10_000)}, 60),
        ):
            corrected = patch(api.ann, timer, body).json()
            assert (corrected["duration"], corrected["active_duration"]) == (active, active)
            assert corrected["paused_duration"] == 40

    @pytest.mark.parametrize("ahead_ms", [1, 60_000])
    def test_an_end_slightly_in_the_future_counts_as_now(self, api: Api, clock: Clock, ahead_ms: int) -> None:
        timer = self.stopped(api, clock)
        corrected = patch(api.ann, timer, {"end_time": time_of(clock.ms + ahead_ms)}).json()
        assert corrected["end_time"] == time_of(clock.ms)
        empty = add(api.ann, clock, 60, duration=1)
        both = {name: time_of(clock.ms + ahead_ms) for name in ("start_time", "end_time")}
        corrected = patch(api.ann, empty, both).json()
        assert (corrected["start_time"], corrected["end_time"]) == (time_of(clock.ms), time_of(clock.ms))

    @pytest.mark.parametrize("state", ["running", "paused"])
    def test_the_end_of_an_open_timer_stops_it(self, api: Api, clock: Clock, state: str) -> None:
        timer = start(api.ann, 7)
        clock.advance(60)
        if state == "paused":
            act(api.ann, timer, "pause")
        clock.advance(60)
        ended = patch(api.ann, timer, {"end_time": time_of(clock.ms)}).json()
        assert (ended["status"], ended["duration"]) == ("stopped", 120 if state == "running" else 60)
        assert problem(act(api.ann, timer, "resume"), 400)["code"] == "timer_stopped"

    @pytest.mark.parametrize(
        ("start_s", "end_s", "field"),
        [
            (61, None, "start_time"),
            (None, 39, "end_time"),
            (0, 39, "end_time"),
            (170.001, None, "start_time"),
            (None, 170.001, "end_time"),
            (50, 40, "end_time"),
        ],
    )
    def test_impossible_times_are_refused(
        self, api: Api, clock: Clock, start_s: float | None, end_s: float | None, field: str
    ) -> None:
        timer = self.stopped(api, clock)
        began = clock.ms - 110_000
        body = {
            name: time_of(began + round(seconds * 1000))
            for name, seconds in (("start_time", start_s), ("end_time", end_s))
            if seconds is not None
        }
        refused = problem(patch(api.ann, timer, body), 400)
        assert [error["loc"] for error in refused["errors"]] == [["body", field]]
        assert get(api.ann, timer) == timer

    def test_the_link_the_organization_and_the_description_change_together(self, api: Api) -> None:
        timer = start(api.ann, 7)
        body = {
            "github_issue_url": ISSUE.format(8),
            "organization_url": "https://github.com/acme",
            "description": "moved",
        }
        moved = patch(api.ann, timer, body).json()
        assert (moved["github_issue_number"], moved["organization"], moved["description"]) == (
            8,
            "acme",
            "moved",
        )
        assert start(api.ann, 7)["id"] != timer["id"]

    def test_a_stopped_timer_changes_its_issue_too(self, api: Api, clock: Clock) -> None:
        timer = self.stopped(api, clock)
        moved = patch(api.ann, timer, {"github_repo": "acme/site", "github_issue_number": 3}).json()
        assert (moved["github_issue_url"], moved["organization"]) == (
            "https://github.com/acme/site/issues/3",
            "acme",
        )
        assert moved["duration"] == timer["duration"]

    def test_a_null_url_removes_a_timer_from_its_issue(self, api: Api) -> None:
        timer = start(api.ann, 7)
        freed = patch(api.ann, timer, {"github_issue_url": None}).json()
        assert (freed["github_issue_url"], freed["github_repo"], freed["github_issue_number"]) == (
            None,
            None,
            None,
        )

    def test_an_open_timer_cannot_move_to_an_issue_with_an_open_timer(self, api: Api) -> None:
        timer, other = start(api.ann, 7), start(api.ann, 8)
        refused = problem(patch(api.ann, timer, {"github_issue_url": ISSUE.format(8)}), 400)
        assert other["id"] in refused["detail"]
        assert get(api.ann, timer)["github_issue_number"] == 7

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"status": "stopped"},
            {"user": 1},
            {"id": "x"},
            {"duration": 5},
            {"created": "2026-01-31T09:00:00Z"},
            {"github_repo": "octocat/other"},
            {"github_issue_url": ISSUE.format(7), "github_issue_number": 8},
            {"description": "\0"},
            [],
            "x",
        ],
    )
    def test_other_bodies_are_refused(self, api: Api, body: Any) -> None:
        timer = start(api.ann, 7, description="before")
        problem(patch(api.ann, timer, body), 400)
        seen = get(api.ann, timer)
        assert (seen["github_issue_number"], seen["description"]) == (7, "before")


class TestDelete:
    @pytest.mark.parametrize("before", [[], ["pause"], ["stop"]])
    def test_a_deleted_timer_is_not_found(self, api: Api, before: list[str]) -> None:
        timer = start(api.ann, 7)
        for step in before:
            act(api.ann, timer, step)
        answer = api.ann("DELETE", f"/api/timelogs/{timer['id']}/")
        assert (answer.status, answer.body) == (204, "")
        problem(api.ann("GET", f"/api/timelogs/{timer['id']}/"), 404)
        problem(api.ann("DELETE", f"/api/timelogs/{timer['id']}/"), 404)
        assert ids(api.ann("GET", "/api/timelogs/")) == []
        assert start(api.ann, 7)["id"] != timer["id"]


WITH_ID = [
    ("GET", "", None),
    ("PATCH", "", {"description": "x"}),
    ("DELETE", "", None),
    ("POST", "pause/", None),
    ("POST", "resume/", None),
    ("POST", "stop/", None),
]


@pytest.mark.parametrize(("method", "rest", "body"), WITH_ID)
class TestOwnership:
    def test_another_persons_timer_is_forbidden_and_unchanged(
        self, api: Api, method: str, rest: str, body: Any
    ) -> None:
        timer = start(api.bob, 7)
        problem(api.ann(method, f"/api/timelogs/{timer['id']}/{rest}", body), 403)
        seen = get(api.bob, timer)
        assert (seen["status"], seen["description"]) == ("running", "")

    def test_an_unknown_timer_is_not_found(self, api: Api, method: str, rest: str, body: Any) -> None:
        for user_id in (api.ann_id, api.ann_id + 1, 10**18):
            problem(api.ann(method, f"/api/timelogs/{user_id}-{new_ulid(0)}/{rest}", body), 404)

    @pytest.mark.parametrize("timer_id", ["x", "0", "-", "1-2", "profile", "1-", "é", "%00", "a" * 2000])
    def test_a_malformed_id_is_not_found(
        self, api: Api, method: str, rest: str, body: Any, timer_id: str
    ) -> None:
        problem(api.ann(method, f"/api/timelogs/{timer_id}/{rest}", body), 404)


class TestCredentials:
    @pytest.mark.parametrize("header", ["Token {}", "Bearer {}", "token {}", "BEARER {}", "Token   {}  "])
    def test_a_token_is_accepted_with_both_schemes(self, api: Api, header: str) -> None:
        answer = api.nobody("GET", "/api/timelogs/", authorization=header.format(self.token(api)))
        assert answer.status == 200

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Token",
            "Token ",
            "{}",
            "Basic {}",
            "Token {}x",
            "Token x{}",
            "Token {} {}",
            "Digest x",
            "Token é",
            "Token \0",
        ],
    )
    def test_other_authorization_headers_are_refused(self, api: Api, header: str) -> None:
        sent = header.replace("{}", self.token(api))
        refused = api.nobody("GET", "/api/timelogs/", authorization=sent)
        problem(refused, 401)
        assert refused.headers["www-authenticate"] == "Bearer"
        assert self.token(api) not in refused.body

    @pytest.mark.parametrize(
        ("method", "path", "body", "status"), [route for route in ROUTES if "health" not in route[1]]
    )
    def test_requests_without_credentials_are_refused(
        self, api: Api, method: str, path: str, body: Any, status: int
    ) -> None:
        del status
        timer = start(api.ann)
        problem(api.nobody(method, path.format(timer["id"]) + "/", body), 401)
        assert get(api.ann, timer)["status"] == "running"
        assert len(ids(api.ann("GET", "/api/timelogs/"))) == 1

    def test_a_truncated_token_is_refused(self, api: Api) -> None:
        problem(api.nobody("GET", "/api/timelogs/", authorization=f"Token {self.token(api)[:-1]}"), 401)

    def test_a_token_works_until_it_expires(self, api: Api, clock: Clock) -> None:
        _, text = api.tokens.mint(
            Person(api.ann_id, "ann"), name="t", now_ms=clock.ms, expires_at=clock.ms // 1000 + 30
        )
        client = Client(api.module.handler, text)
        assert client("GET", "/api/timelogs/").status == 200
        clock.advance(30)
        problem(client("GET", "/api/timelogs/"), 401)

    def test_a_revoked_token_is_refused_within_a_minute(self, api: Api, clock: Clock) -> None:
        assert api.ann("GET", "/api/timelogs/").status == 200
        (token,) = api.tokens.of(api.ann_id)
        api.tokens.revoke(api.ann_id, token.token_id)
        clock.advance(59.999)
        assert api.ann("GET", "/api/timelogs/").status == 200
        clock.advance(0.001)
        problem(api.ann("GET", "/api/timelogs/"), 401)

    def test_a_revoked_token_that_is_not_cached_is_refused(self, api: Api) -> None:
        (token,) = api.tokens.of(api.ann_id)
        api.tokens.revoke(api.ann_id, token.token_id)
        problem(api.ann("GET", "/api/timelogs/"), 401)

    def token(self, api: Api) -> str:
        return api.ann.token


class TestList:
    def fill(self, api: Api, clock: Clock) -> list[str]:
        """Create seven timers, of which the newest is open, and return their ids, newest first."""
        added = [
            add(api.ann, clock, 1000 - 100 * number, 10, github_issue_url=ISSUE.format(1 + number % 2))["id"]
            for number in range(6)
        ]
        return [start(api.ann, 9)["id"], *reversed(added)]

    def test_a_list_has_only_the_callers_timers(self, api: Api, clock: Clock) -> None:
        self.fill(api, clock)
        answer = api.bob("GET", "/api/timelogs/")
        assert answer.json() == {
            "count": None,
            "next": None,
            "previous": None,
            "github_url": "https://github.com",
            "results": [],
        }

    @pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100])
    def test_the_links_lead_through_the_whole_list_and_back(
        self, api: Api, clock: Clock, page_size: int
    ) -> None:
        expected = self.fill(api, clock)
        answer = api.ann("GET", f"/api/timelogs/?page_size={page_size}")
        assert answer.json()["previous"] is None
        pages = [ids(answer)]
        while (link := answer.json()["next"]) is not None:
            answer = api.ann("GET", target(link))
            pages.append(ids(answer))
        assert [timer_id for page in pages for timer_id in page] == expected
        assert all(len(page) == page_size for page in pages[:-1])
        back = [pages[-1]]
        while (link := answer.json()["previous"]) is not None:
            answer = api.ann("GET", target(link))
            back.append(ids(answer))
        assert back[::-1] == pages

    def test_links_keep_the_filters(self, api: Api, clock: Clock) -> None:
        expected = self.fill(api, clock)[1:]
        answer = api.ann(
            "GET", "/api/timelogs/?end_time__isnull=false&github_repo=octocat/hello-world&page_size=4"
        )
        link = answer.json()["next"]
        query = parse_qs(urlsplit(link).query)
        assert (query["end_time__isnull"], query["github_repo"]) == (["false"], ["octocat/hello-world"])
        assert ids(answer) + ids(api.ann("GET", target(link))) == expected

    def test_links_name_the_host_that_the_client_used(self, api: Api, clock: Clock) -> None:
        self.fill(api, clock)
        answer = api.ann(
            "GET",
            "/api/timelogs/?page_size=1",
            x_viewer_host="timer.example.org",
            x_forwarded_proto="http",
        )
        assert answer.json()["next"].startswith("http://timer.example.org/api/timelogs/?")

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("end_time__isnull=true", [0]),
            ("end_time__isnull=false", [1, 2, 3, 4, 5, 6]),
            ("github_repo=octocat/Hello-World&github_issue_number=2", [1, 3, 5]),
            ("github_repo=OCTOCAT/hello-world&github_issue_number=1", [2, 4, 6]),
            ("github_issue_number=9", [0]),
            ("github_issue_number=2147483647", []),
            ("github_repo=octocat/other", []),
            ("github_repo=no%20repository", []),
            ("start_time__gte={700}", [0, 1, 2, 3]),
            ("start_time__lt={700}", [4, 5, 6]),
            ("start_time__gte={900}&start_time__lt={700}", [4, 5]),
            ("start_time__gte={700}&start_time__lt={700}", []),
            ("end_time__isnull=true&start_time__lt={700}", []),
        ],
    )
    def test_filters_select_timers(self, api: Api, clock: Clock, query: str, expected: list[int]) -> None:
        everything = self.fill(api, clock)
        query = re.sub(r"\{(\d+)\}", lambda ago: time_of(clock.ms - int(ago[1]) * 1000), query)
        assert ids(api.ann("GET", f"/api/timelogs/?{query}")) == [everything[index] for index in expected]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("page_size=0", "page_size"),
            ("page_size=101", "page_size"),
            ("page_size=-1", "page_size"),
            ("page_size=x", "page_size"),
            ("page_size=", "page_size"),
            ("page_size=1.5", "page_size"),
            (f"page_size={'9' * 5000}", "page_size"),
            ("github_issue_number=0", "github_issue_number"),
            ("github_issue_number=x", "github_issue_number"),
            ("github_issue_number=2147483648", "github_issue_number"),
            (f"github_issue_number={'9' * 50}", "github_issue_number"),
            ("end_time__isnull=perhaps", "end_time__isnull"),
            ("start_time__gte=today", "start_time__gte"),
            ("start_time__gte=2026-01-31", "start_time__gte"),
            ("start_time__lt=2026-01-31T09:00:00", "start_time__lt"),
            ("start_time__lt=1769850000", "start_time__lt"),
            (f"github_repo={'x' * 141}", "github_repo"),
            ("cursor=x", "cursor"),
            ("cursor=", "cursor"),
            (f"cursor={'x' * 200}", "cursor"),
            ("cursor=%00", "cursor"),
            ("page=2", "page"),
            ("issue=7", "issue"),
            ("Page_Size=1", "Page_Size"),
            ("return=1", "return"),
        ],
    )
    def test_an_invalid_filter_is_refused(self, api: Api, query: str, field: str) -> None:
        refused = problem(api.ann("GET", f"/api/timelogs/?{query}"), 400)
        assert [error["loc"] for error in refused["errors"]] == [["query", field]]

    def test_another_persons_cursor_shows_only_the_callers_timers(self, api: Api, clock: Clock) -> None:
        self.fill(api, clock)
        own = add(api.bob, clock, 5000)
        link = api.ann("GET", "/api/timelogs/?page_size=2").json()["next"]
        assert ids(api.bob("GET", target(link))) == [own["id"]]

    @pytest.mark.parametrize("backwards", [True, False])
    @pytest.mark.parametrize("at_ms", [0, 10**15 - 1])
    @pytest.mark.parametrize("query", ["", "end_time__isnull=true&", "github_issue_number=2&"])
    def test_a_forged_cursor_shows_only_the_callers_timers(
        self, api: Api, clock: Clock, backwards: bool, at_ms: int, query: str
    ) -> None:
        own = set(self.fill(api, clock))
        add(api.bob, clock, 5000)
        cursor = encode_cursor(Position(at_ms, new_ulid(0), backwards))
        answer = api.ann("GET", f"/api/timelogs/?{query}cursor={cursor}")
        assert set(ids(answer)) <= own

    def test_a_cursor_is_valid_after_its_timer_was_deleted(self, api: Api, clock: Clock) -> None:
        everything = self.fill(api, clock)
        link = api.ann("GET", "/api/timelogs/?page_size=3").json()["next"]
        api.ann("DELETE", f"/api/timelogs/{everything[2]}/")
        assert ids(api.ann("GET", target(link))) == everything[3:6]

    def test_a_cursor_of_other_filters_is_refused(self, api: Api, clock: Clock) -> None:
        self.fill(api, clock)
        link = api.ann("GET", "/api/timelogs/?page_size=3").json()["next"]
        narrower = f"{target(link)}&start_time__gte={time_of(clock.ms)}"
        problem(api.ann("GET", narrower), 400)


class TestHealth:
    def test_health_needs_no_credentials_and_has_no_personal_data(
        self, table_name: str, table: Table, new_person: Callable[[], Person]
    ) -> None:
        person = new_person()
        _, token = TokenStore(table).mint(person, name="test", now_ms=0)
        ProgressStore(table).note_stale(1, after=None)
        with loaded("timelogs.api", table_name) as module:
            ann, nobody = Client(module.handler, token), Client(module.handler)
            clock = Clock(1_763_900_000_000)
            module.now_ms = clock  # type: ignore[attr-defined]
            start(ann, 7)
            clock.advance(3601)
            start(ann, 8)
            answer = nobody("GET", "/api/health/")
        assert answer.status == 200
        assert answer.json() == {
            "status": "ok",
            "version": __version__,
            "open_timers": 2,
            "stale_timers": 1,
            "webhook_success_rate": None,
            # No function has checked the credential yet.
            "github": {
                "credential": None,
                "cannot": [
                    "project_cards",
                    "replies",
                    "redelivery",
                    "reconcile",
                    "lead_teams",
                    "write_back",
                ],
            },
        }


def test_several_timers_can_run_at_once(api: Api) -> None:
    first, second = start(api.ann, 7), start(api.ann, 8)
    assert [get(api.ann, timer)["status"] for timer in (first, second)] == ["running", "running"]


class TestUnexpectedErrors:
    @pytest.mark.parametrize("path", ["/api/timelogs/", "/api/health/"])
    def test_the_response_has_the_request_id_and_no_internals(
        self, api: Api, dynamodb: str, path: str
    ) -> None:
        assert dynamodb
        with loaded("timelogs.api", "no-such-table") as module:
            event = request_event("GET", path, headers={"authorization": f"Token {api.ann.token}"})
            answer = module.handler(event, Context())
        body = json.loads(answer["body"])
        assert answer["statusCode"] == 500
        assert answer["headers"].get("content-type", "application/problem+json") == "application/problem+json"
        assert body == {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "detail": "An internal error occurred.",
            "code": "internal_error",
            "request_id": event["requestContext"]["requestId"],
        }

    @pytest.mark.usefixtures("shared_table")
    def test_the_handler_works_after_an_unexpected_error(self) -> None:
        with loaded("timelogs.api", "no-such-table") as module:
            assert Client(module.handler)("GET", "/api/health/").status == 500
            assert Client(module.handler)("GET", "/api/openapi.json").status == 200
