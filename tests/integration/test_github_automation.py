"""The timers that result from events on GitHub, with a fake GitHub."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, get_args

import pytest

from fake_github import FakeGitHub, faults
from fake_github.messages import Answer, Request
from fake_github.model import Account, Card, Comment, Issue
from fake_github.webhooks import Delivery
from tests.support.calendars import put_assignment_starts
from tests.support.handlers import Clock
from tests.support.network import Killed
from tests.support.product import SECRET, TOKEN, Product, ago, product
from tests.support.repositories import identified
from timer_core.clock import now_ms
from timer_core.domain.calendar import AssignmentStarts
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue as Named
from timer_core.domain.moves import Move
from timer_core.domain.schedule import DAY, local_date
from timer_core.github.api.errors import Unavailable
from timer_core.github.messages import ReplyEvent, from_json
from timer_core.store.calendars import Calendars
from timer_core.store.health import Capability, HealthStore
from timer_core.store.people import PeopleStore
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets

MINUTE = 60_000


@dataclass
class Team:
    """An organization with two registered people, whose webhook sends deliveries to the product."""

    github: FakeGitHub
    product: Product
    name: str
    ann: Account
    bob: Account
    t0: int

    def new_issue(self, repo: str = "app") -> Issue:
        full_name = f"{self.name}/{repo}"
        repository = self.github.repository(full_name) or self.github.new_repository(full_name)
        return self.github.new_issue(repository)

    def at(self, minute: float) -> None:
        """Set GitHub's clock to some minutes after ``t0``."""
        self.github.now = (self.t0 + minute * MINUTE) / 1000

    def pop_deliveries(self) -> list[Delivery]:
        """Return the pending deliveries, and remove them from GitHub's outbox."""
        deliveries, self.github.outbox[:] = list(self.github.outbox), []
        return deliveries

    def deliver(self, *, backwards: bool = False) -> None:
        """Deliver and process all pending events."""
        deliveries = self.pop_deliveries()
        for delivery in reversed(deliveries) if backwards else deliveries:
            assert self.github.send(delivery) in (200, 202)
        self.product.process()

    def spans(self, who: Account, now: float = 60) -> list[tuple[str, float, float | None, str, float]]:
        """Return each timer's issue, start, end, state and active minutes up to ``now``."""
        return [
            (
                f"{timer.issue.repo}#{timer.issue.number}" if timer.issue else "",
                (timer.start_ms - self.t0) / MINUTE,
                None if timer.end_ms is None else (timer.end_ms - self.t0) / MINUTE,
                timer.status.value,
                timer.active_ms(self.t0 + round(now * MINUTE)) / MINUTE,
            )
            for timer in self.product.timers(who.id)
        ]


_numbers = count(1)


def logged(duration: str) -> str:
    """Return the reply to a command that logged time."""
    return f"Logged {duration} on this issue, up to your comment."


@pytest.fixture
def team(github: FakeGitHub, running: Product) -> Team:
    return make_team(github, running)


def make_team(github: FakeGitHub, running: Product) -> Team:
    github.reset()
    running.clear()
    name = f"octo-org-{next(_numbers)}"
    ann, bob = github.new_user("ann"), github.new_user("bob")
    people = PeopleStore(running.table)
    for person in (ann, bob):
        people.register(person.id, person.login, now_ms=0)
    github.new_organization(name)
    github.tokens[TOKEN] = github.tokens.pop(github.new_token())
    github.add_hook(name, running.receive, SECRET)
    team = Team(github, running, name, ann, bob, ago(60))
    team.at(0)
    return team


class TestCards:
    @pytest.mark.parametrize("old_payloads", [False, True], ids=["with-values", "without-values"])
    def test_a_card_starts_pauses_resumes_and_stops(self, team: Team, old_payloads: bool) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.github.assign(issue, team.bob)
        team.pop_deliveries()
        card = team.github.add_card(team.github.new_project(team.name), issue)
        for minute, status in enumerate(["In Progress", "Todo", "In Progress", "Done"], 1):
            team.at(10 * minute)
            team.github.move_card(card, status, old_payloads=old_payloads)
            team.deliver()
        for who in (team.ann, team.bob):
            assert team.spans(who) == [("app#1", 10, 40, "stopped", 20)]

    def test_a_card_starts_the_timers_of_the_assignees_at_that_time(self, team: Team) -> None:
        issue = team.new_issue()
        card = team.github.add_card(team.github.new_project(team.name), issue)
        team.github.assign(issue, team.ann)
        team.pop_deliveries()
        team.at(10)
        team.github.move_card(card, "In Progress")
        team.at(20)
        team.github.unassign(issue, team.ann)
        team.github.assign(issue, team.bob)
        moved, unassigned, assigned = team.pop_deliveries()[-3:]
        for delivery in (unassigned, assigned, moved):
            team.github.send(delivery)
        team.product.process()
        assert team.spans(team.ann) == [("app#1", 10, None, "paused", 10)]
        assert team.spans(team.bob) == [("app#1", 20, None, "running", 40)]

    def test_the_assignees_at_that_time_are_found_after_many_later_events(self, team: Team) -> None:
        issue = team.new_issue()
        card = team.github.add_card(team.github.new_project(team.name), issue)
        team.github.assign(issue, team.ann)
        team.pop_deliveries()
        team.at(10)
        team.github.move_card(card, "In Progress")
        (moved,) = team.pop_deliveries()
        team.at(20)
        for _ in range(51):
            team.github.assign(issue, team.bob)
            team.github.unassign(issue, team.bob)
        team.github.unassign(issue, team.ann)
        team.pop_deliveries()
        team.github.send(moved)
        team.product.process()
        assert team.spans(team.ann) == [("app#1", 10, None, "running", 50)]

    @pytest.mark.parametrize("old_payloads", [False, True], ids=["with-values", "without-values"])
    def test_another_field_changes_nothing(self, team: Team, old_payloads: bool) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        card = team.github.add_card(team.github.new_project(team.name), issue)
        team.pop_deliveries()
        team.github.move_card(card, "High", field="Priority", old_payloads=old_payloads)
        team.deliver()
        assert team.spans(team.ann) == []

    def test_a_card_of_a_closed_issue_starts_no_timer(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        card = team.github.add_card(team.github.new_project(team.name), issue)
        team.at(5)
        team.github.close(issue)
        team.pop_deliveries()
        team.at(10)
        team.github.move_card(card, "In Progress")
        team.deliver()
        assert team.spans(team.ann) == []

    def test_a_card_without_a_status_pauses(self, team: Team) -> None:
        issue = team.new_issue()
        card = team.github.add_card(team.github.new_project(team.name), issue)
        team.github.assign(issue, team.ann)
        team.github.move_card(card, "In Progress")
        team.at(10)
        team.github.move_card(card, None)
        team.deliver()
        assert team.spans(team.ann) == [("app#1", 0, None, "paused", 10)]


class TestCardsThatLeaveTheirProject:
    @pytest.fixture
    def card(self, team: Team) -> Card:
        """Return a card whose issue Ann is assigned to; the product knows neither of them."""
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        card = team.github.add_card(team.github.new_project(team.name), issue)
        team.pop_deliveries()
        return card

    def test_an_archived_card_pauses_what_it_started_until_it_is_restored(
        self, team: Team, card: Card
    ) -> None:
        for minute, act in ((10, "move"), (20, "archive"), (30, "restore")):
            team.at(minute)
            if act == "move":
                team.github.move_card(card, "In Progress")
            elif act == "archive":
                team.github.archive_card(card)
            else:
                team.github.restore_card(card)
            team.deliver()
        assert team.spans(team.ann) == [("app#1", 10, None, "running", 40)]

    def test_a_deleted_card_pauses_what_it_started(self, team: Team, card: Card) -> None:
        team.github.now = now_ms() / 1000 - 60
        team.github.move_card(card, "In Progress")
        team.github.delete_card(card)
        # Of a deleted card, GitHub's API returns only the issue.
        team.deliver(backwards=True)
        (timer,) = team.product.timers(team.ann.id)
        assert (timer.status, timer.paused_by) == ("paused", "project.removed")

    def test_the_assignees_timers_continue(self, team: Team, card: Card) -> None:
        assert isinstance(card.content, Issue)
        team.github.assign(card.content, team.bob)
        team.at(10)
        team.github.move_card(card, "In Progress")
        team.at(20)
        team.github.archive_card(card)
        team.deliver()
        assert team.spans(team.ann) == [("app#1", 10, None, "paused", 10)]
        assert team.spans(team.bob) == [("app#1", 0, None, "running", 60)]

    def test_a_card_of_another_project_changes_nothing(self, team: Team, card: Card) -> None:
        assert isinstance(card.content, Issue)
        other = team.github.add_card(team.github.new_project(team.name), card.content)
        team.at(10)
        team.github.move_card(card, "In Progress")
        team.at(20)
        team.github.archive_card(other)
        team.github.delete_card(other)
        team.deliver()
        assert team.spans(team.ann) == [("app#1", 10, None, "running", 50)]

    def test_restoring_resumes_only_the_assignees_of_that_time(self, team: Team, card: Card) -> None:
        assert isinstance(card.content, Issue)
        team.at(10)
        team.github.move_card(card, "In Progress")
        team.at(20)
        team.github.archive_card(card)
        team.at(30)
        team.github.unassign(card.content, team.ann)
        team.at(40)
        team.github.restore_card(card)
        team.deliver(backwards=True)
        assert team.spans(team.ann) == [("app#1", 10, None, "paused", 10)]

    def test_a_draft_in_progress_starts_timers_when_it_becomes_an_issue(self, team: Team) -> None:
        project = team.github.new_project(team.name)
        cards = [team.github.add_draft(project, "Try it") for _ in range(2)]
        team.github.move_card(cards[0], "In Progress")
        team.github.move_card(cards[1], "Todo")
        repository = team.github.new_repository(f"{team.name}/app")
        for minute, card in enumerate(cards, 1):
            team.at(10 * minute)
            issue = team.github.convert_draft(card, repository)
            team.github.assign(issue, team.ann)
        opened, converted, _assigned, *others = team.pop_deliveries()[-6:]
        for delivery in (opened, converted, *others):
            assert team.github.send(delivery) in (200, 202)
        team.product.process()
        # The second issue's timer was started by the assignment.
        assert team.spans(team.ann) == [
            ("app#1", 10, None, "running", 50),
            ("app#2", 20, None, "running", 40),
        ]


class TestIncompleteDeliveries:
    """GitHub's schema lets these members be null or absent."""

    def change(self, delivery: Delivery, *path: str, value: Any = None, absent: bool = False) -> None:
        *parents, last = path
        parent = delivery.payload
        for name in parents:
            parent = parent[name]
        if absent:
            del parent[last]
        else:
            parent[last] = value

    def send(self, team: Team, delivery: Delivery) -> int:
        status = team.github.send(delivery)
        assert team.product.process() == []
        return status

    @pytest.mark.parametrize("left", [(), ("other",)])
    def test_a_deleted_start_label_pauses(self, team: Team, left: tuple[str, ...]) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.pop_deliveries()
        for label in ("bug", *left):
            team.github.label(issue, label)
        team.deliver()
        team.at(10)
        team.github.unlabel(issue, "bug")
        (unlabeled,) = team.pop_deliveries()
        self.change(unlabeled, "label", absent=True)
        assert self.send(team, unlabeled) == 202
        assert team.spans(team.ann) == [("app#1", 0, None, "paused", 10)]

    def test_a_deleted_label_changes_nothing_while_a_start_label_is_left(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        for label in ("bug", "other"):
            team.github.label(issue, label)
        team.deliver()
        team.at(10)
        team.github.unlabel(issue, "other")
        (unlabeled,) = team.pop_deliveries()
        self.change(unlabeled, "label", absent=True)
        assert self.send(team, unlabeled) == 202
        assert team.spans(team.ann) == [("app#1", 0, None, "running", 60)]

    @pytest.mark.parametrize("absent", [False, True], ids=["null", "absent"])
    @pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
    def test_an_unnamed_person_is_unassigned(self, team: Team, absent: bool, backwards: bool) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.github.assign(issue, team.bob)
        team.at(10)
        team.github.unassign(issue, team.ann)
        team.at(20)
        team.github.assign(issue, team.ann)
        deliveries = team.pop_deliveries()[-4:]
        for delivery in deliveries[2:]:
            self.change(delivery, "assignee", absent=absent)
        for delivery in reversed(deliveries) if backwards else deliveries:
            assert self.send(team, delivery) == 202
        assert team.spans(team.ann) == [("app#1", 0, None, "running", 50)]
        assert team.spans(team.bob) == [("app#1", 0, None, "running", 60)]

    def test_an_unnamed_unassigned_person_is_not_somebody_with_a_manual_timer(self, team: Team) -> None:
        issue = team.new_issue()
        store = TimerStore(team.product.table)
        named = Named(team.name, "app", issue.number)
        team.github.assign(issue, team.ann)
        team.deliver()
        store.start(user_id=team.bob.id, now_ms=team.t0, issue=named)
        team.at(10)
        team.github.unassign(issue, team.ann)
        (unassigned,) = team.pop_deliveries()
        self.change(unassigned, "assignee")
        assert self.send(team, unassigned) == 202
        assert team.spans(team.ann) == [("app#1", 0, None, "paused", 10)]
        assert [timer.status for timer in team.product.timers(team.bob.id)] == ["running"]

    @pytest.mark.parametrize(("member", "status"), [("user", 200), ("body", 202)])
    def test_a_comment_without_author_or_text_contains_no_command(
        self, team: Team, member: str, status: int
    ) -> None:
        issue = team.new_issue()
        team.pop_deliveries()
        team.github.comment(issue, team.ann, "/timer start")
        (comment,) = team.pop_deliveries()
        self.change(comment, "comment", member)
        assert self.send(team, comment) == status
        team.product.process()
        assert team.spans(team.ann) == []

    @pytest.mark.parametrize("member", ["node_id", "project_node_id", "creator"])
    def test_a_card_without_its_id_has_an_effect(self, team: Team, member: str) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        card = team.github.add_card(team.github.new_project(team.name), issue)
        team.pop_deliveries()
        team.github.move_card(card, "In Progress")
        team.at(10)
        team.github.archive_card(card)
        for delivery in team.pop_deliveries():
            self.change(delivery, "projects_v2_item", member, absent=True)
            assert self.send(team, delivery) == 202
        assert team.spans(team.ann) == [("app#1", 0, None, "paused", 10)]


class TestReplies:
    def say(self, team: Team, text: str, issue: Issue | None = None, who: Account | None = None) -> Comment:
        comment = team.github.comment(issue or team.new_issue(), who or team.ann, text)
        team.deliver()
        return comment

    def answers(self, comment: Comment) -> tuple[list[str], list[str]]:
        """Return the reactions to a comment, and the later comments."""
        thread = comment.issue.comments
        later = [one.body.partition("\n")[0] for one in thread[thread.index(comment) + 1 :]]
        return [reaction.content for reaction in comment.reactions], later

    def test_a_successful_command_gets_a_reaction_only(self, team: Team) -> None:
        comment = self.say(team, "On it.\n/timer start")
        assert self.answers(comment) == (["+1"], [])
        assert [span[3] for span in team.spans(team.ann)] == ["running"]

    def test_logged_time_is_confirmed(self, team: Team) -> None:
        comment = self.say(team, "/timer log 1h30m")
        assert self.answers(comment) == (["+1"], [logged("1h 30m")])
        assert [span[4] for span in team.spans(team.ann)] == [90]

    def test_time_in_a_confirmed_day_is_not_logged(self, team: Team) -> None:
        team.at(30)
        day = local_date("UTC", team.t0 + 28 * MINUTE) - DAY
        store = TimerStore(team.product.table)
        timesheets = Timesheets(team.product.table, store, Calendars(team.product.table))
        timesheets.confirm(team.ann.id, day, lambda _: None, now_ms=now_ms())
        comment = self.say(team, "/timer log 24h\n/timer log 1m")
        refused = f"24h was not logged: {day} is confirmed. Reopen the day to change it."
        assert self.answers(comment) == (["confused"], [f"{logged('1m')} {refused}"])
        assert [span[4] for span in team.spans(team.ann)] == [1]

    def test_the_first_ten_commands_are_carried_out_and_the_others_named(self, team: Team) -> None:
        comment = self.say(team, "/timer log 1m\n" * 10 + "/timer log 2m\n/timer start")
        reactions, (answer,) = self.answers(comment)
        assert reactions == ["confused"]
        assert answer.startswith(f"{logged('1m')} " * 10)
        assert answer.endswith("Not done: `/timer log 2m`, `/timer start`.")
        assert [span[3:5] for span in team.spans(team.ann)] == [("stopped", 1)] * 10

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("/timer pause", "You had no running timer on this issue to pause."),
            ("/timer resume", "You had no paused timer on this issue to resume."),
            ("/timer stop", "You had no open timer on this issue to stop."),
            ("/timer log soon", "Write a duration as 1:30, 1h30m, 90m or 1.5h."),
            ("/timer log 90", "Does `90` mean `90m` or `90h`? Nothing was logged; write it that way."),
        ],
    )
    def test_a_command_without_effect_is_explained(self, team: Team, text: str, answer: str) -> None:
        assert self.answers(self.say(team, text)) == (["confused"], [answer])
        assert team.spans(team.ann) == []

    def test_an_unregistered_author_gets_an_explanation(self, team: Team) -> None:
        eve = team.github.new_user("eve")
        reactions, (text,) = self.answers(self.say(team, "/timer start", who=eve))
        assert reactions == ["confused"]
        assert "signed in" in text
        assert team.spans(eve) == []

    def test_an_author_who_registered_later_gets_an_explanation(self, team: Team) -> None:
        eve = team.github.new_user("eve")
        comment = team.github.comment(team.new_issue(), eve, "/timer log 5m")
        registered_ms = team.t0 + 60_000
        PeopleStore(team.product.table).register(eve.id, eve.login, now_ms=registered_ms)
        team.deliver()
        reactions, (text,) = self.answers(comment)
        assert reactions == ["confused"]
        assert "signed in" in text
        assert team.spans(eve) == []

    def test_commands_and_reply_are_logged_with_the_deliverys_guid(
        self, team: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        team.github.comment(team.new_issue(), team.ann, "/timer start")
        (delivery,) = [one for one in team.pop_deliveries() if one.event == "issue_comment"]
        team.github.send(delivery)
        logger = team.product.processor.logger
        logged: list[str] = []
        monkeypatch.setattr(logger, "info", lambda *_, **__: logged.append(logger.get_correlation_id()))
        team.product.process()
        assert logged == [delivery.guid] * 3

    def test_a_retried_reply_is_sent_once(self, team: Team) -> None:
        team.github.faults += [faults.lost_response(path=f"/repos/{team.name}/app/issues/")] * 1
        comment = self.say(team, "/timer log 5m")
        for _ in range(3):
            team.product.restart_processor()
            team.product.queue.retry()
            team.product.process()
        assert self.answers(comment) == (["+1"], [logged("5m")])

    def test_a_reply_whose_response_was_lost_is_not_repeated(self, team: Team) -> None:
        issue = team.new_issue()
        thread = f"POST /repos/{team.name}/app/issues/{issue.number}/comments"
        team.github.faults.append(faults.lost_response(path=thread))
        comment = self.say(team, "/timer log 5m", issue)
        team.product.restart_processor()
        team.product.queue.retry()
        team.product.process()
        assert self.answers(comment) == (["+1"], [logged("5m")])

    def test_a_reply_before_a_hundred_others_is_not_repeated(self, team: Team) -> None:
        issue = team.new_issue()
        thread = f"POST /repos/{team.name}/app/issues/{issue.number}/comments"
        comment = team.github.comment(issue, team.ann, "/timer log 5m")
        (delivery,) = [one for one in team.pop_deliveries() if one.event == "issue_comment"]
        for _ in range(100):
            team.github.comment(issue, team.bob, "Interesting.")
        team.pop_deliveries()
        team.github.send(delivery)
        team.github.faults.append(faults.lost_response(path=thread))
        assert len(team.product.process()) == 1
        team.product.restart_processor()
        team.product.queue.retry()
        assert team.product.process() == []
        _, later = self.answers(comment)
        assert later.count(logged("5m")) == 1

    def test_only_the_reply_waits_while_the_credential_cannot_be_read(
        self, team: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> None:
            raise Unavailable("The GitHub credential cannot be read: no", 10)

        monkeypatch.setattr(team.product.processor.queued_events.github._credential, "get", fail)
        self.say(team, "/timer start")
        assert [span[3] for span in team.spans(team.ann)] == ["running"]
        (waiting,) = team.product.queue.failed
        assert [type(event) for event in from_json(waiting.body).events] == [ReplyEvent]

    def test_our_own_replies_contain_no_commands(self, team: Team) -> None:
        comment = self.say(team, "/timer log 5m")
        team.deliver()
        assert [span[4] for span in team.spans(team.ann)] == [5]
        assert len(comment.issue.comments) == 2

    def test_a_comment_that_is_delivered_twice_logs_its_time_once(self, team: Team) -> None:
        """A webhook and a workflow both deliver the comment, with different GUIDs."""
        issue = team.new_issue()
        team.github.add_hook(issue.repository, team.product.receive, SECRET)
        team.pop_deliveries()
        team.github.comment(issue, team.ann, "/timer log 5m")
        for delivery, guid in zip(team.pop_deliveries(), ("run-1-1", "run-2-1"), strict=True):
            delivery.guid = guid
            team.github.send(delivery)
        team.product.process()
        assert [span[4] for span in team.spans(team.ann)] == [5]


class TestMoves:
    @pytest.mark.parametrize("backwards", [False, True])
    def test_open_timers_follow_a_transferred_issue(self, team: Team, backwards: bool) -> None:
        issue, other = team.new_issue(), team.new_issue("other").repository
        team.github.outbox.clear()
        team.github.assign(issue, team.ann)
        team.at(10)
        team.github.assign(issue, team.bob)
        team.at(20)
        moved = team.github.transfer(issue, other)
        team.at(30)
        team.github.unassign(moved, team.bob)
        team.at(40)
        team.github.close(moved)
        team.deliver(backwards=backwards)
        place = f"other#{moved.number}"
        assert team.spans(team.ann) == [(place, 0, 40, "stopped", 40)]
        assert team.spans(team.bob) == [(place, 10, 40, "stopped", 20)]

    def test_a_late_event_under_the_old_name_changes_the_timer(self, team: Team) -> None:
        issue, other = team.new_issue(), team.new_issue("other").repository
        team.github.assign(issue, team.ann)
        team.deliver()
        team.at(10)
        team.github.unassign(issue, team.ann)
        (late,) = team.pop_deliveries()
        team.at(20)
        moved = team.github.transfer(issue, other)
        team.deliver()
        assert team.spans(team.ann) == [(f"other#{moved.number}", 0, None, "running", 60)]
        team.github.send(late)
        team.product.process()
        assert team.spans(team.ann) == [(f"other#{moved.number}", 0, None, "paused", 10)]

    def test_an_issue_may_be_transferred_again(self, team: Team) -> None:
        issue = team.new_issue()
        repositories = [team.new_issue(name).repository for name in ("b", "c")]
        team.github.outbox.clear()
        team.github.assign(issue, team.ann)
        for minute, repository in enumerate(repositories, 1):
            team.at(minute)
            issue = team.github.transfer(issue, repository)
        team.at(10)
        team.github.close(issue)
        team.deliver(backwards=True)
        assert team.spans(team.ann) == [(f"c#{issue.number}", 0, 10, "stopped", 10)]

    @pytest.mark.parametrize("backwards", [False, True])
    def test_open_timers_follow_a_renamed_repository(self, team: Team, backwards: bool) -> None:
        first, second = team.new_issue(), team.new_issue()
        team.github.assign(first, team.ann)
        team.github.assign(second, team.ann)
        team.at(10)
        team.github.rename_repository(first.repository, "renamed")
        team.at(20)
        team.github.close(first)
        team.deliver(backwards=backwards)
        assert sorted(team.spans(team.ann)) == [
            ("renamed#1", 0, 20, "stopped", 20),
            ("renamed#2", 0, None, "running", 60),
        ]

    def test_a_reused_name_is_another_repository(self, team: Team) -> None:
        old = team.new_issue()
        team.github.assign(old, team.ann)
        team.deliver()
        team.at(10)
        team.github.rename_repository(old.repository, "legacy")
        team.deliver()
        team.github.now = now_ms() / 1000 + 1
        new = team.new_issue()
        assert new.number == old.number
        team.github.assign(new, team.bob)
        team.deliver()
        team.github.close(new)
        team.deliver()
        assert [span[0::3] for span in team.spans(team.ann)] == [("legacy#1", "running")]
        assert [span[0::3] for span in team.spans(team.bob)] == [("app#1", "stopped")]

    def test_a_repository_may_be_renamed_back(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        for minute, name in enumerate(["other", "app"], 1):
            team.at(minute)
            team.github.rename_repository(issue.repository, name)
        team.at(10)
        team.github.close(issue)
        team.deliver(backwards=True)
        assert team.spans(team.ann) == [("app#1", 0, 10, "stopped", 10)]

    @pytest.mark.parametrize("is_complete", [True, False], ids=["complete", "incomplete"])
    def test_open_timers_follow_a_repository_to_another_owner(self, team: Team, is_complete: bool) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.github.new_organization(f"{team.name}-b")
        team.github.add_hook(f"{team.name}-b", team.product.receive, SECRET)
        team.at(10)
        team.github.transfer_repository(issue.repository, f"{team.name}-b")
        if not is_complete:
            # GitHub's schema lets these members be null.
            transferred = team.github.outbox[-1].payload
            transferred["repository"]["updated_at"] = None
            transferred["changes"]["owner"]["from"]["user"] = None
        team.deliver()
        (timer,) = team.product.timers(team.ann.id)
        assert (timer.issue and timer.issue.owner, timer.organization) == (f"{team.name}-b",) * 2

    def test_a_manually_started_timer_follows_too(self, team: Team) -> None:
        issue, other = team.new_issue(), team.new_issue("other").repository
        team.github.outbox.clear()
        store = TimerStore(team.product.table)
        timer, _ = store.start(
            user_id=team.ann.id, now_ms=team.t0, issue=Named(team.name, "app", issue.number)
        )
        team.at(10)
        moved = team.github.transfer(issue, other)
        team.deliver()
        (found,) = team.product.timers(team.ann.id)
        assert (found.ulid, found.issue and found.issue.number) == (timer.ulid, moved.number)
        assert store.stop(team.ann.id, timer.ulid, now_ms=ago(0), by="manual", cause="a").end_ms


class TestTitles:
    def titles(self, team: Team) -> list[str]:
        return [timer.issue.title for timer in team.product.timers(team.ann.id) if timer.issue]

    def test_a_timer_has_the_latest_title_from_github(self, team: Team) -> None:
        issue = team.new_issue()
        issue.title = "It is slow"
        team.github.assign(issue, team.ann)
        team.deliver()
        assert self.titles(team) == ["It is slow"]
        team.at(5)
        issue.title = "It is slow at night"
        team.github.label(issue, "bug")
        team.at(10)
        issue.title = "It was slow at night"
        team.github.close(issue)
        team.deliver(backwards=True)
        assert self.titles(team) == ["It was slow at night"]

    def test_a_manually_started_timer_gets_its_title_from_the_next_event(self, team: Team) -> None:
        issue = team.new_issue()
        team.deliver()
        named = Named.of(issue.repository.full_name, issue.number)
        TimerStore(team.product.table).start(user_id=team.ann.id, now_ms=team.t0, issue=named)
        assert self.titles(team) == [""]
        team.at(10)
        team.github.assign(issue, team.ann)
        team.deliver()
        assert self.titles(team) == [issue.title]

    def test_a_backfilled_event_sets_the_title_too(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.deliver()
        team.at(10)
        issue.title = "Solved by turning it off"
        team.github.close(issue)
        team.pop_deliveries()
        team.github.now = now_ms() / 1000
        team.product.sweep()
        assert self.titles(team) == ["Solved by turning it off"]


class TestRepair:
    def test_a_failed_delivery_is_redelivered(self, team: Team) -> None:
        issue = team.new_issue()
        team.deliver()
        team.github.assign(issue, team.ann)
        team.at(10)
        team.github.close(issue)
        for delivery in team.pop_deliveries():
            team.github.fail(delivery)
        team.github.now = now_ms() / 1000
        summary = team.product.sweep(stop_closed=False)
        assert summary["redelivery"] == {
            "listed": 1,
            "failed": 2,
            "redelivered": 2,
            "given_up": 0,
            "unreachable": 0,
            "complete": True,
            "error": "",
        }
        team.product.process()
        assert team.spans(team.ann) == [("app#1", 0, 10, "stopped", 10)]
        assert team.product.sweep(stop_closed=False)["redelivery"]["failed"] == 0

    def test_a_dry_run_redelivers_nothing(self, team: Team) -> None:
        issue = team.new_issue()
        team.deliver()
        team.github.assign(issue, team.ann)
        (delivery,) = team.pop_deliveries()
        team.github.fail(delivery)
        team.github.now = now_ms() / 1000
        summary = team.product.sweep(stop_closed=False, dry_run=True)
        assert (summary["redelivery"]["failed"], summary["redelivery"]["redelivered"]) == (1, 0)
        assert delivery.hook.attempts[-1].delivery is delivery
        assert not any(attempt.redelivery for attempt in delivery.hook.attempts)

    def test_a_delivery_that_is_refused_again_is_given_up(self, team: Team) -> None:
        issue = team.new_issue()
        team.deliver()
        team.github.assign(issue, team.ann)
        (delivery,) = team.pop_deliveries()
        delivery.hook.secret = "wrong"
        team.github.send(delivery)
        team.github.now = now_ms() / 1000
        first = team.product.sweep(stop_closed=False)["redelivery"]
        second = team.product.sweep(stop_closed=False)["redelivery"]
        assert (first["redelivered"], second["redelivered"], second["given_up"]) == (1, 0, 1)

    def lose(self, team: Team) -> None:
        for delivery in team.pop_deliveries():
            assert delivery.event != "ping"
        team.github.now = now_ms() / 1000

    def reconcile(self, team: Team, **options: bool) -> dict[str, Any]:
        summary: dict[str, Any] = team.product.sweep(redeliver=False, **options)["reconcile"]
        assert (summary["error"], summary["failed"]) == ("", 0)
        return summary

    def test_a_backfilled_close_stops_the_timer_at_the_time_of_the_close(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.deliver()
        team.at(20)
        team.github.close(issue)
        self.lose(team)
        assert self.reconcile(team, dry_run=True)["backfilled"] == 1
        assert team.spans(team.ann) == [("app#1", 0, None, "running", 60)]
        assert self.reconcile(team)["backfilled"] == 1
        assert team.spans(team.ann) == [("app#1", 0, 20, "stopped", 20)]

    def test_missing_events_are_backfilled_in_their_order(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.deliver()
        acts: list[Callable[[], object]] = [
            lambda: team.github.unassign(issue, team.ann),
            lambda: team.github.assign(issue, team.bob),
            lambda: team.github.close(issue),
            lambda: team.github.reopen(issue),
            lambda: team.github.assign(issue, team.ann),
        ]
        for minute, act in enumerate(acts, 1):
            team.at(10 * minute)
            act()
        self.lose(team)
        assert self.reconcile(team)["backfilled"] == 5
        assert team.spans(team.ann) == [
            ("app#1", 0, 30, "stopped", 10),
            ("app#1", 50, None, "running", 10),
        ]
        assert team.spans(team.bob) == [
            ("app#1", 20, 30, "stopped", 10),
            ("app#1", 40, None, "running", 20),
        ]
        assert self.reconcile(team)["backfilled"] == 0

    def test_a_backfilled_removal_of_one_of_two_start_labels_pauses_nothing(
        self, github: FakeGitHub, shared_table: Table
    ) -> None:
        with product(shared_table, github.url, START_LABELS="bug,urgent") as running:
            running.store_credential({"token": TOKEN})
            team = make_team(github, running)
            issue = team.new_issue()
            team.github.assign(issue, team.ann)
            for label in ("bug", "urgent"):
                team.github.label(issue, label)
            team.deliver()
            for minute, label in ((10, "bug"), (20, "urgent")):
                team.at(minute)
                team.github.unlabel(issue, label)
            _, last = team.pop_deliveries()
            # Only GitHub's timeline contains both events.
            team.github.now = now_ms() / 1000
            assert running.sweep(redeliver=False)["reconcile"]["backfilled"] == 1
            assert team.spans(team.ann) == [("app#1", 0, None, "paused", 20)]
            team.github.send(last)
            running.process()
            assert team.spans(team.ann) == [("app#1", 0, None, "paused", 20)]

    def test_a_delivered_event_is_not_backfilled(self, team: Team) -> None:
        issue = team.new_issue()
        for minute, act in enumerate([team.github.assign, team.github.unassign, team.github.assign]):
            team.at(minute)
            act(issue, team.ann)
        team.deliver()
        before = team.product.timers(team.ann.id)
        self.lose(team)
        assert self.reconcile(team)["backfilled"] == 0
        assert team.product.timers(team.ann.id) == before

    def test_all_pages_of_a_timeline_are_read(self, team: Team) -> None:
        issue, other = team.new_issue(), team.new_issue()
        for one in (issue, other):
            team.github.assign(one, team.ann)
        team.deliver()
        team.at(10)
        for _ in range(55):
            team.github.label(issue, "question")
            team.github.unlabel(issue, "question")
        team.at(20)
        for one in (issue, other):
            team.github.close(one)
        self.lose(team)
        team.github.requests.clear()
        assert self.reconcile(team)["backfilled"] == 2
        assert [span[2] for span in team.spans(team.ann)] == [20, 20]
        # The second page is requested only if a second page exists.
        asked = [sorted(request.body["variables"]) for request in team.github.requests]
        assert [sum(name.startswith("x") for name in variables) for variables in asked] == [2, 1]

    def test_the_order_within_a_second_is_kept(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.deliver()
        team.at(10)
        for act in (team.github.unassign, team.github.assign, team.github.unassign, team.github.assign):
            act(issue, team.ann)
        first, second, third, fourth = team.pop_deliveries()
        for delivery in (first, third):
            team.github.send(delivery)
        team.product.process()
        assert team.spans(team.ann)[0][3] == "paused"
        self.lose(team)
        assert self.reconcile(team)["backfilled"] == 2
        assert team.spans(team.ann) == [("app#1", 0, None, "running", 60)]
        for delivery in (second, fourth):
            team.github.send(delivery)
        team.product.process()
        assert team.spans(team.ann) == [("app#1", 0, None, "running", 60)]

    def test_an_event_during_the_sweep_is_backfilled_once(
        self, team: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock(team.t0 + 30 * MINUTE)
        monkeypatch.setattr(team.product.sweeper, "now_ms", clock)
        # The issues of another owner are fetched first, and the response is slow.
        first = team.github.new_issue(team.github.new_repository(f"{team.name}-first/app"))
        TimerStore(team.product.table).start(
            user_id=team.bob.id,
            now_ms=team.t0 - MINUTE,
            issue=Named.of(first.repository.full_name, first.number),
        )

        def answer_slowly(_request: Request, carry_out: Callable[[], Answer]) -> Answer:
            clock.advance(20 * 60)
            return carry_out()

        team.github.faults.append(faults.Fault(answer_slowly, "/graphql"))
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.deliver()
        team.at(40)
        team.github.assign(issue, team.bob)
        team.github.unassign(issue, team.bob)
        assigned, _unassigned = team.pop_deliveries()
        team.github.now = now_ms() / 1000
        assert self.reconcile(team)["backfilled"] == 2
        team.github.send(assigned)
        team.product.process()
        assert [span for span in team.spans(team.bob) if span[1] >= 0] == [("app#1", 40, None, "paused", 0)]

    def test_a_transferred_issue_is_found(self, team: Team) -> None:
        issue, other = team.new_issue(), team.new_issue("other").repository
        team.github.assign(issue, team.ann)
        team.deliver()
        team.at(10)
        moved = team.github.transfer(issue, other)
        team.at(20)
        team.github.unassign(moved, team.ann)
        self.lose(team)
        summary = self.reconcile(team)
        assert (summary["moved"], summary["backfilled"]) == (1, 1)
        assert team.spans(team.ann) == [(f"other#{moved.number}", 0, None, "paused", 20)]

    def test_only_one_sweep_compares_at_a_time(self, team: Team) -> None:
        team.github.assign(team.new_issue(), team.ann)
        team.deliver()
        others: list[dict[str, Any]] = []

        def sweep_meanwhile(_request: Request, carry_out: Callable[[], Answer]) -> Answer:
            others.append(team.product.sweep(redeliver=False))
            return carry_out()

        team.github.faults.append(faults.Fault(sweep_meanwhile, "/graphql"))
        compared = self.reconcile(team)
        assert (compared["issues"], compared["skipped"], compared["complete"]) == (1, False, True)
        (other,) = others
        assert (other["reconcile"]["issues"], other["reconcile"]["skipped"]) == (0, True)
        assert other["complete"] is False
        assert self.reconcile(team)["skipped"] is False

    def test_a_killed_sweep_delays_the_next_comparison_until_its_time_limit(self, team: Team) -> None:
        progress = team.product.sweeper.progress_store
        assert progress.lease(now_ms() + 60_000, now_ms=now_ms())
        assert self.reconcile(team)["skipped"] is True
        assert progress.lease(now_ms() - 1, now_ms=now_ms() + 120_000)
        assert self.reconcile(team)["skipped"] is False

    def test_a_renamed_repository_is_found(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.deliver()
        team.github.rename_repository(issue.repository, "renamed")
        self.lose(team)
        assert self.reconcile(team)["moved"] == 0
        assert team.spans(team.ann) == [("renamed#1", 0, None, "running", 60)]

    def test_a_deleted_issue_stops_the_timer_when_the_sweep_finds_it(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.deliver()
        team.github.delete(issue)
        self.lose(team)
        assert self.reconcile(team)["backfilled"] == 1
        (timer,) = team.product.timers(team.ann.id)
        assert (timer.stopped_by, timer.end_ms and timer.end_ms >= team.t0 + 59 * MINUTE) == ("deleted", True)

    def test_an_unreachable_issue_changes_nothing(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.deliver()
        team.github.close(issue)
        self.lose(team)
        team.github.tokens[TOKEN] = team.github.tokens.pop(team.github.new_token(owners=[]))
        assert self.reconcile(team)["unreachable"] == 1
        assert team.spans(team.ann)[0][3] == "running"

    def test_one_query_fetches_many_issues(self, team: Team) -> None:
        for _ in range(120):
            team.github.assign(team.new_issue(), team.ann)
        team.deliver()
        self.lose(team)
        team.github.requests.clear()
        assert self.reconcile(team)["issues"] == 120
        assert [request.path for request in team.github.requests] == ["/graphql"] * 3


class TestActors:
    """Each event has the person who caused it, whether it was delivered or backfilled."""

    def acts(self, team: Team, who: Account) -> list[tuple[str, str, bool]]:
        """Return the action, kind and ownership of each entry of a person's only history."""
        (listed,) = team.product.timers(who.id)
        timer = TimerStore(team.product.table).get(who.id, listed.ulid)
        return [(one.action.value, one.by, one.by_owner) for one in timer.history]

    @pytest.mark.parametrize("is_lost", [False, True], ids=["delivered", "backfilled"])
    def test_a_history_says_what_its_owner_did(self, team: Team, is_lost: bool) -> None:
        team.product.store_credential({"token": TOKEN})
        issue, robot = team.new_issue(), team.github.new_user("robot[bot]", type="Bot")
        team.github.assign(issue, team.ann, by=team.bob)
        team.deliver()
        team.at(1)
        team.github.unassign(issue, team.ann, by=robot)
        team.at(2)
        team.github.assign(issue, team.ann, by=team.ann)
        team.at(3)
        team.github.label(issue, "bug", by=team.ann)
        team.at(4)
        team.github.close(issue, by=team.ann)
        if is_lost:
            team.pop_deliveries()
            assert team.product.sweep()["reconcile"]["backfilled"] == 4
        team.deliver()
        assert self.acts(team, team.ann) == [
            ("start", "assigned", False),
            ("pause", "unassigned", False),
            ("resume", "assigned", True),
            ("start", "labeled", True),
            ("stop", "closed", True),
        ]

    def test_moving_ones_own_card_is_an_own_act_and_moving_somebodys_is_not(self, team: Team) -> None:
        team.product.store_credential({"token": TOKEN})
        issue = team.new_issue()
        for person in (team.ann, team.bob):
            team.github.assign(issue, person)
        card = team.github.add_card(team.github.new_project(team.name), issue)
        team.at(1)
        team.github.move_card(card, "In Progress", by=team.ann)
        team.at(2)
        team.github.archive_card(card, by=team.bob)
        team.deliver()
        assert self.acts(team, team.ann) == [("start", "assigned", False), ("start", "project.start", True)]
        assert self.acts(team, team.bob) == [("start", "assigned", False)]

    def test_a_command_on_a_running_timer_is_an_own_act(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.at(1)
        team.github.comment(issue, team.ann, "/timer start")
        team.deliver()
        assert self.acts(team, team.ann) == [("start", "assigned", False), ("start", "comment.start", True)]

    def test_restoring_a_repository_has_an_actor(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.at(1)
        team.github.archive_repository(issue.repository, by=team.bob)
        team.at(2)
        team.github.archive_repository(issue.repository, archived=False, by=team.ann)
        team.deliver()
        assert self.acts(team, team.ann) == [
            ("start", "assigned", False),
            ("pause", "archived", False),
            ("resume", "unarchived", True),
        ]

    def test_an_actor_who_is_not_tracked_is_not_stored(self, team: Team) -> None:
        stranger, issue = team.github.new_user("stranger"), team.new_issue()
        team.github.assign(issue, team.ann, by=stranger)
        team.at(1)
        team.github.close(issue, by=stranger)
        team.at(2)
        team.github.reopen(issue, by=team.bob)
        team.deliver()
        logged = team.product.processor.issue_timers.logged(identified_issue(issue))
        assert [(event.kind, event.actor) for event in sorted(logged, key=lambda event: event.at_ms)] == [
            ("assigned", 0),
            ("closed", 0),
            ("reopened", team.bob.id),
        ]

    @pytest.mark.parametrize("is_lost", [False, True], ids=["delivered", "backfilled"])
    def test_with_self_only_ones_own_assignment_starts_a_timer(self, team: Team, is_lost: bool) -> None:
        team.product.store_credential({"token": TOKEN})
        calendars = Calendars(team.product.table)
        put_assignment_starts(calendars, team.ann.id, AssignmentStarts.SELF, now_ms=team.t0 + MINUTE)
        issue, other = team.new_issue(), team.new_issue()
        team.github.assign(issue, team.ann, by=team.bob)
        team.at(2)
        team.github.assign(other, team.ann, by=team.bob)
        team.github.unassign(issue, team.ann, by=team.bob)
        # Bob's timers let the sweep compare both issues.
        team.github.assign(issue, team.bob, by=team.ann)
        team.github.assign(other, team.bob, by=team.ann)
        team.deliver()
        # The first assignment was before the choice, and the second one after it.
        name = f"app#{issue.number}"
        assert team.spans(team.ann) == [(name, 0, None, "paused", 2)]
        team.at(3)
        team.github.assign(issue, team.ann, by=team.bob)
        team.at(4)
        team.github.unassign(other, team.ann, by=team.bob)
        team.at(5)
        team.github.assign(other, team.ann, by=team.ann)
        if is_lost:
            team.pop_deliveries()
            team.product.sweep()
        team.deliver()
        assert team.spans(team.ann) == [
            (name, 0, None, "paused", 2),
            (f"app#{other.number}", 5, None, "running", 55),
        ]
        assert len(team.product.timers(team.bob.id)) == 2


class TestComments:
    """A comment without a command is a sign of life of its author."""

    def signs(self, team: Team, who: Account) -> list[float]:
        (listed,) = team.product.timers(who.id)
        timer = TimerStore(team.product.table).get(who.id, listed.ulid)
        return [(ms - team.t0) / MINUTE for ms in timer.signs]

    @pytest.mark.parametrize("backwards", [False, True], ids=["in-order", "backwards"])
    def test_it_is_stored_with_the_timer_of_its_author_only(self, team: Team, backwards: bool) -> None:
        issue = team.new_issue()
        for person in (team.ann, team.bob):
            team.github.assign(issue, person)
        team.at(1)
        team.github.comment(issue, team.ann, "I am on it.")
        team.deliver(backwards=backwards)
        assert (self.signs(team, team.ann), self.signs(team, team.bob)) == ([1], [])
        assert [span[3] for span in team.spans(team.ann)] == ["running"]

    def test_comments_of_bots_and_strangers_are_not_stored(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        for login, kind in (("robot[bot]", "Bot"), ("stranger", "User")):
            team.github.comment(issue, team.github.new_user(login, type=kind), "Hello!")
        team.deliver()
        logged = team.product.processor.issue_timers.logged(identified_issue(issue))
        assert [event.kind for event in logged] == ["assigned"]

    def test_a_late_comment_opens_a_timer_again_that_the_sweeper_ended(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.deliver()
        team.at(10)
        team.github.comment(issue, team.ann, "Still on it.")
        (late,) = team.pop_deliveries()
        (timer,) = team.product.timers(team.ann.id)
        TimerStore(team.product.table).expire(
            timer.user_id,
            timer.ulid,
            end_ms=team.t0 + 20 * MINUTE,
            sign_ms=timer.start_ms,
            now_ms=team.t0 + 30 * MINUTE,
        )
        assert [span[2:4] for span in team.spans(team.ann)] == [(20, "stopped")]
        assert team.github.send(late) == 202
        team.product.process()
        assert [span[2:4] for span in team.spans(team.ann)] == [(None, "running")]
        team.at(40)
        team.github.close(issue)
        team.deliver()
        assert [span[2:] for span in team.spans(team.ann)] == [(40, "stopped", 40)]


def identified_issue(issue: Issue) -> Named:
    return Named.of(issue.repository.full_name, issue.number, repo_id=issue.repository.id)


class TestFailures:
    @pytest.mark.parametrize(
        "fault",
        [
            faults.status(502),
            faults.primary_limit(120),
            faults.secondary_limit(90),
            faults.graphql_error(),
            faults.graphql_error(partial=True),
            faults.lost_response(),
        ],
    )
    def test_a_request_that_github_cannot_serve_is_retried_and_done_once(
        self, github: FakeGitHub, shared_table: Table, fault: faults.Fault
    ) -> None:
        # Start a new process, because the old process sends no requests for some time after a rate limit.
        with product(shared_table, github.url) as running:
            running.store_credential({"token": TOKEN})
            team = make_team(github, running)
            issue = team.new_issue()
            team.github.assign(issue, team.ann)
            card = team.github.add_card(team.github.new_project(team.name), issue)
            team.pop_deliveries()
            team.at(10)
            team.github.move_card(card, "In Progress")
            team.github.faults.append(fault)
            team.deliver()
            (failed,) = running.queue.failed
            assert team.spans(team.ann) == []
            assert failed.visibility_timeout_s is not None
            assert 15 <= failed.visibility_timeout_s <= 121
        with product(shared_table, github.url) as later:
            later.store_credential({"token": TOKEN})
            later.queue.waiting.append(failed)
            assert later.process() == []
            assert team.spans(team.ann) == [("app#1", 10, None, "running", 50)]

    def test_a_message_waits_until_the_rate_limit_ends(self, github: FakeGitHub, shared_table: Table) -> None:
        with product(shared_table, github.url) as running:
            running.store_credential({"token": TOKEN})
            team = make_team(github, running)
            card = team.github.add_card(team.github.new_project(team.name), team.new_issue())
            team.pop_deliveries()
            for status in ("In Progress", "Todo", "Done"):
                team.github.move_card(card, status)
            team.github.faults.append(faults.secondary_limit(600))
            team.github.requests.clear()
            team.deliver()
            assert [(message.visibility_timeout_s or 0) > 500 for message in running.queue.failed] == [
                True
            ] * 3
            assert len(team.github.requests) == 1

    def test_without_a_credential_the_rest_works_and_health_lists_what_does_not(
        self, github: FakeGitHub, table: Table, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        with product(table, github.url) as running:
            team = make_team(github, running)
            issue = team.new_issue()
            card = team.github.add_card(team.github.new_project(team.name), issue)
            team.github.assign(issue, team.ann)
            team.github.move_card(card, "Done")
            comment = team.github.comment(issue, team.ann, "/timer pause")
            team.deliver()
            outcomes = {vars(one).get("event"): vars(one).get("outcome") for one in caplog.records}
            # The command in the comment still takes effect.
            assert (outcomes["CardEvent"], outcomes["ReplyEvent"]) == ("given_up", "not_replied")
            assert running.queue.failed == []
            assert [span[3] for span in team.spans(team.ann)] == ["paused"]
            assert comment.reactions == []
            summary = running.sweep()
            assert (summary["redelivery"], summary["reconcile"]) == (None, None)
            assert "There is no GitHub credential" in caplog.text or any(
                "no GitHub credential" in str(getattr(record, "reason", "")) for record in caplog.records
            )
            report = HealthStore(table).read(now_ms=now_ms())
            assert report.github_credential == "none"
            assert set(report.github_cannot) == {
                "project_cards",
                "replies",
                "redelivery",
                "reconcile",
                "lead_teams",
                "write_back",
            }

    def test_health_shows_a_refusal_until_it_is_over(self, github: FakeGitHub, table: Table) -> None:
        with product(table, github.url) as running:
            running.store_credential({"token": TOKEN})
            team = make_team(github, running)
            token = team.github.tokens.pop(TOKEN)
            team.github.comment(team.new_issue(), team.ann, "/timer start")
            team.deliver()
            store = HealthStore(table)
            assert store.read(now_ms=now_ms()).github_cannot == ("replies",)
            team.github.tokens[TOKEN] = token
            team.github.comment(team.new_issue(), team.ann, "/timer start")
            team.deliver()
            report = store.read(now_ms=now_ms())
            assert (report.github_credential, report.github_cannot) == ("token", ())

    def refused(self, github: FakeGitHub, running: Product) -> Team:
        """Return a team for which GitHub has refused a reply to a comment."""
        team = make_team(github, running)
        token = team.github.tokens.pop(TOKEN)
        team.github.comment(team.new_issue(), team.ann, "/timer start")
        team.deliver()
        running.queue.failed.clear()
        team.github.tokens[TOKEN] = token
        assert cannot(running) == ("replies",)
        return team

    @pytest.mark.parametrize("status", [404, 410, 422])
    def test_a_deleted_comment_does_not_change_health(
        self, github: FakeGitHub, table: Table, status: int
    ) -> None:
        with product(table, github.url) as running:
            running.store_credential({"token": TOKEN})
            team = self.refused(github, running)
            team.github.faults.append(faults.status(status, path="POST /repos/"))
            team.github.comment(team.new_issue(), team.ann, "/timer start")
            team.deliver()
            assert running.queue.failed == []
            assert cannot(running) == ("replies",)

    def test_a_queued_reply_does_not_change_health(
        self, github: FakeGitHub, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with product(table, github.url) as running:
            running.store_credential({"token": TOKEN})
            team = self.refused(github, running)
            team.github.comment(team.new_issue(), team.ann, "/timer start")
            for delivery in team.pop_deliveries():
                team.github.send(delivery)
            monkeypatch.setattr(running.queue, "send_message", lambda **_: None)
            assert running.process() == []
            assert cannot(running) == ("replies",)

    def test_an_unreachable_card_is_given_up_and_does_not_change_health(
        self, github: FakeGitHub, table: Table, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        with product(table, github.url) as running:
            running.store_credential({"token": TOKEN})
            team = make_team(github, running)
            issue = team.new_issue()
            team.github.assign(issue, team.ann)
            card = team.github.add_card(team.github.new_project(team.name), issue)
            team.pop_deliveries()
            del team.github.tokens[TOKEN]
            unseeing = team.github.tokens.pop(team.github.new_token(owners=[]))
            team.github.move_card(card, "In Progress")
            team.deliver()
            assert cannot(running) == ("project_cards",)
            running.queue.failed.clear()
            team.github.tokens[TOKEN] = unseeing
            team.github.move_card(card, "Done")
            team.deliver()
            (outcome,) = [one for one in map(vars, caplog.records) if one.get("outcome") == "given_up"]
            assert "Could not resolve" in outcome["reason"]
            assert cannot(running) == ("project_cards",)

    def test_before_the_first_check_health_reports_nothing_as_possible(self, table: Table) -> None:
        report = HealthStore(table).read(now_ms=now_ms())
        assert report.github_credential is None
        assert report.github_cannot == get_args(Capability)


def cannot(running: Product) -> tuple[str, ...]:
    return HealthStore(running.table).read(now_ms=now_ms()).github_cannot


class TestEdges:
    def test_a_sweep_works_after_a_repository_with_a_webhook_was_renamed(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.add_hook(issue.repository, team.product.receive, SECRET)
        team.deliver()
        team.github.assign(issue, team.ann)
        for delivery in team.pop_deliveries():
            team.github.fail(delivery)
        team.github.rename_repository(issue.repository, "renamed")
        team.pop_deliveries()
        team.github.now = now_ms() / 1000
        TimerStore(team.product.table).start(user_id=team.bob.id, now_ms=ago(48 * 60))
        summary = team.product.sweep(stop_stale=True, stop_closed=False)
        assert (summary["stopped"], summary["redelivery"]["redelivered"]) == (1, 1)

    def test_stale_timers_stop_even_if_the_repair_fails(
        self, team: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(team.product.sweeper.reconciler, "run", None)
        TimerStore(team.product.table).start(user_id=team.ann.id, now_ms=ago(48 * 60))
        summary = team.product.sweep(stop_stale=True)
        assert (summary["stopped"], summary["complete"]) == (1, False)

    def test_a_reply_reaches_a_renamed_repository(self, team: Team) -> None:
        comment = team.github.comment(team.new_issue(), team.ann, "/timer log 5m")
        for delivery in team.pop_deliveries():
            team.github.send(delivery)
        team.github.rename_repository(comment.issue.repository, "renamed")
        assert team.product.process() == []
        assert [reaction.content for reaction in comment.reactions] == ["+1"]

    def test_a_command_that_is_delivered_twice_gets_one_reply(self, team: Team) -> None:
        issue = team.new_issue()
        team.github.assign(issue, team.ann)
        team.deliver()
        team.at(10)
        comment = team.github.comment(issue, team.ann, "/timer pause")
        (delivery,) = team.pop_deliveries()
        for guid in ("run-1-1", delivery.guid):
            delivery.guid = guid
            team.github.send(delivery)
            team.product.process()
        assert [reaction.content for reaction in comment.reactions] == ["+1"]
        assert issue.comments == [comment]

    def test_backfilled_events_from_before_registration_do_not_count(self, team: Team) -> None:
        issue, eve = team.new_issue(), team.github.new_user("eve")
        team.github.assign(issue, team.ann)
        team.github.assign(issue, eve)
        team.deliver()
        team.github.now = now_ms() / 1000
        PeopleStore(team.product.table).register(eve.id, "eve", now_ms=now_ms())
        team.product.sweep()
        assert team.spans(eve) == []

    def test_a_burst_of_failures_is_redelivered_over_several_runs(
        self, team: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("timer_core.services.redelivery._MAX_REDELIVERIES", 3)
        team.deliver()
        for _ in range(8):
            team.github.assign(team.new_issue(), team.ann)
        for delivery in team.pop_deliveries():
            team.github.fail(delivery)
        team.github.now = now_ms() / 1000
        for _ in range(8):
            team.product.sweep(stop_closed=False)
            team.product.process()
        assert len(team.spans(team.ann)) == 8

    def test_a_throttled_redelivery_is_not_given_up(self, team: Team) -> None:
        issue = team.new_issue()
        team.deliver()
        team.github.assign(issue, team.ann)
        (delivery,) = team.pop_deliveries()
        team.github.fail(delivery, 429)
        team.github._record(delivery, 429, redelivery=True)
        team.github.now = now_ms() / 1000
        assert team.product.sweep(stop_closed=False)["redelivery"]["given_up"] == 0

    def test_a_manual_timer_under_the_former_name_stops_with_its_issue(self, team: Team) -> None:
        issue, other = team.new_issue(), team.new_issue("other").repository
        team.github.assign(issue, team.ann)
        moved = team.github.transfer(issue, other)
        team.at(1)
        team.github.unassign(moved, team.ann)
        team.deliver()
        store = TimerStore(team.product.table)
        named = Named(team.name, "app", issue.number)
        store.start(user_id=team.ann.id, now_ms=team.t0 + 10 * MINUTE, issue=named)
        team.at(30)
        team.github.close(moved)
        team.deliver()
        assert {span[3] for span in team.spans(team.ann)} == {"stopped"}
        assert sum(span[4] for span in team.spans(team.ann)) == 21

    def test_an_interrupted_move_loses_nothing(self, team: Team) -> None:
        issue_timers, at = team.product.processor.issue_timers, team.t0
        old, new = (identified(Named(team.name, repo, number)) for repo, number in (("a", 1), ("b", 2)))
        move = Move("move", old, new, at + 10 * MINUTE)
        log = issue_timers._log
        put = log._put_once
        done: list[Any] = []

        def killed_after_the_first(item: Any, now_ms: int) -> Any:
            if done:
                raise Killed
            done.append(item)
            return put(item, now_ms)

        log._put_once = killed_after_the_first
        with pytest.raises(Killed):
            issue_timers.move(move, now_ms=now_ms())
        log._put_once = put
        ann = frozenset({team.ann.id})
        issue_timers.apply(Event("late", "unassigned", at + 20 * MINUTE, ann), new, now_ms=now_ms())
        issue_timers.apply(Event("early", "assigned", at, ann), old, now_ms=now_ms())
        issue_timers.move(move, now_ms=now_ms())
        assert team.spans(team.ann) == [("b#2", 0, None, "paused", 20)]
