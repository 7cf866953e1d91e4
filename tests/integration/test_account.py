"""The routes of the caller's account, the write limit, and the routes of admins."""

from __future__ import annotations

import json
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from auth.export import (
    CalendarExported,
    Changes,
    ConfirmedDayExported,
    DeletedTimer,
    Export,
    KeyedRequest,
    ProfileExported,
    Slot,
    TimerExported,
)
from auth.models import TokenShown
from tests.support.account_deletion import delete_account
from tests.support.app import ADMIN, EMBEDDER, NAMED, ROUTES, WRITES, App, open_app
from tests.support.browser import ORIGIN
from tests.support.gateway import Context
from tests.support.live import add_connection
from tests.support.network import Network, refusal
from tests.support.repositories import identified
from timer_core.api.sessions import SESSION_COOKIE
from timer_core.api.times import format_time, to_time
from timer_core.domain.errors import Forbidden, Unauthorized
from timer_core.domain.ids import new_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move
from timer_core.domain.notifications import Happening
from timer_core.domain.schedule import local_date
from timer_core.domain.timers import finished
from timer_core.domain.tokens import new_token
from timer_core.github.messages import IssueEvent
from timer_core.services.access import revoke_access
from timer_core.services.event_handler import EventHandler
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.calendars import Calendars
from timer_core.store.connections import session_credential
from timer_core.store.items import (
    AuditItem,
    CalendarItem,
    ConfirmedDayItem,
    IdempotencyItem,
    ProfileItem,
    SlotItem,
    TimerItem,
    TokenItem,
    UserTokenItem,
    WritesItem,
)
from timer_core.store.limits import WriteLimit
from timer_core.store.outgoing_webhooks import Notification, Notifications
from timer_core.store.people import PeopleStore, Person, registered
from timer_core.store.timesheets import Timesheets
from timer_core.store.tokens import TokenStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pynamodb.models import Model

    from fake_github import FakeGitHub
    from fake_github.model import Account
    from tests.support.browser import Browser
    from tests.support.network import Send
    from timer_core.store.table import RawItem, Table

ME = "/api/auth/me/"
EXPORT = "/api/auth/me/export/"
TOKENS = "/api/auth/tokens/"
TIMERS = "/api/timelogs/"
START = "/api/timelogs/start/"
DAY = 86_400
_numbers = count(1)
# Each kind of item has a map from its attributes to the fields of the export that contain them, and a set of
# attributes that are not exported. These are not exported because other attributes contain the same data
# (copies for indexes, sums, hashes).
EXPORTED: dict[type[Model], tuple[dict[str, tuple[type[BaseModel], list[str]]], set[str]]] = {
    TimerItem: (
        {
            "start_ms": (TimerExported, ["start_time"]),
            "clock_ms": (TimerExported, ["active_duration"]),
            "changed_ms": (TimerExported, ["changed"]),
            "last_pause_ms": (TimerExported, ["last_pause_time"]),
            "paused_by": (TimerExported, ["paused_by"]),
            "end_ms": (TimerExported, ["end_time"]),
            "full_name": (TimerExported, ["github_repo"]),
            "number": (TimerExported, ["github_issue_number"]),
            "locked_until_ms": (TimerExported, ["locked_until"]),
            "history": (TimerExported, ["history"]),
            "causes": (TimerExported, ["history"]),
            "about": (
                TimerExported,
                [
                    "github_issue_title",
                    "organization",
                    "description",
                    "source",
                    "created",
                    "stopped_by",
                    "claims",
                    "signs_of_life",
                    "absorbed",
                ],
            ),
            "confirmed_span": (TimerExported, ["confirmed_span"]),
            "deleted_ms": (DeletedTimer, ["deleted", "locked_until", "claims"]),
            "expires_at": (DeletedTimer, ["kept_until"]),
        },
        {
            "schema_version",
            "version",
            "repo_key",
            "start_key",
            "end_key",
            "open_shard",
        },
    ),
    ProfileItem: (
        {
            "login": (ProfileExported, ["login"]),
            "name": (ProfileExported, ["name"]),
            "avatar_url": (ProfileExported, ["avatar_url"]),
            "created_ms": (ProfileExported, ["created"]),
            "signed_out_ms": (ProfileExported, ["signed_out_everywhere"]),
            "events_ignored_until_ms": (ProfileExported, ["deletion_requested"]),
            "ended": (ProfileExported, ["ended_sessions"]),
            "tokens_made": (ProfileExported, ["tokens_made"]),
            "visibility": (ProfileExported, ["visibility"]),
        },
        # Only deleted accounts have these attributes, and a deleted account has no export.
        {"deletion_requested_ms", "expires_at"},
    ),
    TokenItem: (
        {
            "token_id": (TokenShown, ["id"]),
            "name": (TokenShown, ["name"]),
            "scope": (TokenShown, ["scope"]),
            "created_ms": (TokenShown, ["created"]),
            "used_ms": (TokenShown, ["last_used"]),
            "expires_at": (TokenShown, ["expires"]),
        },
        {"user_id", "login"},
    ),
    UserTokenItem: (
        {
            "name": (TokenShown, ["name"]),
            "scope": (TokenShown, ["scope"]),
            "created_ms": (TokenShown, ["created"]),
            "expires_at": (TokenShown, ["expires"]),
        },
        {"token_hash"},
    ),
    SlotItem: (
        {
            "ulids": (Slot, ["timers"]),
            "locked_until_ms": (Slot, ["locked_until"]),
            "expires_at": (Slot, ["kept_until"]),
        },
        {"open_ulid", "slot_repo"},
    ),
    IdempotencyItem: (
        {
            "ulid": (KeyedRequest, ["timer"]),
            "created": (KeyedRequest, ["created"]),
            "former_state": (KeyedRequest, ["corrected_timers"]),
            "undone": (KeyedRequest, ["undone"]),
            "expires_at": (KeyedRequest, ["kept_until"]),
        },
        {"request_hash"},
    ),
    WritesItem: (
        {"changes": (Changes, ["changes"]), "expires_at": (Changes, ["kept_until"])},
        set(),
    ),
    CalendarItem: (
        {
            "about": (CalendarExported, ["versions", "exceptions", "assignment_starts", "chosen"]),
            "version": (CalendarExported, ["version"]),
        },
        {
            "dirty_days",
            "dirty_changes",
            "stored_until_ms",
            "carry",
            "confirmed",
            "has_moved_starts",
            "end_key",
        },
    ),
    AuditItem: (
        {name: (Export, ["audit"]) for name in ("kind", "by", "reason", "content")},
        set(),
    ),
    ConfirmedDayItem: (
        {
            "since_ms": (ConfirmedDayExported, ["start"]),
            "until_ms": (ConfirmedDayExported, ["end"]),
            "confirmed_ms": (ConfirmedDayExported, ["confirmed_at"]),
            "locked": (ConfirmedDayExported, ["locked"]),
            "content": (ConfirmedDayExported, ["slices"]),
        },
        set(),
    ),
}


class TestTokens:
    def test_the_text_of_a_token_is_shown_once(self, app: App) -> None:
        browser, ann = app.signed_in()
        app.clock.ms = app.clock.ms // 1000 * 1000
        expires = _time(app.clock.ms + DAY * 1000)
        made = browser("POST", TOKENS, {"name": "CI ☕", "scope": "read", "expires": expires})
        assert (made.status, made.headers["cache-control"]) == (201, "no-store")
        shown = made.json()
        text = shown.pop("token")
        assert re.fullmatch(r"itt_[0-9A-Za-z]{38}", text)
        assert shown == {
            "id": shown["id"],
            "name": "CI ☕",
            "scope": "read",
            "created": _time(app.clock.ms),
            "expires": expires,
            "last_used": None,
        }
        assert browser("GET", TOKENS).json() == {"results": [shown]}
        me = app.caller(text)("GET", ME).json()
        assert (me["id"], me["scope"], me["session"]) == (ann.id, "read", None)

    def test_by_default_a_token_may_write_and_does_not_expire(self, app: App) -> None:
        browser, _ = app.signed_in()
        shown = browser("POST", TOKENS, {"name": "laptop"}).json()
        assert (shown["scope"], shown["expires"]) == ("write", None)
        app.clock.advance(365 * DAY)
        assert app.caller(shown["token"])("POST", START, {}).status == 201

    def test_only_the_hash_of_a_token_is_stored(self, app: App) -> None:
        browser, ann = app.signed_in()
        text = app.token(browser)
        everything = json.dumps(app.items(str(ann.id)))
        assert "token#" in everything
        assert text.removeprefix("itt_")[:12] not in json.dumps(_all_items(app))

    def test_the_last_use_is_stored_to_within_a_day(self, app: App) -> None:
        browser, ann = app.signed_in()
        caller = app.caller(app.token(browser))
        used = []
        for seconds in (0, DAY - 1, 1):
            app.clock.advance(seconds)
            app.cold_start()
            caller("GET", ME)
            used.append(app.tokens.of(ann.id)[0].used_ms)
        assert [(ms or 0) - (used[0] or 0) for ms in used] == [0, 0, DAY * 1000]

    def test_an_expired_token_is_refused_even_if_it_is_cached(self, app: App) -> None:
        browser, _ = app.signed_in()
        app.clock.ms = app.clock.ms // 1000 * 1000
        caller = app.caller(app.token(browser, expires=_time(app.clock.ms + 10_000)))
        app.clock.advance(9.999)
        assert caller("GET", TIMERS).status == 200
        app.clock.advance(0.001)
        assert caller("GET", TIMERS).status == 401

    @pytest.mark.parametrize(
        ("request_body", "field"),
        [
            ({}, "name"),
            ({"name": ""}, "name"),
            ({"name": "x" * 101}, "name"),
            ({"name": "x", "scope": "admin"}, "scope"),
            ({"name": "x", "expires": "2020-01-01T00:00:00Z"}, "expires"),
            ({"name": "x", "expires": "tomorrow"}, "expires"),
            # In UTC, this time is in the year 10000, which cannot be represented.
            ({"name": "x", "expires": "9999-12-31T23:59:59-23:59"}, "expires"),
            ({"name": "a\x00b"}, "name"),
            ({"name": "x", "user_id": 1}, "user_id"),
        ],
    )
    def test_an_invalid_request_is_refused(self, app: App, request_body: dict[str, Any], field: str) -> None:
        browser, _ = app.signed_in()
        answer = browser("POST", TOKENS, request_body)
        assert answer.status == 400, answer
        assert [error["loc"][-1] for error in answer.json()["errors"]] == [field]
        assert browser("GET", TOKENS).json()["results"] == []

    def test_a_cold_function_refuses_a_revoked_token(self, app: App) -> None:
        browser, _ = app.signed_in()
        made = browser("POST", TOKENS, {"name": "lost"}).json()
        assert browser("DELETE", f"{TOKENS}{made['id']}/").status == 204
        assert app.caller(made["token"])("GET", TIMERS).status == 401
        assert browser("GET", TOKENS).json()["results"] == []

    def test_a_warm_function_accepts_a_revoked_token_for_at_most_a_minute(self, app: App) -> None:
        browser, _ = app.signed_in()
        made = browser("POST", TOKENS, {"name": "lost"}).json()
        caller = app.caller(made["token"])
        assert (caller("GET", TIMERS).status, caller("GET", ME).status) == (200, 200)
        browser("DELETE", f"{TOKENS}{made['id']}/")
        # The function that revoked the token has cleared its cache.
        assert caller("GET", ME).status == 401
        app.clock.advance(59.999)
        assert caller("GET", TIMERS).status == 200
        app.clock.advance(0.001)
        assert caller("GET", TIMERS).status == 401

    def test_a_token_cannot_be_revoked_twice(self, app: App) -> None:
        browser, _ = app.signed_in()
        made = browser("POST", TOKENS, {"name": "lost"}).json()
        browser("DELETE", f"{TOKENS}{made['id']}/")
        assert browser("DELETE", f"{TOKENS}{made['id']}/").status == 404

    def test_a_person_has_at_most_fifty_tokens(self, app: App) -> None:
        browser, ann = app.signed_in()
        caller = app.auth.shared.guard.authenticator.authenticate(
            {"authorization": f"Bearer {browser.cookies[SESSION_COOKIE]}"}, now_ms=app.clock.ms
        )
        for _ in range(49):
            app.tokens.mint(caller.person, name="one of many", now_ms=app.clock.ms)
        app.token(browser)
        refused = browser("POST", TOKENS, {"name": "one too many"})
        assert (refused.status, refused.json()["detail"][:18]) == (403, "You have 50 tokens")
        assert len(app.tokens.of(ann.id)) == 50
        browser("DELETE", f"{TOKENS}{app.tokens.of(ann.id)[0].token_id}/")
        app.token(browser)

    def test_concurrent_requests_create_at_most_fifty_tokens(self, app: App) -> None:
        _, ann = app.signed_in()
        for _ in range(48):
            app.tokens.mint(Person(ann.id, ann.login), name="one of many", now_ms=app.clock.ms)
        start = threading.Barrier(8)

        def ask(number: int) -> bool:
            token, text = new_token(name=str(number), now_ms=app.clock.ms)
            start.wait()
            try:
                app.tokens.add(ann.id, token, text, signed_in_ms=app.clock.ms)
            except Forbidden:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(ask, range(8))) == 2
        assert len(app.tokens.of(ann.id)) == 50

    def test_a_concurrent_sign_out_prevents_a_new_token(self, app: App) -> None:
        browser, ann = app.signed_in()
        token, text = new_token(name="late", now_ms=app.clock.ms)
        network = Network(app.auth.shared.table.connection)

        def sign_out(_operation: str, send: Send) -> Any:
            revoke_access(app.sessions, app.tokens, app.auth.shared.live, ann.id, now_ms=app.clock.ms + 1)
            return send()

        network.next_writes = [sign_out]
        try:
            signed_in_ms = app.session(browser).signed_in_ms
            with pytest.raises(Unauthorized):
                TokenStore(app.auth.shared.table).add(ann.id, token, text, signed_in_ms=signed_in_ms)
        finally:
            network.close()
        assert app.tokens.of(ann.id) == []

    def test_a_cached_session_that_has_ended_cannot_change_the_account(self, app: App) -> None:
        browser, ann = app.signed_in()
        made = browser("POST", TOKENS, {"name": "kept"}).json()["id"]
        app.clock.advance(1)
        # The session ends in another instance of the function.
        app.sessions.end_all(ann.id, now_ms=app.clock.ms)
        for method, path, body in (
            ("DELETE", f"{TOKENS}{made}/", None),
            ("POST", TOKENS, {"name": "one more"}),
            ("POST", "/api/auth/logout/", {"everywhere": True}),
            ("DELETE", ME, None),
        ):
            app.clock.advance(1)
            assert browser("GET", ME).status == 200
            assert browser(method, path, body).status == 401, path
        assert [token.token_id for token in app.tokens.of(ann.id)] == [made]
        profile = app.people.profile(ann.id)
        assert profile is not None
        assert profile.signed_out_ms == app.clock.ms - 4_000

    @pytest.mark.parametrize(("method", "path"), WRITES)
    def test_a_read_only_token_changes_nothing(self, app: App, method: str, path: str) -> None:
        browser, ann = app.signed_in()
        caller = app.caller(app.token(browser, scope="read"))
        timer = browser("POST", START, {}).json()["id"]
        # This request records that the token was used.
        assert caller("GET", TIMERS).json()["results"][0]["id"] == timer
        before = app.items(str(ann.id), with_counts=True)
        token_id = app.tokens.of(ann.id)[0].token_id
        answer = caller(method, path.format(timer_id=timer, token_id=token_id, number=0, **NAMED))
        assert (answer.status, answer.json()["detail"]) == (403, "This token is read-only.")
        assert app.items(str(ann.id), with_counts=True) == before


class TestExport:
    def test_everything_that_is_stored_is_exported(self, app: App) -> None:
        browser, ann = app.signed_in()
        app.token(browser)
        timer = browser("POST", START, {"github_repo": "octo-org/a", "github_issue_number": 1}).json()["id"]
        app.clock.advance(60)
        browser("POST", f"{TIMERS}{timer}/pause/")
        app.clock.advance(60)
        browser("POST", f"{TIMERS}{timer}/stop/")
        answer = browser("GET", EXPORT)
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        exported = answer.json()
        (one,) = exported.pop("timers")
        (slot,) = exported.pop("slots")
        changes = exported.pop("changes")
        nothing: dict[str, Any] = {
            "signed_out_everywhere": None,
            "deletion_requested": None,
            "ended_sessions": [],
            "tokens_made": 1,
            "visibility": None,
            "lead_teams": [],
        }
        assert exported == {
            "profile": browser("GET", ME).json() | nothing,
            "tokens": browser("GET", TOKENS).json()["results"],
            "deleted_timers": [],
            "requests": [],
            "confirmed_days": [],
            "live_connections": [],
            "audit": [],
            "notifications": [],
            "calendar": None,
            "next": None,
        }
        assert slot == {
            "issue": "octo-org/a#1",
            "timers": [timer],
            "locked_until": None,
            "kept_until": _time(app.clock.ms // 1000 * 1000 + 38 * DAY * 1000),
        }
        # So few changes are only counted in memory.
        assert changes == []
        history = one.pop("history")
        stopped: dict[str, object] = {
            "paused_by": None,
            "changed": _time(app.clock.ms),
            "locked_until": None,
            "claims": [],
            "signs_of_life": [],
            "confirmed_span": None,
            "absorbed": [],
        }
        assert {name: one.pop(name) for name in stopped} == stopped
        shown = browser("GET", f"{TIMERS}{timer}/").json()
        assert one == {name: shown[name] for name in one}
        assert exported["profile"]["id"] == ann.id
        start_ms = app.clock.ms - 120_000
        assert [(entry["at"], entry["action"], entry["by"]) for entry in history] == [
            (_time(start_ms), "start", "manual"),
            (_time(start_ms + 60_000), "pause", "manual"),
            (_time(start_ms + 120_000), "stop", "manual"),
        ]
        # The cause of a manual start is the timer's ULID.
        assert history[0]["cause"] == timer.partition("-")[2]

    def test_ended_sessions_and_deleted_timers_are_exported(self, app: App) -> None:
        browser, ann = app.signed_in()
        issue = {"github_repo": "octo-org/over", "github_issue_number": ann.id}
        deleted = browser("POST", START, issue).json()["id"]
        browser("DELETE", f"{TIMERS}{deleted}/")
        browser("POST", "/api/auth/logout/")
        again, _ = app.signed_in(ann)
        again("POST", "/api/auth/logout/", {"everywhere": True})
        app.clock.advance(0.001)
        last, _ = app.signed_in(ann)
        third, _ = app.signed_in(ann)
        ended = app.session(third).session_id
        third("POST", "/api/auth/logout/")
        keyed = last("POST", START, issue, idempotency_key="a key").json()["id"]
        exported = last("GET", EXPORT).json()
        kept_until = _time((app.clock.ms - 1) // 1000 * 1000 + 31 * DAY * 1000)
        assert exported["deleted_timers"] == [
            {
                "id": deleted,
                "deleted": _time(app.clock.ms - 1),
                "locked_until": _time(app.clock.ms - 1),
                "claims": [],
                "acts": [],
                "kept_until": kept_until,
            }
        ]
        assert exported["profile"]["signed_out_everywhere"] == _time(app.clock.ms - 1)
        assert [one["id"] for one in exported["profile"]["ended_sessions"]] == [ended]
        assert [(one["timer"], one["created"]) for one in exported["requests"]] == [(keyed, True)]
        (slot,) = exported["slots"]
        assert (slot["timers"], slot["kept_until"]) == ([deleted, keyed], None)

    def test_every_item_of_the_partition_is_exported(self, shared_table: Table, github: FakeGitHub) -> None:
        # With this limit, each change is counted in the table.
        with open_app(shared_table, github, WRITES_PER_MINUTE="24") as app:
            browser, ann = app.signed_in()
            app.token(browser)
            timers = [browser("POST", START, {}, idempotency_key=f"key {i}").json()["id"] for i in range(3)]
            browser("DELETE", f"{TIMERS}{timers[0]}/")
            working_hours = {"time_zone": "UTC", "week": {"mon": [["09:00", "12:30"]]}}
            off = {"date": "2030-01-01", "intervals": [], "reason": "New Year"}
            own = working_hours | {"exceptions": [off], "assignment_starts": "self"}
            assert browser("PUT", "/api/schedule/", own).status == 200
            _confirm(app, ann, _date(app, 2))
            credential = session_credential(app.session(browser).session_id)
            add_connection(app.table, ann.id, now_ms=app.clock.ms, credential=credential)
            ping = Notification(new_ulid(app.clock.ms), ann.id, Happening.PING, {"event": "ping"})
            Notifications(app.table).put(ping, now_ms=app.clock.ms)
            kinds = {
                "audit": "audit",
                "live": "live_connections",
                "notification": "notifications",
                "confirmed": "confirmed_days",
                "timer": "timers",
                "key": "requests",
                "writes": "changes",
                "token": "tokens",
                "calendar": "calendar",
                "profile": "profile",
            }
            items = app.items(str(ann.id), with_counts=True)
            stored = [item for item in items if item["pk"]["S"] == f"user#{ann.id}"]
            assert {item["sk"]["S"].partition("#")[0] for item in stored} == kinds.keys()
            exported = browser("GET", EXPORT).json()
        (connection,) = exported["live_connections"]
        assert (connection["opened"], connection["credential"]) == (_time(app.clock.ms), credential)
        calendar = exported["calendar"]
        (version,) = calendar["versions"]
        assert (version["time_zone"], version["week"]["mon"]) == ("UTC", [["09:00", "12:30"]])
        assert calendar["exceptions"] == [off]
        assert [one["assignment_starts"] for one in calendar["assignment_starts"]] == ["self"]
        assert (calendar["chosen"], calendar["version"]) == (True, 1)
        assert len(exported["timers"]) == 2
        assert [one["id"] for one in exported["deleted_timers"]] == timers[:1]
        assert sorted(one["timer"] for one in exported["requests"]) == sorted(timers)
        assert [one["body"] for one in exported["notifications"]] == [ping.body]
        assert len(exported["tokens"]) == 1
        assert len(exported["confirmed_days"]) == 1
        assert sorted(one["kind"] for one in exported["audit"]) == ["confirmed", "deleted"]

    def test_confirmed_days_are_exported_with_their_time(self, app: App) -> None:
        browser, ann = app.signed_in()
        day = _date(app, 2)
        start, end = f"{day}T09:00:00.000Z", f"{day}T10:30:00.000Z"
        timer = browser("POST", TIMERS, {"start_time": start, "end_time": end}).json()["id"]
        _confirm(app, ann, day)
        exported = browser("GET", EXPORT).json()
        assert exported["confirmed_days"] == [
            {
                "date": str(day),
                "start": f"{day}T00:00:00.000Z",
                "end": f"{_date(app, 1)}T00:00:00.000Z",
                "confirmed_at": _time(app.clock.ms),
                "locked": False,
                "slices": [
                    {
                        "timer": timer,
                        "start": start,
                        "end": end,
                        "working_duration": 5400,
                        "overtime": False,
                    }
                ],
            }
        ]
        assert [(one["confirmed_span"], one["absorbed"]) for one in exported["timers"]] == [
            ({"start": start, "end": end}, [])
        ]

    def test_the_stored_state_of_a_timer_is_exported(self, app: App) -> None:
        browser, ann = app.signed_in()
        start_ms = app.clock.ms
        timer, _ = app.timers.start(user_id=ann.id, now_ms=start_ms, issue=Issue("octo-org", "a", ann.id))
        app.timers.pause(ann.id, timer.ulid, now_ms=start_ms + 61_000, by="manual", cause="p")
        app.clock.advance(100)
        (paused,) = browser("GET", EXPORT).json()["timers"]
        assert (paused["paused_by"], paused["changed"]) == ("manual", _time(start_ms + 61_000))
        browser("POST", f"{TIMERS}{timer.id}/stop/")
        browser("PATCH", f"{TIMERS}{timer.id}/", {"end_time": _time(start_ms + 90_000)})
        (corrected,) = browser("GET", EXPORT).json()["timers"]
        assert corrected["locked_until"] == _time(start_ms + 90_000)

    def test_what_a_correction_has_changed_is_exported_until_it_is_undone(self, app: App) -> None:
        browser, ann = app.signed_in()
        timer, _ = app.timers.start(user_id=ann.id, now_ms=app.clock.ms)
        before = browser("GET", EXPORT).json()["timers"]
        browser("PATCH", f"{TIMERS}{timer.id}/", {"description": "x"}, idempotency_key="a key")
        (request,) = browser("GET", EXPORT).json()["requests"]
        assert (request["corrected_timers"], request["undone"]) == (before, False)
        assert browser("POST", f"{TIMERS}undo/", {"idempotency_key": "a key"}).status == 204
        (request,) = browser("GET", EXPORT).json()["requests"]
        assert (request["corrected_timers"], request["undone"]) == ([], True)

    @pytest.mark.parametrize("item", EXPORTED, ids=lambda item: item.__name__)
    def test_every_stored_attribute_has_a_field_in_the_export(self, item: type[Model]) -> None:
        shown, derived = EXPORTED[item]
        assert item.get_attributes().keys() - {"pk", "sk"} == shown.keys() | derived
        for model, names in shown.values():
            assert set(names) <= model.model_fields.keys()

    def test_an_export_counts_toward_the_write_limit(self, shared_table: Table, github: FakeGitHub) -> None:
        with open_app(shared_table, github, WRITES_PER_MINUTE="5") as app:
            browser, _ = app.signed_in()
            other, _ = app.signed_in()
            assert [browser("GET", EXPORT).status for _ in range(6)] == [200] * 5 + [429]
            assert other("GET", EXPORT).status == 200
            assert browser("GET", ME).status == 200

    def test_every_timer_is_on_one_page_of_the_export(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app.auth.resolver()
        monkeypatch.setattr(sys.modules["auth.routes"], "_EXPORT_PAGE", 3)
        browser, ann = app.signed_in()
        token = app.token(browser)
        made = _add_timers(app, ann, 10)
        deleted = made.pop(4)
        app.timers.delete(ann.id, deleted, now_ms=app.clock.ms)
        found, target = [], EXPORT
        pages = []
        while target:
            page = browser("GET", target.removeprefix(ORIGIN)).json()
            assert len(page["timers"]) <= 3
            pages.append(page)
            found += [timer["id"].partition("-")[2] for timer in page["timers"]]
            target = page["next"] or ""
        assert found == sorted(made)
        assert [one["id"] for page in pages for one in page["deleted_timers"]] == [f"{ann.id}-{deleted}"]
        assert [len(page["tokens"]) for page in pages] == [1] + [0] * (len(pages) - 1)
        assert token not in json.dumps(pages)

    def test_the_export_has_no_data_of_other_people(self, app: App) -> None:
        browser, ann = app.signed_in()
        _, bob = app.signed_in()
        for one in (ann, bob):
            _apply_event(app, "assigned", Issue("octo-org", "shared", one.id), ann, bob)
        text = browser("GET", EXPORT).body
        assert str(ann.id) in text
        assert f"{bob.id}-" not in text
        assert {timer["user"] for timer in json.loads(text)["timers"]} == {ann.id}

    @pytest.mark.parametrize(
        "cursor", ["X", "0" * 25, "../profile", "%23", "timer%23", f"timer%23{'0' * 95}"]
    )
    def test_a_forged_cursor_of_the_export_is_refused(self, app: App, cursor: str) -> None:
        browser, _ = app.signed_in()
        assert browser("GET", f"{EXPORT}?cursor={cursor}").status == 400


class TestAccountDeletion:
    def test_profile_tokens_timers_and_slots_are_deleted(self, app: App) -> None:
        browser, ann = app.signed_in()
        issue = Issue("octo-org", "left", ann.id)
        _apply_event(app, "assigned", issue, ann)
        browser("POST", START, {}, idempotency_key="a key")
        for action in ("pause", "resume"):
            timer = browser("GET", TIMERS).json()["results"][0]["id"]
            browser("POST", f"{TIMERS}{timer}/{action}/")
        _add_timers(app, ann, 3)
        _confirm(app, ann, _date(app, 2))
        app.token(browser)
        other, _ = app.signed_in(ann)
        other("POST", "/api/auth/logout/")
        assert browser("DELETE", ME).status == 204
        assert SESSION_COOKIE not in browser.cookies
        # The issue's event is kept until it expires, because other people's timers are derived from it.
        remaining = app.items(str(ann.id))
        event, pending, marker = sorted(remaining, key=lambda item: item["pk"]["S"])
        assert (event["pk"]["S"], event["sk"]["S"][:6]) == (f"issue#{identified(issue).key}", "event#")
        assert int(event["expires_at"]["N"]) <= app.clock.ms // 1000 + 31 * DAY
        # The marker of the deleted account expires later than the event.
        assert marker.keys() == {"pk", "sk", "deletion_requested_ms", "events_ignored_until_ms", "expires_at"}
        assert int(marker["expires_at"]["N"]) == app.clock.ms // 1000 + 38 * DAY
        # The deletion stays pending until the sweep finishes the deletion.
        assert (pending["pk"]["S"], pending["sk"]["S"]) == ("pending-deletions", f"user#{ann.id}")
        _sweep(app, after=600)
        remaining = sorted(app.items(str(ann.id)), key=lambda item: item["pk"]["S"])
        assert remaining == [event, marker | {"expires_at": {"N": _in_days(app, 38)}}]

    def test_slots_of_deleted_and_moved_timers_expire_after_the_deletion(self, app: App) -> None:
        browser, ann = app.signed_in()
        repo = f"octo-org/left-{ann.id}"
        issue = {"github_repo": repo, "github_issue_number": 1}
        deleted = browser("POST", START, issue).json()["id"]
        browser("DELETE", f"{TIMERS}{deleted}/")
        moved = browser("POST", START, {**issue, "github_issue_number": 2}).json()["id"]
        browser("PATCH", f"{TIMERS}{moved}/", {**issue, "github_issue_number": 3})
        browser("DELETE", ME)
        remaining = app.items(str(ann.id))
        assert sorted((item["pk"]["S"], item["sk"]["S"]) for item in remaining) == [
            ("pending-deletions", f"user#{ann.id}"),
            (f"repo#{repo}", f"slot#1#user#{ann.id}"),
            (f"repo#{repo}", f"slot#2#user#{ann.id}"),
            (f"user#{ann.id}", "profile"),
        ]
        latest = app.clock.ms // 1000 + 38 * DAY
        kept = [item for item in remaining if item["pk"]["S"] != "pending-deletions"]
        assert [int(item["expires_at"]["N"]) <= latest for item in kept] == [True] * 3

    def test_any_number_of_timers_is_deleted(self, app: App) -> None:
        browser, ann = app.signed_in()
        _add_timers(app, ann, 450)
        assert browser("DELETE", ME).status == 204
        remaining = [item for item in app.items(str(ann.id)) if item["pk"]["S"] == f"user#{ann.id}"]
        assert [item["sk"]["S"] for item in remaining] == ["profile"]

    def test_credentials_from_before_the_deletion_are_refused(self, app: App) -> None:
        browser, ann = app.signed_in()
        token, kept = app.token(browser), dict(browser.cookies)
        embedded, _ = app.embedded(ann)
        browser("DELETE", ME)
        app.cold_start()
        browser.cookies = kept
        assert browser("GET", ME).status == 401
        assert app.caller(token)("GET", TIMERS).status == 401
        assert app.caller(embedded, "Bearer")("GET", TIMERS, origin=EMBEDDER).status == 401

    def test_signing_in_after_the_deletion_creates_a_new_account(self, app: App) -> None:
        browser, ann = app.signed_in()
        token, kept = app.token(browser), dict(browser.cookies)
        browser("POST", START, {})
        browser("DELETE", ME)
        app.clock.advance(60)
        again, _ = app.signed_in(ann)
        assert again("GET", ME).json()["created"] == _time(app.clock.ms)
        assert "expires_at" not in (app.table.get(f"user#{ann.id}", "profile") or {})
        assert again("GET", TIMERS).json()["results"] == []
        # Sessions that began before the deletion stay invalid.
        browser.cookies = kept
        assert browser("GET", ME).status == 401
        assert app.caller(token)("GET", ME).status == 401

    @pytest.mark.parametrize("kind", ["assigned", "reopened", "closed"])
    def test_events_do_not_time_a_deleted_account(self, app: App, kind: str) -> None:
        browser, ann = app.signed_in()
        issue = Issue("octo-org", "left", ann.id)
        _apply_event(app, "assigned", issue, ann)
        browser("DELETE", ME)
        _apply_event(app, kind, issue, *(() if kind == "closed" else (ann,)))
        assert app.timers_of(ann) == []

    def test_a_redelivered_event_does_not_time_a_deleted_account(self, app: App) -> None:
        browser, ann = app.signed_in()
        _, bob = app.signed_in()
        issue = Issue("octo-org", "left", ann.id)
        labeled_ms = app.clock.ms
        for _ in range(2):
            _apply_event(app, "labeled", issue, ann, bob, at_ms=labeled_ms, delivery=f"again-{ann.id}")
            browser("DELETE", ME)
        assert (len(app.timers_of(ann)), len(app.timers_of(bob))) == (0, 1)

    def test_a_move_of_the_issue_writes_nothing_about_a_deleted_account(self, app: App) -> None:
        browser, ann = app.signed_in()
        _, bob = app.signed_in()
        issue, elsewhere = (
            identified(Issue("octo-org", f"{repo}{ann.id}", 1)) for repo in ("left", "elsewhere")
        )
        labeled_ms = app.clock.ms
        _apply_event(app, "labeled", issue, ann, bob, at_ms=labeled_ms, delivery=f"again-{bob.id}")
        browser("DELETE", ME)
        before = _keys(app.items(str(ann.id)))
        issue_timers = IssueTimers(app.table, app.timers)
        issue_timers.move(Move(f"move-{bob.id}", issue, elsewhere, app.clock.ms), now_ms=app.clock.ms)
        _apply_event(app, "labeled", issue, ann, bob, at_ms=labeled_ms, delivery=f"again-{bob.id}")
        assert _keys(app.items(str(ann.id))) == before
        assert [timer.issue for timer in app.timers_of(bob)] == [elsewhere]

    def test_events_after_a_move_do_not_time_a_deleted_account(self, app: App) -> None:
        browser, ann = app.signed_in()
        issue, elsewhere = (identified(Issue("octo-org", repo, ann.id)) for repo in ("left", "elsewhere"))
        _apply_event(app, "assigned", issue, ann)
        browser("DELETE", ME)
        issue_timers = IssueTimers(app.table, app.timers)
        issue_timers.move(Move(f"move-{ann.id}", issue, elsewhere, app.clock.ms), now_ms=app.clock.ms)
        _apply_event(app, "closed", elsewhere)
        assert app.timers_of(ann) == []

    @pytest.mark.parametrize("kind", ["closed", "reopened", "assigned"])
    def test_events_on_an_earlier_issue_do_not_time_a_deleted_account(self, app: App, kind: str) -> None:
        browser, ann = app.signed_in()
        repo = f"octo-org/left-{ann.id}"
        for number in (1, 2):
            _apply_event(app, "assigned", Issue.of(repo, number), ann)
        moved, deleted = (timer["id"] for timer in browser("GET", TIMERS).json()["results"])
        browser("DELETE", f"{TIMERS}{deleted}/")
        browser("POST", f"{TIMERS}{moved}/stop/")
        browser("PATCH", f"{TIMERS}{moved}/", {"github_repo": repo, "github_issue_number": 3})
        browser("DELETE", ME)
        for number in (1, 2):
            _apply_event(app, kind, Issue.of(repo, number), *(() if kind == "closed" else (ann,)))
        assert app.timers_of(ann) == []

    @pytest.mark.parametrize("kind", ["assigned", "reopened", "closed"])
    def test_events_do_not_time_a_deleted_account_even_if_unregistered_people_are_timed(
        self, shared_table: Table, github: FakeGitHub, kind: str
    ) -> None:
        with open_app(shared_table, github, TRACK_UNREGISTERED="true") as app:
            browser, ann = app.signed_in()
            stranger, issue = app.new_person(), Issue("octo-org", "tracked", ann.id)
            _apply_event(app, "assigned", issue, ann, stranger, track_unregistered=True)
            browser("DELETE", ME)
            app.clock.advance(400 * DAY)
            users = () if kind == "closed" else (ann, stranger)
            _apply_event(app, kind, issue, *users, track_unregistered=True)
            assert (len(app.timers_of(ann)), len(app.timers_of(stranger))) == (0, 1)
            # Without the marker, the next event would start a timer for the person, as it does for anyone who
            # is not registered.
            (kept,) = [item for item in app.items(str(ann.id)) if item["pk"]["S"] == f"user#{ann.id}"]
            assert kept.keys() == {"pk", "sk", "deletion_requested_ms", "events_ignored_until_ms"}

    @pytest.mark.parametrize("track_unregistered", [False, True])
    def test_after_signing_in_again_only_later_events_count(
        self, shared_table: Table, github: FakeGitHub, track_unregistered: bool
    ) -> None:
        tracked = str(track_unregistered).lower()
        with open_app(shared_table, github, TRACK_UNREGISTERED=tracked) as app:
            browser, ann = app.signed_in()
            issue = Issue("octo-org", "back", ann.id)
            _apply_event(app, "assigned", issue, ann, track_unregistered=track_unregistered)
            browser("DELETE", ME)
            app.clock.advance(2 * DAY)
            away_ms = app.clock.ms
            _apply_event(app, "assigned", issue, ann, track_unregistered=track_unregistered)
            app.clock.advance(DAY)
            app.signed_in(ann)
            app.clock.advance(60)
            # This late event occurred between the deletion and the new sign-in.
            _apply_event(app, "labeled", issue, ann, at_ms=away_ms, track_unregistered=track_unregistered)
            _apply_event(app, "unassigned", issue, ann, track_unregistered=track_unregistered)
            assert app.timers_of(ann) == []
            _apply_event(app, "assigned", issue, ann, track_unregistered=track_unregistered)
            (timer,) = app.timers_of(ann)
            assert timer.start_ms == app.clock.ms

    def test_signing_in_during_the_deletion_keeps_the_profile(self, app: App) -> None:
        browser, ann = app.signed_in()
        _add_timers(app, ann, 1)
        network = Network(app.auth.shared.table.connection)

        def sign_in_again(_operation: str, send: Send) -> Any:
            network.close()
            app.people.register(ann.id, ann.login, now_ms=app.clock.ms)
            return send()

        # The second write is the first deletion of an item.
        network.next_writes = [lambda _operation, send: send(), sign_in_again]
        try:
            assert browser("DELETE", ME).status == 204
        finally:
            network.close()
        assert registered(app.people.profiles([ann.id])).keys() == {ann.id}

    def test_other_peoples_timers_are_kept(self, app: App) -> None:
        browser, ann = app.signed_in()
        other, bob = app.signed_in()
        issue = Issue("octo-org", "left", ann.id)
        _apply_event(app, "assigned", issue, ann, bob)
        before = app.items(str(bob.id))
        browser("DELETE", ME)
        assert [_without(item, str(ann.id)) for item in app.items(str(bob.id))] == [
            _without(item, str(ann.id)) for item in before
        ]
        _apply_event(app, "closed", issue)
        (timer,) = other("GET", TIMERS).json()["results"]
        assert (timer["user"], timer["status"]) == (bob.id, "stopped")

    def test_an_unfinished_deletion_can_be_requested_again(self, app: App) -> None:
        browser, ann = app.signed_in()
        app.token(browser)
        _apply_event(app, "assigned", Issue("octo-org", "left", ann.id), ann)
        answer = browser("DELETE", ME, context=Context(remaining_ms=0))
        assert answer.status == 202
        # Events no longer affect the person, and the tokens are deleted. The session can still repeat the
        # request.
        assert registered(app.people.profiles([ann.id])) == {}
        assert app.tokens.of(ann.id) == []
        assert browser("DELETE", ME).status == 204
        assert app.timers_of(ann) == []
        assert app.people.profile(ann.id) is None

    def test_the_sweep_continues_an_unfinished_deletion(self, app: App) -> None:
        browser, ann = app.signed_in()
        app.token(browser)
        _apply_event(app, "assigned", Issue("octo-org", "left", ann.id), ann)
        assert browser("DELETE", ME, context=Context(remaining_ms=0)).status == 202
        _sweep(app, after=60)
        assert app.timers_of(ann) == []
        assert app.people.profile(ann.id) is None
        app.cold_start()
        assert browser("DELETE", ME).status == 401

    @pytest.mark.parametrize(
        ("method", "path"),
        [route for route in ROUTES if route not in {("DELETE", ME), ("POST", "/api/auth/logout/")}],
    )
    def test_an_account_that_is_being_deleted_may_do_nothing_else(
        self, app: App, method: str, path: str
    ) -> None:
        browser, ann = app.signed_in()
        browser("GET", ME)
        browser("DELETE", ME, context=Context(remaining_ms=0))
        if not path.startswith("/api/auth/"):
            # The function that handled the deletion has cleared its cache already.
            app.cold_start()
        before = app.items(str(ann.id))
        target = path.format(timer_id=f"{ann.id}-01BX5ZZKBKACTAV9WEVGEMMVRZ", token_id="a", number=0, **NAMED)
        for _ in ("cold", "warm"):
            refused = browser(method, target, {"name": "one more"} if "tokens" in path else None)
            assert (refused.status, refused.json()["detail"][:30]) == (401, "Your account is being deleted.")
        assert app.items(str(ann.id)) == before

    def test_an_account_that_is_being_deleted_may_sign_out(self, app: App) -> None:
        browser, _ = app.signed_in()
        browser("DELETE", ME, context=Context(remaining_ms=0))
        app.cold_start()
        kept = dict(browser.cookies)
        assert browser("POST", "/api/auth/logout/").status == 204
        browser.cookies = kept
        assert browser("DELETE", ME).status == 401

    def test_the_sweep_deletes_timers_that_a_cached_session_wrote(self, app: App) -> None:
        browser, ann = app.signed_in()
        kept = dict(browser.cookies)
        browser("GET", TIMERS)
        browser("DELETE", ME)
        browser.cookies = kept
        # A function that has cached the session can still write, and so can the processing of an event.
        issue = {"github_repo": f"octo-org/left-{ann.id}", "github_issue_number": 1}
        assert browser("POST", START, issue).status == 201
        app.timers.start(user_id=ann.id, now_ms=app.clock.ms, issue=Issue("octo-org", "late", ann.id))
        _sweep(app, after=300)
        app.clock.advance(1)
        app.timers.start(user_id=ann.id, now_ms=app.clock.ms, issue=Issue("octo-org", "later", ann.id))
        _sweep(app, after=3_600)
        remaining = app.items(str(ann.id))
        assert [(item["pk"]["S"], item["sk"]["S"]) for item in remaining] == [(f"user#{ann.id}", "profile")]

    def test_the_sweep_deletes_nothing_after_a_new_sign_in(self, app: App) -> None:
        browser, ann = app.signed_in()
        browser("DELETE", ME, context=Context(remaining_ms=0))
        app.clock.advance(60)
        again, _ = app.signed_in(ann)
        timer = again("POST", START, {}).json()["id"]
        _sweep(app, after=60)
        assert [one["id"] for one in again("GET", TIMERS).json()["results"]] == [timer]
        assert [item for item in app.items(str(ann.id)) if item["pk"]["S"] == "pending-deletions"] == []

    def test_a_sign_in_during_the_sweep_stops_the_deletion(self, app: App) -> None:
        browser, ann = app.signed_in()
        browser("DELETE", ME, context=Context(remaining_ms=0))
        app.clock.advance(60)

        def sign_in_again() -> bool:
            app.people.register(ann.id, ann.login, now_ms=app.clock.ms)
            app.timers.start(user_id=ann.id, now_ms=app.clock.ms, issue=None)
            return True

        (pending,) = (
            one for one in app.auth.shared.account_deletion.pending_deletions() if one.user_id == ann.id
        )
        assert not app.auth.shared.account_deletion.finish(
            pending, now_ms=app.clock.ms, has_time=sign_in_again
        )
        assert len(app.timers_of(ann)) == 1
        assert registered(app.people.profiles([ann.id])).keys() == {ann.id}

    def test_lists_have_the_timers_with_moved_starts_that_a_cancelled_deletion_leaves(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser, ann = app.signed_in()
        timer = browser("POST", START, {}).json()["id"]
        app.clock.advance(60)
        moved = {"start_time": _time(app.clock.ms - 30_000)}
        assert browser("PATCH", f"{TIMERS}{timer}/", moved).status == 200
        monkeypatch.setattr("timer_core.store.account_deletion._PAGE", 1)
        # The first page has no tokens, and the second one has the calendar.
        has_time = iter((True, False))
        delete_account(
            app.auth.shared.account_deletion, ann.id, now_ms=app.clock.ms, has_time=lambda: next(has_time)
        )
        app.clock.advance(1)
        again, _ = app.signed_in(ann)
        _sweep(app, after=60)
        assert [one["id"] for one in again("GET", TIMERS).json()["results"]] == [timer]

    def test_signing_in_again_cancels_the_deletion(self, app: App) -> None:
        browser, ann = app.signed_in()
        browser("DELETE", ME, context=Context(remaining_ms=0))
        app.signed_in(ann)
        assert registered(app.people.profiles([ann.id])).keys() == {ann.id}

    def test_after_a_cancelled_deletion_earlier_sessions_and_events_do_not_count(self, app: App) -> None:
        browser, ann = app.signed_in()
        kept, before_ms = dict(browser.cookies), app.clock.ms
        app.clock.advance(60)
        browser("DELETE", ME, context=Context(remaining_ms=0))
        app.clock.advance(60)
        again, _ = app.signed_in(ann)
        app.cold_start()
        browser.cookies = kept
        assert (browser("GET", ME).status, again("GET", ME).status) == (401, 200)
        _apply_event(app, "assigned", Issue("octo-org", "back", ann.id), ann, at_ms=before_ms)
        assert app.timers_of(ann) == []
        _apply_event(app, "assigned", Issue("octo-org", "back", ann.id), ann)
        assert len(app.timers_of(ann)) == 1

    def test_two_concurrent_deletion_requests_both_succeed(self, app: App) -> None:
        browser, _ = app.signed_in()
        kept = dict(browser.cookies)
        warm = dict(vars(app.auth.shared.guard))
        browser("GET", ME)
        app.cold_start()
        browser("DELETE", ME)
        # Another instance of the function still has the session in its cache.
        vars(app.auth.shared.guard).update(warm)
        browser.cookies = kept
        assert browser("DELETE", ME).status == 204


class TestWriteLimit:
    @pytest.fixture
    def strict(self, shared_table: Table, github: FakeGitHub) -> Iterator[App]:
        """An app with a limit of ten changes per minute, 15 seconds into the last minute.

        Its clock is not ahead, because the admin, whom it may register, also signs in to other apps.
        """
        with open_app(shared_table, github, WRITES_PER_MINUTE="10") as app:
            app.clock.ms = app.clock.ms // 60_000 * 60_000 - 45_000
            yield app

    def test_changes_beyond_the_limit_are_refused_until_the_next_minute(self, strict: App) -> None:
        browser, ann = strict.signed_in()
        assert [browser("POST", START, {}).status for _ in range(10)] == [201] * 10
        refused = browser("POST", START, {})
        assert (refused.status, refused.headers["retry-after"]) == (429, "45")
        assert refused.headers["content-type"] == "application/problem+json"
        assert len(strict.timers_of(ann)) == 10
        strict.clock.advance(44.999)
        again = browser("POST", START, {})
        assert (again.status, again.headers["retry-after"]) == (429, "1")
        strict.clock.advance(0.001)
        assert browser("POST", START, {}).status == 201

    def test_pausing_and_stopping_ones_own_timer_is_never_refused(self, strict: App) -> None:
        boss, _ = strict.signed_in(strict.github.accounts.get(ADMIN) or strict.new_person(ADMIN))
        browser, ann = strict.signed_in()
        own, resumed, others = (one("POST", START, {}).json()["id"] for one in (browser, browser, boss))
        for _ in range(10):
            for one in (browser, boss):
                one("POST", START, {})
        for act, target in (("pause", own), ("pause", resumed), ("stop", own)):
            path = f"{TIMERS}{target}/{act}"
            assert browser("POST", path + "/" * (act == "stop")).status == 200, act
        assert {timer.status for timer in strict.timers_of(ann) if timer.id in {own, resumed}} == {
            "stopped",
            "paused",
        }
        # The limit applies to every other change, also to another person's timer.
        for one, method, path in (
            (browser, "POST", START),
            (browser, "POST", f"{TIMERS}{resumed}/resume/"),
            (browser, "PATCH", f"{TIMERS}{own}/"),
            (browser, "DELETE", f"{TIMERS}{own}/"),
            (browser, "DELETE", f"{TIMERS}{own}/stop/"),
            (browser, "POST", f"{TIMERS}{others}/stop/"),
            (browser, "POST", f"{TIMERS}nonsense/stop/"),
            (boss, "POST", f"{TIMERS}{resumed}/stop/"),
        ):
            assert one(method, path, {}).status in {405, 429}, (method, path)
        strict.cold_start()
        assert browser("POST", f"{TIMERS}{resumed}/stop/").status == 200

    def test_totals_of_more_than_a_week_count_toward_the_limit(self, strict: App) -> None:
        browser, _ = strict.signed_in()

        def ask(days: float) -> int:
            since = strict.clock.ms - round(days * 86_400_000)
            return browser("GET", f"/api/timelogs/totals/?since={format_time(to_time(since))}").status

        assert [ask(30) for _ in range(11)] == [200] * 10 + [429]
        assert browser("POST", START, {}).status == 429
        assert {ask(days) for days in (7, 1) for _ in range(11)} == {200}

    @pytest.mark.parametrize("days", [None, 8])
    def test_counting_all_timers_or_those_of_more_than_a_week_counts_toward_the_limit(
        self, strict: App, days: int | None
    ) -> None:
        browser, _ = strict.signed_in()

        def ask(days: int | None, *, count: str = "true") -> int:
            since = (
                "" if days is None else f"&since={format_time(to_time(strict.clock.ms - days * 86_400_000))}"
            )
            return browser("GET", f"/api/timelogs/?count={count}{since}").status

        assert [ask(days) for _ in range(11)] == [200] * 10 + [429]
        assert browser("POST", START, {}).status == 429
        assert {ask(days, count="false") for _ in range(11)} == {200}
        assert {ask(6) for _ in range(11)} == {200}

    def test_the_limit_is_per_person(self, strict: App) -> None:
        browser, _ = strict.signed_in()
        for _ in range(11):
            browser("POST", START, {})
        other, _ = strict.signed_in()
        assert browser("POST", START, {}).status == 429
        assert other("POST", START, {}).status == 201

    def test_reads_are_not_limited(self, strict: App) -> None:
        browser, _ = strict.signed_in()
        for _ in range(11):
            browser("POST", START, {})
        assert browser("GET", TIMERS).status == 200
        assert browser("GET", ME).status == 200

    def test_all_credentials_and_functions_share_a_limit(self, strict: App) -> None:
        browser, _ = strict.signed_in()
        caller = strict.caller(strict.token(browser))
        for _ in range(5):
            browser("POST", START, {})
            caller("POST", START, {})
        assert browser("POST", START, {}).status == 429
        # The function of the tokens has counted nothing yet.
        assert browser("POST", TOKENS, {"name": "one"}).status == 429

    def test_a_cold_function_knows_that_the_limit_is_reached(self, strict: App) -> None:
        browser, _ = strict.signed_in()
        for _ in range(10):
            browser("POST", START, {})
        strict.cold_start()
        assert [browser("POST", START, {}).status for _ in range(3)] == [429] * 3

    def test_a_step_of_changes_is_counted_by_one_write(self, app: App) -> None:
        """The limit is 120 changes, and each fifth one is counted."""
        browser, _ = app.signed_in()
        app.timelogs.shared.guard._limit = WriteLimit(app.timelogs.shared.table, 120)
        network = Network(app.timelogs.shared.table.connection)
        try:
            for _ in range(12):
                assert browser("POST", START, {}).status == 201
        finally:
            network.close()
        assert network.requests.count("UpdateItem") == 2

    def test_with_a_low_limit_each_change_is_counted_first(self, strict: App) -> None:
        browser, _ = strict.signed_in()
        for _ in range(8):
            browser("POST", START, {})
        network = Network(strict.timelogs.shared.table.connection)
        try:
            browser("POST", START, {})
        finally:
            network.close()
        assert network.requests == ["UpdateItem", "PutItem", "Query"]

    def test_a_failed_count_does_not_fail_the_change(self, strict: App) -> None:
        browser, ann = strict.signed_in()
        network = Network(strict.timelogs.shared.table.connection)
        fail = refusal("InternalServerError", 500)
        network.every_write = lambda operation, send: (
            fail(operation, send) if operation == "UpdateItem" else send()
        )
        try:
            assert browser("POST", START, {}).status == 201
        finally:
            network.close()
        assert len(strict.timers_of(ann)) == 1

    def test_a_count_expires_after_an_hour(self, strict: App) -> None:
        browser, ann = strict.signed_in()
        browser("POST", START, {})
        (item,) = [
            item
            for item in strict.items(str(ann.id), with_counts=True)
            if item["sk"]["S"].startswith("writes#")
        ]
        assert int(item["expires_at"]["N"]) <= strict.clock.ms // 1000 + 3_600


class TestAdmins:
    @pytest.fixture
    def boss(self, app: App) -> Browser:
        return app.signed_in(app.github.accounts.get(ADMIN) or app.new_person(ADMIN))[0]

    def test_the_account_shows_whether_the_caller_is_an_admin(self, app: App, boss: Browser) -> None:
        browser, _ = app.signed_in()
        assert [who("GET", ME).json()["is_admin"] for who in (boss, browser)] == [True, False]

    @pytest.mark.parametrize("form", ["#{id}", "{login}", "{id}", "#{login}", "#{id}0"])
    def test_admins_are_configured_by_login_or_id(
        self, shared_table: Table, github: FakeGitHub, form: str
    ) -> None:
        ann = github.new_user(f"person-{next(_numbers)}-to-name")
        named = form.format(id=ann.id, login=ann.login)
        with open_app(shared_table, github, ADMIN_LOGINS=f"somebody, {named}") as app:
            browser, _ = app.signed_in(ann)
            for ask in (browser, app.caller(app.token(browser))):
                assert ask("GET", ME).json()["is_admin"] is (form in {"#{id}", "{login}"})

    def test_an_admin_configured_by_id_keeps_the_rights_after_a_change_of_login(
        self, shared_table: Table, github: FakeGitHub
    ) -> None:
        ann = github.new_user(f"person-{next(_numbers)}-of-old")
        with open_app(shared_table, github, ADMIN_LOGINS=f"#{ann.id}") as app:
            app.signed_in(ann)
            ann.login = f"renamed-{ann.id}"
            browser, _ = app.signed_in(ann)
            assert browser("GET", ME).json()["is_admin"] is True

    def test_an_admin_may_list_anybodys_timers(self, app: App, boss: Browser) -> None:
        browser, ann = app.signed_in()
        timer = browser("POST", START, {}).json()["id"]
        page = boss("GET", f"{TIMERS}?user={ann.id}").json()
        assert [one["id"] for one in page["results"]] == [timer]
        assert boss("GET", f"{TIMERS}{timer}/").json()["user"] == ann.id

    def test_an_admins_list_has_only_their_own_timers(self, app: App, boss: Browser) -> None:
        browser, ann = app.signed_in()
        browser("POST", START, {})
        assert ann.id not in {one["user"] for one in boss("GET", TIMERS).json()["results"]}

    def test_other_people_may_list_only_their_own_timers(self, app: App, boss: Browser) -> None:
        browser, ann = app.signed_in()
        other, _ = app.signed_in()
        timer = browser("POST", START, {}).json()["id"]
        assert browser("GET", f"{TIMERS}?user={ann.id}").json()["results"][0]["id"] == timer
        for answer in (
            other("GET", f"{TIMERS}?user={ann.id}"),
            other("GET", f"{TIMERS}{timer}/"),
            other("POST", f"{TIMERS}{timer}/stop/"),
            other("GET", "/api/admin/timers/"),
            other("GET", "/api/admin/health/"),
        ):
            assert answer.status == 403, answer
        assert boss("GET", f"{TIMERS}{timer}/").json()["status"] == "running"

    def test_an_admin_may_stop_anybodys_timer(self, app: App, boss: Browser) -> None:
        browser, _ = app.signed_in()
        timer = browser("POST", START, {}).json()["id"]
        assert boss("POST", f"{TIMERS}{timer}/stop/").status == 200
        stopped = browser("GET", f"{TIMERS}{timer}/").json()
        assert (stopped["status"], stopped["stopped_by"]) == ("stopped", "admin")

    @pytest.mark.parametrize(
        ("method", "action"), [("POST", "pause/"), ("POST", "resume/"), ("PATCH", ""), ("DELETE", "")]
    )
    def test_an_admin_may_not_change_other_peoples_timers_otherwise(
        self, app: App, boss: Browser, method: str, action: str
    ) -> None:
        browser, _ = app.signed_in()
        timer = browser("POST", START, {}).json()["id"]
        body = {"description": "mine now"} if method == "PATCH" else None
        assert boss(method, f"{TIMERS}{timer}/{action}", body).status == 403
        shown = browser("GET", f"{TIMERS}{timer}/").json()
        assert (shown["status"], shown["description"]) == ("running", "")

    def test_an_admin_may_list_everybodys_open_timers(self, app: App, boss: Browser) -> None:
        people = [app.signed_in() for _ in range(3)]
        mine = {browser("POST", START, {}).json()["id"] for browser, _ in people}
        found: list[str] = []
        target = "/api/admin/timers/"
        while target:
            page = boss("GET", target.removeprefix(ORIGIN)).json()
            assert len(page["results"]) == 100 or page["next"] is None
            found += [one["id"] for one in page["results"]]
            target = page["next"] or ""
        assert mine <= set(found)
        assert len(found) == len(set(found))

    def test_an_admin_may_read_the_health_details(self, boss: Browser) -> None:
        assert boss("GET", "/api/admin/health/").json().keys() == {"deliveries", "webhooks"}

    def test_a_read_only_token_of_an_admin_stops_nothing(self, app: App, boss: Browser) -> None:
        browser, ann = app.signed_in()
        timer = browser("POST", START, {}).json()["id"]
        reader = app.caller(app.token(boss, scope="read"))
        assert reader("GET", f"{TIMERS}?user={ann.id}").status == 200
        assert reader("POST", f"{TIMERS}{timer}/stop/").status == 403

    def test_signing_in_updates_the_login_of_an_admins_tokens(self, app: App) -> None:
        boss, account = app.signed_in(app.github.accounts.get(ADMIN) or app.new_person(ADMIN))
        token = app.token(boss)
        assert app.caller(token)("GET", "/api/admin/health/").status == 200
        account.login = f"renamed-{account.id}"
        try:
            app.signed_in(account)
            app.cold_start()
            assert app.caller(token)("GET", "/api/admin/health/").status == 403
            assert app.caller(token)("GET", ME).json()["is_admin"] is False
        finally:
            account.login = ADMIN
        app.signed_in(account)
        app.cold_start()
        assert app.caller(token)("GET", "/api/admin/health/").status == 200

    def test_a_token_made_in_a_cached_session_has_the_new_login(self, app: App) -> None:
        boss, account = app.signed_in(app.github.accounts.get(ADMIN) or app.new_person(ADMIN))
        boss("GET", ME)
        # The function has cached the session with the old login.
        app.people.register(account.id, f"renamed-{account.id}", now_ms=app.clock.ms)
        try:
            assert app.caller(app.token(boss))("GET", "/api/admin/health/").status == 403
        finally:
            app.people.register(account.id, ADMIN, now_ms=app.clock.ms)

    @pytest.mark.parametrize("write", [0, 1])
    def test_a_token_made_while_the_login_changes_has_the_new_login(self, app: App, write: int) -> None:
        """The login changes in the tokens, then in the profile; the new token is made before or between."""
        boss, account = app.signed_in(app.github.accounts.get(ADMIN) or app.new_person(ADMIN))
        app.token(boss)
        made: list[str] = []
        network = Network(app.auth.shared.table.connection)

        def make(_operation: str, send: Send) -> Any:
            token, text = new_token(name="late", now_ms=app.clock.ms)
            app.tokens.add(account.id, token, text, signed_in_ms=app.clock.ms)
            made.append(text)
            return send()

        # The first write fails its condition, because the login has changed.
        network.next_writes = [lambda _operation, send: send()] * (1 + write) + [make]
        try:
            people = PeopleStore(app.auth.shared.table)
            people.register(account.id, f"renamed-{account.id}", now_ms=app.clock.ms)
            assert app.caller(made[0])("GET", "/api/admin/health/").status == 403
        finally:
            network.close()
            app.people.register(account.id, ADMIN, now_ms=app.clock.ms)

    def test_an_admins_export_has_only_their_own_data(self, app: App, boss: Browser) -> None:
        browser, ann = app.signed_in()
        browser("POST", START, {})
        assert f"{ann.id}-" not in boss("GET", EXPORT).body


def _date(app: App, days_ago: int) -> date:
    return local_date("UTC", app.clock.ms) - timedelta(days=days_ago)


def _confirm(app: App, who: Account, day: date) -> None:
    timesheets = Timesheets(app.table, app.timers, Calendars(app.table))
    timesheets.confirm(who.id, day, lambda _: None, now_ms=app.clock.ms)


def _add_timers(app: App, who: Account, number: int) -> list[str]:
    """Write stopped timers of a person, and return their ULIDs."""
    ulids = []
    for back in range(number):
        start_ms = app.clock.ms - (back + 1) * 60_000
        timer = finished(
            user_id=who.id,
            ulid=new_ulid(start_ms),
            start_ms=start_ms,
            end_ms=start_ms + 30_000,
            now_ms=app.clock.ms,
            issue=Issue("octo-org", "many", back % 3 + 1),
        )
        app.timers.add(timer)
        ulids.append(timer.ulid)
    return ulids


def _sweep(app: App, *, after: float) -> None:
    """Finish the pending deletions some seconds later, as the sweep does."""
    app.clock.advance(after)
    for pending in app.auth.shared.account_deletion.pending_deletions():
        assert app.auth.shared.account_deletion.finish(pending, now_ms=app.clock.ms, has_time=lambda: True)


def _in_days(app: App, days: int) -> str:
    return str(app.clock.ms // 1000 + days * DAY)


def _apply_event(
    app: App,
    kind: str,
    issue: Issue,
    *users: Account,
    at_ms: int | None = None,
    delivery: str = "",
    track_unregistered: bool = False,
) -> None:
    """Apply an event, by default now. Without users, the event affects everyone with a timer on the issue."""
    issue_timers = IssueTimers(app.table, app.timers)
    event_handler = EventHandler(
        issue_timers, app.timers, app.people, track_unregistered=track_unregistered, again_after_ms=0
    )
    app.clock.advance(1)
    event = IssueEvent(
        delivery=delivery or f"delivery-{next(_numbers)}",
        kind=kind,
        repo_id=identified(issue).repo_id,
        repo=issue.full_name,
        number=issue.number,
        at_ms=at_ms or app.clock.ms,
        users=tuple(user.id for user in users) or None,
    )
    event_handler.handle(event, now_ms=app.clock.ms)


def _all_items(app: App) -> list[RawItem]:
    items: list[RawItem] = app.table.connection.dispatch("Scan", {"TableName": app.table.name})["Items"]
    return items


def _keys(items: list[RawItem]) -> set[tuple[str, str]]:
    return {(item["pk"]["S"], item["sk"]["S"]) for item in items}


def _without(item: RawItem, user: str) -> RawItem:
    """Return an item with a person removed from its sets."""
    return {
        name: {"SS": sorted(set(value["SS"]) - {user})} if "SS" in value else value
        for name, value in item.items()
    }


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"
