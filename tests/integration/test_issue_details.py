"""The details of issues, kept from deliveries and corrected by the daily repair."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from tests.support.product import TOKEN, Product, Team, ago, new_team, product
from timer_core.clock import now_ms
from timer_core.domain.issue_details import IssueDetails, ProjectStatus, Register
from timer_core.domain.issues import Issue
from timer_core.store.event_log import EventLog
from timer_core.store.issue_details import IssueDetailsStore
from timer_core.store.keys import DETAILS_SK, issue_pk
from timer_core.store.timers import TimerStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fake_github import FakeGitHub, model
    from timer_core.store.table import Table

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def running(shared_table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(shared_table, github.url) as running:
        running.store_credential({"token": TOKEN})
        yield running


@pytest.fixture
def team(running: Product, github: FakeGitHub) -> Team:
    return new_team(github, running, size=2, t0=ago(minutes=30))


def identity(issue: model.Issue) -> Issue:
    repository = issue.repository
    return Issue.of(repository.full_name, issue.number, repo_id=repository.id)


def details(team: Team, issue: model.Issue) -> IssueDetails | None:
    found = IssueDetailsStore(team.product.table).read([identity(issue)])
    return found.get(identity(issue).key)


def known(team: Team, issue: model.Issue) -> IssueDetails:
    found = details(team, issue)
    assert found is not None
    return found


def stored(team: Team, issue: model.Issue) -> str | None:
    item = team.product.table.get(issue_pk(identity(issue)), DETAILS_SK)
    return None if item is None else item["registers"]["S"]


def timed_issue(team: Team, title: str = "It is slow", repository: str = "app") -> model.Issue:
    """Return an issue on which the first person's timer runs."""
    issue = team.github.new_issue(f"{team.name}/{repository}", title)
    team.at(1)
    team.github.assign(issue, team.people[0])
    team.deliver()
    return issue


class TestKept:
    def test_a_delivery_that_starts_a_timer_brings_the_details(self, team: Team) -> None:
        issue = team.github.new_issue(f"{team.name}/app", "It is slow")
        team.github.label(issue, "ui")
        team.github.set_milestone(issue, "v1")
        team.github.set_type(issue, "Bug")
        team.github.set_number(issue, 4.5)
        team.pop_deliveries()
        team.at(1)
        team.github.assign(issue, team.people[0])
        team.deliver()
        found = known(team, issue)
        assert (found.title, found.state, found.labels) == ("It is slow", "open", ("ui",))
        assert (found.milestone, found.type, found.estimate_ms) == ("v1", "Bug", 4.5 * HOUR_MS)

    def test_the_details_of_an_issue_without_timers_are_not_kept(self, team: Team) -> None:
        issue = team.github.new_issue(f"{team.name}/app")
        team.github.label(issue, "ui")
        team.github.rename_issue(issue, "It is slow")
        team.github.set_parent(issue, team.github.new_issue(f"{team.name}/app"))
        team.deliver()
        assert details(team, issue) is None

    def test_details_follow_what_happens_to_the_issue(self, team: Team) -> None:
        issue = timed_issue(team)
        parent = team.github.new_issue(f"{team.name}/other", "The whole")
        changes: list[Callable[[], None]] = [
            lambda: team.github.rename_issue(issue, "It was slow"),
            lambda: team.github.label(issue, "ui"),
            lambda: team.github.set_milestone(issue, "v1"),
            lambda: team.github.set_type(issue, "Task"),
            lambda: team.github.set_number(issue, 2),
            lambda: team.github.set_parent(issue, parent),
            lambda: team.github.close(issue),
        ]
        for second, change in enumerate(changes, start=2):
            team.at(second)
            change()
            team.deliver()
        found = known(team, issue)
        assert (found.title, found.state, found.labels) == ("It was slow", "closed", ("ui",))
        assert (found.milestone, found.type, found.estimate_ms) == ("v1", "Task", 2 * HOUR_MS)
        assert found.parent == identity(parent)

    def test_what_is_removed_is_no_detail_any_more(self, team: Team) -> None:
        issue = timed_issue(team)
        for value in ("v1", None):
            team.github.set_milestone(issue, value)
        for value in ("Bug", None):
            team.github.set_type(issue, value)
        for parent in (team.github.new_issue(f"{team.name}/app"), None):
            team.github.set_parent(issue, parent)
        team.github.set_number(issue, 2)
        team.github.set_number(issue, None)
        team.deliver()
        found = known(team, issue)
        assert (found.milestone, found.type, found.parent, found.estimate_ms) == ("", "", None, None)

    def test_details_stay_when_the_timer_is_stopped_and_the_issue_deleted(self, team: Team) -> None:
        issue = timed_issue(team)
        team.at(2)
        team.github.delete(issue)
        team.deliver()
        assert (known(team, issue).title, known(team, issue).state) == ("It is slow", "deleted")

    def test_details_name_no_person(self, team: Team) -> None:
        issue = timed_issue(team)
        text = stored(team, issue) or ""
        assert not any(person.login in text or str(person.id) in text for person in team.people)


class TestOrder:
    def test_any_order_and_repetition_of_deliveries_ends_with_the_same_details(self, team: Team) -> None:
        ends = set()
        changes = 3
        for order in permutations(range(changes)):
            issue = timed_issue(team)
            team.at(2)
            team.github.label(issue, "ui")
            # These two have the same second.
            team.github.set_milestone(issue, "v1")
            team.github.unlabel(issue, "ui")
            deliveries = team.pop_deliveries()
            assert len(deliveries) == changes
            for position in (*order, *reversed(order)):
                team.github.send(deliveries[position])
                team.product.queue.end_deduplication()
                team.product.process()
            ends.add((known(team, issue).labels, known(team, issue).milestone))
        assert ends == {((), "v1")}


class TestConcurrency:
    def test_processes_that_have_read_the_same_details_keep_what_both_have_seen(self, team: Team) -> None:
        issue = timed_issue(team)
        table = team.product.table
        history, store = EventLog(table).read(identity(issue)), IssueDetailsStore(table)
        seen = {name: Register(now_ms(), 0, f"new {name}") for name in ("title", "milestone")}
        for name, register in seen.items():
            assert store.record(history, {name: register}, now_ms=now_ms())
        assert (known(team, issue).title, known(team, issue).milestone) == ("new title", "new milestone")
        assert not store.record(history, seen, now_ms=now_ms())


class TestProjects:
    def test_a_moved_card_brings_project_and_status(self, team: Team) -> None:
        issue = timed_issue(team)
        card = team.github.add_card(team.github.new_project(team.name, "Board"), issue)
        team.github.move_card(card, "Todo")
        team.deliver()
        assert known(team, issue).projects == (ProjectStatus("Board", "Todo"),)

    def test_a_card_without_a_status_brings_its_project(self, team: Team) -> None:
        issue = timed_issue(team)
        team.github.add_card(team.github.new_project(team.name, "Board"), issue)
        team.deliver()
        assert known(team, issue).projects == (ProjectStatus("Board", ""),)

    def test_a_number_field_of_a_project_is_an_estimate(self, team: Team) -> None:
        issue = timed_issue(team)
        card = team.github.add_card(team.github.new_project(team.name, "Board"), issue)
        team.github.set_card_number(card, 3)
        team.github.set_card_number(card, 5, field="Priority points")
        team.deliver()
        assert known(team, issue).estimate_ms == 3 * HOUR_MS

    def test_an_archived_card_keeps_its_project_and_a_deleted_one_does_not(self, team: Team) -> None:
        issue = timed_issue(team)
        card = team.github.add_card(team.github.new_project(team.name, "Board"), issue)
        team.at(2)
        team.github.archive_card(card)
        team.deliver()
        assert known(team, issue).projects == (ProjectStatus("Board", ""),)
        team.at(3)
        team.github.delete_card(card)
        team.deliver()
        assert known(team, issue).projects == ()


class TestCommand:
    def test_a_command_gives_and_takes_back_the_estimate(self, team: Team) -> None:
        issue = timed_issue(team)
        team.github.set_number(issue, 2)
        team.github.comment(issue, team.people[0], "/timer estimate 4h")
        team.deliver()
        assert known(team, issue).estimate_ms == 4 * HOUR_MS
        assert [(one.content, one.user.type) for one in issue.comments[0].reactions] == [("+1", "User")]
        assert issue.comments[1].body.startswith("Estimated 4h for this issue.\n")
        team.github.comment(issue, team.people[1], "/timer estimate none")
        team.deliver()
        assert known(team, issue).estimate_ms == 2 * HOUR_MS

    def test_an_estimate_may_be_given_before_anybody_is_timed(self, team: Team) -> None:
        issue = team.github.new_issue(f"{team.name}/app", "It is slow")
        team.github.comment(issue, team.people[0], "/timer estimate 1h 30m")
        team.deliver()
        assert (known(team, issue).estimate_ms, known(team, issue).title) == (1.5 * HOUR_MS, "It is slow")

    def test_an_estimate_of_somebody_who_is_not_registered_is_refused(self, team: Team) -> None:
        issue = timed_issue(team)
        team.github.comment(issue, team.github.new_user("stranger"), "/timer estimate 4h")
        team.deliver()
        assert known(team, issue).estimate_ms is None
        assert [one.content for one in issue.comments[0].reactions] == ["confused"]


class TestMoves:
    def test_a_transferred_issue_takes_its_details_along(self, team: Team) -> None:
        issue = timed_issue(team)
        team.at(2)
        team.github.comment(issue, team.people[0], "/timer estimate 4h")
        team.github.label(issue, "ui")
        team.deliver()
        team.at(3)
        moved = team.github.transfer(issue, team.github.new_repository(f"{team.name}/other"))
        team.deliver()
        found = known(team, moved)
        # The other repository has no label of this name.
        assert (found.title, found.labels, found.estimate_ms) == ("It is slow", (), 4 * HOUR_MS)
        assert stored(team, issue) == "{}"

    def test_a_late_delivery_about_the_former_repository_changes_the_details(self, team: Team) -> None:
        issue = timed_issue(team)
        team.at(2)
        team.github.set_milestone(issue, "v1")
        (late,) = team.pop_deliveries()
        moved = team.github.transfer(issue, team.github.new_repository(f"{team.name}/other"))
        team.deliver()
        team.github.send(late)
        team.product.process()
        assert known(team, moved).title == "It is slow"
        assert stored(team, issue) == "{}"


class TestRepair:
    def started_by_hand(self, team: Team, issue: model.Issue) -> None:
        """Start a timer on an issue of which no delivery has told."""
        team.pop_deliveries()
        store = TimerStore(team.product.table)
        store.start(user_id=team.people[0].id, now_ms=now_ms(), issue=identity(issue))

    def test_the_repair_brings_all_details(self, team: Team) -> None:
        github = team.github
        issue = github.new_issue(f"{team.name}/app", "It is slow")
        parent = github.new_issue(f"{team.name}/app", "The whole")
        github.label(issue, "ui")
        github.set_milestone(issue, "v1")
        github.set_type(issue, "Bug")
        github.set_number(issue, 2)
        github.set_parent(issue, parent)
        card = github.add_card(github.new_project(team.name, "Board"), issue)
        github.move_card(card, "Todo")
        github.set_card_number(card, 9)
        self.started_by_hand(team, issue)
        team.product.sweep()
        assert known(team, issue) == IssueDetails(
            known(team, issue).issue,
            "It is slow",
            "open",
            ("ui",),
            "v1",
            "Bug",
            identity(parent),
            (ProjectStatus("Board", "Todo"),),
            2 * HOUR_MS,
        )

    def test_the_repair_corrects_what_was_not_delivered(self, team: Team) -> None:
        issue = timed_issue(team)
        project = team.github.new_project(team.name, "Board")
        card = team.github.add_card(project, issue)
        team.github.set_parent(issue, team.github.new_issue(f"{team.name}/app"))
        team.github.set_milestone(issue, "v1")
        team.deliver()
        team.github.set_parent(issue, None)
        team.github.set_milestone(issue, None)
        team.github.delete_card(card)
        team.pop_deliveries()
        team.product.sweep()
        found = known(team, issue)
        assert (found.parent, found.milestone, found.projects) == (None, "", ())

    def test_without_access_to_projects_the_repair_brings_the_rest(self, team: Team) -> None:
        issue = team.github.new_issue(f"{team.name}/app", "It is slow")
        team.github.set_type(issue, "Bug")
        team.github.add_card(team.github.new_project(team.name, "Board"), issue)
        self.started_by_hand(team, issue)
        token = team.github.tokens.pop(TOKEN)
        team.github.tokens[TOKEN] = type(token)(token.user, scopes=frozenset({"repo"}))
        summary = team.product.sweep()["reconcile"]
        assert (summary["issues"], summary["unreachable"], summary["failed"]) == (1, 0, 0)
        assert (known(team, issue).type, known(team, issue).projects) == ("Bug", ())

    def test_a_server_that_does_not_know_issue_types_brings_the_rest(self, team: Team) -> None:
        team.github.has_issue_fields = False
        issue = timed_issue(team)
        team.github.set_type(issue, "Bug")
        team.deliver()
        team.github.label(issue, "ui")
        team.pop_deliveries()
        summary = team.product.sweep()["reconcile"]
        assert (summary["issues"], summary["failed"]) == (1, 0)
        assert (known(team, issue).type, known(team, issue).labels) == ("Bug", ("ui",))

    def test_a_dry_run_keeps_nothing(self, team: Team) -> None:
        issue = team.github.new_issue(f"{team.name}/app")
        self.started_by_hand(team, issue)
        team.product.sweep(dry_run=True)
        assert details(team, issue) is None
