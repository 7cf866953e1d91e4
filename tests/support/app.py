"""The functions auth, reports, schedule and timelogs in this process, and a fake GitHub to sign in with."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from html import unescape
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
import urllib3
from moto import mock_aws

from tests.support.browser import ORIGIN, Browser, redirect_target
from tests.support.connection import REGION
from tests.support.gateway import Client
from tests.support.handlers import Clock, loaded
from tests.support.invocations import Invocations
from timer_core import secrets
from timer_core.api import request_guard
from timer_core.api.request_guard import TICKET_PATH
from timer_core.api.sessions import SESSION_COOKIE
from timer_core.clock import now_ms
from timer_core.store.people import PeopleStore
from timer_core.store.queries import Filters
from timer_core.store.sessions import SessionStore
from timer_core.store.timers import TimerStore
from timer_core.store.tokens import TokenStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from fake_github import FakeGitHub
    from fake_github.model import Account, OAuthApp
    from tests.support.gateway import Answer
    from timer_core.api.sessions import Session
    from timer_core.domain.timers import Timer
    from timer_core.store.table import RawItem, Table

EMBEDDER = "https://wiki.example.org"
ADMIN = "boss"
KEY = "the key that sessions are signed with, of sixty-four characters."
# ROUTES contains all routes that require authentication; WRITES contains those that may change data.
ROUTES = [
    (method.upper(), path)
    for path, operations in json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())[
        "paths"
    ].items()
    for method, operation in operations.items()
    if operation.get("security") != []
]
# The dates in the paths of these routes, and the ids of what does not exist.
NAMED = {"valid_from": "2026-11-30", "date": "2026-12-24", "hook_id": "x", "delivery_id": "y"}
WRITES = [(method, path) for method, path in ROUTES if method != "GET" and path != TICKET_PATH]
_numbers = count(1)


@dataclass
class MonotonicClock:
    """The monotonic clock by which cached secrets expire; tests advance it."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class App:
    """The functions auth, reports, schedule and timelogs, which keep their caches until
    ``cold_start`` is called.

    Attributes
    ----------
    clock
        The clock of the functions.
    seconds
        The monotonic clock by which the functions' cached secrets expire.
    """

    github: FakeGitHub
    client: OAuthApp
    table: Table
    auth: ModuleType
    reports: ModuleType
    schedule: ModuleType
    timelogs: ModuleType
    secret_arn: str
    oauth_parameter: str
    clock: Clock
    seconds: MonotonicClock

    @property
    def timers(self) -> TimerStore:
        return TimerStore(self.table)

    @property
    def people(self) -> PeopleStore:
        return PeopleStore(self.table)

    @property
    def sessions(self) -> SessionStore:
        return SessionStore(self.table)

    @property
    def tokens(self) -> TokenStore:
        return TokenStore(self.table)

    def browser(self) -> Browser:
        """Return a browser without cookies."""
        schedule = self.schedule.handler
        return Browser(
            {
                "/api/auth/": self.auth.handler,
                "/api/team": self.auth.handler,
                "/api/reports": self.reports.handler,
                "/api/schedule": schedule,
                "/api/admin/settings": schedule,
                "/api/admin/lock": schedule,
                "/api/admin/hooks": schedule,
                "": self.timelogs.handler,
            }
        )

    def caller(self, credentials: str, scheme: str = "Token") -> Callable[..., Answer]:
        """Return a client that sends credentials in the ``Authorization`` header, and no browser headers."""
        return partial(Client(self._handler), authorization=f"{scheme} {credentials}")

    def new_person(self, login: str = "") -> Account:
        """Return a new GitHub account, with a unique login unless one is given."""
        return self.github.new_user(login or f"person-{next(_numbers)}")

    def press_authorize(self, address: str, *, approve: bool = True) -> str:
        """Open GitHub's authorization page, approve or decline, and return the URL of its redirect."""
        http = urllib3.PoolManager(retries=False)
        page = http.request("GET", address, redirect=False)
        assert page.status == 200, (page.data, page.headers)
        fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.data.decode()))
        fields = {name: unescape(value) for name, value in fields.items()}
        fields["authorize"] = "1" if approve else "0"
        url = f"{self.github.url}/login/oauth/authorize"
        answer = http.request("POST", url, fields=fields, encode_multipart=False, redirect=False)
        location: str = answer.headers["location"]
        return location

    def authorize_at_github(
        self, browser: Browser, account: Account, query: str = "", *, approve: bool = True
    ) -> str:
        """Begin a sign-in, approve or decline it at GitHub, and return the callback's path and query."""
        self.github.signed_in = account
        back = urlsplit(
            self.press_authorize(redirect_target(browser("GET", f"/api/auth/login/{query}")), approve=approve)
        )
        assert f"{back.scheme}://{back.netloc}" == ORIGIN
        return f"{back.path}?{back.query}"

    def sign_in(self, browser: Browser, account: Account, query: str = "") -> Answer:
        """Sign in, and return the callback's response."""
        return browser("GET", self.authorize_at_github(browser, account, query))

    def signed_in(self, account: Account | None = None) -> tuple[Browser, Account]:
        """Return a browser with a session, and the session's account, which is new unless one is given."""
        browser, account = self.browser(), account or self.new_person()
        assert self.sign_in(browser, account).status == 302
        return browser, account

    def embedded(self, account: Account | None = None) -> tuple[str, Account]:
        """Return a session for the embedding site, and the session's account."""
        account = account or self.new_person()
        page = self.sign_in(self.browser(), account, f"?origin={EMBEDDER}")
        assert page.status == 200, page
        return re.search('data-session="([^"]+)"', page.body)[1], account  # type: ignore[index]

    def session(self, browser: Browser) -> Session:
        """Return the session in a browser's cookie."""
        return request_guard.sessions().read(browser.cookies[SESSION_COOKIE], now_s=self.clock.ms // 1000)

    def timers_of(self, account: Account) -> list[Timer]:
        """Return a person's timers."""
        return list(self.timers.page(account.id, Filters(), page_size=100).timers)

    def token(self, browser: Browser, **members: Any) -> str:
        """Create an API token in a browser, and return the token."""
        made = browser("POST", "/api/auth/tokens/", {"name": "test", **members})
        assert made.status == 201, made
        text: str = made.json()["token"]
        return text

    def cold_start(self) -> None:
        """Empty the functions' caches of callers and session keys."""
        for function in (self.auth, self.reports, self.schedule, self.timelogs):
            forget_callers(function.shared)
        request_guard.sessions.cache_clear()

    def sign_with(self, current: str, previous: str = "") -> None:
        """Store the session keys."""
        keys = json.dumps({"current": current, "previous": previous})
        boto3.client("secretsmanager").put_secret_value(SecretId=self.secret_arn, SecretString=keys)

    def items(self, mention: str, *, with_counts: bool = False) -> list[RawItem]:
        """Return the items of the table that contain a word.

        The write limit's counts are omitted unless a test asks for them. A change is counted while it is
        made, so that the deletion of an account may leave the last count.
        """
        client = self.table.connection.client
        word = re.compile(rf"(?<![0-9A-Za-z]){re.escape(mention)}(?![0-9A-Za-z])")
        pages = client.get_paginator("scan").paginate(TableName=self.table.name, ConsistentRead=True)
        return [
            item
            for page in pages
            for item in page["Items"]
            if word.search(json.dumps(item, default=repr))
            and (with_counts or not item["sk"]["S"].startswith("writes#"))
        ]

    def _handler(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        path = event["rawPath"]
        function = self.timelogs
        if path.startswith(("/api/auth/", "/api/team")):
            function = self.auth
        elif path.startswith("/api/reports"):
            function = self.reports
        elif path.startswith(("/api/schedule", "/api/admin/settings", "/api/admin/lock", "/api/admin/hooks")):
            function = self.schedule
        answer: dict[str, Any] = function.handler(event, context)
        return answer


def forget_callers(function: ModuleType) -> None:
    """Empty a function's cache of callers, in the object that its modules share."""
    vars(function.guard).update(vars(request_guard.RequestGuard(function.table, function.logger)))


@contextmanager
def open_app(table: Table, github: FakeGitHub, **variables: str) -> Iterator[App]:
    """Load the functions with a table; ``variables`` override their environment variables.

    Apps may be nested. The app that was opened last determines the environment variables.
    """
    with ExitStack() as stack:
        # moto replaces SSM and Secrets Manager only.
        stack.enter_context(mock_aws(config={"core": {"mock_credentials": False}}))
        client = github.new_oauth_app(f"{ORIGIN}/api/auth/callback/")
        oauth = f"/app-{next(_numbers)}/oauth"
        boto3.client("ssm").put_parameter(
            Name=oauth,
            Value=json.dumps({"client_id": client.client_id, "client_secret": client.client_secret}),
            Type="SecureString",
        )
        secret = boto3.client("secretsmanager").create_secret(
            Name=f"sessions-{next(_numbers)}", SecretString="{}"
        )
        own = {
            "SESSION_SECRET_ARN": secret["ARN"],
            "OAUTH_CREDENTIAL": oauth,
            "GITHUB_API_URL": github.url,
            "ALLOWED_ORIGINS": f"https://other.example.org,{EMBEDDER}",
            "ADMIN_LOGINS": ADMIN,
            # Nothing listens there, unless a test gives another address.
            "LIVE_ENDPOINT": "http://127.0.0.1:9/live",
            "EXPORT_FUNCTION": "exports",
            "HOOK_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/123456789012/hooks",
        }
        # The fake answers at an address of its own, but names its pages in payloads as github.com does.
        pages = {
            "auth.api": github.url,
            "reports.api": github.addresses.web,
            "schedule.api": "",
            "timelogs.api": github.addresses.web,
        }
        auth, reports, schedule, timelogs = functions = [
            stack.enter_context(loaded(name, table.name, **own | {"GITHUB_URL": url} | variables))
            for name, url in pages.items()
        ]
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        clock, seconds = Clock(now_ms()), MonotonicClock()
        for function in functions:
            patch.setattr(function, "now_ms", clock)
        patch.setattr(secrets, "time", seconds)
        patch.setattr(import_module("reports.exporting"), "_lambda", Invocations)
        app = App(
            github, client, table, auth, reports, schedule, timelogs, secret["ARN"], oauth, clock, seconds
        )
        app.sign_with(KEY)
        app.cold_start()
        yield app
        request_guard.sessions.cache_clear()
