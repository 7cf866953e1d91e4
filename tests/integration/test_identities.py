"""Repositories and their owners change their names, and timers stay with their issues."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from fake_github import FakeGitHub
from fake_github.model import Account, Issue
from fake_github.model import Repository as GitHubRepository
from tests.support.account_deletion import delete_account
from tests.support.app import App, open_app
from tests.support.handlers import Clock
from tests.support.network import Killed
from tests.support.product import Message, Product, Team, ago, new_team
from timer_core.clock import iso, now_ms
from timer_core.domain.events import Event, guid_time_at
from timer_core.domain.issues import Issue as Named
from timer_core.domain.issues import Repository
from timer_core.domain.moves import Move
from timer_core.domain.timers import Timer
from timer_core.github.api.issues import fetch_issues
from timer_core.github.api.timeline import IssueState
from timer_core.services import reconciliation
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.account_deletion import AccountDeletionStore
from timer_core.store.account_export import AccountExport
from timer_core.store.derived_timers import DerivedTimers
from timer_core.store.event_log import EventLog
from timer_core.store.health import HealthStore
from timer_core.store.items import ProfileItem
from timer_core.store.keys import slot_key
from timer_core.store.people import PeopleStore
from timer_core.store.repositories import PresentNames, Repositories
from timer_core.store.table import Table, Write
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Patch

MINUTE = 60


@pytest.fixture
def team(github: FakeGitHub, running: Product) -> Team:
    return new_team(github, running, size=2, t0=ago(60))


@pytest.fixture
def ann(team: Team) -> Account:
    return team.people[0]


@pytest.fixture
def repository(team: Team) -> GitHubRepository:
    return team.github.new_repository(f"{team.name}/app")


@pytest.fixture
def issue(team: Team, repository: GitHubRepository) -> Issue:
    issue = team.github.new_issue(repository)
    # Drop the events of the setup.
    team.pop_deliveries()
    return issue


def named(issue: Issue) -> Named:
    """Return an issue as a person gives it: without the id of the repository."""
    return Named.of(issue.repository.full_name, issue.number)


def start(team: Team, who: Account, issue: Named, second: float = 0) -> tuple[Timer, bool]:
    at_ms = team.t0 + round(second * 1000)
    return TimerStore(team.product.table).start(user_id=who.id, now_ms=at_ms, issue=issue)


def spans(team: Team, who: Account) -> list[tuple[str, float, float | None, str]]:
    """Return the issue, the start and the end (seconds), and the status of each timer."""
    return [
        (
            f"{timer.issue.full_name}#{timer.issue.number}" if timer.issue else "",
            (timer.start_ms - team.t0) / 1000,
            None if timer.end_ms is None else (timer.end_ms - team.t0) / 1000,
            timer.status.value,
        )
        for timer in team.product.timers(who.id)
    ]


class TestOwners:
    @pytest.mark.parametrize("is_announced", [True, False], ids=["announced", "unannounced"])
    def test_closing_under_a_new_login_of_the_owner_stops_the_timer(
        self, team: Team, ann: Account, issue: Issue, is_announced: bool
    ) -> None:
        team.github.assign(issue, ann)
        team.deliver()
        team.at(10)
        team.github.rename_owner(issue.repository.owner, f"{team.name}-new")
        if not is_announced:
            team.pop_deliveries()
        team.at(20)
        team.github.close(issue)
        team.deliver()
        assert spans(team, ann) == [(f"{team.name}-new/app#1", 0, 20, "stopped")]

    def test_an_announced_login_is_shown_without_another_delivery(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        team.github.assign(issue, ann)
        team.deliver()
        team.github.rename_owner(issue.repository.owner, f"{team.name}-new")
        team.deliver()
        (timer,) = team.product.timers(ann.id)
        assert (timer.issue and timer.issue.owner, timer.organization) == (f"{team.name}-new",) * 2

    def test_a_late_delivery_from_before_a_new_login_does_not_undo_it(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        team.github.assign(issue, ann)
        (assigned,) = team.pop_deliveries()
        team.at(10)
        team.github.rename_owner(issue.repository.owner, f"{team.name}-new")
        team.deliver()
        team.github.send(assigned)
        team.product.process()
        assert spans(team, ann) == [(f"{team.name}-new/app#1", 0, None, "running")]

    def test_an_organization_that_was_set_manually_is_kept(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        team.github.assign(issue, ann)
        team.deliver()
        (timer,) = team.product.timers(ann.id)
        patch = Patch(organization="customer")
        TimerStore(team.product.table).patch(ann.id, timer.ulid, patch, now_ms=now_ms())
        team.github.rename_owner(issue.repository.owner, f"{team.name}-new")
        team.deliver()
        (timer,) = team.product.timers(ann.id)
        assert timer.organization == "customer"


class TestJoining:
    def test_an_event_finds_the_timer_that_a_person_started_by_url(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        started, _ = start(team, ann, named(issue))
        team.at(10)
        team.github.assign(issue, ann)
        team.deliver()
        team.at(20)
        team.github.close(issue)
        team.deliver()
        (timer,) = team.product.timers(ann.id)
        assert (timer.ulid, timer.issue and timer.issue.repo_id) == (started.ulid, issue.repository.id)
        assert spans(team, ann) == [(f"{team.name}/app#1", 0, 20, "stopped")]

    def test_timers_on_other_issues_of_the_repository_join_too(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        other = team.github.new_issue(issue.repository)
        for one in (issue, other):
            start(team, ann, named(one))
        team.github.assign(issue, team.people[1])
        team.deliver()
        again, created = start(team, ann, named(other), 30)
        assert (created, again.issue and again.issue.repo_id) == (False, issue.repository.id)
        assert len(team.product.timers(ann.id)) == 2

    def test_a_timer_under_a_former_name_joins_the_timer_of_the_issue(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        """The id is known, but not under the name that the person used."""
        team.github.rename_repository(issue.repository, "renamed")
        (renamed,) = team.pop_deliveries()
        start(team, ann, Named(team.name, "app", issue.number))
        team.at(10)
        team.github.assign(issue, ann)
        team.deliver()
        assert len(spans(team, ann)) == 2
        # A delivery from before the rename names the repository as the person did.
        earlier = dict(renamed.payload, repository=dict(renamed.payload["repository"]))
        earlier["repository"]["full_name"] = f"{team.name}/app"
        issue_timers = IssueTimers(team.product.table, TimerStore(team.product.table))
        before = Named(team.name, "app", issue.number, repo_id=issue.repository.id)
        issue_timers.observe(before.repository, guid_time_at(team.t0 - 1000), now_ms=now_ms())
        assert spans(team, ann) == [(f"{team.name}/renamed#1", 0, None, "running")]

    def test_a_start_under_any_known_name_returns_the_open_timer(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        former = named(issue)
        team.github.assign(issue, ann)
        team.deliver()
        team.github.rename_repository(issue.repository, "renamed")
        team.deliver()
        (timer,) = team.product.timers(ann.id)
        for one in (former, named(issue), Named(team.name.upper(), "RENAMED", issue.number)):
            assert (start(team, ann, one, 5)[0].ulid, start(team, ann, one, 5)[1]) == (timer.ulid, False)

    def test_an_interrupted_join_is_continued_by_the_next_delivery(
        self, team: Team, ann: Account, issue: Issue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start(team, ann, named(issue))
        team.github.assign(issue, ann)
        (assigned,) = team.pop_deliveries()

        def die(*_: object, **__: object) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(IssueTimers, "_rederive_people", die)
            team.github.send(assigned)
            with pytest.raises(Killed):
                team.product.process()
        team.product.queue.end_deduplication()
        team.github.send(assigned)
        team.product.process()
        assert spans(team, ann) == [(f"{team.name}/app#1", 0, None, "running")]
        assert start(team, ann, named(issue), 30)[1] is False

    def test_a_start_while_the_id_becomes_known_gets_the_id(
        self, team: Team, ann: Account, issue: Issue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        identify = Repositories.identify
        team.github.assign(issue, team.people[1])

        def identify_and_deliver(self: Repositories, one: Named) -> Named:
            found = identify(self, one)
            if not found.repo_id and team.github.outbox:
                team.deliver()
            return found

        monkeypatch.setattr(Repositories, "identify", identify_and_deliver)
        timer, _ = start(team, ann, named(issue))
        assert timer.issue is not None
        assert timer.issue.repo_id == issue.repository.id

    def test_a_timer_that_is_moved_to_an_issue_by_url_joins_it(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        timer, _ = start(team, ann, Named("octocat", f"elsewhere-{ann.id}", 1))
        store = TimerStore(team.product.table)
        store.patch(ann.id, timer.ulid, Patch(issue=(named(issue),)), now_ms=team.t0 + 1000)
        team.at(20)
        team.github.assign(issue, ann)
        team.deliver()
        team.at(30)
        team.github.close(issue)
        team.deliver()
        assert spans(team, ann) == [(f"{team.name}/app#1", 0, 30, "stopped")]

    def test_a_name_that_another_repository_has_got_means_the_other(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        team.github.assign(issue, ann)
        team.at(10)
        team.github.rename_repository(issue.repository, "legacy")
        team.at(20)
        successor = team.github.new_issue(team.github.new_repository(f"{team.name}/app"))
        team.github.assign(successor, team.people[1])
        team.deliver()
        timer, created = start(team, ann, named(successor), 30)
        assert (created, timer.issue and timer.issue.repo_id) == (True, successor.repository.id)
        assert [span[0] for span in spans(team, ann)] == [f"{team.name}/legacy#1", f"{team.name}/app#1"]


class TestRepositories:
    @pytest.mark.parametrize("is_late", [False, True])
    def test_archiving_pauses_all_timers_until_the_repository_is_restored(
        self, team: Team, issue: Issue, is_late: bool
    ) -> None:
        other = team.github.new_issue(issue.repository)
        for who, one in zip(team.people, (issue, other), strict=True):
            team.github.assign(one, who)
        assigned = team.pop_deliveries()
        for delivery in () if is_late else assigned:
            team.github.send(delivery)
        team.at(10)
        team.github.archive_repository(issue.repository)
        team.deliver()
        for delivery in assigned:
            team.github.send(delivery)
        team.product.queue.end_deduplication()
        team.product.process()
        for who in team.people:
            (timer,) = team.product.timers(who.id)
            assert (timer.status, timer.last_pause_ms) == ("paused", team.t0 + 10_000)
        team.at(20)
        team.github.archive_repository(issue.repository, archived=False)
        team.deliver()
        for who in team.people:
            (timer,) = team.product.timers(who.id)
            assert (timer.status, timer.active_ms(team.t0 + 30_000)) == ("running", 20_000)

    def test_restoring_a_repository_does_not_resume_what_somebody_paused(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        team.github.assign(issue, ann)
        team.at(5)
        team.github.unassign(issue, ann)
        team.at(10)
        team.github.archive_repository(issue.repository)
        team.at(20)
        team.github.archive_repository(issue.repository, archived=False)
        team.deliver()
        assert [span[3] for span in spans(team, ann)] == ["paused"]

    def test_deleting_a_repository_stops_all_timers(self, team: Team, ann: Account, issue: Issue) -> None:
        team.github.assign(issue, ann)
        team.deliver()
        team.at(10)
        team.github.delete_repository(issue.repository)
        team.deliver()
        assert spans(team, ann) == [(f"{team.name}/app#1", 0, 10, "stopped")]

    @pytest.mark.parametrize("is_late", [False, True])
    def test_a_transferred_issue_survives_its_former_repository(
        self, team: Team, ann: Account, issue: Issue, is_late: bool
    ) -> None:
        former = issue.repository
        team.github.assign(issue, ann)
        team.at(10)
        moved = team.github.transfer(issue, team.github.new_repository(f"{team.name}/other"))
        deliveries = team.pop_deliveries()
        team.at(20)
        team.github.delete_repository(former)
        deliveries += team.pop_deliveries()
        for delivery in reversed(deliveries) if is_late else deliveries:
            team.github.send(delivery)
        team.product.process()
        assert spans(team, ann) == [(f"{team.name}/other#{moved.number}", 0, None, "running")]

    def test_a_late_event_of_the_former_repository_concerns_a_transferred_issue(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        former = issue.repository
        team.github.assign(issue, ann)
        team.deliver()
        team.at(10)
        team.github.archive_repository(former)
        (archived,) = team.pop_deliveries()
        team.at(20)
        team.github.archive_repository(former, archived=False)
        (unarchived,) = team.pop_deliveries()
        team.at(40)
        moved = team.github.transfer(issue, team.github.new_repository(f"{team.name}/other"))
        team.deliver()
        for delivery in (unarchived, archived):
            team.github.send(delivery)
        team.product.process()
        (timer,) = team.product.timers(ann.id)
        assert (timer.issue and timer.issue.number, timer.paused_ms) == (moved.number, 10_000)


class Interrupted:
    """Makes the writes of a table fail after some number of them."""

    def __init__(self, table: Table, monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
        self._write, self._left = table.write, after
        monkeypatch.setattr(table, "write", self)

    def __call__(self, write: Write) -> object:
        if not self._left:
            raise Killed
        self._left -= 1
        return self._write(write)


class TestObservations:
    """Repositories in these tests have names of their own, and the times are seconds after ``t0``."""

    @pytest.fixture
    def observe(self, team: Team) -> Callable[..., None]:
        issue_timers = IssueTimers(team.product.table, TimerStore(team.product.table))

        def observe(repo_id: int, name: str, second: float, *, is_change: bool = False) -> None:
            at_ms = team.t0 + round(second * 1000)
            repository = Repository(repo_id, f"{team.name}/{name}")
            issue_timers.observe(repository, guid_time_at(at_ms), now_ms=now_ms(), is_change=is_change)

        return observe

    def present_name(self, team: Team, repo_id: int) -> str:
        name = Repositories(team.product.table).name(repo_id)
        assert name is not None
        return name.full_name.removeprefix(f"{team.name}/")

    @pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
    def test_a_rename_and_its_reversal_end_with_the_first_name_in_any_order(
        self, team: Team, ann: Account, issue: Issue, order: tuple[int, ...]
    ) -> None:
        team.github.assign(issue, ann)
        deliveries = team.pop_deliveries()
        for second, name in ((600, "other"), (1200, "app")):
            team.at(second)
            team.github.rename_repository(issue.repository, name)
            deliveries += team.pop_deliveries()
        for position in order:
            team.github.send(deliveries[position])
            team.product.process()
        assert self.present_name(team, issue.repository.id) == "app"
        assert [span[0] for span in spans(team, ann)] == [f"{team.name}/app#1"]

    @pytest.mark.parametrize("writes", range(4))
    def test_an_interrupted_return_of_a_name_is_finished_by_the_next_attempt(
        self,
        team: Team,
        observe: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        writes: int,
    ) -> None:
        first, second = team.people[0].id, team.people[1].id
        for repo_id, name, at in ((first, "x", 0), (first, "y", 1), (second, "x", 2), (second, "z", 3)):
            observe(repo_id, name, at, is_change=True)
        with monkeypatch.context() as patch:
            Interrupted(team.product.table, patch, after=writes)
            with contextlib.suppress(Killed):
                observe(first, "x", 4, is_change=True)
        observe(first, "x", 4, is_change=True)
        assert Repositories(team.product.table).identify(Named(team.name, "x", 1)).repo_id == first
        assert self.present_name(team, first) == "x"

    @pytest.mark.parametrize("writes", range(6))
    def test_an_interrupted_change_of_an_owners_login_is_finished_by_the_next_attempt(
        self,
        team: Team,
        ann: Account,
        observe: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        writes: int,
    ) -> None:
        table = team.product.table
        issue_timers = IssueTimers(table, TimerStore(table))
        observe(ann.id, "x", 0)
        started, _ = start(team, ann, Named(team.name, "x", 1))

        def rename() -> None:
            renamed_at = guid_time_at(team.t0 + 1000)
            issue_timers.rename_owner(team.name, f"{team.name}-new", renamed_at, now_ms=now_ms())

        with monkeypatch.context() as patch:
            Interrupted(table, patch, after=writes)
            with contextlib.suppress(Killed):
                rename()
        rename()
        again, created = start(team, ann, Named(f"{team.name}-new", "x", 1), 30)
        assert (again.ulid, created) == (started.ulid, False)

    @pytest.mark.parametrize("order", ["rename first", "login first", "login first, then others"])
    def test_a_repository_that_was_renamed_before_its_owner_has_both_new_names(
        self, team: Team, ann: Account, issue: Issue, order: str
    ) -> None:
        team.github.assign(issue, ann)
        team.deliver()
        team.at(10)
        team.github.rename_repository(issue.repository, "renamed")
        deliveries = team.pop_deliveries()
        team.at(20)
        team.github.rename_owner(issue.repository.owner, f"{team.name}-new")
        login = team.pop_deliveries()
        deliveries = [*deliveries, *login] if order == "rename first" else [*login, *deliveries]
        if order.endswith("others"):
            deliveries += login
        for delivery in deliveries:
            team.github.send(delivery)
            team.product.process()
        assert [span[0] for span in spans(team, ann)] == [f"{team.name}-new/renamed#1"]

    def test_a_timer_under_the_new_login_joins_when_a_delivery_has_the_former_one(
        self, team: Team, ann: Account, observe: Callable[..., None]
    ) -> None:
        table = team.product.table
        renamed_at = guid_time_at(team.t0 - 1000)
        IssueTimers(table, TimerStore(table)).rename_owner(
            team.name, f"{team.name}-new", renamed_at, now_ms=now_ms()
        )
        started, _ = start(team, ann, Named(f"{team.name}-new", "x", 1))
        observe(ann.id, "x", -5)
        again, created = start(team, ann, Named(f"{team.name}-new", "x", 1), 30)
        assert (again.ulid, created) == (started.ulid, False)

    def test_a_time_in_the_future_does_not_freeze_a_name(
        self, team: Team, ann: Account, observe: Callable[..., None]
    ) -> None:
        observe(ann.id, "x", 10**9)
        time.sleep(0.002)
        table = team.product.table
        later = guid_time_at(now_ms())
        renamed = Repository(ann.id, f"{team.name}/y")
        IssueTimers(table, TimerStore(table)).observe(renamed, later, now_ms=now_ms(), is_change=True)
        assert self.present_name(team, ann.id) == "y"

    def test_names_expire_after_the_last_delivery_and_logins_after_their_events(
        self, team: Team, ann: Account, observe: Callable[..., None]
    ) -> None:
        table = team.product.table
        observe(ann.id, "x", 0)
        issue_timers = IssueTimers(table, TimerStore(table))
        issue_timers.rename_owner(team.name, "new", guid_time_at(team.t0), now_ms=now_ms())
        for pk, sk, days in (
            (f"repo#{ann.id}", "repository", 400),
            (f"owner#{team.name}", "name#x", 400),
            (f"owner#{team.name}", "renamed", 31),
        ):
            item = table.get(pk, sk)
            assert item is not None
            assert abs(int(item["expires_at"]["N"]) - now_ms() / 1000 - days * 86_400) < 60

    def test_an_event_of_a_person_who_is_not_tracked_names_the_repository_too(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        start(team, ann, named(issue))
        team.github.assign(issue, team.github.new_user("stranger"))
        team.deliver()
        (timer,) = team.product.timers(ann.id)
        assert timer.issue is not None
        assert timer.issue.repo_id == issue.repository.id

    def test_a_card_has_the_name_of_the_time_at_which_it_is_fetched(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        card = team.github.add_card(team.github.new_project(team.name), issue)
        team.github.assign(issue, ann)
        team.deliver()
        team.at(10)
        team.github.move_card(card, "In Progress")
        (moved,) = team.pop_deliveries()
        team.at(20)
        team.github.unassign(issue, ann)
        (unassigned,) = team.pop_deliveries()
        team.at(4000)
        team.github.rename_repository(issue.repository, "renamed")
        team.pop_deliveries()
        for delivery in (moved, unassigned):
            team.github.send(delivery)
            team.product.process()
        assert self.present_name(team, issue.repository.id) == "renamed"

    def test_a_timer_joins_after_an_account_deletion_was_withdrawn(
        self, team: Team, ann: Account, observe: Callable[..., None]
    ) -> None:
        table = team.product.table
        started, _ = start(team, ann, Named(team.name, "x", 1))
        request = [ProfileItem.deletion_requested_ms.set(1), ProfileItem.events_ignored_until_ms.set(1)]
        table.write(Write("Update", f"user#{ann.id}", "profile", actions=request))
        observe(ann.id, "x", 1)
        PeopleStore(table).register(ann.id, "ann", now_ms=team.t0 + 2000)
        observe(ann.id, "x", 3)
        again, created = start(team, ann, Named(team.name, "x", 1), 30)
        assert (again.ulid, created) == (started.ulid, False)

    def test_a_delivery_does_not_read_the_transfers_of_its_repository(
        self, team: Team, ann: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table = team.product.table
        log = EventLog(table)
        here, there = Repository(ann.id, f"{team.name}/x"), Repository(team.people[1].id, f"{team.name}/y")
        for number in range(2, 52):
            move = Move(f"move-{number}", here.issue(number), there.issue(number), team.t0)
            log.append_move(move, now_ms=team.t0)
        read: list[int] = []
        query = table.query

        def counted(*args: Any, **kwargs: Any) -> Any:
            found = query(*args, **kwargs)
            read.append(len(found[0]))
            return found

        monkeypatch.setattr(table, "query", counted)
        log.read(here.issue(1))
        assert sum(read) == 0


class TestSlots:
    def test_the_slot_of_a_corrected_timer_that_joined_is_exported_and_deleted(
        self, team: Team, ann: Account
    ) -> None:
        table = team.product.table
        store = TimerStore(table)
        timer, _ = start(team, ann, Named(team.name, "x", 1))
        store.stop(ann.id, timer.ulid, now_ms=team.t0 + 5000, by="manual", cause="stop")
        store.patch(ann.id, timer.ulid, Patch(start_ms=team.t0 + 1000), now_ms=team.t0 + 6000)
        repository = Repository(ann.id, f"{team.name}/x")
        IssueTimers(table, store).observe(repository, guid_time_at(team.t0 + 9000), now_ms=team.t0 + 9000)
        slots = AccountExport(table).page(ann.id, position=None, page_size=100).slots
        assert (f"{ann.id}#1", [timer.ulid]) in [(slot.issue_key, slot.ulids) for slot in slots]
        deletion = AccountDeletionStore(table, track_unregistered=False)
        delete_account(deletion, ann.id, now_ms=now_ms())
        for issue in (repository.issue(1), Named(team.name, "x", 1)):
            assert table.get(*slot_key(issue, ann.id)) is None


class TestRepositoryEvents:
    def test_a_late_event_concerns_a_timer_that_has_stopped_since(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        team.github.assign(issue, ann)
        first = team.pop_deliveries()
        late = []
        for second, archived in ((10, True), (15, False)):
            team.at(second)
            team.github.archive_repository(issue.repository, archived=archived)
            late += team.pop_deliveries()
        team.at(20)
        team.github.close(issue)
        for delivery in (*first, *team.pop_deliveries(), *late):
            team.github.send(delivery)
            team.product.process()
        (timer,) = team.product.timers(ann.id)
        assert (timer.end_ms, timer.paused_ms) == (team.t0 + 20_000, 5_000)

    def test_a_late_deletion_ends_a_timer_before_its_manual_stop(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        team.github.assign(issue, ann)
        team.deliver()
        team.at(10)
        team.github.delete_repository(issue.repository)
        (deleted,) = team.pop_deliveries()
        (timer,) = team.product.timers(ann.id)
        store = TimerStore(team.product.table)
        store.stop(ann.id, timer.ulid, now_ms=team.t0 + 20_000, by="manual", cause="stop")
        team.github.send(deleted)
        team.product.process()
        assert [span[2] for span in spans(team, ann)] == [10]

    @pytest.mark.parametrize("failures", [0, 9], ids=["first attempt", "last attempt"])
    def test_an_event_that_arrives_while_a_timer_is_written_is_applied_a_minute_later(
        self, team: Team, ann: Account, issue: Issue, monkeypatch: pytest.MonkeyPatch, failures: int
    ) -> None:
        clock, handler = Clock(now_ms()), team.product.processor.queued_events
        monkeypatch.setattr(handler, "_clock", clock)
        monkeypatch.setattr(handler._event_handler, "_again_after_ms", 60_000)
        team.at(10)
        team.github.archive_repository(issue.repository)
        write = DerivedTimers.write
        received: list[Message] = []

        def archive_first(*args: Any, **kwargs: Any) -> list[Timer]:
            if not received:
                team.send()
                for message in team.product.queue.waiting:
                    message.receives = failures
                received.extend(team.product.process())
            return write(*args, **kwargs)

        monkeypatch.setattr(DerivedTimers, "write", archive_first)
        assigned = Event("assigned", "assigned", team.t0, users=frozenset({ann.id}), received_ms=clock.ms)
        issue_timers = IssueTimers(team.product.table, TimerStore(team.product.table))
        issue_timers.apply(assigned, replace(named(issue), repo_id=issue.repository.id), now_ms=clock.ms)
        assert [span[3] for span in spans(team, ann)] == ["running"]
        (message,) = received
        assert 59 <= (message.visibility_timeout_s or 0) <= 61
        health = HealthStore(team.product.table)

        def state() -> str | None:
            last = health.days()[-1].last
            return None if last is None else last.state

        # The last attempt queues another message instead.
        assert state() == ("processed" if failures else "waiting")
        for seconds, is_done in ((30, False), (31, True)):
            clock.advance(seconds)
            team.product.queue.retry()
            assert (team.product.process() == []) is is_done
        assert state() == "processed"
        assert [span[3] for span in spans(team, ann)] == ["paused"]


class TestSweeps:
    def sweep(self, team: Team) -> dict[str, object]:
        team.pop_deliveries()
        team.github.now = now_ms() / 1000
        result: dict[str, object] = team.product.sweep()["reconcile"]
        return result

    def test_a_manual_timer_gets_the_id_from_github(self, team: Team, ann: Account, issue: Issue) -> None:
        start(team, ann, named(issue))
        team.at(10)
        team.github.rename_repository(issue.repository, "renamed")
        team.at(20)
        team.github.close(issue)
        self.sweep(team)
        assert spans(team, ann) == [(f"{team.name}/renamed#1", 0, 20, "stopped")]

    def test_a_manual_timer_follows_a_transferred_issue(self, team: Team, ann: Account, issue: Issue) -> None:
        start(team, ann, named(issue))
        team.at(10)
        moved = team.github.transfer(issue, team.github.new_repository(f"{team.name}/other"))
        team.at(20)
        team.github.close(moved)
        assert self.sweep(team)["moved"] == 1
        assert spans(team, ann) == [(f"{team.name}/other#{moved.number}", 0, 20, "stopped")]

    def test_a_manual_timer_on_a_deleted_issue_is_stopped(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        start(team, ann, named(issue))
        team.github.delete(issue)
        self.sweep(team)
        assert [span[3] for span in spans(team, ann)] == ["stopped"]

    def test_an_issue_without_the_id_of_its_repository_is_unreachable(
        self, team: Team, ann: Account, issue: Issue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """GitHub's schema lets databaseId be null."""
        fetch = fetch_issues

        def without_ids(*args: Any, **options: Any) -> list[IssueState | None]:
            found = fetch(*args, **options)
            return [state and replace(state, issue=replace(state.issue, repo_id=0)) for state in found]

        monkeypatch.setattr(reconciliation, "fetch_issues", without_ids)
        start(team, ann, named(issue))
        assert self.sweep(team)["unreachable"] == 1
        assert start(team, ann, Named.of(issue.repository.full_name, 99), 5)[1] is True

    def test_a_reused_name_does_not_confuse_two_repositories(
        self, team: Team, ann: Account, issue: Issue
    ) -> None:
        team.github.assign(issue, ann)
        team.deliver()
        team.github.rename_repository(issue.repository, "legacy")
        successor = team.github.new_issue(team.github.new_repository(f"{team.name}/app"))
        team.github.close(successor)
        assert self.sweep(team)["unreachable"] == 1
        assert [span[3] for span in spans(team, ann)] == ["running"]
        # The next delivery of the repository names it.
        team.github.close(issue)
        team.deliver()
        assert [span[::3] for span in spans(team, ann)] == [(f"{team.name}/legacy#1", "stopped")]


class TestApi:
    @pytest.fixture
    def app(self, shared_table: Table, github: FakeGitHub) -> Iterator[App]:
        with open_app(shared_table, github) as app:
            yield app

    def test_old_timers_show_and_are_found_by_the_present_name(self, app: App) -> None:
        browser, ann = app.signed_in()
        url = f"https://github.com/octo-{ann.id}/app/issues/7"
        timer = browser("POST", "/api/timelogs/start/", {"github_issue_url": url}).json()
        browser("POST", f"/api/timelogs/{timer['id']}/stop/")
        issue = Named(f"octo-{ann.id}", "app", 7, repo_id=ann.id)
        issue_timers = IssueTimers(app.table, app.timers)
        for minute, name in enumerate([f"octo-{ann.id}/app", f"octo-{ann.id}/renamed"]):
            named_ms = app.clock.ms + minute * 60_000
            issue_timers.observe(
                issue.in_repository(name).repository, guid_time_at(named_ms), now_ms=named_ms
            )
        app.clock.advance(MINUTE)
        for name in ("app", "renamed", "RENAMED"):
            found = browser("GET", f"/api/timelogs/?github_repo=octo-{ann.id}/{name}").json()["results"]
            assert [(one["id"], one["github_repo"]) for one in found] == [
                (timer["id"], f"octo-{ann.id}/renamed")
            ]
        assert found[0]["github_issue_url"] == f"https://github.com/octo-{ann.id}/renamed/issues/7"
        totals = browser("GET", "/api/timelogs/totals/").json()
        assert {one["github_repo"] for one in totals["issues"]} <= {f"octo-{ann.id}/renamed"}
        exported = browser("GET", "/api/auth/me/export/").json()
        assert exported["timers"][0]["github_repo"] == f"octo-{ann.id}/renamed"
        assert exported["slots"][0]["issue"] == f"{ann.id}#7"

    def test_an_entry_from_before_the_id_was_known_is_found_by_the_present_name(self, app: App) -> None:
        browser, ann = app.signed_in()
        now, owner = app.clock.ms, f"octo-{ann.id}"
        body = {
            "github_issue_url": f"https://github.com/{owner}/app/issues/7",
            "start_time": iso(now - 40 * 60_000),
            "end_time": iso(now - 30 * 60_000),
        }
        assert browser("POST", "/api/timelogs/", body).status == 201
        issue_timers = IssueTimers(app.table, app.timers)
        for minute, name in enumerate(["app", "renamed"]):
            at_ms = now + minute * 60_000
            issue_timers.observe(Repository(ann.id, f"{owner}/{name}"), guid_time_at(at_ms), now_ms=at_ms)
        app.clock.advance(2 * MINUTE)
        for name in ("app", "renamed"):
            (found,) = browser("GET", f"/api/timelogs/?github_repo={owner}/{name}").json()["results"]
            assert found["github_repo"] == f"{owner}/renamed"

    def test_a_timer_of_the_first_delivery_is_found_by_the_name_at_once(self, app: App) -> None:
        browser, ann = app.signed_in()
        address = f"/api/timelogs/?github_repo=octo-{ann.id}/app"
        assert browser("GET", address).json()["results"] == []
        issue, now = Named(f"octo-{ann.id}", "app", 7, repo_id=ann.id), app.clock.ms
        IssueTimers(app.table, app.timers).observe(issue.repository, guid_time_at(now), now_ms=now)
        app.timers.start(user_id=ann.id, now_ms=now, issue=issue)
        assert len(browser("GET", address).json()["results"]) == 1

    def test_entries_from_before_and_after_the_id_was_known_are_one_issue(self, app: App) -> None:
        browser, ann = app.signed_in()
        url = f"https://github.com/octo-{ann.id}/app/issues/7"
        now = app.clock.ms
        for minutes in (40, 20):
            if minutes == 20:
                issue = Named(f"octo-{ann.id}", "app", 7, repo_id=ann.id)
                IssueTimers(app.table, app.timers).observe(issue.repository, guid_time_at(now), now_ms=now)
                app.clock.advance(MINUTE)
            times = [iso(now - at * 60_000) for at in (minutes, minutes - 10)]
            body = {"github_issue_url": url, "start_time": times[0], "end_time": times[1]}
            assert browser("POST", "/api/timelogs/", body).status == 201
        (total,) = browser("GET", "/api/timelogs/totals/").json()["issues"]
        assert (total["timers"], total["active_duration"]) == (2, 1200)
        listed = browser("GET", f"/api/timelogs/?github_repo=octo-{ann.id}/app&github_issue_number=7").json()
        assert len(listed["results"]) == 2


class TestPresentNames:
    def test_names_are_read_once_a_minute(self, shared_table: Table) -> None:
        calls: list[int] = []
        table = shared_table
        read = table.get_many

        class Counted:
            def get_many(self, keys: object) -> object:
                calls.append(1)
                return read(keys)  # type: ignore[arg-type]

        names = PresentNames(Counted())  # type: ignore[arg-type]
        issue = Named("octo", "unknown", 1, repo_id=4_000_000_000)
        timer = Timer.start(user_id=1, ulid="01X", at_ms=0, now_ms=0, by="manual", issue=issue)
        for _ in range(3):
            assert names.of([timer], now_ms=0) == [timer]
        assert len(calls) == 1
        names.of([timer], now_ms=60_000)
        assert len(calls) == 2
