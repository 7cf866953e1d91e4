"""The deployed stack and GitHub: deliveries, requests to GitHub's API, and the resulting timers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import pytest

from deployed_stack.deliveries import WEBHOOK_PATH
from deployed_stack.http_client import request
from fake_github import Delivery, FakeGitHub, faults
from fake_github.model import Account, App, Comment, Issue
from tests.e2e.conftest import ANN, PAYLOADS, Site, eventually, restart, waiting

_numbers = count(1)


# ---------------------------------------------------------------------- GitHub's examples


class Row(NamedTuple):
    """The expected effect of one of GitHub's examples.

    Attributes
    ----------
    answer
        The status in the response, or the reason for ignoring the example.
    before
        The examples that are delivered earlier, for the same issue.
    timers
        The assignee's timers afterwards: issue, source and state.
    origin
        The issue in the earlier examples, if it is not the one in theirs: an issue of the repository or owner
        that the example is about.
    """

    answer: str
    before: list[str]
    timers: list[str]
    origin: str = ""


ASSIGNED = ["issues.assigned"]
ASSIGNED_PULL = ["pull_request.assigned"]
UNTOUCHED = ["Codertocat/Hello-World#1 assigned running"]
OF_OCTOCODERS = ["Octocoders/Hello-World#1 assigned running"]

TABLE = {
    # Events that start, pause and stop.
    "issues.assigned": Row("accepted", [], ["Codertocat/Hello-World#1 assigned running"]),
    "issues.unassigned": Row("accepted", ASSIGNED, ["Codertocat/Hello-World#1 assigned paused"]),
    "issues.closed": Row("accepted", ASSIGNED, ["Codertocat/Hello-World#1 assigned stopped by closed"]),
    "issues.deleted": Row("accepted", ASSIGNED, ["Codertocat/Hello-World#1 assigned stopped by deleted"]),
    "issues.reopened": Row(
        "accepted",
        ["issues.assigned", "issues.closed"],
        ["Codertocat/Hello-World#1 assigned stopped by closed", "Codertocat/Hello-World#1 reopened running"],
    ),
    "issues.labeled": Row("accepted", [], ["Codertocat/Hello-World#1 labeled running"]),
    "issues.unlabeled": Row("accepted", ["issues.labeled"], ["Codertocat/Hello-World#1 labeled paused"]),
    # Moves, after which open timers have the new name.
    "issues.transferred": Row(
        "accepted", ASSIGNED, ["Codertocat/Hello-World#1 assigned running"], "octo-org/octo-repo#1"
    ),
    "repository.renamed": Row("accepted", ASSIGNED, OF_OCTOCODERS, "Octocoders/Old-World#1"),
    "repository.transferred": Row("accepted", ASSIGNED, OF_OCTOCODERS, "octocat/Hello-World#1"),
    "organization.renamed": Row("accepted", ASSIGNED, OF_OCTOCODERS, "Old-coders/Hello-World#1"),
    "installation_target.renamed": Row("accepted", ASSIGNED, OF_OCTOCODERS, "Old-coders/Hello-World#1"),
    # Events of a repository, which pause, resume and stop the timers on its issues.
    "repository.archived": Row(
        "accepted", ASSIGNED, ["Octocoders/Hello-World#1 assigned paused"], "Octocoders/Hello-World#1"
    ),
    "repository.unarchived": Row(
        "accepted", [*ASSIGNED, "repository.archived"], OF_OCTOCODERS, "Octocoders/Hello-World#1"
    ),
    "repository.deleted": Row(
        "accepted",
        ASSIGNED,
        ["Octocoders/Hello-World#1 assigned stopped by deleted"],
        "Octocoders/Hello-World#1",
    ),
    # A sign of life.
    "issue_comment.created": Row("accepted", ASSIGNED, UNTOUCHED),
    # Cards, whose issues GitHub does not have.
    "projects_v2_item.archived": Row("accepted", ASSIGNED, UNTOUCHED),
    "projects_v2_item.converted": Row("accepted", ASSIGNED, UNTOUCHED),
    "projects_v2_item.deleted": Row("accepted", ASSIGNED, UNTOUCHED),
    "projects_v2_item.restored": Row("accepted", ASSIGNED, UNTOUCHED),
    # Pull requests, which are timed like issues.
    "pull_request.assigned": Row("accepted", [], ["Codertocat/Hello-World#2 assigned running"]),
    "pull_request.unassigned": Row("accepted", ASSIGNED_PULL, ["Codertocat/Hello-World#2 assigned paused"]),
    "pull_request.closed": Row(
        "accepted", ASSIGNED_PULL, ["Codertocat/Hello-World#2 assigned stopped by closed"]
    ),
    "pull_request.reopened": Row(
        "accepted",
        ["pull_request.assigned", "pull_request.closed"],
        ["Codertocat/Hello-World#2 assigned stopped by closed", "Codertocat/Hello-World#2 reopened running"],
    ),
    "pull_request.labeled": Row("accepted", [], ["Codertocat/Hello-World#2 labeled running"]),
    "pull_request.unlabeled": Row(
        "accepted", ["pull_request.labeled"], ["Codertocat/Hello-World#2 labeled paused"]
    ),
    "pull_request.ready_for_review": Row(
        "accepted", [], ["Codertocat/Hello-World#2 ready_for_review running"]
    ),
    "pull_request.converted_to_draft": Row(
        "accepted", ASSIGNED_PULL, ["Codertocat/Hello-World#2 assigned running"]
    ),
    # Of another reviewer, and a reply of the author.
    "pull_request.review_requested": Row("accepted", ASSIGNED, UNTOUCHED),
    "pull_request.review_request_removed": Row("accepted", ASSIGNED, UNTOUCHED),
    "pull_request_review.submitted": Row("accepted", ASSIGNED, UNTOUCHED),
    # Acts, which start no timer.
    "pull_request.opened": Row("accepted", ASSIGNED, UNTOUCHED),
    "create": Row("accepted", ASSIGNED, UNTOUCHED),
    # Details of an issue, which change no timer.
    "issues.demilestoned": Row("accepted", ASSIGNED, UNTOUCHED),
    "issues.edited": Row("accepted", ASSIGNED, UNTOUCHED),
    "issues.field_added": Row("accepted", ASSIGNED, UNTOUCHED),
    "issues.field_removed": Row("accepted", ASSIGNED, UNTOUCHED),
    "issues.milestoned": Row("accepted", ASSIGNED, UNTOUCHED),
    "issues.typed": Row("accepted", ASSIGNED, UNTOUCHED),
    "issues.untyped": Row("accepted", ASSIGNED, UNTOUCHED),
    "pull_request.demilestoned": Row("accepted", ASSIGNED, UNTOUCHED),
    "pull_request.edited": Row("accepted", ASSIGNED, UNTOUCHED),
    "pull_request.milestoned": Row("accepted", ASSIGNED, UNTOUCHED),
    "sub_issues.parent_issue_added": Row("accepted", ASSIGNED, UNTOUCHED),
    "sub_issues.parent_issue_removed": Row("accepted", ASSIGNED, UNTOUCHED),
    # Handled events that have no effect with this content.
    "issues.opened": Row("not_transferred", ASSIGNED, UNTOUCHED),
    "projects_v2_item.created": Row("not_an_issue", ASSIGNED, UNTOUCHED),
    "projects_v2_item.edited": Row("not_an_issue", ASSIGNED, UNTOUCHED),
    "membership.added": Row("no_lead_team", ASSIGNED, UNTOUCHED),
    "membership.removed": Row("no_lead_team", ASSIGNED, UNTOUCHED),
    "organization.member_removed": Row("no_lead_team", ASSIGNED, UNTOUCHED),
    "team.created": Row("no_lead_team", ASSIGNED, UNTOUCHED),
    "team.deleted": Row("no_lead_team", ASSIGNED, UNTOUCHED),
    "team.edited": Row("no_lead_team", ASSIGNED, UNTOUCHED),
    # Events that are not handled.
    "installation.created": Row("not_handled", ASSIGNED, UNTOUCHED),
    "installation.deleted": Row("not_handled", ASSIGNED, UNTOUCHED),
    "installation.new_permissions_accepted": Row("not_handled", ASSIGNED, UNTOUCHED),
    "installation.suspend": Row("not_handled", ASSIGNED, UNTOUCHED),
    "installation.unsuspend": Row("not_handled", ASSIGNED, UNTOUCHED),
    "issue_comment.deleted": Row("not_handled", ASSIGNED, UNTOUCHED),
    "issue_comment.edited": Row("not_handled", ASSIGNED, UNTOUCHED),
    "issues.locked": Row("not_handled", ASSIGNED, UNTOUCHED),
    "issues.pinned": Row("not_handled", ASSIGNED, UNTOUCHED),
    "issues.unlocked": Row("not_handled", ASSIGNED, UNTOUCHED),
    "issues.unpinned": Row("not_handled", ASSIGNED, UNTOUCHED),
    "ping.ping": Row("pong", ASSIGNED, UNTOUCHED),
    "projects_v2_item.reordered": Row("not_handled", ASSIGNED, UNTOUCHED),
    "repository.created": Row("not_handled", ASSIGNED, UNTOUCHED),
    "repository.edited": Row("not_handled", ASSIGNED, UNTOUCHED),
    "repository.privatized": Row("not_handled", ASSIGNED, UNTOUCHED),
    "repository.publicized": Row("not_handled", ASSIGNED, UNTOUCHED),
}


def test_every_example_is_in_the_table() -> None:
    assert sorted(TABLE) == sorted(path.stem for path in PAYLOADS.glob("*.json"))


@pytest.mark.parametrize("name", TABLE)
def test_an_example_gets_its_response_and_makes_its_timers(site: Site, name: str) -> None:
    row = TABLE[name]
    mark = f"-{next(_numbers)}"
    begin = datetime.now(UTC) - timedelta(milliseconds=1)
    payload = example(name, mark)
    # In GitHub's examples of renames, the previous name equals the present one.
    if name == "repository.renamed":
        payload["changes"]["repository"]["name"]["from"] = f"Old-World{mark}"
    elif name in {"organization.renamed", "installation_target.renamed"}:
        payload["changes"]["login"]["from"] = "Old-coders"
    for earlier in row.before:
        before = example(earlier, mark)
        if row.origin and "issue" in before:
            repository, _, number = row.origin.partition("#")
            before["repository"] |= payload.get("repository", {}) | {"full_name": f"{repository}{mark}"}
            before["issue"]["number"] = int(number)
        assert deliver_example(site, before, earlier) == (202, "accepted")
        site.process_everything()

    assert deliver_example(site, payload, name) == (202 if row.answer == "accepted" else 200, row.answer)
    site.process_everything()

    timers = [timer for timer in newest_timers(site) if str(timer["github_repo"]).endswith(mark)]
    assert [shown(timer).replace(mark, "") for timer in timers] == row.timers
    # The times in the examples are years old, so timers have the time of receipt instead.
    times = [timer[at] for timer in timers for at in ("start_time", "end_time") if timer[at]]
    assert all(begin <= datetime.fromisoformat(at) <= datetime.now(UTC) for at in times)
    assert {timer["user"] for timer in timers} <= {ANN[0]}


def example(name: str, mark: str) -> dict[str, Any]:
    """Return an example with ``mark`` appended to the names and ids of repositories."""
    text = (PAYLOADS / f"{name}.json").read_text()
    for repository in ("Hello-World", "octo-repo"):
        text = text.replace(repository, f"{repository}{mark}")

    def mark_id(value: dict[str, Any]) -> dict[str, Any]:
        return value | {"id": int(f"{value['id']}{mark[1:]}")} if "full_name" in value else value

    loaded: dict[str, Any] = json.loads(text, object_hook=mark_id)
    return loaded


def deliver_example(site: Site, payload: Mapping[str, Any], name: str) -> tuple[int, str]:
    """Deliver an example; return the status, and the one-word result in the response."""
    response = site.deliver(name.partition(".")[0], payload)
    answer = json.loads(response.body)
    return response.status, answer.get("reason", answer["status"])


def newest_timers(site: Site) -> list[dict[str, Any]]:
    """Return Ann's newest timers, oldest first."""
    newest: list[dict[str, Any]] = site.get("/api/timelogs/?page_size=10")["results"]
    return newest[::-1]


def shown(timer: Mapping[str, Any]) -> str:
    issue = f"{timer['github_repo']}#{timer['github_issue_number']}"
    by = f" by {timer['stopped_by']}" if timer["stopped_by"] else ""
    return f"{issue} {timer['source']} {timer['status']}{by}"


# ---------------------------------------------------------------------- GitHub itself


@dataclass
class Team:
    """An organization whose webhook sends deliveries to the stack, and two people who have signed in."""

    github: FakeGitHub
    site: Site
    name: str
    ann: Account
    bob: Account
    tokens: Mapping[Account, str]
    t0: datetime

    def add_hook(self, target: str | App) -> None:
        self.github.add_hook(target, self.receive, self.site.secret)

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Post a delivery to the stack, and return the status of the response."""
        return request("POST", self.site.url + WEBHOOK_PATH, body=body, headers=headers).status

    def new_issue(self, *assignees: Account) -> Issue:
        """Return a new issue; drop the deliveries about its creation and assignees."""
        self.at(0)
        issue = self.github.new_issue(f"{self.name}/app")
        for who in assignees:
            self.github.assign(issue, who)
        self.pop_deliveries()
        return issue

    def at(self, minute: float) -> None:
        """Set GitHub's clock to some minutes after ``t0``, which was an hour ago."""
        self.github.now = self.t0 + timedelta(minutes=minute)

    def deliver(self) -> list[int]:
        """Deliver all pending events now, and return the statuses."""
        self.github.now = datetime.now(UTC)
        return [self.github.send(delivery) for delivery in self.pop_deliveries()]

    def fail(self) -> list[Delivery]:
        """Record a failed attempt for each pending delivery, and return the deliveries."""
        self.github.now = datetime.now(UTC)
        deliveries = self.pop_deliveries()
        for delivery in deliveries:
            self.github.fail(delivery)
        return deliveries

    def pop_deliveries(self) -> list[Delivery]:
        """Return all pending deliveries, and remove them from GitHub's outbox."""
        deliveries, self.github.outbox[:] = list(self.github.outbox), []
        return deliveries

    def process(self) -> None:
        """Deliver all pending events, and wait until they are processed."""
        assert set(self.deliver()) <= {200, 202}
        self.site.process_everything()

    def timers(self, issue: Issue, who: Account | None = None) -> list[str]:
        """Return a user's timers on an issue, by default Ann's, with start and end in minutes."""
        found = self.site.timers(issue.repository.full_name, issue.number, self.tokens[who or self.ann])
        return [f"{self._span(timer)}: {shown(timer).partition(' ')[2]}" for timer in found]

    def _span(self, timer: Mapping[str, Any]) -> str:
        return "-".join(
            f"{(datetime.fromisoformat(timer[at]) - self.t0).total_seconds() / 60:g}" if timer[at] else ""
            for at in ("start_time", "end_time")
        )

    def sweep(self) -> dict[str, Any]:
        """Run the sweeper, and return its summary."""
        self.github.now = datetime.now(UTC)
        summary: dict[str, Any] = self.site.stack.sweep(dry_run=False)
        return summary

    def request_count(self, path: str) -> int:
        """Return the number of requests to a path of GitHub's API."""
        return sum(one.path == path for one in self.github.requests)


@pytest.fixture(scope="module")
def people(site: Site, fake_github: FakeGitHub) -> dict[Account, str]:
    """Ann and Bob, and their tokens."""
    accounts = [fake_github.new_user(login) for login in ("ann", "bob")]
    tokens = {who: site.stack.mint_token(who.id, login=who.login) for who in accounts}
    for who in accounts:
        site.backdate_registration(who.id)
    return tokens


@pytest.fixture(scope="module")
def team(
    site: Site, fake_github: FakeGitHub, people: dict[Account, str], request: pytest.FixtureRequest
) -> Iterator[Team]:
    """A team, and a stack that uses GitHub's API with a token, or as an App if the parameter is "app"."""
    name = f"octo-org-{next(_numbers)}"
    t0 = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    ann, bob = people
    team = Team(fake_github, site, name, ann, bob, people, t0)
    fake_github.new_organization(name)
    if getattr(request, "param", "token") == "app":
        fake_github.install_app(name)
        team.add_hook(fake_github.app)
        site.store_credential({"app_id": str(fake_github.app.id), "private_key": fake_github.app.private_key})
    else:
        team.add_hook(name)
        site.store_credential({"token": fake_github.new_token()})
    yield team
    site.store_credential(None)


@pytest.mark.parametrize("old_payloads", [False, True], ids=["with-values", "without-values"])
def test_a_moved_card_starts_pauses_resumes_and_stops(team: Team, old_payloads: bool) -> None:
    issue = team.new_issue(team.ann, team.bob)
    card = team.github.add_card(team.github.new_project(team.name), issue)
    # The delivery of the new card is a request of its own.
    team.process()
    for minute, status, state in [
        (10, "In Progress", "10-: project running"),
        (20, "Todo", "10-: project paused"),
        (30, "In Progress", "10-: project running"),
        (40, "Done", "10-40: project stopped by project"),
    ]:
        team.at(minute)
        team.github.move_card(card, status, old_payloads=old_payloads)
        asked = team.request_count("/graphql")
        team.process()
        assert team.request_count("/graphql") == asked + 1
        assert (team.timers(issue), team.timers(issue, team.bob)) == ([state], [state])
    (timer,) = team.site.timers(issue.repository.full_name, issue.number, team.tokens[team.ann])
    assert timer["duration"] == 20 * 60


def test_a_late_card_event_has_its_own_time(team: Team) -> None:
    issue = team.new_issue(team.ann)
    card = team.github.add_card(team.github.new_project(team.name), issue)
    team.pop_deliveries()
    team.at(10)
    team.github.move_card(card, "In Progress")
    team.at(20)
    team.github.close(issue)
    team.github.outbox.reverse()
    team.process()
    assert team.timers(issue) == ["10-20: project stopped by closed"]


class TestCommands:
    def say(self, team: Team, text: str) -> Comment:
        comment = team.github.comment(team.new_issue(), team.ann, text)
        team.process()
        return comment

    def answer(self, comment: Comment) -> tuple[list[str], list[str]]:
        """Return the reactions to a comment, and the first lines of the later comments."""
        _, *later = comment.issue.comments
        return (
            [reaction.content for reaction in comment.reactions],
            [one.body.partition("\n")[0] for one in later],
        )

    def test_a_successful_command_gets_a_reaction(self, team: Team) -> None:
        comment = self.say(team, "On it.\n/timer start")
        assert self.answer(comment) == (["+1"], [])
        assert team.timers(comment.issue) == ["0-: comment running"]

    def test_logged_time_is_confirmed(self, team: Team) -> None:
        comment = self.say(team, "/timer log 1h30m")
        assert self.answer(comment) == (["+1"], ["Logged 1h 30m on this issue, up to your comment."])
        assert team.timers(comment.issue) == ["-90-0: comment stopped by comment"]

    def test_a_command_without_effect_is_explained(self, team: Team) -> None:
        comment = self.say(team, "/timer pause")
        assert self.answer(comment) == (
            ["confused"],
            ["You had no running timer on this issue to pause."],
        )
        assert team.timers(comment.issue) == []


class TestRepair:
    def test_a_failed_delivery_is_redelivered(self, team: Team) -> None:
        issue = team.new_issue()
        # The stack knows a webhook after its first delivery.
        team.github.assign(issue, team.ann)
        team.process()
        team.at(10)
        team.github.unassign(issue, team.ann)
        team.at(20)
        team.github.close(issue)
        failed = team.fail()
        summary = team.sweep()["redelivery"]
        # The summary counts the team's webhook and the webhooks of other tests.
        assert summary.pop("listed") >= 1
        assert summary == {
            "failed": 2,
            "redelivered": 2,
            "given_up": 0,
            "unreachable": 0,
            "complete": True,
            "error": "",
        }
        team.site.process_everything()
        assert team.timers(issue) == ["0-20: assigned stopped by closed"]
        again = {one.delivery: one.status_code for one in failed[0].hook.attempts if one.redelivery}
        assert again == dict.fromkeys(failed, 202)

    def test_an_event_that_was_never_delivered_is_backfilled(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.process()
        team.at(10)
        team.github.assign(issue, team.bob)
        team.at(20)
        team.github.close(issue)
        team.pop_deliveries()
        assert team.sweep()["reconcile"]["backfilled"] == 2
        assert team.timers(issue) == ["0-20: assigned stopped by closed"]
        assert team.timers(issue, team.bob) == ["10-20: assigned stopped by closed"]

    def test_an_issue_whose_transfer_was_not_delivered_is_found(self, team: Team) -> None:
        issue, other = team.new_issue(), team.github.new_repository(f"{team.name}/other")
        team.github.assign(issue, team.ann)
        team.process()
        team.at(10)
        moved = team.github.transfer(issue, other)
        team.at(20)
        team.github.close(moved)
        team.pop_deliveries()
        assert team.sweep()["reconcile"]["moved"] == 1
        assert team.timers(issue) == []
        assert team.timers(moved) == ["0-20: assigned stopped by closed"]


def test_a_retry_at_github_does_not_delay_other_deliveries(team: Team) -> None:
    issue = team.new_issue(team.ann)
    card = team.github.add_card(team.github.new_project(team.name), issue)
    team.pop_deliveries()
    sqs, queue = team.site.stack.aws.client("sqs"), team.site.stack.resources["DeliveryQueue"]
    asked = team.request_count("/graphql")
    team.github.faults.append(faults.status(502, path="/graphql"))

    team.at(10)
    team.github.move_card(card, "In Progress")
    team.deliver()
    assert eventually(lambda: team.request_count("/graphql") > asked and waiting(sqs, queue) == [0, 1, 0])
    team.at(20)
    team.github.assign(issue, team.bob)
    team.deliver()
    assert eventually(lambda: team.timers(issue, team.bob)) == ["20-: assigned running"]
    assert waiting(sqs, queue) == [0, 1, 0]

    team.site.process_everything()
    assert team.timers(issue) == ["10-: project running"]
    assert team.request_count("/graphql") == asked + 2


def test_health_reports_that_everything_is_possible(team: Team) -> None:
    issue = team.new_issue()
    team.github.move_card(team.github.add_card(team.github.new_project(team.name), issue), "Todo")
    team.github.comment(issue, team.ann, "/timer start")
    team.process()
    team.sweep()
    assert team.site.health()["github"] == {"credential": "token", "cannot": []}


@pytest.mark.parametrize("team", ["app"], indirect=True)
def test_an_app_queries_replies_and_repairs_as_itself(team: Team) -> None:
    issue = team.new_issue(team.ann)

    team.at(10)
    team.github.move_card(team.github.add_card(team.github.new_project(team.name), issue), "In Progress")
    comment = team.github.comment(issue, team.bob, "/timer log 15m")
    team.process()
    assert team.timers(issue) == ["10-: project running"]
    assert [reaction.user for reaction in comment.reactions] == [team.github.app.bot]
    assert [(one.user, one.app) for one in issue.comments[1:]] == [(team.github.app.bot, team.github.app)]
    # The App's own comment is delivered too, and ignored.
    assert team.deliver() == [200]

    team.at(20)
    team.github.assign(issue, team.bob)
    team.fail()
    team.at(30)
    team.github.close(issue)
    team.pop_deliveries()
    summary = team.sweep()
    assert (summary["redelivery"]["redelivered"], summary["reconcile"]["backfilled"]) == (1, 1)
    team.site.process_everything()
    assert team.timers(issue) == ["10-30: project stopped by closed"]
    assert team.timers(issue, team.bob)[-1] == "20-30: assigned stopped by closed"
    assert team.site.health()["github"]["credential"] == "app"


# ---------------------------------------------------------------------- the time of issues


@pytest.fixture
def written_back(site: Site) -> Iterator[str]:
    """Turn the write-back on, with a short delay, and return the name of the field."""
    aws, resources = site.stack.aws, site.stack.resources
    sqs, functions = aws.client("sqs"), aws.client("lambda")
    queue, mapping = resources["WriteBackQueue"], resources["WriteBackFunctionIssues"]
    field = "Time spent"
    # Long enough to process the delivery whose stop is queued first.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "5"})
    restart(site.stack, "WriteBackFunction", TIME_FIELD=field, CLOSING_COMMENT="true")
    for function in ("TimesheetsFunction", "WebhookProcessFunction", "WebhookReceiveFunction"):
        restart(site.stack, function, WRITE_BACK_QUEUE_URL=queue, TIME_FIELD=field)
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    yield field
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    for function in ("TimesheetsFunction", "WebhookProcessFunction", "WebhookReceiveFunction"):
        restart(site.stack, function, WRITE_BACK_QUEUE_URL="", TIME_FIELD="")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "310"})


def test_the_time_of_a_closed_issue_is_written_to_its_field_and_into_a_comment(
    team: Team, written_back: str
) -> None:
    team.github.new_issue_field(team.github.accounts[team.name], written_back)
    # The others' time counts for the timers of other tests too.
    writer = team.github.new_user(f"{team.name}-writer")
    token = team.site.stack.mint_token(writer.id, login=writer.login)
    team.site.backdate_registration(writer.id)
    issue = team.new_issue()
    team.github.assign(issue, writer)
    team.at(45)
    team.github.close(issue)
    team.process()
    assert eventually(lambda: issue.comments), "There is no comment."
    assert issue.field_values[written_back].value == 0.75
    assert [one.body.partition("\n")[0] for one in issue.comments] == ["Time on this issue: **0.75 h**."]
    # The deliveries about both come back, and change nothing.
    team.process()
    (timer,) = team.site.timers(issue.repository.full_name, issue.number, token)
    assert (timer["status"], timer["working_duration"]) == ("stopped", 45 * 60)
    assert len(issue.comments) == 1
