"""The REST API over HTTP."""

import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deployed_stack.deliveries import delivery_headers
from deployed_stack.http_client import request
from tests.e2e.conftest import Site


def test_the_root_serves_the_page(site: Site) -> None:
    response = request("GET", site.url + "/")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert b"Issue Timer" in response.body


def test_the_served_openapi_document_is_docs_openapi_json(site: Site) -> None:
    checked_in = Path(__file__).parents[2] / "docs" / "openapi.json"
    assert site.get("/api/openapi.json") == json.loads(checked_in.read_text())


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_timer_can_be_started_paused_resumed_stopped_and_deleted(site: Site, slash: str) -> None:
    def do(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        response = site.send(method, path + slash, body)
        assert response.status == status, response
        return json.loads(response.body) if response.body else None

    issue = {"github_repo": "octocat/life", "github_issue_number": 5 + len(slash)}
    timer = do("POST", "/api/timelogs/start", issue, 201)
    path = f"/api/timelogs/{timer['id']}"
    assert do("POST", "/api/timelogs/start", issue, 200)["id"] == timer["id"]
    assert do("POST", f"{path}/pause")["is_paused"]
    assert "paused" in do("POST", f"{path}/pause", status=400)["detail"]
    assert do("POST", f"{path}/resume")["status"] == "running"
    assert do("PATCH", path, {"description": "typing"})["description"] == "typing"
    stopped = do("POST", f"{path}/stop")
    assert stopped["duration"] == stopped["active_duration"]
    assert do("GET", path) == stopped
    part = dict.fromkeys(("part_working_duration", "part_active_duration", "part_first_day_working_duration"))
    assert {**stopped, **part} in do("GET", "/api/timelogs")["results"]
    do("DELETE", path, status=204)
    do("GET", path, status=404)


@pytest.mark.parametrize("slash", ["/", ""])
def test_every_function_accepts_paths_with_and_without_a_trailing_slash(site: Site, slash: str) -> None:
    assert site.send("GET", "/api/auth/me" + slash).status == 200
    assert site.send("GET", "/api/health" + slash).status == 200
    body = b"{}"
    headers = delivery_headers("ping", body, site.secret)
    path = "/api/github-timer-webhook" + slash
    assert json.loads(request("POST", site.url + path, body=body, headers=headers).body)["status"] == "pong"


def test_links_to_the_next_page_are_absolute(site: Site) -> None:
    for number in (1, 2, 3):
        body = {"github_repo": "octocat/pages", "github_issue_number": number}
        assert site.send(
            "POST", "/api/timelogs/", body | {"start_time": "2026-01-01T00:00:00Z", "duration": 1}
        ).status
    first = site.get("/api/timelogs/?github_repo=octocat/pages&page_size=2")
    assert first["next"].startswith(site.url + "/api/timelogs/?")
    second = json.loads(request("GET", first["next"], headers={"Authorization": f"Token {site.ann}"}).body)
    assert (len(first["results"]), len(second["results"])) == (2, 1)


def test_fifty_concurrent_starts_create_one_timer(site: Site) -> None:
    body = {"github_issue_url": "https://github.com/octocat/race/issues/1"}
    with ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(lambda _: site.send("POST", "/api/timelogs/start/", body), range(50)))
    assert Counter(response.status for response in responses) == {201: 1, 200: 49}
    assert len({json.loads(response.body)["id"] for response in responses}) == 1


@pytest.mark.parametrize("path", ["/api/nope/", "/api/auth/nope/", "/api/timelogs/a/b/c/"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_unknown_routes_return_a_problem_with_status_404(site: Site, method: str, path: str) -> None:
    response = site.send(method, path)
    assert (response.status, json.loads(response.body)["status"]) == (404, 404)
    assert response.headers["Content-Type"] == "application/problem+json"


_PATHS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())[
    "paths"
] | {"/api/auth/login/": {"get": {}}, "/api/auth/callback/": {"get": {}}, "/api/openapi.json": {"get": {}}}


def _target(site: Site, path: str) -> str:
    timer_id = ""
    if "{timer_id}" in path:
        timer_id = json.loads(site.send("POST", "/api/timelogs/start/").body)["id"]
    return path.replace("{timer_id}", timer_id).replace("{token_id}", "a")


@pytest.mark.parametrize("path", [path for path, methods in _PATHS.items() if "get" in methods])
def test_head_is_answered_as_get_without_a_body(site: Site, path: str) -> None:
    # Only the headers of the connection, and those that name the request, differ.
    varying = {"Date", "Content-Length", "Apigw-Requestid", "Via", "X-Amz-Cf-Id", "Location", "Etag"}
    for target in {_target(site, path), _target(site, path).removesuffix("/")}:
        got, head = (site.send(method, target) for method in ("GET", "HEAD"))
        assert (head.status, head.body) == (got.status, b"")
        assert set(head.headers) - varying == set(got.headers) - varying
        assert head.headers["Content-Type"] == got.headers["Content-Type"]


@pytest.mark.parametrize("path", _PATHS)
def test_another_method_of_a_path_is_refused_with_the_allowed_ones(site: Site, path: str) -> None:
    allowed = {method.upper() for method in _PATHS[path]}
    if "GET" in allowed:
        allowed.add("HEAD")
    for target in {_target(site, path), _target(site, path).removesuffix("/")}:
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - allowed:
            response = site.send(method, target)
            assert response.status == 405, (method, target)
            assert set(response.headers["Allow"].split(", ")) == allowed
            if method != "HEAD":
                assert f"This path does not allow {method}." in response.body.decode()


def test_the_webhooks_address_describes_itself(site: Site) -> None:
    response = request("GET", site.url + "/api/github-timer-webhook/")
    assert (response.status, response.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert b"Issue Timer's webhook" in response.body


_ISSUE = {"github_repo": "octocat/bad", "github_issue_number": 1}
_NO_ISSUE_URLS = [
    "https://gitlab.com/o/r/issues/1",
    "https://github.com/o/r/discussions/1",
    "x",
]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'"start"', 400),
        (b"\xff\xfe", 400),
        (b"[" * 50_000, 400),
        (b'{"github_issue_number": NaN}', 400),
        (b'{"description": "' + b"x" * 2_000_000 + b'"}', 413),
        ({"nonsense": 1}, 400),
        ({"github_issue_number": "1", "github_repo": "o/r"}, 400),
        ({"description": 5}, 400),
        ({"description": "a\u0000b"}, 400),
        ({"description": "\ud800"}, 400),
        ({"github_repo": "o/r\n", "github_issue_number": 1}, 400),
        ({"github_repo": "ö/ü", "github_issue_number": 1}, 400),
        ({"github_repo": "../..", "github_issue_number": 1}, 400),
        ({"github_repo": "o/r"}, 400),
        (_ISSUE | {"github_issue_url": "https://github.com/octocat/bad/issues/2"}, 400),
        *[(_ISSUE | {"github_issue_number": number}, 400) for number in (0, -1, 10**12, 1.5, True)],
        *[({"github_issue_url": url}, 400) for url in _NO_ISSUE_URLS],
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_requests_are_refused_and_change_nothing(site: Site, body: Any, status: int) -> None:
    before = site.get("/api/timelogs/", site.bob)
    response = site.send("POST", "/api/timelogs/start/", body, token=site.bob)
    problem = json.loads(response.body)
    assert (response.status, problem["status"]) == (status, status)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["detail"]
    assert site.get("/api/timelogs/", site.bob) == before


@pytest.mark.parametrize("token", ["", "itt_" + "0" * 38, "itt_short", "ghp_" + "a" * 36, "é"])
def test_an_unknown_token_is_refused(site: Site, token: str) -> None:
    response = site.send("GET", "/api/timelogs/", Authorization=f"Token {token}".encode().decode("latin-1"))
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_truncated_token_is_refused(site: Site) -> None:
    assert site.send("GET", "/api/timelogs/", token=site.ann[:-1]).status == 401


def test_other_peoples_timers_are_forbidden_and_unknown_ones_not_found(site: Site) -> None:
    body = {"start_time": "2026-01-01T00:00:00Z", "duration": 1}
    timer = json.loads(site.send("POST", "/api/timelogs/", body).body)["id"]
    unknown = timer[:-4] + "0000"
    for method, action in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "stop/"),
        ("POST", "pause/"),
        ("POST", "resume/"),
    ):
        statuses = [
            site.send(method, f"/api/timelogs/{name}/{action}", token=site.bob).status
            for name in (timer, unknown, "nonsense")
        ]
        assert statuses == [403, 404, 404], (method, action)
    assert site.send("GET", f"/api/timelogs/{timer}/").status == 200


@pytest.mark.parametrize("cursor", ["x", "bjE", "////", "n1.01ARZ3NDEKTSV4RRFFQ69G5FAV", "A" * 90, "A" * 500])
def test_a_forged_cursor_is_refused(site: Site, cursor: str) -> None:
    assert site.send("GET", f"/api/timelogs/?cursor={cursor}").status == 400


def test_a_request_repeated_with_its_idempotency_key_takes_effect_once(site: Site) -> None:
    key = str(uuid.uuid4())
    first, again = (
        json.loads(site.send("POST", "/api/timelogs/start/", Idempotency_Key=key).body) for _ in range(2)
    )
    assert first["id"] == again["id"]
    for _ in range(2):
        assert site.send("POST", f"/api/timelogs/{first['id']}/stop/", Idempotency_Key=key).status == 200
    assert site.send("POST", f"/api/timelogs/{first['id']}/stop/").status == 400
