"""Direct routes: they respond as the resolver does, and do not load it (see `timer_core.api.direct`)."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import act, start
from tests.support.app import App
from tests.support.gateway import Answer, Client, Context, request_event
from tests.support.handlers import Clock
from timer_core.api.direct import DirectRoutes

PERIOD = "since=2026-01-31T00:00:00.000Z&time_zone=Europe/Berlin"
# Handles requests in a fresh interpreter, and prints their statuses and which modules are loaded then.
PROGRAM = """
import importlib, json, sys
name, requests, context = json.load(sys.stdin)
handler = importlib.import_module(name).handler
Context = type("Context", (), context)
statuses = [handler(event, Context)["statusCode"] for event in requests]
heavy = {"pydantic", "pydantic_core", "aws_lambda_powertools.event_handler"}
print(json.dumps([statuses, sorted(heavy & sys.modules.keys())]))
"""


def first_requests(name: str, token: str, *sent: tuple[str, str, Any]) -> tuple[list[int], list[str]]:
    """Return the statuses of a cold function's first requests, and the modules that it has loaded."""
    events = [
        request_event(
            method,
            target,
            headers={"authorization": f"Token {token}", "idempotency-key": f"key {number}"},
            body=body and json.dumps(body).encode(),
        )
        for number, (method, target, body) in enumerate(sent)
    ]
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([name, events, vars(Context())]),
        env=os.environ | {"POWERTOOLS_LOG_LEVEL": "CRITICAL"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    statuses, loaded = json.loads(printed.splitlines()[-1])
    return statuses, loaded


def test_the_first_requests_of_the_widget_load_neither_pydantic_nor_the_resolver(api: Api) -> None:
    timer, others = start(api.ann, 7), start(api.bob, 7)
    path, at = f"/api/timelogs/{timer['id']}/", {"at": timer["start_time"]}
    found = first_requests(
        "timelogs.api",
        api.ann.token,
        ("GET", "/api/timelogs/?end_time__isnull=true&page_size=100", None),
        ("GET", f"/api/timelogs/?{PERIOD}", None),
        ("GET", path, None),
        ("GET", f"/api/timelogs/totals/?{PERIOD}", None),
        ("GET", "/api/timeline/", None),
        ("GET", "/api/timesheets/?from=2026-11-23", None),
        ("POST", f"{path}pause/", at),
        ("POST", f"{path}pause/", None),
        ("POST", f"{path}resume/", None),
        ("POST", f"{path}focus/", {"overtime": False}),
        ("POST", f"{path}stop/", None),
        ("POST", "/api/timelogs/start/", {"github_issue_url": "https://github.com/o/r/issues/8"}),
        ("GET", f"/api/timelogs/{others['id']}/", None),
        ("GET", "/api/health/", None),
        ("GET", "/api/openapi.json", None),
    )
    assert found == ([200] * 7 + [400] + [200] * 3 + [201, 403, 200, 200], [])


def test_the_first_request_of_a_page_loads_neither_pydantic_nor_the_resolver(api: Api) -> None:
    found = first_requests(
        "auth.api",
        api.ann.token,
        ("GET", "/api/auth/me/", None),
        ("GET", "/api/auth/login/?next=/", None),
        ("POST", "/api/auth/session/", None),
        ("POST", "/api/auth/logout/", None),
    )
    assert found == ([200, 503, 403, 403], [])
    assert first_requests("schedule.api", api.ann.token, ("GET", "/api/schedule/", None)) == ([200], [])


def test_an_unusual_request_loads_them(api: Api) -> None:
    statuses, loaded = first_requests(
        "timelogs.api", api.ann.token, ("GET", "/api/timelogs/?page_size=+7", None)
    )
    assert (statuses, "pydantic" in loaded) == ([200], True)


def content(answer: Answer) -> tuple[int, dict[str, str], str]:
    return answer.status, dict(answer.headers), answer.body


@pytest.mark.parametrize(
    "query", ["", "?end_time__isnull=true&page_size=1", f"?{PERIOD}&page_size=1", "?since=1"]
)
def test_a_list_is_the_same_from_a_direct_route_and_from_the_resolver(
    api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    for number in (7, 8, 9):
        timer = start(api.ann, number)
        clock.advance(60)
    act(api.ann, timer, "pause")
    targets = [f"/api/timelogs/{query}", f"/api/timelogs/{timer['id']}/", f"/api/timelogs/totals/{query}"]
    targets += [f"/api/timeline/{query}", f"/api/timesheets/{query}", "/api/timesheets/?from=2026-11-23"]
    direct = [content(api.ann("GET", target)) for target in targets]
    monkeypatch.setattr(api.module, "direct", DirectRoutes())
    assert [content(api.ann("GET", target)) for target in targets] == direct


def test_a_repeated_request_is_the_same_for_a_direct_route_and_for_the_resolver(
    api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(client: Client, target: str, body: Any, key: str) -> tuple[int, dict[str, str], str]:
        return content(client("POST", target, body, idempotency_key=key))

    issue = {"github_repo": "octocat/direct", "github_issue_number": 7, "description": ""}
    started = send(api.ann, "/api/timelogs/start/", issue, "first")
    path = f"/api/timelogs/{json.loads(started[2])['id']}/"
    clock.advance(60)
    paused = send(api.ann, f"{path}pause/", None, "second")
    monkeypatch.setattr(api.module, "direct", DirectRoutes())
    assert send(api.ann, f"{path}pause/", {}, "second") == paused
    again = send(api.ann, "/api/timelogs/start/", {**issue, "at": None}, "first")
    assert (again[0], json.loads(again[2])["id"]) == (201, json.loads(started[2])["id"])


def test_an_account_and_a_schedule_are_the_same_from_a_direct_route_and_from_the_resolver(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, _ = app.signed_in()
    week = {day: [["09:00", "12:00"], ["13:00", "17:00"]] for day in ("mon", "tue")}
    assert browser("PUT", "/api/schedule/", {"time_zone": "Europe/Berlin", "week": week}).status == 200
    targets = ["/api/auth/me/", "/api/schedule/", "/api/auth/login/?origin=https://nobody.example"]
    direct = [content(browser("GET", target)) for target in targets]
    monkeypatch.setattr(app.auth, "direct", DirectRoutes())
    monkeypatch.setattr(app.schedule, "direct", DirectRoutes())
    assert [content(browser("GET", target)) for target in targets] == direct
