"""Live connections of open pages: tickets, connections, hints, and their end."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from tests.integration.test_permissions import unused
from tests.support.app import EMBEDDER, KEY, App, open_app
from tests.support.browser import ORIGIN
from tests.support.gateway import Context
from tests.support.handlers import loaded
from tests.support.live import ManagementApi, add_connection, connect_event, disconnect_event
from tests.support.network import Network, lost_request, refusal, throttled
from tests.support.stream import calendar_record, timer_record
from timer_core.api import request_guard
from timer_core.clock import now_ms
from timer_core.domain.ids import parse_timer_id
from timer_core.services.access import revoke_access
from timer_core.store.connections import (
    KEPT_S,
    MAX_CONNECTIONS,
    ConnectionStore,
    session_credential,
    token_credential,
)
from timer_core.store.keys import CALENDAR_SK, CONNECTIONS_SK, user_pk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from fake_github import FakeGitHub
    from tests.support.browser import Browser
    from tests.support.gateway import Answer
    from tests.support.network import Fault
    from timer_core.domain.timers import Timer
    from timer_core.store.connections import Connection
    from timer_core.store.table import Table

TICKET = "/api/live/ticket/"
ME = "/api/auth/me/"
LOG_OUT = "/api/auth/logout/"
START = "/api/timelogs/start/"


class Live:
    """The API, the functions that open connections and send hints, and API Gateway's management API."""

    def __init__(self, app: App, pages: ModuleType, changes: ModuleType, api: ManagementApi) -> None:
        self.app, self.pages, self.changes, self.api = app, pages, changes, api
        self.store = ConnectionStore(app.table)
        self.queued: list[dict[str, Any]] = []

    def send_message(self, **request: Any) -> None:
        """Queue a message, as SQS does."""
        self.queued.append(request)

    def receive(self) -> list[str]:
        """Pass the queued messages to the function, and return the ids of those that failed."""
        records = [
            {"messageId": str(number), "eventSource": "aws:sqs", "body": request["MessageBody"]}
            for number, request in enumerate(self.queued)
        ]
        self.queued.clear()
        response = self.changes.handler({"Records": records}, Context())
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]

    def connect(self, url: str) -> dict[str, Any]:
        """Return the authorizer's response to a browser that opens an address."""
        response: dict[str, Any] = self.pages.handler(connect_event(url), Context())
        return response

    def opens(self, url: str) -> bool:
        """Whether a browser can open the connection at an address."""
        (statement,) = self.connect(url)["policyDocument"]["Statement"]
        assert statement["Action"] == "execute-api:Invoke"
        return bool(statement["Effect"] == "Allow")

    def change(self, *records: Mapping[str, Any]) -> None:
        """Pass changes of the table to the function that sends hints."""
        response = self.changes.handler({"Records": list(records)}, Context())
        assert response == {"batchItemFailures": []}

    def timer(self, user_id: int) -> Timer:
        """Return a new timer of a person."""
        return self.app.timers.start(user_id=user_id, now_ms=self.app.clock.ms)[0]

    def ids(self, user_id: int) -> list[str]:
        """Return the ids of a person's connections, oldest first."""
        return [connection.connection_id for connection in self.store.of(user_id)]


@pytest.fixture(scope="module")
def shared_live(shared_table: Table, github: FakeGitHub) -> Iterator[Live]:
    with ManagementApi() as api, open_app(shared_table, github, LIVE_ENDPOINT=api.url) as app:
        variables = {"LIVE_ENDPOINT": api.url, "SESSION_SECRET_ARN": app.secret_arn}
        queue = {"TIMESHEET_QUEUE_URL": "https://queue.example"}
        with (
            loaded("timesheets.refresh", shared_table.name, **variables, **queue) as changes,
            loaded("live.connections", shared_table.name, **variables) as pages,
        ):
            vars(pages)["now_ms"] = vars(changes)["now_ms"] = app.clock
            live = Live(app, pages, changes, api)
            vars(changes)["_sqs"] = lambda: live
            yield live


@pytest.fixture
def live(shared_live: Live) -> Live:
    shared_live.app.clock.ms = now_ms()
    shared_live.app.sign_with(KEY)
    shared_live.app.cold_start()
    api = shared_live.api
    api.hints, api.closed, api.status, api.delay_s, api.lost, api.requests = [], [], 200, 0, 0, 0
    shared_live.queued.clear()
    return shared_live


def ticket(caller: Any) -> str:
    """Return the address of a ticket for a browser or a client."""
    answer: Answer = caller("POST", TICKET)
    assert answer.status == 200, answer
    url: str = answer.json()["url"]
    return url


def content(url: str) -> dict[str, Any]:
    """Return what the ticket in an address contains."""
    (text,) = parse_qs(urlsplit(url).query)["ticket"]
    claims: dict[str, Any] = jwt.decode(text, options={"verify_signature": False})
    return claims


def me(browser: Browser) -> int:
    user_id: int = browser("GET", ME).json()["id"]
    return user_id


class TestTickets:
    def test_a_ticket_is_the_address_of_a_connection_on_the_callers_host(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        answer = browser("POST", TICKET)
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        shown = answer.json()
        assert shown.pop("url").startswith(f"{ORIGIN.replace('http', 'ws', 1)}/live?ticket=ey")
        # The session is valid for an hour, and its page renews it five minutes before.
        assert shown == {"expires_in": 60, "ping_after": 540, "renew_after": 3_300}
        claims = content(ticket(browser))
        assert (claims["sub"], claims["aud"], claims["exp"] - claims["iat"]) == (str(ann.id), "live", 60)

    @pytest.mark.parametrize(
        ("headers", "address"),
        [
            ({"x-viewer-host": "timer.example.org"}, "wss://timer.example.org/live?"),
            ({"x-viewer-host": "localhost:4570", "x-forwarded-proto": "http"}, "ws://localhost:4570/live?"),
        ],
    )
    def test_the_host_is_the_one_that_the_viewer_used(
        self, live: Live, headers: dict[str, str], address: str
    ) -> None:
        browser, _ = live.app.signed_in()
        caller = live.app.caller(live.app.token(browser))
        assert ticket(partial(caller, **headers)).startswith(address)

    def test_tokens_of_either_scope_and_embedded_sessions_get_tickets(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        for scope in ("read", "write"):
            token = live.app.token(browser, scope=scope)
            answer = live.app.caller(token)("POST", TICKET)
            assert (answer.status, answer.json()["renew_after"]) == (200, 6_900)
            assert live.opens(answer.json()["url"])
        session, bob = live.app.embedded()
        caller = partial(live.app.caller(session, "Bearer"), origin=EMBEDDER)
        assert live.opens(ticket(caller))
        assert len(live.ids(ann.id)) == 2
        assert len(live.ids(bob.id)) == 1

    def test_a_connection_is_renewed_before_its_token_expires(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(live.app.clock.ms // 1000 + 600))
        caller = live.app.caller(live.app.token(browser, expires=expires))
        assert caller("POST", TICKET).json()["renew_after"] == 300
        assert live.opens(ticket(caller))
        (connection,) = live.store.of(ann.id)
        assert connection.until_s == live.app.clock.ms // 1000 + 600

    def test_the_request_for_a_ticket_renews_a_session_in_a_cookie(self, live: Live) -> None:
        browser, _ = live.app.signed_in()
        live.app.clock.advance(3_000)
        answer = browser("POST", TICKET)
        assert answer.json()["renew_after"] == 3_300
        live.app.clock.advance(3_300)
        assert browser("POST", TICKET).status == 200

    def test_without_credentials_or_from_another_site_there_is_no_ticket(self, live: Live) -> None:
        browser, _ = live.app.signed_in()
        assert live.app.browser()("POST", TICKET).status == 401
        assert browser("POST", TICKET, origin="https://evil.example").status == 403
        assert browser("GET", TICKET).status == 405

    def test_tickets_count_towards_the_limit_of_changes(
        self, shared_table: Table, github: FakeGitHub
    ) -> None:
        with open_app(shared_table, github, WRITES_PER_MINUTE="3") as app:
            browser, _ = app.signed_in()
            assert [browser("POST", TICKET).status for _ in range(4)] == [200, 200, 200, 429]
            assert 0 < int(browser("POST", TICKET).headers["retry-after"]) <= 60


class TestConnecting:
    def test_a_connection_is_stored_with_its_credential_until_it_is_closed(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        response = live.connect(ticket(browser))
        (connection,) = live.store.of(ann.id)
        session = live.app.session(browser)
        assert connection.credential == session_credential(session.session_id)
        assert (connection.opened_ms, connection.until_s) == (live.app.clock.ms, session.expires_s)
        closed = disconnect_event(response)
        message = {"requestContext": {**closed["requestContext"], "eventType": "MESSAGE"}}
        assert live.pages.handler(message, Context()) == {"statusCode": 200}
        assert live.ids(ann.id)
        for _ in range(2):
            assert live.pages.handler(closed, Context()) == {"statusCode": 200}
        assert live.store.of(ann.id) == []
        del closed["requestContext"]["authorizer"]
        assert live.pages.handler(closed, Context()) == {"statusCode": 200}

    def test_a_ticket_opens_one_connection_within_a_minute(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        url, late = ticket(browser), ticket(browser)
        assert live.opens(url)
        assert not live.opens(url)
        live.app.clock.advance(60)
        assert not live.opens(late)
        assert len(live.ids(ann.id)) == 1

    def test_one_of_many_concurrent_uses_of_a_ticket_succeeds(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        url = ticket(browser)
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(live.opens, [url] * 8)) == 1
        assert len(live.ids(ann.id)) == 1

    def test_forged_tickets_open_nothing(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        url = ticket(browser)
        base, _, text = url.partition("ticket=")
        head, claims, signature = text.split(".")
        other = jwt.encode(content(url) | {"jti": "x"}, "a key of somebody else, of some length", "HS256")
        unsigned = jwt.encode(content(url) | {"jti": "x"}, "", "none")
        (session,) = (value for value in browser.cookies.values() if value.count(".") == 2)
        token = live.app.token(browser)
        wrong = [
            *("", "x", "a.b.c", f"{head}.{claims}.", f"{head}.{claims}x.{signature}", f"{text}x"),
            *(other, unsigned, session, token),
        ]
        assert not any(live.opens(f"{base}ticket={one}") for one in wrong)
        assert not live.opens(base.rstrip("?"))
        assert live.ids(ann.id) == []

    def test_a_ticket_is_neither_a_session_nor_a_sign_in(self, live: Live) -> None:
        browser, _ = live.app.signed_in()
        (text,) = parse_qs(urlsplit(ticket(browser)).query)["ticket"]
        assert live.app.caller(text, "Bearer")("GET", "/api/timelogs/").status == 401
        callback = f"/api/auth/callback/?code=x&state={text}"
        assert live.app.browser()("GET", callback).status == 400

    def test_a_ticket_of_the_previous_key_is_accepted(self, live: Live) -> None:
        browser, _ = live.app.signed_in()
        first, second = ticket(browser), ticket(browser)
        live.app.sign_with("another key, of as many characters as the one before it had.", KEY)
        request_guard.sessions.cache_clear()
        assert live.opens(first)
        live.app.sign_with("another key, of as many characters as the one before it had.")
        request_guard.sessions.cache_clear()
        assert not live.opens(second)

    def test_an_ended_credential_opens_nothing(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        token = live.app.token(browser)
        (token_id,) = (one["id"] for one in browser("GET", "/api/auth/tokens/").json()["results"])
        by_token, by_session = ticket(live.app.caller(token)), ticket(browser)
        assert browser("DELETE", f"/api/auth/tokens/{token_id}/").status == 204
        assert not live.opens(by_token)
        assert browser("POST", LOG_OUT).status == 204
        assert not live.opens(by_session)
        again, _ = live.app.signed_in(ann)
        url = ticket(again)
        assert again("DELETE", ME).status == 204
        assert not live.opens(url)
        assert live.ids(ann.id) == []

    def test_signing_out_while_a_connection_opens_ends_it(self, live: Live) -> None:
        """The connection is added before its session is checked, and the session ends before it is listed."""
        browser, ann = live.app.signed_in()
        url = ticket(browser)
        network = Network(live.pages.table.connection)

        def then_sign_out(_operation: str, send: Any) -> Any:
            response = send()
            assert browser("POST", LOG_OUT).status == 204
            return response

        network.next_writes = [lambda _operation, send: send(), then_sign_out]
        try:
            assert not live.opens(url)
        finally:
            network.close()
        assert live.ids(ann.id) == []

    def test_a_token_opens_nothing_while_its_account_is_deleted(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        url = ticket(live.app.caller(live.app.token(browser)))
        live.app.auth.shared.account_deletion.request(ann.id, now_ms=live.app.clock.ms)
        assert not live.opens(url)
        assert live.ids(ann.id) == []

    def test_an_eleventh_connection_closes_the_oldest(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        urls = [ticket(browser) for _ in range(MAX_CONNECTIONS + 2)]
        # The functions of this process share the cached keys.
        request_guard.sessions.cache_clear()
        for url in urls:
            live.app.clock.advance(1)
            assert live.opens(url)
            assert len(live.ids(ann.id)) <= MAX_CONNECTIONS
        assert len(live.api.closed) == 2
        assert not set(live.api.closed) & set(live.ids(ann.id))
        assert unused("LiveFunction") == set()

    def test_expired_connections_make_room_first(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        now = live.app.clock.ms
        kept = [add_connection(live.app.table, ann.id, now_ms=now) for _ in range(MAX_CONNECTIONS - 1)]
        add_connection(live.app.table, ann.id, now_ms=now - KEPT_S * 1000)
        assert live.opens(ticket(browser))
        assert {one.connection_id for one in kept} < set(live.ids(ann.id))

    def test_concurrent_connections_never_exceed_the_limit(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        urls = [ticket(browser) for _ in range(24)]
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(live.opens, urls))
        assert len(live.ids(ann.id)) == MAX_CONNECTIONS
        assert len(live.api.closed) == 24 - MAX_CONNECTIONS

    def test_a_failure_of_the_table_opens_nothing_and_is_no_refusal(self, live: Live) -> None:
        """API Gateway answers 500 if its authorizer fails, and the page tries again later."""
        browser, ann = live.app.signed_in()
        url = ticket(browser)
        network = Network(live.pages.table.connection)
        network.next_writes = [lost_request] * 3
        try:
            with pytest.raises(Exception, match="timeout"):
                live.connect(url)
        finally:
            network.close()
        assert live.ids(ann.id) == []
        assert live.opens(url)


class TestHints:
    def test_all_pages_of_a_person_get_a_hint_and_nobody_else_gets_one(self, live: Live) -> None:
        (first, ann), (other, _) = live.app.signed_in(), live.app.signed_in()
        second, _ = live.app.signed_in(ann)
        for browser in (first, second, other):
            assert live.opens(ticket(browser))
        live.change(timer_record(None, live.timer(ann.id)))
        assert sorted(live.api.hints) == sorted(live.ids(ann.id))

    def test_many_changes_of_a_person_in_a_batch_give_one_hint(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        timers = [live.timer(ann.id) for _ in range(3)]
        live.change(*(timer_record(None, timer) for timer in timers))
        assert live.api.hints == live.ids(ann.id)

    def test_a_change_that_leaves_all_days_as_they_are_gives_a_hint_too(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        timer_id = browser("POST", START, {}).json()["id"]
        key = parse_timer_id(timer_id)
        assert key is not None
        before = live.app.timers.get(*key)
        assert browser("PATCH", f"/api/timelogs/{timer_id}/", {"description": "x"}).status == 200
        live.change(timer_record(before, live.app.timers.get(*key)))
        assert live.api.hints == live.ids(ann.id)

    def test_other_working_hours_give_a_hint_and_stored_days_give_none(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        assert browser("PUT", "/api/schedule/", {"time_zone": "UTC", "week": None}).status == 200
        item = live.app.table.get(user_pk(ann.id), CALENDAR_SK)
        assert item is not None
        live.change(calendar_record(ann.id, item))
        assert live.api.hints == live.ids(ann.id)
        stored = item | {"stored_until_ms": {"N": "1"}, "carry": {"B": b"x"}}
        images = {"OldImage": item, "NewImage": stored, "Keys": {"pk": item["pk"], "sk": item["sk"]}}
        live.change({"eventName": "MODIFY", "dynamodb": images})
        assert len(live.api.hints) == 1

    def test_a_connection_that_is_gone_is_removed_unless_it_is_just_opening(self, live: Live) -> None:
        _, ann = live.app.signed_in()
        now = live.app.clock.ms
        old = add_connection(live.app.table, ann.id, now_ms=now - 60_000)
        opening = add_connection(live.app.table, ann.id, now_ms=now)
        live.api.closed = [old.connection_id, opening.connection_id]
        live.change(timer_record(None, live.timer(ann.id)))
        assert live.ids(ann.id) == [opening.connection_id]

    def test_an_expired_connection_gets_no_hint(self, live: Live) -> None:
        _, ann = live.app.signed_in()
        add_connection(live.app.table, ann.id, now_ms=live.app.clock.ms - KEPT_S * 1000)
        live.change(timer_record(None, live.timer(ann.id)))
        assert live.api.hints == []

    @pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
    def test_a_hint_that_fails_removes_nothing_and_the_days_are_stored(
        self, live: Live, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        live.api.status = status
        refreshed: list[int] = []

        def refresh(user_id: int, **_: object) -> bool:
            refreshed.append(user_id)
            return True

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(live.changes.timesheets, "refresh", refresh)
            live.change(timer_record(None, live.timer(ann.id)))
        assert refreshed == [ann.id]
        assert len(live.ids(ann.id)) == 1
        (warning,) = (one for one in caplog.records if "live connections failed" in one.message)
        assert (vars(warning)["failed"], vars(warning)["of"]) == (1, 1)

    def test_a_hint_is_sent_again_over_another_connection(self, live: Live) -> None:
        _, ann = live.app.signed_in()
        connection = add_connection(live.app.table, ann.id, now_ms=live.app.clock.ms)
        live.api.lost = 1
        live.change(timer_record(None, live.timer(ann.id)))
        assert live.api.hints == [connection.connection_id]

    def test_slow_hints_hold_up_a_batch_for_seven_seconds_at_most(self, live: Live) -> None:
        live.api.delay_s = 3
        people = [live.app.signed_in()[1].id for _ in range(30)]
        for user_id in people:
            add_connection(live.app.table, user_id, now_ms=live.app.clock.ms)
        records = [timer_record(None, live.timer(user_id)) for user_id in people]
        began = time.monotonic()
        live.change(*records)
        assert time.monotonic() - began < 8
        assert all(live.ids(user_id) for user_id in people)

    def test_if_the_connections_cannot_be_read_the_days_are_stored(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        timer = live.timer(ann.id)

        def fail(*_: object) -> None:
            raise ConnectionError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(live.changes.table, "get_map", fail)
            live.change(timer_record(None, timer))
        assert live.api.hints == []
        live.change(timer_record(None, timer))
        assert live.api.hints == live.ids(ann.id)

    def test_a_queued_person_gets_no_hint(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        body = json.dumps({"user_id": ann.id, "from_ms": 0})
        live.change({"messageId": "1", "eventSource": "aws:sqs", "body": body})
        assert live.api.hints == []


@contextmanager
def faults(function: ModuleType) -> Iterator[Network]:
    """Apply faults to a function's requests to DynamoDB."""
    network = Network(function.table.connection)
    try:
        yield network
    finally:
        network.close()


# DynamoDB's errors ("Error handling with DynamoDB"), and requests without a response.
FAULTS = [
    pytest.param(throttled, id="throttled"),
    pytest.param(refusal("ProvisionedThroughputExceededException"), id="provisioned"),
    pytest.param(refusal("InternalServerError", 500), id="500"),
    pytest.param(refusal("ServiceUnavailable", 503), id="503"),
    pytest.param(lost_request, id="lost"),
]


class TestFaults:
    """A hint that is lost would leave a page out of date until its next request, 40 minutes later."""

    @pytest.fixture(autouse=True)
    def _hurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "sleep", lambda _seconds: None)

    @pytest.mark.parametrize("fault", FAULTS)
    def test_if_the_connections_cannot_be_read_the_hint_is_sent_later(self, live: Live, fault: Fault) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        change = timer_record(None, live.timer(ann.id))
        with faults(live.changes) as network:
            network.every_request = fault
            live.change(change)
            assert len(network.requests) <= 40
        assert live.api.hints == []
        assert sum("is_hint" in one["MessageBody"] for one in live.queued) == 1
        assert live.receive() == []
        assert (live.api.hints, live.queued) == (live.ids(ann.id), [])

    def test_a_queued_hint_waits_while_the_connections_cannot_be_read(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        change = timer_record(None, live.timer(ann.id))
        with faults(live.changes) as network:
            network.every_request = refusal("InternalServerError", 500)
            live.change(change)
            queued = list(live.queued)
            # SQS delivers failed messages again, five times in all.
            assert len(live.receive()) == len(queued)
            assert live.queued == []
        live.queued.extend(queued)
        assert live.receive() == []
        assert live.api.hints == live.ids(ann.id)

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_hint_that_fails_is_sent_once_more_a_little_later(self, live: Live, status: int) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        live.api.status = status
        live.change(timer_record(None, live.timer(ann.id)))
        (queued,) = live.queued
        assert queued["DelaySeconds"] == 10
        live.api.status = 200
        assert live.receive() == []
        assert (live.api.hints, live.queued) == (live.ids(ann.id), [])

    def test_a_hint_that_keeps_failing_is_given_up(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        live.api.status = 500
        live.change(timer_record(None, live.timer(ann.id)))
        assert live.receive() == []
        assert live.queued == []
        assert live.api.requests == 4

    @pytest.mark.parametrize(
        "fault", [*FAULTS, pytest.param(refusal("ConditionalCheckFailedException"), id="condition")]
    )
    def test_a_closed_connection_that_cannot_be_removed_is_removed_with_the_next_hint(
        self, live: Live, fault: Fault
    ) -> None:
        _, ann = live.app.signed_in()
        old = add_connection(live.app.table, ann.id, now_ms=live.app.clock.ms - 60_000)
        live.api.closed = [old.connection_id]
        change = timer_record(None, live.timer(ann.id))
        with faults(live.changes) as network:
            network.every_write = fault
            live.change(change)
            assert network.requests.count("UpdateItem") <= 3
        assert (live.ids(ann.id), live.queued) == ([old.connection_id], [])
        live.change(change)
        assert live.ids(ann.id) == []

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("failing", [1, 2])
    def test_a_ticket_that_cannot_be_used_is_replaced_by_the_next_one(
        self, live: Live, fault: Fault, failing: int
    ) -> None:
        """The use of the ticket is written first, and then the connection."""
        browser, ann = live.app.signed_in()
        url, following = ticket(browser), ticket(browser)

        def pass_on(_operation: str, send: Any) -> Any:
            return send()

        with faults(live.pages) as network:
            network.next_writes = [pass_on] * (failing - 1)
            network.every_write = fault
            with pytest.raises(Exception, match=r".+"):
                live.connect(url)
            assert len(network.requests) <= 12
        assert live.ids(ann.id) == []
        assert live.opens(following)
        assert len(live.ids(ann.id)) == 1

    def test_a_refused_condition_of_the_connections_is_tried_again(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        with faults(live.pages) as network:
            network.next_writes = [
                lambda _operation, send: send(),
                *[refusal("ConditionalCheckFailedException")] * 2,
            ]
            assert live.opens(ticket(browser))
        assert len(live.ids(ann.id)) == 1


class TestRotation:
    NEW = "another key, of as many characters as the one before it had."

    def test_connections_outlive_the_rotation_of_the_key(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        assert live.opens(ticket(browser))
        live.app.sign_with(self.NEW, KEY)
        live.app.cold_start()
        live.change(timer_record(None, live.timer(ann.id)))
        assert live.api.hints == live.ids(ann.id)
        # The new key signs after six minutes, so the end of the rotation refuses no ticket of this time.
        live.app.clock.advance(600)
        renewed = ticket(browser)
        live.app.sign_with(self.NEW)
        request_guard.sessions.cache_clear()
        assert live.opens(renewed)
        assert len(live.ids(ann.id)) == 2

    def test_after_a_leak_the_former_keys_sessions_get_no_further_connection(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        unused = ticket(browser)
        live.app.sign_with(self.NEW)
        live.app.cold_start()
        assert browser("POST", TICKET).status == 401
        assert not live.opens(unused)
        assert live.ids(ann.id) == []


class TestEnd:
    def of(self, live: Live, user_id: int, *credentials: str) -> list[Connection]:
        add = partial(add_connection, live.app.table, user_id, now_ms=live.app.clock.ms)
        return [add(credential=credential) for credential in credentials]

    def test_signing_out_ends_the_connections_of_the_session(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        own = session_credential(live.app.session(browser).session_id)
        mine, other, token = self.of(live, ann.id, own, "session:other", "token:one")
        assert browser("POST", LOG_OUT).status == 204
        assert live.api.closed == [mine.connection_id]
        assert live.ids(ann.id) == [other.connection_id, token.connection_id]

    def test_signing_out_everywhere_ends_those_of_all_sessions(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        *sessions, token = self.of(live, ann.id, "session:a", "session:b", "token:one")
        assert browser("POST", LOG_OUT, {"everywhere": True}).status == 204
        assert sorted(live.api.closed) == sorted(one.connection_id for one in sessions)
        assert live.ids(ann.id) == [token.connection_id]

    def test_revoking_a_token_ends_those_of_the_token(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        live.app.token(browser)
        (token_id,) = (one["id"] for one in browser("GET", "/api/auth/tokens/").json()["results"])
        mine, other = self.of(live, ann.id, token_credential(token_id), "token:other")
        assert browser("DELETE", f"/api/auth/tokens/{token_id}/").status == 204
        assert live.api.closed == [mine.connection_id]
        assert live.ids(ann.id) == [other.connection_id]

    def test_deleting_an_account_ends_all(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        connections = self.of(live, ann.id, "session:a", "token:one")
        assert browser("DELETE", ME).status == 204
        assert sorted(live.api.closed) == sorted(one.connection_id for one in connections)
        assert live.app.table.get(user_pk(ann.id), CONNECTIONS_SK) is None

    def test_a_refused_deletion_of_an_account_ends_nothing(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        assert browser("GET", ME).status == 200
        (kept,) = self.of(live, ann.id, "token:one")
        live.app.sessions.end_all(ann.id, now_ms=live.app.clock.ms)
        # The session is still cached, and is read again before the deletion.
        assert browser("DELETE", ME).status == 401
        assert (live.api.closed, live.ids(ann.id)) == ([], [kept.connection_id])

    def test_no_connection_outlives_an_account_whose_deletion_is_just_recorded(self, live: Live) -> None:
        browser, ann = live.app.signed_in()
        caller = live.app.caller(live.app.token(browser))
        before, *after = ticket(caller), ticket(caller), ticket(browser)
        opened = dict[str, bool]()

        def record(operation: str, send: Any) -> Any:
            opened[before] = live.opens(before)
            connected.extend(live.ids(ann.id))
            response = send()
            assert operation == "TransactWriteItems"
            opened.update((url, live.opens(url)) for url in after)
            return response

        connected = list[str]()
        network = Network(live.app.auth.shared.table.connection)
        network.next_writes = [record]
        try:
            assert browser("DELETE", ME).status == 204
        finally:
            network.close()
        assert list(opened.values()) == [True, False, False]
        assert live.api.closed == connected

    def test_revoking_all_access_ends_all(self, live: Live) -> None:
        _, ann = live.app.signed_in()
        connections = self.of(live, ann.id, "session:a", "token:one")
        revoke_access(
            live.app.sessions, live.app.tokens, live.app.auth.shared.live, ann.id, now_ms=live.app.clock.ms
        )
        assert sorted(live.api.closed) == sorted(one.connection_id for one in connections)

    @pytest.mark.parametrize("status", [403, 410, 500])
    def test_a_connection_that_cannot_be_closed_gets_no_hints_any_more(self, live: Live, status: int) -> None:
        browser, ann = live.app.signed_in()
        self.of(live, ann.id, session_credential(live.app.session(browser).session_id))
        live.api.status = status
        assert browser("POST", LOG_OUT).status == 204
        live.api.status = 200
        live.change(timer_record(None, live.timer(ann.id)))
        assert (live.api.hints, live.ids(ann.id)) == ([], [])
