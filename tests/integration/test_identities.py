"""Repositories and their owners change their names, and timers stay with their issues."""

from collections.abc import Iterator

import pytest

from tests.support.app import App, open_app
from tests.support.fake_github import FakeGitHub
from tests.support.fake_github.model import Account, Issue, Repository
from tests.support.network import Killed
from tests.support.product import TOKEN, Product, Team, ago, new_team, product
from timer_core.clock import iso, now_ms
from timer_core.domain.events import guid_time_at
from timer_core.domain.issues import Issue as Named
from timer_core.domain.timers import Timer
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.repositories import PresentNames, Repositories
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Patch

MINUTE = 60


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


@pytest.fixture(scope="module")
def running(shared_table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(shared_table, github.url) as running:
        running.store_credential({"token": TOKEN})
        yield running


@pytest.fixture
def team(github: FakeGitHub, running: Product) -> Team:
    return new_team(github, running, size=2, t0=ago(60))


@pytest.fixture
def ann(team: Team) -> Account:
    return team.people[0]


@pytest.fixture
def repository(team: Team) -> Repository:
    return team.github.new_repository(f"{team.name}/app")


@pytest.fixture
def issue(team: Team, repository: Repository) -> Issue:
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
        issue_timers.observe(before, guid_time_at(team.t0 - 1000), now_ms=now_ms())
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
            patch.setattr(IssueTimers, "_rederive_everybody", die)
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
            named_at = guid_time_at(app.clock.ms + minute * 60_000)
            issue_timers.observe(issue.in_repository(name), named_at, now_ms=app.clock.ms)
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

    def test_entries_from_before_and_after_the_id_was_known_are_one_issue(self, app: App) -> None:
        browser, ann = app.signed_in()
        url = f"https://github.com/octo-{ann.id}/app/issues/7"
        now = app.clock.ms
        for minutes in (40, 20):
            if minutes == 20:
                issue = Named(f"octo-{ann.id}", "app", 7, repo_id=ann.id)
                IssueTimers(app.table, app.timers).observe(issue, guid_time_at(now), now_ms=now)
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
