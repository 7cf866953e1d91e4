"""Switching to a timer, correcting its start and its pauses, and dividing it, through the API."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import act, add, get, patch, problem, start, time_of
from tests.support.gateway import Answer, Client
from tests.support.handlers import Clock
from tests.support.repositories import identified
from timer_core.domain.errors import TransitionNotAllowed
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.calendars import dirty_of
from timer_core.store.items import claims_of, to_gaps
from timer_core.store.keys import CALENDAR_SK, timer_sk, user_pk
from timer_core.store.people import Person
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Patch

MINUTE = 60_000
SPECIFICATION = Path(__file__).parents[2] / "docs" / "openapi.json"


def post(client: Client, timer: dict[str, Any], path: str, body: Any = None, **headers: Any) -> Answer:
    return client("POST", f"/api/timelogs/{timer['id']}/{path}", body, **headers)


def ulid_of(timer: dict[str, Any]) -> str:
    return str(timer["id"]).partition("-")[2]


@pytest.fixture
def store(shared_table: Table) -> TimerStore:
    return TimerStore(shared_table)


@pytest.fixture
def ago(clock: Clock) -> Any:
    """A function that returns the time some minutes ago."""
    return lambda minutes: time_of(clock.ms - round(minutes * MINUTE))


@pytest.fixture
def deliver(api: Api, clock: Clock, shared_table: Table, store: TimerStore) -> Callable[[str, int], None]:
    """A function that applies an event about Ann, of a kind and a time, to an issue of the test's own."""
    issue = identified(Issue("octocat", f"corrected-{api.ann_id}", 1))
    events = IssueTimers(shared_table, store)

    def apply(kind: str, at_ms: int) -> None:
        event = Event(f"{kind}-{at_ms}-{api.ann_id}", kind, at_ms, frozenset({api.ann_id}))
        events.apply(event, issue, now_ms=clock.ms)

    return apply


class TestFocus:
    @pytest.mark.parametrize("slash", ["/", ""])
    def test_a_switch_is_an_act_in_the_history(
        self, api: Api, clock: Clock, store: TimerStore, slash: str
    ) -> None:
        timer = start(api.ann, 7)
        clock.advance(60)
        answer = post(api.ann, timer, f"focus{slash}", {"overtime": True})
        assert (answer.status, answer.json()["status"], answer.json()["active_duration"]) == (
            200,
            "running",
            60,
        )
        stored = store.get(api.ann_id, ulid_of(timer))
        last = stored.history[-1]
        assert (last.action, last.at_ms, last.by, last.overtime) == ("focus", clock.ms, "manual", True)
        assert stored.changed_ms == clock.ms
        assert post(api.ann, timer, "focus/").status == 200
        assert not store.get(api.ann_id, ulid_of(timer)).history[-1].overtime

    @pytest.mark.usefixtures("clock")
    def test_a_repetition_with_the_same_key_changes_nothing(self, api: Api, store: TimerStore) -> None:
        timer = start(api.ann)
        answers = [post(api.ann, timer, "focus/", idempotency_key="once") for _ in range(2)]
        assert answers[0].body == answers[1].body
        assert len(store.get(api.ann_id, ulid_of(timer)).history) == 2

    @pytest.mark.parametrize(("action", "state"), [("pause", "paused"), ("stop", "stopped")])
    def test_a_timer_that_does_not_run_is_refused(self, api: Api, action: str, state: str) -> None:
        timer = start(api.ann)
        act(api.ann, timer, action)
        refused = problem(post(api.ann, timer, "focus/"), 400)
        assert (refused["code"], refused["detail"]) == (
            f"timer_{state}",
            f"Cannot focus a timer that is {state}.",
        )

    def test_the_timer_of_another_person_is_refused(self, api: Api) -> None:
        assert problem(post(api.bob, start(api.ann), "focus/"), 403)["code"] == "not_your_timer"

    def test_it_can_be_in_the_past(self, api: Api, clock: Clock, store: TimerStore, ago: Any) -> None:
        timer = start(api.ann, 7)
        clock.advance(3_600)
        assert post(api.ann, timer, "focus/", {"at": ago(30)}).status == 200
        assert store.get(api.ann_id, ulid_of(timer)).changed_ms == clock.ms - 30 * MINUTE
        assert problem(post(api.ann, timer, "focus/", {"at": ago(40)}), 400)["code"] == "timer_changed_since"
        too_long_ago = problem(post(api.ann, timer, "focus/", {"at": ago(4 * 24 * 60)}), 400)
        assert too_long_ago["errors"][0]["code"] == "too_long_ago"
        assert problem(post(api.ann, timer, "focus/", {"overtime": "yes"}), 400)["errors"][0]["loc"][-1] == (
            "overtime"
        )

    def test_a_start_of_a_running_timer_is_an_act_too(
        self, api: Api, clock: Clock, store: TimerStore
    ) -> None:
        timer = start(api.ann, 7)
        clock.advance(60)
        body = {"github_repo": "octocat/Hello-World", "github_issue_number": 7}
        assert api.ann("POST", "/api/timelogs/start/", body).status == 200
        history = store.get(api.ann_id, ulid_of(timer)).history
        assert [(done.action, done.is_own) for done in history] == [("start", True), ("start", True)]


class TestStartOfAnOpenTimer:
    def test_it_can_be_earlier_and_later(self, api: Api, clock: Clock, ago: Any) -> None:
        timer = start(api.ann, 7)
        clock.advance(60)
        earlier = patch(api.ann, timer, {"start_time": ago(30)})
        assert (earlier.status, earlier.json()["active_duration"], earlier.json()["id"]) == (
            200,
            1_800,
            timer["id"],
        )
        later = patch(api.ann, timer, {"start_time": ago(10), "description": "x"}).json()
        assert (later["active_duration"], later["status"], later["description"]) == (600, "running", "x")
        assert get(api.ann, timer) == later
        act(api.ann, timer, "pause")
        assert patch(api.ann, timer, {"start_time": ago(5)}).json()["active_duration"] == 300

    def test_it_is_not_after_the_first_pause(self, api: Api, clock: Clock, ago: Any) -> None:
        timer = start(api.ann)
        clock.advance(60)
        act(api.ann, timer, "pause")
        clock.advance(60)
        refused = problem(patch(api.ann, timer, {"start_time": ago(0.5)}), 400)
        assert [(error["loc"][-1], error["code"]) for error in refused["errors"]] == [
            ("start_time", "pauses_do_not_fit")
        ]

    def test_only_later_events_still_change_the_timer(
        self, api: Api, clock: Clock, deliver: Callable[[str, int], None], ago: Any
    ) -> None:
        deliver("assigned", clock.ms)
        (timer,) = api.ann("GET", "/api/timelogs/").json()["results"]
        clock.advance(3_600)
        assert patch(api.ann, timer, {"start_time": ago(90)}).status == 200
        deliver("unassigned", clock.ms - 61 * MINUTE)
        assert get(api.ann, timer)["active_duration"] == 5_400
        deliver("unassigned", clock.ms - 30 * MINUTE)
        paused = get(api.ann, timer)
        assert (paused["status"], paused["active_duration"], paused["start_time"]) == (
            "paused",
            3_600,
            ago(90),
        )


class TestPauses:
    @pytest.fixture(params=[True, False], ids=["open", "stopped"])
    def timer(self, api: Api, clock: Clock, request: pytest.FixtureRequest) -> dict[str, Any]:
        """A timer that ran for an hour."""
        timer = start(api.ann, 7)
        clock.advance(3_600)
        return timer if request.param else dict(act(api.ann, timer, "stop").json())

    def test_a_pause_can_be_inserted_changed_and_removed(
        self, api: Api, timer: dict[str, Any], ago: Any
    ) -> None:
        inserted = post(api.ann, timer, "pauses/", {"start": ago(40), "end": ago(30)})
        assert (inserted.status, inserted.json()["pauses"]) == (200, [{"start": ago(40), "end": ago(30)}])
        assert (inserted.json()["active_duration"], inserted.json()["paused_duration"]) == (3_000, 600)
        path = f"/api/timelogs/{timer['id']}/pauses/0"
        changed = api.ann("PUT", path, {"start": ago(50), "end": ago(35)})
        assert changed.json()["pauses"] == [{"start": ago(50), "end": ago(35)}]
        assert (changed.json()["active_duration"], changed.json()["status"]) == (2_700, timer["status"])
        assert get(api.ann, timer) == changed.json()
        removed = api.ann("DELETE", f"{path}/")
        assert (removed.status, removed.json()["pauses"], removed.json()["active_duration"]) == (
            200,
            [],
            3_600,
        )

    def test_what_was_taken_away_is_a_gap_and_what_was_added_is_claimed(
        self, api: Api, timer: dict[str, Any], clock: Clock, store: TimerStore, ago: Any
    ) -> None:
        post(api.ann, timer, "pauses/", {"start": ago(40), "end": ago(30)})
        api.ann("PUT", f"/api/timelogs/{timer['id']}/pauses/0/", {"start": ago(40), "end": ago(35)})
        stored = store.get(api.ann_id, ulid_of(timer)).claims
        assert [(time_of(one.since_ms), time_of(one.until_ms), one.counts) for one in sorted(stored)] == [
            (ago(40), ago(35), False),
            (ago(35), ago(30), True),
        ]
        assert {claim.made_ms for claim in stored} == {clock.ms}

    def test_a_repetition_with_the_same_key_takes_effect_once(
        self, api: Api, timer: dict[str, Any], ago: Any
    ) -> None:
        body = {"start": ago(40), "end": ago(30)}
        answers = [post(api.ann, timer, "pauses/", body, idempotency_key="insert") for _ in range(2)]
        assert answers[0].body == answers[1].body
        post(api.ann, timer, "pauses/", {"start": ago(20), "end": ago(10)})
        path = f"/api/timelogs/{timer['id']}/pauses/0/"
        answers = [api.ann("DELETE", path, idempotency_key="remove") for _ in range(2)]
        assert answers[0].body == answers[1].body
        assert len(get(api.ann, timer)["pauses"]) == 1
        reused = api.ann("DELETE", f"/api/timelogs/{timer['id']}/pauses/1/", idempotency_key="remove")
        assert problem(reused, 400)["code"] == "idempotency_key_reused"

    @pytest.mark.parametrize(
        ("since", "until", "field", "code"),
        [
            (70, 50, "start", "outside_of_timer"),
            (30, 30, "end", "end_before_start"),
            (30, 40, "end", "end_before_start"),
            (30, -5, "end", "in_the_future"),
            (45, 35, "start", "pauses_overlap"),
            (55, 45, "end", "pauses_overlap"),
        ],
    )
    def test_a_pause_that_does_not_fit_is_refused_with_its_field(
        self, api: Api, timer: dict[str, Any], ago: Any, since: int, until: int, field: str, code: str
    ) -> None:
        post(api.ann, timer, "pauses/", {"start": ago(50), "end": ago(40)})
        refused = problem(post(api.ann, timer, "pauses/", {"start": ago(since), "end": ago(until)}), 400)
        assert [(error["loc"][-1], error["code"]) for error in refused["errors"]] == [(field, code)]

    def test_pauses_of_other_people_and_unknown_ones_are_refused(
        self, api: Api, timer: dict[str, Any], ago: Any
    ) -> None:
        body = {"start": ago(40), "end": ago(30)}
        path = f"/api/timelogs/{timer['id']}/pauses/0/"
        problem(post(api.bob, timer, "pauses/", body), 403)
        problem(api.bob("PUT", path, body), 403)
        problem(api.bob("DELETE", path), 403)
        problem(api.ann("PUT", path, body), 404)
        problem(api.ann("DELETE", path), 404)
        problem(api.ann("DELETE", f"/api/timelogs/{timer['id']}/pauses/-1/"), 400)
        problem(post(api.ann, timer, "pauses/", {"start": ago(40)}), 400)

    def test_the_start_of_the_present_pause_can_be_corrected(self, api: Api, clock: Clock, ago: Any) -> None:
        timer = start(api.ann)
        clock.advance(3_600)
        act(api.ann, timer, "pause")
        clock.advance(600)
        path = f"/api/timelogs/{timer['id']}/pauses/0/"
        changed = api.ann("PUT", path, {"start": ago(30)}).json()
        assert (changed["pauses"], changed["last_pause_time"], changed["active_duration"]) == (
            [{"start": ago(30), "end": None}],
            ago(30),
            2_400,
        )
        ended = problem(api.ann("PUT", path, {"start": ago(30), "end": ago(5)}), 400)
        assert ended["errors"][0]["code"] == "contradiction"
        running = api.ann("DELETE", path).json()
        assert (running["status"], running["active_duration"]) == ("running", 4_200)


class TestSplit:
    def test_an_open_timer_continues_in_the_second_one(self, api: Api, clock: Clock, ago: Any) -> None:
        timer = start(api.ann, 7, description="x")
        clock.advance(3_600)
        answer = post(api.ann, timer, "split/", {"at": ago(20)})
        first, second = answer.json()["first"], answer.json()["second"]
        assert (answer.status, answer.headers["location"]) == (201, f"/api/timelogs/{second['id']}/")
        assert (first["id"], first["status"], first["end_time"]) == (timer["id"], "stopped", ago(20))
        assert (second["status"], second["start_time"], second["description"]) == ("running", ago(20), "x")
        assert first["active_duration"] + second["active_duration"] == 3_600
        assert (get(api.ann, first), get(api.ann, second)) == (first, second)
        # The second timer is the open one of the issue now.
        body = {"github_repo": "octocat/Hello-World", "github_issue_number": 7}
        assert api.ann("POST", "/api/timelogs/start/", body).json()["id"] == second["id"]
        moved = patch(api.ann, first, {"github_repo": "octocat/Hello-World", "github_issue_number": 8})
        assert (moved.status, moved.json()["active_duration"]) == (200, 2_400)
        stopped = act(api.ann, second, "stop").json()
        assert stopped["duration"] == 1_200

    def test_a_repetition_with_the_same_key_returns_the_same_timers(
        self, api: Api, clock: Clock, ago: Any
    ) -> None:
        timer = add(api.ann, clock, 3_600, 3_000)
        answers = [post(api.ann, timer, "split/", {"at": ago(30)}, idempotency_key="k") for _ in range(2)]
        assert answers[0].body == answers[1].body
        assert len(api.ann("GET", "/api/timelogs/").json()["results"]) == 2
        other = post(api.ann, timer, "split/", {"at": ago(40)}, idempotency_key="k")
        assert problem(other, 400)["code"] == "idempotency_key_reused"

    @pytest.mark.parametrize(("at", "code"), [(60, "outside_of_timer"), (10, "outside_of_timer")])
    def test_an_instant_that_is_not_inside_is_refused(
        self, api: Api, clock: Clock, ago: Any, at: float, code: str
    ) -> None:
        timer = add(api.ann, clock, 3_600, 3_000)
        refused = problem(post(api.ann, timer, "split/", {"at": ago(at)}), 400)
        assert [(error["loc"][-1], error["code"]) for error in refused["errors"]] == [("at", code)]
        problem(post(api.bob, timer, "split/", {"at": ago(30)}), 403)

    def test_events_do_not_undo_it(
        self, api: Api, clock: Clock, deliver: Callable[[str, int], None], ago: Any
    ) -> None:
        deliver("assigned", clock.ms)
        (timer,) = api.ann("GET", "/api/timelogs/").json()["results"]
        clock.advance(3_600)
        halves = post(api.ann, timer, "split/", {"at": ago(20)}).json()
        deliver("closed", clock.ms - 30 * MINUTE)
        assert [get(api.ann, halves[half]) for half in ("first", "second")] == [
            halves["first"],
            halves["second"],
        ]
        deliver("closed", clock.ms - 5 * MINUTE)
        assert get(api.ann, halves["second"])["duration"] == 900
        assert get(api.ann, halves["first"]) == halves["first"]


def change_of(path: str, method: str, *, first: bool, ago: Any) -> tuple[str, str, Any]:
    """Return a request with an Idempotency-Key, or a different one for which the key must not be used."""
    body: Any
    match path.rpartition("/timelogs/")[2].removeprefix("{timer_id}/"):
        case "" | "start/":
            body = {"description": "first" if first else "second"}
            if path.endswith("timelogs/"):
                body |= {"start_time": ago(60), "duration": 60}
        case "pauses/":
            body = {"start": ago(40), "end": ago(35 if first else 34)}
        case "pauses/{number}/":
            path = path.replace("{number}", "0" if first else "1")
            body = {"start": ago(50), "end": ago(46)} if method == "PUT" else None
        case "split/":
            body = {"at": ago(15 if first else 14)}
        case "resume/" | "pause/" | "stop/" | "focus/":
            body = {"at": ago(0 if first else 0.5)}
        case other:
            raise AssertionError(f"A request of {other} is missing here.")
    return method, path, body


KEYED = sorted(
    (path, method.upper())
    for path, operations in json.loads(SPECIFICATION.read_text())["paths"].items()
    for method, operation in operations.items()
    if any(one["name"] == "idempotency-key" for one in operation.get("parameters", ()))
    # A deletion has its own tests, because it leaves no timer to show.
    and operation["operationId"] != "delete"
)


class TestIdempotencyKey:
    """All requests with an Idempotency-Key, as the specification lists them."""

    @pytest.fixture
    def send(self, api: Api, clock: Clock, ago: Any) -> Callable[..., Answer]:
        """A function that sends a request with the key, to a timer with two pauses."""
        timer = start(api.ann, 7)
        clock.advance(3_600)
        for since, until in ((50, 45), (30, 20)):
            post(api.ann, timer, "pauses/", {"start": ago(since), "end": ago(until)})

        def send(path: str, method: str, *, first: bool = True) -> Answer:
            method, path, body = change_of(path, method, first=first, ago=ago)
            path = path.replace("{timer_id}", timer["id"])
            return api.ann(method, path, body, idempotency_key="k")

        self.timer = timer
        return send

    @pytest.mark.parametrize(("path", "method"), KEYED)
    def test_a_key_is_refused_for_another_request(
        self, api: Api, send: Callable[..., Answer], path: str, method: str
    ) -> None:
        if path.endswith("resume/"):
            act(api.ann, self.timer, "pause")
        first, again = send(path, method), send(path, method)
        assert (first.status, first.body) == (again.status, again.body)
        assert first.status in {200, 201}
        before = api.ann("GET", "/api/timelogs/").body
        assert problem(send(path, method, first=False), 400)["code"] == "idempotency_key_reused"
        assert api.ann("GET", "/api/timelogs/").body == before

    @pytest.mark.parametrize("other", ["focus", "stop"])
    def test_a_key_is_refused_for_another_transition_of_the_timer(self, api: Api, other: str) -> None:
        timer = start(api.ann)
        act(api.ann, timer, "pause", idempotency_key="k")
        act(api.ann, timer, "resume")
        assert problem(act(api.ann, timer, other, idempotency_key="k"), 400)["code"] == (
            "idempotency_key_reused"
        )
        assert get(api.ann, timer)["status"] == "running"

    @pytest.mark.parametrize(
        ("path", "method"), [one for one in KEYED if "pauses/" in one[0] or "split/" in one[0]]
    )
    def test_a_repetition_after_a_deletion_says_that_the_request_took_effect(
        self, api: Api, send: Callable[..., Answer], path: str, method: str
    ) -> None:
        send(path, method)
        api.ann("DELETE", f"/api/timelogs/{self.timer['id']}/")
        again = problem(send(path, method), 400)
        assert (again["code"], again["detail"]) == (
            "idempotency_key_reused",
            "This request took effect, but its timer was deleted since.",
        )


class TestDeletion:
    def test_a_repetition_with_the_same_key_has_the_same_response(self, api: Api) -> None:
        timer, other = start(api.ann, 7), start(api.ann, 8)
        for _ in range(2):
            deleted = api.ann("DELETE", f"/api/timelogs/{timer['id']}/", idempotency_key="k")
            assert deleted.status == 204
        refused = api.ann("DELETE", f"/api/timelogs/{other['id']}/", idempotency_key="k")
        assert problem(refused, 400)["code"] == "idempotency_key_reused"
        assert get(api.ann, other)["status"] == "running"

    def test_the_time_of_a_deleted_timer_is_a_gap_that_does_not_expire(
        self, api: Api, clock: Clock, shared_table: Table, ago: Any
    ) -> None:
        timer = start(api.ann, 7)
        clock.advance(3_600)
        post(api.ann, timer, "pauses/", {"start": ago(40), "end": ago(30)})
        assert api.ann("DELETE", f"/api/timelogs/{timer['id']}/").status == 204
        item = shared_table.get(user_pk(api.ann_id), timer_sk(ulid_of(timer)))
        assert item is not None
        assert "expires_at" not in item
        gone = to_gaps(item)
        assert [(time_of(one.since_ms), time_of(one.until_ms), one.counts) for one in gone.claims] == [
            (ago(60), ago(40), False),
            (ago(40), ago(30), False),
            (ago(30), ago(0), False),
        ]
        acts = [(time_of(done.at_ms), done.action, done.cause) for done in gone.history]
        assert acts == [(ago(60), "focus", "")]
        assert (gone.ulid, gone.end_ms) == (ulid_of(timer), clock.ms)
        # It is in the index by end, and in no list.
        found = shared_table.query_all(user_pk(api.ann_id), index="by-end")
        assert [one["end_key"] for one in found] == [item["end_key"]]
        problem(api.ann("GET", f"/api/timelogs/{timer['id']}/"), 404)
        for query in ("", "?count=true", f"?since={ago(50)}", "?end_time__isnull=false"):
            assert api.ann("GET", f"/api/timelogs/{query}").json()["results"] == []
        assert api.ann("GET", "/api/timelogs/totals/").json()["active_duration"] == 0

    def test_a_timer_without_time_leaves_no_gap(self, api: Api, clock: Clock, shared_table: Table) -> None:
        timer = add(api.ann, clock, 60, 0)
        api.ann("DELETE", f"/api/timelogs/{timer['id']}/")
        item = shared_table.get(user_pk(api.ann_id), timer_sk(ulid_of(timer))) or {}
        assert ("end_key" in item, "expires_at" in item, claims_of(item)) == (False, True, ())


def test_corrected_times_are_claims(api: Api, clock: Clock, store: TimerStore, ago: Any) -> None:
    added = add(api.ann, clock, 3_600, 1_800)
    (claim,) = store.get(api.ann_id, ulid_of(added)).claims
    assert (time_of(claim.since_ms), time_of(claim.until_ms), claim.counts) == (ago(60), ago(30), True)
    patch(api.ann, added, {"start_time": ago(50), "end_time": ago(20)})
    claims = sorted(store.get(api.ann_id, ulid_of(added)).claims)
    assert [(time_of(one.since_ms), time_of(one.until_ms), one.counts) for one in claims] == [
        (ago(60), ago(50), False),
        (ago(50), ago(30), True),
        (ago(30), ago(20), True),
    ]


class TestStoredDays:
    """A change that reaches before yesterday marks the stored days in its transaction."""

    DAY = 86_400_000
    NOW = 4_000_000_000_000

    def dirty(self, table: Table, user_id: int) -> tuple[int | None, int]:
        found = dirty_of(table.get(user_pk(user_id), CALENDAR_SK))
        return found.from_ms, found.changes

    def test_changes_of_the_present_mark_nothing(
        self, store: TimerStore, shared_table: Table, new_person: Callable[[], Person]
    ) -> None:
        ann = new_person().user_id
        ulid = store.start(user_id=ann, now_ms=self.NOW)[0].ulid
        store.focus(ann, ulid, now_ms=self.NOW + 1, cause="a")
        store.pause(ann, ulid, now_ms=self.NOW + 2, by="manual", cause="b")
        store.patch(ann, ulid, Patch(start_ms=self.NOW - MINUTE), now_ms=self.NOW + 3)
        store.stop(ann, ulid, now_ms=self.NOW + 4, by="manual", cause="c")
        store.patch(ann, ulid, Patch(description="x"), now_ms=self.NOW + 5)
        store.delete(ann, ulid, now_ms=self.NOW + 6)
        assert self.dirty(shared_table, ann) == (None, 0)

    def test_changes_of_the_past_mark_their_day(
        self, store: TimerStore, shared_table: Table, new_person: Callable[[], Person]
    ) -> None:
        ann = new_person().user_id
        past = self.NOW - 3 * self.DAY + MINUTE
        day = past - past % self.DAY
        timer, _ = store.start(user_id=ann, now_ms=self.NOW, at_ms=past)
        assert self.dirty(shared_table, ann) == (day, 1)
        paused = store.pause(ann, timer.ulid, now_ms=self.NOW, by="manual", cause="p", at_ms=past + MINUTE)
        assert (paused.status, paused.clock_ms, self.dirty(shared_table, ann)) == ("paused", MINUTE, (day, 2))
        again = store.pause(ann, timer.ulid, now_ms=self.NOW, by="manual", cause="p", at_ms=past + MINUTE)
        assert (again, self.dirty(shared_table, ann)) == (paused, (day, 2))
        with pytest.raises(TransitionNotAllowed):
            store.focus(ann, timer.ulid, now_ms=self.NOW, cause="f", at_ms=past + MINUTE)
        store.patch(ann, timer.ulid, Patch(start_ms=past - self.DAY), now_ms=self.NOW)
        assert self.dirty(shared_table, ann) == (day - self.DAY, 3)
        halves = store.split(ann, timer.ulid, past, now_ms=self.NOW)
        store.delete(ann, halves.first.ulid, now_ms=self.NOW)
        assert self.dirty(shared_table, ann) == (day - self.DAY, 5)
