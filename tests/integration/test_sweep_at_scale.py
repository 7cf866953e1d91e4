"""Sweeps that need several runs, on Amazon's DynamoDB Local."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from urllib3 import Timeout

from fake_github import FakeGitHub, faults
from fake_github.messages import Answer, Request
from fake_github.model import Issue
from tests.support import many_timers
from tests.support.connection import connect
from tests.support.gateway import Context, ExpiringContext
from tests.support.handlers import loaded
from tests.support.product import TOKEN, Product, Team, ago, new_team, product
from timer_core.clock import now_ms
from timer_core.domain.issues import Issue as Named
from timer_core.github.api.transport import READ_S
from timer_core.store.health import HealthStore
from timer_core.store.progress import Progress, ProgressStore
from timer_core.store.queries import OpenTimer
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

DAY_MS = 24 * many_timers.HOUR_MS
OPEN, STALE = 2_000, 400


@pytest.fixture(scope="module")
def sweeper(shared_table: Table, dynamodb: str) -> Iterator[ModuleType]:
    """The sweeper on a table with many open timers."""
    timers = many_timers.open_timers(OPEN, stale=STALE, now_ms=now_ms())
    many_timers.put(connect(dynamodb), shared_table.name, timers)
    with loaded("stale_sweeper.sweep", shared_table.name) as module:
        yield module


class TestStale:
    def test_several_runs_stop_every_stale_timer_once(self, sweeper: ModuleType, shared_table: Table) -> None:
        store, health = TimerStore(shared_table), HealthStore(shared_table)
        stale = set(all_open(store, before_ms=now_ms() - DAY_MS))
        assert counts(health) == (OPEN, 0)
        stopped = []
        for run in range(100):
            summary = sweeper.handler({}, Context() if run == 3 else ExpiringContext(readings=21))
            assert summary["failed"] == 0
            stopped.append(summary["stopped"])
            if summary["complete"]:
                break
        assert stopped == [160, 160, 80, 0]
        for user_id, ulid, since_ms, _ in stale:
            timer = store.get(user_id, ulid)
            assert (timer.version, timer.stopped_by) == (2, "sweeper")
            assert (timer.end_ms, timer.clock_ms) == (since_ms + DAY_MS, DAY_MS)
        # The health report has what the whole sweep found.
        assert counts(health) == (OPEN - STALE, STALE)
        assert not stale & set(all_open(store))


def all_open(store: TimerStore, before_ms: int | None = None) -> Iterator[OpenTimer]:
    return store.open_timers(before_ms=before_ms)


def counts(store: HealthStore) -> tuple[int, int]:
    health = store.read(now_ms=now_ms())
    return health.open_timers, health.stale_timers


HOURLY = {"stop_stale": False, "stop_closed": False, "redeliver": False, "resume": True}
DAILY = HOURLY | {"stop_closed": True}


class TestReconciliation:
    """Reconciliation in windows of four timers, so that a few timers fill several windows."""

    @pytest.fixture(autouse=True)
    def small_windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("timer_core.services.reconciliation._WINDOW", 4)
        monkeypatch.setattr("timer_core.services.reconciliation._PAUSE_S", 0)

    @pytest.fixture
    def running(self, github: FakeGitHub, table: Table) -> Iterator[Product]:
        with product(table, github.url) as running:
            running.store_credential({"token": TOKEN})
            yield running

    @pytest.fixture
    def team(self, github: FakeGitHub, running: Product) -> Team:
        """A team with 14 timers whose issues were closed without a delivery."""
        team = new_team(github, running, size=1, t0=ago(120))
        github.new_repository(f"{team.name}/app")
        issues = [start(team, "app", second) for second in range(14)]
        team.at(3_600)
        for issue in issues:
            github.close(issue)
        team.pop_deliveries()
        github.requests.clear()
        return team

    def test_a_run_continues_where_the_last_one_ran_out_of_time(self, team: Team) -> None:
        first = sweep(team, DAILY, readings=3)
        assert (first["issues"], first["backfilled"], first["complete"]) == (8, 8, False)
        second = sweep(team, HOURLY)
        assert (second["issues"], second["backfilled"], second["complete"]) == (6, 6, True)
        assert queries_per_issue(team) == dict.fromkeys(range(1, 15), 1)
        (ann,) = team.people
        assert {timer.end_ms for timer in team.product.timers(ann.id)} == {team.t0 + 3_600_000}
        assert progress(team) == Progress()

    def test_the_next_run_does_the_work_of_one_without_time(self, team: Team) -> None:
        assert sweep(team, DAILY, readings=1)["issues"] == 0
        assert sweep(team, HOURLY)["backfilled"] == 14

    def test_without_unfinished_work_an_hourly_run_compares_nothing(self, team: Team) -> None:
        assert sweep(team, HOURLY) is None
        assert team.github.requests == []

    def test_the_next_daily_run_continues_and_the_one_after_starts_over(self, team: Team) -> None:
        for run in (1, 2):
            sweep(team, DAILY, readings=2)
            assert queries_per_issue(team) == dict.fromkeys(range(1, 4 * run + 1), 1)
        sweep(team, DAILY)
        assert queries_per_issue(team) == dict.fromkeys(range(1, 15), 1)
        start(team, "app", 0)
        team.github.requests.clear()
        sweep(team, DAILY)
        assert queries_per_issue(team) == {15: 1}

    def test_a_dry_run_compares_all_and_stores_nothing(self, team: Team) -> None:
        sweep(team, DAILY, readings=2)
        before = progress(team)
        dry = DAILY | {"dry_run": True}
        assert sweep(team, dry)["backfilled"] == 10
        assert sweep(team, dry, readings=2)["complete"] is False
        assert progress(team) == before

    def test_timers_with_the_same_start_are_compared_together(self, team: Team) -> None:
        team.github.new_repository(f"{team.name}/other")
        for _ in range(6):
            start(team, "other", 2)
        assert [sweep(team, DAILY, readings=2)["issues"] for _ in range(4)] == [9, 4, 4, 3]

    @pytest.mark.parametrize("fault", [faults.primary_limit(3_600), faults.secondary_limit(600)])
    def test_after_a_rate_limit_the_next_run_continues(
        self, team: Team, github: FakeGitHub, fault: faults.Fault
    ) -> None:
        github.faults += [NO_FAULT, fault]
        limited = sweep(team, DAILY)
        assert (limited["backfilled"], limited["complete"]) == (4, False)
        # The rate limit still applies. The sweeper must not mark these issues as failing.
        assert sweep(team, HOURLY)["backfilled"] == 0
        assert sweep_in_new_process(team, HOURLY)["backfilled"] == 10

    def test_an_outage_loses_nothing(self, team: Team, github: FakeGitHub) -> None:
        github.faults.append(faults.status(502))
        during = sweep(team, DAILY)
        assert (during["backfilled"], during["complete"]) == (0, False)
        assert sweep_in_new_process(team, HOURLY)["backfilled"] == 14

    def test_issues_whose_queries_always_fail_block_others_only_once(
        self, team: Team, github: FakeGitHub
    ) -> None:
        missed = []
        for options in (DAILY, HOURLY):
            github.faults.append(faults.status(502))
            missed.append(sweep_in_new_process(team, options)["backfilled"])
        missed += [sweep_in_new_process(team, options)["backfilled"] for options in (HOURLY, DAILY)]
        assert missed == [0, 0, 10, 4]

    def test_after_a_rate_limit_while_locating_an_issue_the_next_run_continues(
        self, team: Team, github: FakeGitHub
    ) -> None:
        repository = github.repository(f"{team.name}/app")
        assert repository is not None
        github.transfer(repository.issues[2], github.new_repository(f"{team.name}/other"))
        team.pop_deliveries()
        github.faults.append(faults.secondary_limit(600, path="GET /repos/"))
        limited = sweep(team, DAILY)
        assert (limited["failed"], limited["complete"]) == (0, False)
        found = sweep_in_new_process(team, HOURLY)
        assert (found["moved"], found["backfilled"], found["complete"]) == (1, 14, True)

    @pytest.fixture
    def one_query(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put all timers into one window, so that one query fetches all issues, and shorten the waits."""
        monkeypatch.setattr("timer_core.services.reconciliation._WINDOW", 1_000)
        monkeypatch.setattr("timer_core.services.reconciliation._PAUSE_S", 0.02)
        monkeypatch.setattr("timer_core.github.api.circuit_breaker._OUTAGE_S", 0.01)

    @pytest.mark.usefixtures("one_query")
    @pytest.mark.parametrize("failure", ["too much", "time-out"])
    def test_a_query_that_is_too_expensive_is_split(
        self, team: Team, github: FakeGitHub, failure: str
    ) -> None:
        github.faults += failing(failure, lambda issues: len(issues) > 4)
        summary = sweep(team, DAILY)
        assert (summary["backfilled"], summary["failed"]) == (14, 0)
        assert (summary["complete"], summary["error"]) == (True, "")

    @pytest.mark.usefixtures("one_query")
    @pytest.mark.parametrize("failure", ["too much", "time-out"])
    def test_an_issue_that_github_fails_at_does_not_block_others(
        self, team: Team, github: FakeGitHub, failure: str
    ) -> None:
        github.faults += failing(failure, lambda issues: 9 in issues)
        summary = sweep(team, DAILY)
        assert (summary["backfilled"], summary["failed"]) == (13, 1)
        assert (summary["complete"], summary["error"]) == (True, "")

    @pytest.mark.parametrize("failure", ["too much", "something"])
    def test_if_every_query_fails_the_next_run_starts_over(
        self, team: Team, github: FakeGitHub, failure: str
    ) -> None:
        github.faults += failing(failure, lambda _issues: True)
        during = sweep(team, DAILY)
        assert (during["issues"], during["failed"], during["complete"]) == (0, 0, False)
        assert "GitHub failed at a query" in during["error"]
        assert progress(team) == Progress(compared_ms=0)
        github.faults.clear()
        assert sweep(team, HOURLY)["backfilled"] == 14

    @pytest.mark.usefixtures("one_query")
    def test_if_every_query_fails_issues_are_not_queried_one_by_one(
        self, team: Team, github: FakeGitHub
    ) -> None:
        github.faults += failing("something", lambda _issues: True)
        assert sweep(team, DAILY)["complete"] is False
        assert len(github.requests) == 10

    @pytest.mark.usefixtures("one_query")
    def test_the_sweeper_waits_for_the_end_of_a_short_outage(
        self, github: FakeGitHub, running: Product
    ) -> None:
        team = new_team(github, running, size=1, t0=ago(120))
        github.new_repository(f"{team.name}/app")
        issue = start(team, "app", 0)
        team.at(3_600)
        github.close(issue)
        team.pop_deliveries()
        github.faults.append(faults.status(502))
        assert sweep(team, DAILY)["backfilled"] == 1

    def test_queries_about_many_issues_have_a_longer_time_out(
        self, team: Team, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def answer_slowly(_request: Request, carry_out: Callable[[], Answer]) -> Answer:
            time.sleep((READ_S + 0.2) / TIMEOUT_DIVISOR)
            return carry_out()

        github.faults.append(faults.Fault(answer_slowly, "/graphql"))
        monkeypatch.setattr("timer_core.github.api.transport.urllib3.Timeout", _shortened_timeout)
        assert sweep_in_new_process(team, DAILY)["backfilled"] == 14


# Time-outs are divided by this number to make the test fast.
TIMEOUT_DIVISOR = 10


def _shortened_timeout(connect: float, read: float) -> Timeout:
    return Timeout(connect=connect, read=read / TIMEOUT_DIVISOR)


FAILURES = {
    "too much": Answer(
        200,
        {
            "data": {"i0": None},
            "errors": [
                {
                    "type": "RESOURCE_LIMITS_EXCEEDED",
                    "path": ["i0"],
                    "message": "Resource limits for this query exceeded.",
                }
            ],
        },
    ),
    "something": Answer(
        200, {"data": None, "errors": [{"message": "Something went wrong while executing your query."}]}
    ),
    "time-out": Answer(502, {"message": "Something went wrong while executing your query."}),
}


def failing(failure: str, is_heavy: Callable[[set[int]], bool]) -> list[faults.Fault]:
    """Return faults that make a query fail if ``is_heavy`` is true for the query's issue numbers."""

    def answer(request: Request, carry_out: Callable[[], Answer]) -> Answer:
        variables = request.members["variables"].items()
        issues = {number for name, number in variables if name.startswith("x")}
        return FAILURES[failure] if is_heavy(issues) else carry_out()

    return [faults.Fault(answer, "/graphql") for _ in range(40)]


# Append this to `FakeGitHub.faults` if a request must succeed before a later one fails.
NO_FAULT = faults.Fault(lambda _request, carry_out: carry_out())


def sweep_in_new_process(team: Team, options: dict[str, bool]) -> Any:
    """Run the sweeper as in a new process, in which no earlier failure of GitHub blocks requests."""
    with product(team.product.table, team.github.url) as running:
        running.store_credential({"token": TOKEN})
        return running.sweeper.handler(options, Context())["reconcile"]


def start(team: Team, repo: str, second: float) -> Issue:
    """Start a timer of the person on a new issue."""
    (ann,) = team.people
    repository = team.github.repository(f"{team.name}/{repo}")
    assert repository is not None
    team.at(second)
    issue = team.github.new_issue(repository)
    named = Named(team.name, repo, issue.number)
    TimerStore(team.product.table).start(user_id=ann.id, now_ms=team.t0 + round(second * 1000), issue=named)
    return issue


def sweep(team: Team, options: dict[str, bool], readings: int | None = None) -> Any:
    """Run the sweeper; if ``readings`` is given, its time expires after that many time checks."""
    context = Context() if readings is None else ExpiringContext(readings)
    return team.product.sweeper.handler(options, context)["reconcile"]


def queries_per_issue(team: Team) -> Counter[int]:
    """Return the number of queries about each issue."""
    queries = [request.body["variables"] for request in team.github.requests]
    return Counter(
        number for variables in queries for name, number in variables.items() if name.startswith("x")
    )


def progress(team: Team) -> Progress:
    return ProgressStore(team.product.table).read()
