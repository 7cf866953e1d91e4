"""Requests to the API in an hour of an open page, idle and busy, in Chromium on the local stack."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Request, WebSocket, sync_playwright

from deployed_stack.http_client import request
from local_stack import LocalStack, free_port
from tests.browser.present import Present
from tests.browser.widget import REPO, Widget, hide
from tests.support.install_chromium import FLAGS, chromium
from tests.support.page_server import PageServer

_ANN = (21031067, "Codertocat")
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A page of another site with the widget</title>
<link rel="icon" href="data:,">
<script type="module" src="{server}/issue-timer.js"></script>
<issue-timer></issue-timer>
</html>
"""
_TICKET = "/api/live/ticket/"
_TIMEOUT_MS = 60_000
# The page's clock is set forward by this, which is also the interval between polls.
_STEP_MS = 15_000
# The time in which the effects of an action or of a hint arrive.
_SETTLE_MS = 2_500
# A cycle of a busy hour: actions on the page and elsewhere, by minutes. The page is hidden one minute in ten.
_CYCLE = {0: "Pause", 3: "start", 6: "Resume", 9: "stop"}
_CYCLE_MINUTES, _HIDDEN_MINUTES = 12, 10


def measure() -> str:
    """Return the table of requests, messages and connections."""
    with tempfile.TemporaryDirectory() as folder, PageServer() as sites, sync_playwright() as playwright:
        origin = sites.origin("wiki")
        with (
            LocalStack(free_port(), Path(folder), parameters={"AllowedOrigins": origin}) as stack,
            playwright.chromium.launch(executable_path=chromium(), args=FLAGS) as browser,
        ):
            sites.pages["/"] = _PAGE.format(server=stack.url).encode()
            person = _Person(stack)
            rows = []
            for name, address in (("Time page", stack.url), ("widget on another site", origin)):
                for is_live in (True, False):
                    how = "with a live connection" if is_live else "polling"
                    for is_busy in (False, True):
                        with _opened(browser, address, person, is_live=is_live) as (page, counts):
                            _pass_hour(page, counts, person if is_busy else None)
                        kind = "busy" if is_busy else "idle"
                        rows.append(f"| {name}, {how} | {kind} | {counts.requests} | {counts.messages} |")
    return "\n".join(
        [
            "| page | hour | requests to the API | messages to the server |",
            "| --- | --- | ---: | ---: |",
            *rows,
        ]
    )


class _Person:
    """Somebody who also acts elsewhere."""

    def __init__(self, stack: LocalStack) -> None:
        self.url = stack.url
        self.token = stack.mint_token(_ANN[0], login=_ANN[1])
        self._second = ""

    def start(self, number: int) -> str:
        body = {"github_repo": REPO, "github_issue_number": number}
        timer: str = self._post("start/", body)["id"]
        return timer

    def act(self, action: str) -> None:
        """Start or stop a second timer."""
        if action == "start":
            self._second = self.start(8)
        else:
            self._post(f"{self._second}/{action}/")

    def _post(self, path: str, body: Any = None) -> Any:
        answer = request(
            "POST",
            f"{self.url}/api/timelogs/{path}",
            body=json.dumps(body).encode() if body else b"",
            headers={"Authorization": f"Token {self.token}", "Content-Type": "application/json"},
        )
        assert answer.status in {200, 201}, answer
        return json.loads(answer.body)


class _Counts:
    """Counts what a page sends."""

    def __init__(self, page: Page) -> None:
        self.requests = self.messages = 0
        self.is_counting = True
        page.on("request", self._count)
        page.on("websocket", self._watch)

    def _count(self, sent: Request) -> None:
        self.requests += self.is_counting and "/api/" in sent.url

    def _watch(self, socket: WebSocket) -> None:
        socket.on("framesent", self._count_message)

    def _count_message(self, _message: object) -> None:
        self.messages += 1


@contextmanager
def _opened(
    browser: Browser, address: str, person: _Person, *, is_live: bool
) -> Iterator[tuple[Page, _Counts]]:
    """Open a page with a running timer, and count from when it has loaded everything."""
    session = json.dumps({"token": person.token, "expires": (time.time() + 86_400) * 1000})
    kept = {"name": f"issue-timer:session:{person.url}", "value": session}
    state: Any = {"cookies": [], "origins": [{"origin": address, "localStorage": [kept]}]}
    own = {"Authorization": f"Token {person.token}"} if address == person.url else {}
    with browser.new_context(storage_state=state, extra_http_headers=own) as visitor:
        visitor.set_default_timeout(_TIMEOUT_MS)
        if not is_live:
            visitor.route(f"**{_TICKET}", lambda route: route.abort())
        person.start(7)
        page = visitor.new_page()
        page.clock.install()
        counts = _Counts(page)
        page.goto(address)
        if own:
            Present(page).expect_counting()
        else:
            Widget(page).expect_state("Counting")
        page.wait_for_timeout(2 * _SETTLE_MS)
        counts.requests = counts.messages = 0
        yield page, counts


def _pass_hour(page: Page, counts: _Counts, person: _Person | None) -> None:
    for minute in range(60):
        is_hidden = person is not None and minute % _HIDDEN_MINUTES == _HIDDEN_MINUTES - 1
        if person is not None:
            _act(page, counts, person, _CYCLE.get(minute % _CYCLE_MINUTES))
        if is_hidden:
            hide(page)
        for _ in range(60_000 // _STEP_MS):
            page.clock.fast_forward(_STEP_MS)
            page.wait_for_timeout(100)
        if is_hidden:
            hide(page, hidden=False)


def _act(page: Page, counts: _Counts, person: _Person, action: str | None) -> None:
    if action is None:
        return
    # The server refuses actions in the future, and its clock is not set forward. The page asks for the time.
    counts.is_counting = False
    hide(page, hidden=False)
    page.wait_for_timeout(_SETTLE_MS)
    counts.is_counting = True
    if action in {"start", "stop"}:
        person.act(action)
    else:
        is_own = page.url.startswith(person.url)
        button = Present(page).button(action) if is_own else Widget(page).button(action)
        button.first.click()
    page.wait_for_timeout(_SETTLE_MS)
