"""The time of issues is written to GitHub: into a field, and into a comment on closed issues."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fake_github import FakeGitHub, faults
from fake_github.messages import Drop
from fake_github.model import Issue, PullRequest
from tests.support.product import TOKEN, Product, Team, ago, new_team, product
from tests.support.write_back import FIELD, WriteBackFunction, known, write_back
from timer_core.clock import now_ms
from timer_core.domain.visibility import Visibility
from timer_core.services.write_back import INTERVAL_MS
from timer_core.store.health import HealthStore
from timer_core.store.people import PeopleStore
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

HOUR = 3_600
MARK = "<!-- issue-timer total -->"


@pytest.fixture(scope="module")
def running(shared_table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(shared_table, github.url) as running:
        running.store_credential({"token": TOKEN})
        yield running


@pytest.fixture
def function(running: Product) -> Iterator[WriteBackFunction]:
    with write_back(running) as function:
        yield function


@pytest.fixture
def team(github: FakeGitHub, running: Product) -> Team:
    """Two people, and an organization whose issues have the field."""
    running.restart_processor()
    team = new_team(github, running, size=2, t0=ago(10 * 60))
    github.new_issue_field(github.accounts[team.name], FIELD)
    return team


def new_issue(team: Team) -> Issue:
    return team.github.new_issue(team.github.repository(f"{team.name}/app") or f"{team.name}/app")


def work(team: Team, issue: Issue, *, hours: float, since: float = 0, person: int = 0) -> None:
    """Have a person work on an issue, from some seconds after the start of the history on."""
    team.at(since)
    team.github.assign(issue, team.people[person])
    team.at(since + hours * HOUR)
    team.github.unassign(issue, team.people[person])
    team.deliver()


def close(team: Team, issue: Issue) -> None:
    team.github.close(issue)
    team.deliver()


def requests(github: FakeGitHub) -> list[str]:
    """Return the method and path of all requests, and forget them."""
    made = [f"{one.method} {one.path.partition('?')[0]}" for one in github.requests]
    github.requests.clear()
    return made


def hours_of(issue: Issue) -> float | None:
    value = issue.field_values.get(FIELD)
    return None if value is None else value.value


def cannot(running: Product) -> tuple[str, ...]:
    return HealthStore(running.table).github()[1]


# ---------------------------------------------------------------------- the figure


def test_the_field_of_an_issue_has_the_time_of_everybody(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1.5)
    work(team, issue, hours=0.25, person=1)
    assert function.write(issue) == []
    assert hours_of(issue) == 1.75


def test_the_values_of_other_fields_stay(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    team.github.set_number(issue, 4, field="Estimate")
    work(team, issue, hours=1)
    function.write(issue)
    assert {name: value.value for name, value in issue.field_values.items()} == {"Estimate": 4, FIELD: 1.0}


def test_hours_have_two_decimals(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1 / 3)
    function.write(issue)
    assert hours_of(issue) == 0.33


def test_a_running_timer_counts_up_to_the_present(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    team.github.assign(issue, team.people[0])
    team.deliver()
    function.clock.ms = team.t0 + 2 * HOUR * 1000
    function.write(issue)
    assert hours_of(issue) == 2.0


def test_only_the_working_time_counts(team: Team, function: WriteBackFunction) -> None:
    """Of two timers of a person that run at once, one counts, so both figures add up to the day."""
    first, second = new_issue(team), new_issue(team)
    ann = team.people[0]
    team.github.assign(first, ann, by=ann)
    team.at(HOUR)
    team.github.assign(second, ann, by=ann)
    team.at(4 * HOUR)
    team.github.unassign(first, ann)
    team.github.unassign(second, ann)
    team.deliver()
    function.write(first, second)
    assert (hours_of(first), hours_of(second)) == (1.0, 3.0)


def test_nothing_is_requested_if_the_figure_is_the_same(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    function.write(issue)
    requests(team.github)
    function.clock.ms += INTERVAL_MS
    assert function.write(issue) == []
    assert requests(team.github) == []


def test_nothing_is_written_to_an_issue_without_time(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    assert function.write(issue) == []
    assert requests(team.github) == []


def test_deleted_time_is_taken_back(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    function.write(issue)
    (timer,) = team.product.timers(team.people[0].id)
    TimerStore(team.product.table).delete(timer.user_id, timer.ulid, now_ms=now_ms())
    function.clock.ms += INTERVAL_MS
    function.write(issue)
    assert hours_of(issue) == 0.0


def test_an_issue_is_written_at_most_once_in_five_minutes(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    function.write(issue)
    work(team, issue, hours=1, since=2 * HOUR)
    function.clock.ms += INTERVAL_MS - 1
    assert function.write(issue) == []
    assert hours_of(issue) == 1.0
    # A new message waits in the queue, so that the issues of others need not wait.
    function.clock.ms += 1
    assert function.process() == []
    assert hours_of(issue) == 2.0


def test_the_time_of_a_transferred_issue_is_written_to_its_new_place(
    team: Team, function: WriteBackFunction
) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    moved = team.github.transfer(issue, team.github.new_repository(f"{team.name}/lib"))
    team.deliver()
    # The message was sent before the transfer.
    function.write(issue)
    assert hours_of(moved) == 1.0


def test_a_renamed_repository_is_found(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    before = known(issue)
    work(team, issue, hours=1)
    team.github.rename_repository(issue.repository, "renamed")
    team.pop_deliveries()
    function.messages.queue.send([before])
    assert function.process() == []
    assert hours_of(issue) == 1.0


# ---------------------------------------------------------------------- pull requests


def new_pull(team: Team, *closes: Issue) -> PullRequest:
    pull = team.github.open_pull_request(closes[0].repository, "A fix", closes)
    team.deliver()
    return pull


def test_the_time_of_a_pull_request_counts_for_the_issue_that_it_closes(
    team: Team, function: WriteBackFunction
) -> None:
    issue = new_issue(team)
    pull = new_pull(team, issue)
    work(team, issue, hours=1)
    work(team, pull, hours=0.5, since=2 * HOUR)
    function.write(pull)
    assert hours_of(issue) == 1.5


def test_the_time_of_a_pull_request_that_closes_two_issues_counts_for_none(
    team: Team, function: WriteBackFunction
) -> None:
    first, second = new_issue(team), new_issue(team)
    pull = new_pull(team, first, second)
    work(team, first, hours=1)
    work(team, pull, hours=0.5, since=2 * HOUR)
    function.write(first, second, pull)
    assert (hours_of(first), hours_of(second)) == (1.0, None)


def test_a_pull_request_that_closes_another_issue_counts_for_this_one(
    team: Team, function: WriteBackFunction
) -> None:
    first, second = new_issue(team), new_issue(team)
    pull = new_pull(team, first)
    work(team, pull, hours=0.5)
    team.github.edit_pull_request(pull, [second])
    team.deliver()
    function.write(first, pull)
    assert (hours_of(first), hours_of(second)) == (None, 0.5)


def test_pull_requests_that_close_each_other_cause_no_endless_messages(
    team: Team, function: WriteBackFunction
) -> None:
    first = new_pull(team, new_issue(team))
    second = new_pull(team, first)
    team.github.edit_pull_request(first, [second])
    team.deliver()
    work(team, first, hours=0.5)
    assert function.write(first, second) == []


# ---------------------------------------------------------------------- fields of projects


def on_board(team: Team, issue: Issue, *, has_field: bool = True) -> Any:
    project = team.github.new_project(team.name)
    if has_field:
        team.github.new_number_field(project, FIELD)
    return team.github.add_card(project, issue)


@pytest.fixture
def without_issue_field(team: Team) -> None:
    team.github.accounts[team.name].issue_fields.clear()


@pytest.mark.usefixtures("without_issue_field")
def test_without_a_field_of_issues_the_fields_of_projects_have_the_time(
    team: Team, function: WriteBackFunction
) -> None:
    issue = new_issue(team)
    card, other = on_board(team, issue), on_board(team, issue, has_field=False)
    archived = on_board(team, issue)
    team.github.archive_card(archived)
    work(team, issue, hours=1)
    assert function.write(issue) == []
    assert card.numbers[FIELD].number == 1.0
    assert not other.numbers
    assert not archived.numbers


@pytest.mark.usefixtures("without_issue_field")
def test_the_cards_of_pull_requests_have_their_own_time(team: Team, function: WriteBackFunction) -> None:
    pull = new_pull(team, new_issue(team), new_issue(team))
    card = on_board(team, pull)
    work(team, pull, hours=1)
    function.write(pull)
    assert card.numbers[FIELD].number == 1.0


@pytest.mark.usefixtures("without_issue_field")
def test_an_issue_without_field_and_project_is_left_alone(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    before = cannot(team.product)
    assert function.write(issue) == []
    assert set(cannot(team.product)) - set(before) == set()


@pytest.mark.usefixtures("without_issue_field")
def test_projects_without_the_field_are_reported(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    on_board(team, issue, has_field=False)
    work(team, issue, hours=1)
    assert function.write(issue) == []
    assert "write_back" in cannot(team.product)


# ---------------------------------------------------------------------- GitHub's answers


def test_what_github_refuses_is_reported_and_not_retried(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    team.github.faults.append(faults.status(403, path=f"POST /repos/{team.name}/app/issues/"))
    assert function.write(issue) == []
    assert "write_back" in cannot(team.product)
    function.clock.ms += INTERVAL_MS
    assert function.write(issue) == []
    assert hours_of(issue) == 1.0
    assert "write_back" not in cannot(team.product)


@pytest.fixture
def as_app(team: Team, running: Product) -> Iterator[dict[str, str]]:
    """Have the product act as an App, and return its permissions."""
    app = team.github.app
    team.github.install_app(team.name)
    running.store_credential({"app_id": app.client_id, "private_key": app.private_key})
    yield app.permissions
    running.store_credential({"token": TOKEN})


def test_an_app_writes_once_the_permission_was_accepted(
    team: Team, as_app: dict[str, str], running: Product
) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    as_app["issues"] = "read"
    with write_back(running) as function:
        assert function.write(issue) == []
        assert (hours_of(issue), "write_back" in cannot(running)) == (None, True)
        as_app["issues"] = "write"
        assert function.write(issue) == []
    assert (hours_of(issue), "write_back" in cannot(running)) == (1.0, False)
    # GitHub tells of our own write, with the App's bot as its sender.
    assert team.github.outbox[-1].payload["sender"]["type"] == "Bot"


def test_an_app_that_may_not_see_the_fields_of_issues_writes_those_of_projects(
    team: Team, as_app: dict[str, str], running: Product
) -> None:
    issue = new_issue(team)
    card = on_board(team, issue)
    work(team, issue, hours=1)
    del as_app["issue_fields"]
    with write_back(running) as function:
        function.write(issue)
        assert (card.numbers, "write_back" in cannot(running)) == ({}, True)
        as_app["organization_projects"] = "write"
        function.write(issue)
    assert (card.numbers[FIELD].number, "write_back" in cannot(running)) == (1.0, False)


@pytest.mark.parametrize("act", ["archive", "delete"])
def test_an_issue_that_cannot_be_written_says_nothing_about_others(
    team: Team, function: WriteBackFunction, act: str
) -> None:
    issue, other = new_issue(team), new_issue(team)
    work(team, issue, hours=1)
    work(team, other, hours=1, since=2 * HOUR)
    function.write(other)
    assert "write_back" not in cannot(team.product)
    if act == "archive":
        team.github.archive_repository(issue.repository)
    else:
        team.github.delete(issue)
    team.pop_deliveries()
    assert function.write(issue) == []
    assert "write_back" not in cannot(team.product)


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(502),
        faults.lost_response(),
        faults.secondary_limit(60),
        faults.secondary_limit(None, status=429),
        faults.primary_limit(600),
    ],
    ids=["502", "lost", "secondary", "429", "primary"],
)
def test_a_temporary_failure_is_retried(team: Team, function: WriteBackFunction, fault: Any) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    team.github.faults.append(fault)
    assert function.write(issue) == [known(issue).key]
    assert function.messages.delays_s[-1] >= 15
    function.clock.ms += INTERVAL_MS
    function.until_done(issue)
    assert hours_of(issue) == 1.0


# ---------------------------------------------------------------------- the comment


def comments(issue: Issue) -> list[str]:
    return [one.body for one in issue.comments]


def show_to(team: Team, visibility: Visibility, *people: int) -> None:
    for person in people:
        PeopleStore(team.product.table).choose_visibility(team.people[person].id, visibility)


def test_a_closed_issue_gets_a_comment_with_its_time(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    function.write(issue)
    assert comments(issue) == []
    close(team, issue)
    function.clock.ms += INTERVAL_MS
    function.write(issue)
    assert comments(issue) == [f"Time on this issue: **1.00 h**.\n\n{MARK}"]


def test_without_the_setting_there_is_no_comment(team: Team, running: Product) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    close(team, issue)
    with write_back(running, CLOSING_COMMENT="false") as function:
        function.write(issue)
    assert comments(issue) == []


def test_the_comment_names_people_if_everyone_sees_the_time_of_all_of_them(
    team: Team, function: WriteBackFunction
) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    work(team, issue, hours=0.5, since=2 * HOUR, person=1)
    close(team, issue)
    show_to(team, Visibility.EVERYONE, 0)
    function.write(issue)
    assert comments(issue) == [f"Time on this issue: **1.50 h**.\n\n{MARK}"]
    show_to(team, Visibility.EVERYONE, 1)
    function.clock.ms += INTERVAL_MS
    function.write(issue)
    ann, bob = (person.login for person in team.people)
    assert comments(issue) == [f"Time on this issue: **1.50 h** ({ann} 1.00 h, {bob} 0.50 h).\n\n{MARK}"]
    show_to(team, Visibility.LEADS, 0)
    function.clock.ms += INTERVAL_MS
    function.write(issue)
    assert comments(issue) == [f"Time on this issue: **1.50 h**.\n\n{MARK}"]


def test_the_comment_is_edited_in_place(team: Team, function: WriteBackFunction) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    close(team, issue)
    function.write(issue)
    team.github.reopen(issue)
    team.deliver()
    work(team, issue, hours=1, since=3 * HOUR)
    function.clock.ms += INTERVAL_MS
    function.write(issue)
    assert comments(issue) == [f"Time on this issue: **2.00 h**.\n\n{MARK}"]


def test_a_comment_that_somebody_has_deleted_is_not_written_again(
    team: Team, function: WriteBackFunction
) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    close(team, issue)
    function.write(issue)
    team.github.delete_comment(issue.comments[0])
    for hours in (3, 5):
        work(team, issue, hours=1, since=hours * HOUR)
        function.clock.ms += INTERVAL_MS
        assert function.write(issue) == []
    assert comments(issue) == []


def test_a_comment_of_somebody_else_with_the_mark_is_not_ours(
    team: Team, function: WriteBackFunction
) -> None:
    issue = new_issue(team)
    work(team, issue, hours=1)
    team.github.comment(issue, team.people[1], f"Mine.\n\n{MARK}")
    close(team, issue)
    function.write(issue)
    assert comments(issue) == [f"Mine.\n\n{MARK}", f"Time on this issue: **1.00 h**.\n\n{MARK}"]


def test_a_closed_issue_is_queued_even_if_no_timer_was_open(
    team: Team, function: WriteBackFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team.product.processor, "write_back_queue", function.messages.queue)
    issue = new_issue(team)
    work(team, issue, hours=1)
    assert function.messages.take_keys() == set()
    close(team, issue)
    assert function.messages.take_keys() == {known(issue).key}


# ---------------------------------------------------------------------- faults


def a_closed_issue(team: Team) -> Issue:
    issue = new_issue(team)
    work(team, issue, hours=1)
    close(team, issue)
    team.github.requests.clear()
    return issue


@pytest.mark.parametrize("has_effect", [False, True], ids=["request lost", "response lost"])
@pytest.mark.parametrize("number", range(4))
def test_a_fault_at_any_request_loses_nothing_and_doubles_nothing(
    team: Team, function: WriteBackFunction, number: int, has_effect: bool
) -> None:
    issue, seen = a_closed_issue(team), 0

    def drop(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == number + 1:
            raise Drop

    if has_effect:
        team.github.after_request = drop
    else:
        team.github.before_request = drop
    function.until_done(issue)
    assert seen > 4
    assert hours_of(issue) == 1.0
    assert comments(issue) == [f"Time on this issue: **1.00 h**.\n\n{MARK}"]


def test_a_write_without_faults_has_four_requests(team: Team, function: WriteBackFunction) -> None:
    """The list of the fields, the field, the search for our comment, and the comment."""
    issue = a_closed_issue(team)
    function.write(issue)
    assert requests(team.github) == [
        f"GET /orgs/{team.name}/issue-fields",
        f"POST /repos/{team.name}/app/issues/{issue.number}/issue-field-values",
        "POST /graphql",
        f"POST /repos/{team.name}/app/issues/{issue.number}/comments",
    ]


@pytest.mark.parametrize("number", range(2))
def test_a_crash_before_a_write_is_recorded_doubles_nothing(
    team: Team, function: WriteBackFunction, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue, seen = a_closed_issue(team), 0
    store = function.module.write_back._written
    record: Callable[..., None] = store.record

    def crash(*args: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == number + 1:
            raise RuntimeError("The process was killed.")
        record(*args)

    monkeypatch.setattr(store, "record", crash)
    function.until_done(issue)
    assert (hours_of(issue), len(issue.comments)) == (1.0, 1)


# ---------------------------------------------------------------------- our own echo


def test_our_own_writes_change_nothing_and_cause_no_write(team: Team, function: WriteBackFunction) -> None:
    """With a token, the sender of our writes is a person, who may be timed on the issue."""
    issue = new_issue(team)
    maintainer = team.github.maintainer
    PeopleStore(team.product.table).register(maintainer.id, maintainer.login, now_ms=0)
    card = on_board(team, issue)
    team.github.assign(issue, maintainer)
    work(team, issue, hours=1)
    close(team, issue)
    (before,) = team.product.timers(maintainer.id)
    team.pop_deliveries()
    function.until_done(issue)
    team.github.set_card_number(card, 1, field=FIELD)
    echo = [f"{one.event}.{one.action}" for one in team.github.outbox]
    assert echo == ["issues.field_added", "issue_comment.created", "projects_v2_item.edited"]
    team.send()
    team.product.process()
    assert team.product.timers(maintainer.id) == [before]
    assert function.messages.take_keys() == set()
