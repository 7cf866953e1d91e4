"""Pull requests and reviews, from their deliveries to the API's answers."""

from collections.abc import Iterator

import pytest

from fake_github import FakeGitHub
from fake_github.model import Issue, PullRequest
from tests.integration.conftest import Api
from tests.support.gateway import Client
from tests.support.product import TOKEN, Product, Team, ago, new_team, product
from timer_core.clock import now_ms
from timer_core.domain.timers import Timer
from timer_core.store.people import Person
from timer_core.store.table import Table

AUTHOR, REVIEWER = 0, 1


@pytest.fixture(scope="module")
def running(shared_table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(shared_table, github.url) as running:
        running.store_credential({"token": TOKEN})
        yield running


@pytest.fixture
def team(github: FakeGitHub, running: Product) -> Team:
    return new_team(github, running, size=2, t0=ago(60))


def new_issue(team: Team, repo: str = "app") -> Issue:
    name = f"{team.name}/{repo}"
    return team.github.new_issue(team.github.repository(name) or team.github.new_repository(name))


def new_pull(team: Team, *closes: Issue) -> PullRequest:
    repository = closes[0].repository if closes else new_issue(team).repository
    return team.github.open_pull_request(repository, "Mend it", closes, by=team.people[AUTHOR])


def timers(team: Team, person: int) -> list[Timer]:
    return team.product.timers(team.people[person].id)


def statuses(team: Team, person: int) -> list[tuple[str, str]]:
    return [(timer.source, timer.status) for timer in timers(team, person)]


def client(team: Team, api: Api, person: int) -> Client:
    account = team.people[person]
    _, token = api.tokens.mint(Person(account.id, account.login), name="test", now_ms=now_ms())
    return Client(api.module.handler, token)


def test_a_merged_pull_request_stops_its_timer(team: Team) -> None:
    pull = new_pull(team)
    team.github.assign(pull, team.people[AUTHOR], by=team.people[AUTHOR])
    team.deliver()
    (timer,) = timers(team, AUTHOR)
    assert timer.issue
    assert timer.issue.is_pull
    team.at(60)
    team.github.merge(pull)
    team.deliver()
    assert statuses(team, AUTHOR) == [("assigned", "stopped")]


def test_a_pull_request_counts_for_the_issue_that_it_closes(team: Team, api: Api) -> None:
    issue = new_issue(team)
    pull = new_pull(team, issue)
    team.github.assign(pull, team.people[AUTHOR])
    team.deliver()
    (shown,) = client(team, api, AUTHOR)("GET", "/api/timelogs/").json()["results"]
    assert shown["github_issue_url"] == pull.url
    assert shown["counts_for"] == {
        "github_repo": issue.repository.full_name,
        "github_issue_number": issue.number,
        "github_issue_url": issue.url,
        "github_issue_title": None,
    }


def test_an_issue_counts_for_itself(team: Team, api: Api) -> None:
    team.github.assign(new_issue(team), team.people[AUTHOR])
    team.deliver()
    (shown,) = client(team, api, AUTHOR)("GET", "/api/timelogs/").json()["results"]
    assert shown["counts_for"] is None


def test_a_pull_request_that_closes_several_issues_counts_for_none(team: Team, api: Api) -> None:
    pull = new_pull(team, new_issue(team), new_issue(team))
    team.github.assign(pull, team.people[AUTHOR])
    team.deliver()
    (shown,) = client(team, api, AUTHOR)("GET", "/api/timelogs/").json()["results"]
    assert shown["counts_for"] is None


def test_the_latest_body_counts_in_any_order(team: Team, api: Api) -> None:
    first, second = new_issue(team), new_issue(team)
    pull = new_pull(team, first)
    team.at(1)
    team.github.assign(pull, team.people[AUTHOR])
    team.at(2)
    team.github.edit_pull_request(pull, [second])
    for delivery in reversed(team.pop_deliveries()):
        team.github.send(delivery)
    team.product.process()
    (shown,) = client(team, api, AUTHOR)("GET", "/api/timelogs/").json()["results"]
    assert shown["counts_for"]["github_issue_number"] == second.number


def test_the_sweep_finds_what_a_pull_request_closes_and_was_not_delivered(team: Team, api: Api) -> None:
    other = new_issue(team, "other")
    pull = new_pull(team)
    team.github.assign(pull, team.people[AUTHOR])
    team.deliver()
    # A link that is made by hand causes no delivery.
    pull.closes.append(other)
    team.product.sweep()
    (shown,) = client(team, api, AUTHOR)("GET", "/api/timelogs/").json()["results"]
    assert shown["counts_for"]["github_repo"] == other.repository.full_name
    # A later delivery, whose body has no keyword, keeps it.
    team.github.unassign(pull, team.people[AUTHOR])
    team.deliver()
    (shown,) = client(team, api, AUTHOR)("GET", "/api/timelogs/").json()["results"]
    assert shown["counts_for"]["github_repo"] == other.repository.full_name


def test_a_timer_started_with_the_address_of_a_pull_request_is_on_it(team: Team, api: Api) -> None:
    issue = new_issue(team)
    pull = new_pull(team, issue)
    team.deliver()
    body = {"github_issue_url": f"{pull.url}/files"}
    started = client(team, api, REVIEWER)("POST", "/api/timelogs/start/", body).json()
    assert started["github_issue_url"] == pull.url
    assert started["counts_for"]["github_issue_number"] == issue.number


class TestReviews:
    def test_a_requested_review_waits_until_it_is_started(self, team: Team, api: Api) -> None:
        pull = new_pull(team)
        team.github.request_review(pull, team.people[REVIEWER])
        team.deliver()
        assert statuses(team, REVIEWER) == [("review_requested", "paused")]
        reviewer = client(team, api, REVIEWER)
        (timer,) = timers(team, REVIEWER)
        resumed = reviewer("POST", f"/api/timelogs/{timer.id}/resume/").json()
        assert resumed["status"] == "running"
        assert resumed["active_duration"] < 60
        team.github.now = now_ms() / 1000
        team.github.submit_review(pull, team.people[REVIEWER])
        team.deliver()
        assert statuses(team, REVIEWER) == [("review_requested", "stopped")]

    @pytest.mark.parametrize("end", ["submitted", "removed", "closed"])
    def test_a_review_without_time_leaves_no_timer(self, team: Team, end: str) -> None:
        pull, reviewer = new_pull(team), team.people[REVIEWER]
        team.github.request_review(pull, reviewer)
        team.deliver()
        team.at(60)
        match end:
            case "submitted":
                team.github.submit_review(pull, reviewer, "commented")
            case "removed":
                team.github.remove_review_request(pull, reviewer)
            case "closed":
                team.github.close_pull_request(pull)
        team.deliver()
        assert timers(team, REVIEWER) == []

    def test_a_review_ends_the_timer_that_the_reviewer_started(self, team: Team, api: Api) -> None:
        pull = new_pull(team)
        team.deliver()
        client(team, api, REVIEWER)("POST", "/api/timelogs/start/", {"github_issue_url": pull.url})
        team.github.now = now_ms() / 1000 + 1
        team.github.submit_review(pull, team.people[REVIEWER])
        team.deliver()
        assert statuses(team, REVIEWER) == [("manual", "stopped")]

    def test_the_timer_of_an_assignee_goes_on(self, team: Team) -> None:
        pull, reviewer = new_pull(team), team.people[REVIEWER]
        team.github.request_review(pull, reviewer)
        team.at(1)
        team.github.assign(pull, reviewer)
        team.at(2)
        team.github.submit_review(pull, reviewer)
        team.deliver()
        assert statuses(team, REVIEWER) == [("review_requested", "running")]

    def test_the_sweep_ends_a_review_that_was_not_delivered(self, team: Team, api: Api) -> None:
        pull = new_pull(team)
        team.github.request_review(pull, team.people[REVIEWER])
        team.deliver()
        (timer,) = timers(team, REVIEWER)
        client(team, api, REVIEWER)("POST", f"/api/timelogs/{timer.id}/resume/")
        team.github.now = now_ms() / 1000 + 1
        team.github.submit_review(pull, team.people[REVIEWER])
        team.pop_deliveries()
        team.product.sweep()
        assert statuses(team, REVIEWER) == [("review_requested", "stopped")]

    def test_a_pause_can_be_corrected_before_the_review_began(self, team: Team, api: Api) -> None:
        pull = new_pull(team)
        team.github.request_review(pull, team.people[REVIEWER])
        team.deliver()
        (timer,) = timers(team, REVIEWER)
        reviewer = client(team, api, REVIEWER)
        reviewer("POST", f"/api/timelogs/{timer.id}/resume/")
        shown = reviewer("DELETE", f"/api/timelogs/{timer.id}/pauses/0/").json()
        assert shown["pauses"] == []
        assert 3_600 <= shown["active_duration"] < 3_700
        # Events do not undo the correction.
        team.github.label(pull, "bug")
        team.deliver()
        (shown,) = reviewer("GET", "/api/timelogs/").json()["results"]
        assert 3_600 <= shown["active_duration"] < 3_700


class TestFocus:
    def test_opening_a_pull_request_focuses_its_issue(self, team: Team, api: Api) -> None:
        author = team.people[AUTHOR]
        first, second = new_issue(team), new_issue(team)
        team.github.assign(first, author, by=author)
        team.at(1)
        team.github.assign(second, author, by=author)
        team.at(2)
        new_pull(team, first)
        team.deliver()
        assert self._counting(team, api) == [first.number]

    @pytest.mark.parametrize("prefix", ["", "fix/"])
    def test_a_branch_focuses_its_issue(self, team: Team, api: Api, prefix: str) -> None:
        author = team.people[AUTHOR]
        first, second = new_issue(team), new_issue(team)
        team.github.assign(first, author, by=author)
        team.at(1)
        team.github.assign(second, author, by=author)
        team.at(2)
        team.github.create_branch(first.repository, f"{prefix}{first.number}-mend-it", by=author)
        team.deliver()
        assert self._counting(team, api) == [first.number]

    def test_opening_starts_no_timer(self, team: Team) -> None:
        issue = new_issue(team)
        new_pull(team, issue)
        team.github.create_branch(issue.repository, f"{issue.number}-mend-it", by=team.people[AUTHOR])
        team.deliver()
        assert timers(team, AUTHOR) == []

    def _counting(self, team: Team, api: Api) -> list[int]:
        found = client(team, api, AUTHOR)("GET", "/api/timelogs/?end_time__isnull=true").json()["results"]
        return [one["github_issue_number"] for one in found if one["is_counting"]]
