"""After a process was killed, or a request to GitHub failed, the next process finishes the work."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from urllib3 import Timeout

from fake_github import FakeGitHub, faults
from fake_github.model import Issue
from tests.support.network import Killed, Network
from tests.support.product import TOKEN, MemoryQueue, Product, Team, ago, new_team, product
from timer_core.domain.issues import Issue as Named
from timer_core.github.api.transport import Response, Transport
from timer_core.store.keys import SWEEPER_PK, SWEEPER_PROGRESS_SK, issue_pk
from timer_core.store.table import Table

# A killed process has not published its metrics.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish:UserWarning")

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

MINUTES = 60
SECONDS_AGO = 60 * MINUTES
# All scenarios begin at the same time; the sweeper always runs at the same later time.
BEGIN_MS = ago(SECONDS_AGO / MINUTES)
END_MS = BEGIN_MS + 1000 * SECONDS_AGO
# The App's identity in every scenario.
CLIENT_ID = "Iv23liStories"
# Shorter than the product's time-out; only requests without any response reach it.
READ_TIMEOUT_S = 1.5


@pytest.fixture(scope="module", params=["token", "app"])
def running(shared_table: Table, github: FakeGitHub, request: pytest.FixtureRequest) -> Iterator[Product]:
    """A process without faults."""
    credentials = {
        "token": {"token": TOKEN},
        "app": {"app_id": CLIENT_ID, "private_key": github.app.private_key},
    }
    with product(shared_table, github.url) as running, pytest.MonkeyPatch.context() as patch:
        # Let the client fetch the list of installations at any time, because tests with this fixture change
        # the list.
        patch.setattr("timer_core.github.api.installations._LIST_MIN_AGE_S", 0)
        running.store_credential(credentials[request.param])
        yield running


# ---------------------------------------------------------------------- scenarios


class Scenario:
    """Events on GitHub, and the work of a process that results from them.

    Attributes
    ----------
    prepare
        Performs the team's actions on GitHub, and delivers or drops the resulting events.
    run
        Runs the process.
    """

    def __init__(self, prepare: Callable[[Team], None], run: Callable[[Product], object]) -> None:
        self.prepare = prepare
        self.run = run

    def __str__(self) -> str:
        return self.prepare.__name__


def new_issue(team: Team, repository: str = "app") -> Issue:
    full_name = f"{team.name}/{repository}"
    return team.github.new_issue(team.github.repository(full_name) or full_name)


def assigned_issue(team: Team) -> Issue:
    """Return an issue on which both people have a running timer."""
    issue = new_issue(team)
    for person in team.people:
        team.github.assign(issue, person)
    team.deliver()
    return issue


def move_card(team: Team, issue: Issue, status: str) -> None:
    card = team.github.add_card(team.github.new_project(team.name), issue)
    team.at(10 * MINUTES)
    team.github.move_card(card, status)
    team.send()


def card_in_progress(team: Team) -> None:
    issue = new_issue(team)
    for person in team.people:
        team.github.assign(issue, person)
    team.pop_deliveries()
    move_card(team, issue, "In Progress")


def card_done(team: Team) -> None:
    move_card(team, assigned_issue(team), "Done")


def comment_logs_time(team: Team) -> None:
    team.github.comment(new_issue(team), team.people[0], "/timer log 1h30m")
    team.send()


def comment_starts_a_timer(team: Team) -> None:
    team.github.comment(new_issue(team), team.people[0], "/timer start")
    team.send()


def issue_transferred(team: Team) -> None:
    issue, other = assigned_issue(team), new_issue(team, "lib").repository
    team.at(10 * MINUTES)
    team.github.transfer(issue, other)
    team.send()


def repository_renamed(team: Team) -> None:
    issue, _ = assigned_issue(team), assigned_issue(team)
    team.at(10 * MINUTES)
    team.github.rename_repository(issue.repository, "lib")
    team.send()


def closing_missed(team: Team) -> None:
    issue = assigned_issue(team)
    team.at(10 * MINUTES)
    team.github.close(issue)
    team.pop_deliveries()
    team.at(SECONDS_AGO)


def transfer_missed(team: Team) -> None:
    issue, other = assigned_issue(team), new_issue(team, "lib").repository
    team.at(10 * MINUTES)
    moved = team.github.transfer(issue, other)
    team.at(20 * MINUTES)
    team.github.unassign(moved, team.people[0])
    team.pop_deliveries()
    team.at(SECONDS_AGO)


def deliveries_failed(team: Team) -> None:
    issue = assigned_issue(team)
    for minute, act in ((10, team.github.unassign), (20, team.github.assign)):
        team.at(minute * MINUTES)
        act(issue, team.people[0])
    for delivery in team.pop_deliveries():
        team.github.fail(delivery)
    team.at(SECONDS_AGO)


def deletion_missed(team: Team) -> None:
    issue = assigned_issue(team)
    team.at(10 * MINUTES)
    team.github.delete(issue)
    team.pop_deliveries()
    team.at(SECONDS_AGO)


def rename_missed(team: Team) -> None:
    issue, _ = assigned_issue(team), assigned_issue(team)
    team.at(10 * MINUTES)
    team.github.rename_repository(issue.repository, "lib")
    team.pop_deliveries()
    team.at(SECONDS_AGO)


def sweep(process: Product, **options: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process.sweeper, "now_ms", lambda: END_MS)
        process.sweep(**options)
    process.process()


SCENARIOS = [
    Scenario(card_in_progress, Product.process),
    Scenario(card_done, Product.process),
    Scenario(comment_logs_time, Product.process),
    Scenario(comment_starts_a_timer, Product.process),
    Scenario(issue_transferred, Product.process),
    Scenario(repository_renamed, Product.process),
    Scenario(closing_missed, partial(sweep, redeliver=False)),
    Scenario(transfer_missed, partial(sweep, redeliver=False)),
    Scenario(deletion_missed, partial(sweep, redeliver=False)),
    Scenario(rename_missed, partial(sweep, redeliver=False)),
    Scenario(deliveries_failed, partial(sweep, stop_closed=False)),
]
# These deliveries contain all data, so the process sends no requests to GitHub.
WITHOUT_GITHUB = {issue_transferred, repository_renamed}


# ---------------------------------------------------------------------- processes


READS = {"GetItem", "BatchGetItem", "Query", "GET", "query"}


class Calls:
    """The requests of a process to DynamoDB, GitHub and the queue.

    Attributes
    ----------
    last
        The number of side effects after which the process is killed; None if the process may finish.
    effects
        The side effects so far.
    """

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.effects: list[str] = []

    def make(self, name: str, call: Callable[[], T]) -> T:
        self._end()
        answer = call()
        if name not in READS:
            self.effects.append(name)
            self._end()
        return answer

    def _end(self) -> None:
        if len(self.effects) == self.last:
            raise Killed


@contextmanager
def new_process(running: Product, calls: Calls) -> Iterator[Product]:
    """Start a process that shares table, queue and GitHub with ``running``; record its requests."""
    ask = Transport.send

    def ask_github(transport: Transport, method: str, path: str, *args: Any, **kwargs: Any) -> Response:
        name = "query" if path == "/graphql" else method
        return calls.make(name, lambda: ask(transport, method, path, *args, **kwargs))

    credential = {"GITHUB_CREDENTIAL": running.credential_name}
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr("timer_core.github.api.transport.urllib3.Timeout", _shortened_timeout)
        process = stack.enter_context(product(running.table, running.api_url, **credential))
        process.queue = running.queue
        patch.setattr(process.processor, "_sqs", lambda: _Queue(running.queue, calls))
        patch.setattr(Transport, "send", ask_github)
        for function in (process.processor, process.sweeper):
            network = Network(function.table.connection)
            stack.callback(network.close)
            network.every_request = calls.make
        # Skip all waits, because a fault ends only when the test ends it.
        patch.setattr("time.sleep", lambda _: None)
        yield process


def _shortened_timeout(connect: float, read: float) -> Timeout:
    return Timeout(connect=connect, read=min(read, READ_TIMEOUT_S))


class _Queue:
    """The queue; a process's calls to it are recorded."""

    def __init__(self, queue: MemoryQueue, calls: Calls) -> None:
        self._queue = queue
        self._calls = calls

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self._queue, name)
        return lambda **request: self._calls.make(name, lambda: method(**request))


# ---------------------------------------------------------------------- the visible result


def visible_result(team: Team) -> list[object]:
    """Return people's timers and GitHub's comments, without the names that differ between teams."""
    slots = {}
    for repository in team.github.repositories.values():
        for number in (1, 2, 3):
            issue = Named.of(repository.full_name, number, repo_id=repository.id)
            for item in team.product.table.query_all(issue_pk(issue)):
                if "open_ulid" in item:
                    slots[issue.key, item["sk"]["S"]] = item["open_ulid"]["S"]
    view: list[Any] = []
    for position, person in enumerate(team.people):
        timers = team.product.timers(person.id)
        for timer in timers:
            assert timer.issue
            if timer.is_open:
                assert slots.pop((timer.issue.key, f"user#{person.id}")) == timer.ulid
            view.append(
                (
                    position,
                    f"{timer.issue.repo}#{timer.issue.number}",
                    timer.start_ms - team.t0,
                    timer.end_ms and timer.end_ms - team.t0,
                    timer.status,
                    timer.active_ms(team.t0 + SECONDS_AGO * 1000),
                    timer.source,
                )
            )
    assert slots == {}
    # Sorted, because the order of timers with the same start is arbitrary.
    view.sort(key=repr)
    for on_github in team.github.repositories.values():
        view += [
            (comment.body.partition("\n")[0], [reaction.content for reaction in comment.reactions])
            for commented in on_github.issues.values()
            for comment in commented.comments
        ]
    return view


def expire_lease(table: Table) -> None:
    """End the reservation of the comparison by a killed sweep, as its time limit does."""
    progress = {"pk": {"S": SWEEPER_PK}, "sk": {"S": SWEEPER_PROGRESS_SK}}
    update = {"TableName": table.name, "Key": progress, "UpdateExpression": "REMOVE leased_until_ms"}
    table.connection.dispatch("UpdateItem", update)


def set_up(github: FakeGitHub, running: Product, scenario: Scenario) -> Team:
    team = new_team(github, running, size=2, t0=BEGIN_MS)
    github.app.client_id = CLIENT_ID
    github.install_app(team.name)
    scenario.prepare(team)
    github.requests.clear()
    expire_lease(running.table)
    return team


def run_without_faults(
    github: FakeGitHub, running: Product, scenario: Scenario
) -> tuple[Calls, list[object]]:
    """Return the requests of a process without faults, and the visible result."""
    team, calls = set_up(github, running, scenario), Calls()
    with new_process(running, calls) as process:
        scenario.run(process)
    assert running.queue.failed == []
    return calls, visible_result(team)


# Only a token is tested, because an App's additional requests have no side effects.
@pytest.mark.parametrize("running", ["token"], indirect=True)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_after_a_kill_at_any_side_effect_the_next_process_finishes(
    github: FakeGitHub, running: Product, scenario: Scenario
) -> None:
    """Kills between two side effects are not tested, because nothing visible happens in between."""
    calls, expected = run_without_faults(github, running, scenario)
    assert len(calls.effects) > 2
    for last in range(1, len(calls.effects) + 1):
        team, until = set_up(github, running, scenario), Calls(last)
        with new_process(running, until) as process, suppress(Killed):
            scenario.run(process)
        if len(until.effects) < last:
            # Threads that write the same item retry some writes; the number of retries differs between runs.
            assert last > 2
            assert visible_result(team) == expected
            break
        running.queue.expire_visibility_timeout()
        expire_lease(running.table)
        scenario.run(running)
        assert running.queue.failed == []
        assert visible_result(team) == expected, f"killed after {until.effects}"


# Each use creates a new fault, because a fault can be released only once.
FAULTS: list[Callable[[], faults.Fault]] = [
    lambda: faults.status(502),
    faults.timeout,
    faults.lost_response,
    lambda: faults.primary_limit(600),
    lambda: faults.secondary_limit(None),
    lambda: faults.graphql_error(partial=True),
]


@pytest.mark.parametrize(
    "scenario", [scenario for scenario in SCENARIOS if scenario.prepare not in WITHOUT_GITHUB], ids=str
)
def test_a_failed_request_to_github_succeeds_at_the_next_attempt(
    github: FakeGitHub, running: Product, scenario: Scenario
) -> None:
    _, expected = run_without_faults(github, running, scenario)
    asked = [request.path for request in github.requests]
    assert asked
    # With an App, inject faults only into requests for its installation. The other requests are the same as
    # with a token.
    prefix = "/app/installations" if asked[0].startswith("/app") else "/"
    pairs = [
        (position, make)
        for position, path in enumerate(asked)
        for make in FAULTS
        if path.startswith(prefix) and path.startswith(make().path)
    ]
    for position, make in covering_subset(pairs, turn=SCENARIOS.index(scenario)):
        fault = make()
        team = set_up(github, running, scenario)
        inject(github, fault, position)
        with new_process(running, Calls()) as process:
            scenario.run(process)
        assert fault not in github.faults
        running.queue.retry()
        scenario.run(running)
        assert running.queue.failed == []
        assert visible_result(team) == expected, (asked[position], fault)


def covering_subset(pairs: list[tuple[A, B]], turn: int) -> list[tuple[A, B]]:
    """Return a few pairs that together contain every member. Each ``turn`` selects mostly different pairs.

    Each scenario has its own turn. So the test covers every request and every fault in every scenario, and
    most combinations of fault and position. The profile "nightly" tests all pairs.
    """
    if settings.get_current_profile_name() == "nightly":
        return pairs
    rotated = [pairs[(turn * 5 + position) % len(pairs)] for position in range(len(pairs))]
    missing: set[object] = {member for pair in pairs for member in pair}
    chosen = []
    while missing:
        chosen.append(max(rotated, key=lambda pair: len(missing.intersection(pair))))
        missing.difference_update(chosen[-1])
    return chosen


def inject(github: FakeGitHub, fault: faults.Fault, position: int) -> None:
    """Inject a fault into the request that follows the first ``position`` requests."""

    def before(_request: object) -> None:
        if len(github.requests) == position:
            github.faults.append(fault)

    github.before_request = before
    if position == 0:
        github.faults.append(fault)
