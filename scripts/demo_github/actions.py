"""The actions of the demo's pages: each of them is one form."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from demo_github import team
from fake_github.model import Issue, PullRequest

if TYPE_CHECKING:
    from demo_github.github import DemoGitHub
    from fake_github.model import Account, Repository
    from fake_github.webhooks import Delivery

T = TypeVar("T")

_MAX_TITLE, _MAX_COMMENT = 256, 65_536
_MAX_DIGITS = 10
# The history of each issue of the comparison of orders: seconds after its beginning, and the action.
_HISTORY = ((0, "assign"), (4, "unassign"), (8, "assign"), (12, "close"))
_ORDERS = ("in order", "in reverse", "shuffled, each one twice")


class Impossible(Exception):
    """The action cannot be performed; the message is for the person."""


@dataclass(frozen=True)
class Submission:
    """A form that a person has sent."""

    github: DemoGitHub
    me: Account
    form: Mapping[str, str]

    @property
    def repository(self) -> Repository:
        """The repository that the form names."""
        found = self.github.repository(f"{team.ORGANIZATION}/{self.form.get('repository', '')}")
        if found is None:
            raise Impossible("There is no such repository.")
        return found

    @property
    def issue(self) -> Issue:
        """The issue that the form names."""
        found = self._numbered()
        if found is None or isinstance(found, PullRequest):
            raise Impossible("There is no such issue.")
        return found

    @property
    def pull(self) -> PullRequest:
        """The pull request that the form names."""
        found = self._numbered()
        if not isinstance(found, PullRequest):
            raise Impossible("There is no such pull request.")
        return found

    @property
    def issue_or_pull(self) -> Issue:
        """The issue or the pull request that the form names."""
        found = self._numbered()
        if found is None:
            raise Impossible("There is no such issue.")
        return found

    @property
    def delivery(self) -> Delivery:
        """The delivery that the form names."""
        found = next((one for one in self.github.outbox if one.guid == self.form.get("delivery")), None)
        if found is None:
            raise Impossible("There is no such delivery any more.")
        return found

    @property
    def held(self) -> Delivery:
        """The delivery that the form names, if it is held back."""
        if self.delivery not in self.github.held:
            raise Impossible("This delivery is not held back any more.")
        return self.delivery

    @property
    def person(self) -> Account:
        """The person that the form names."""
        return self._one_of({one.login: one for one in self.github.people}, "login", "person")

    def text(self, name: str, maximum: int) -> str:
        """Return a text that may not be empty."""
        text = self.form.get(name, "").strip()
        if not text or len(text) > maximum:
            raise Impossible(f"The {name} needs 1 to {maximum} characters.")
        return text

    def choice(self, name: str, options: Mapping[str, str]) -> str:
        """Return the chosen one of these options."""
        return self._one_of(options, name, name)

    def _numbered(self) -> Issue | PullRequest | None:
        number = read_number(self.form.get("number", ""))
        return self.github.find(self.repository.name, number) if number else None

    def _one_of(self, options: Mapping[str, T], name: str, shown: str) -> T:
        chosen = self.form.get(name, "")
        if chosen not in options:
            raise Impossible(f"There is no such {shown}.")
        return options[chosen]


def read_number(text: str) -> int | None:
    """Return the number that a text is; None if it is none, or has more digits than any id."""
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else None


# An action returns what it did, for the status message.
Action: TypeAlias = Callable[[Submission], str]
ACTIONS: dict[str, Action] = {}


def _action(action: Action) -> Action:
    ACTIONS[action.__name__.removesuffix("_")] = action
    return action


# ---------------------------------------------------------------------- issues


@_action
def assign(sent: Submission) -> str:
    """Assign a person to an issue or a pull request."""
    sent.github.assign(sent.issue_or_pull, sent.person, by=sent.me)
    return f"{_shown(sent.issue_or_pull)} is assigned to {sent.person.login}."


@_action
def unassign(sent: Submission) -> str:
    """Remove a person from the assignees."""
    sent.github.unassign(sent.issue_or_pull, sent.person, by=sent.me)
    return f"{_shown(sent.issue_or_pull)} is no longer assigned to {sent.person.login}."


@_action
def label(sent: Submission) -> str:
    """Add a label."""
    name = sent.choice("label", {one.name: one.name for one in team.LABELS})
    sent.github.label(sent.issue, name, by=sent.me)
    return f"{_shown(sent.issue)} has the label {name}."


@_action
def unlabel(sent: Submission) -> str:
    """Remove a label."""
    name = sent.choice("label", {one.name: one.name for one in team.LABELS})
    sent.github.unlabel(sent.issue, name, by=sent.me)
    return f"{_shown(sent.issue)} has lost the label {name}."


@_action
def move(sent: Submission) -> str:
    """Move an issue's card to another column."""
    status = sent.choice("status", {one: one for one in team.STATUSES})
    for card in sent.issue.cards:
        sent.github.move_card(card, status, by=sent.me)
    return f"Moved {_shown(sent.issue)} to {status}."


@_action
def comment(sent: Submission) -> str:
    """Comment on an issue or a pull request."""
    sent.github.comment(sent.issue_or_pull, sent.me, sent.text("comment", _MAX_COMMENT))
    return f"Commented on {_shown(sent.issue_or_pull)}."


@_action
def close(sent: Submission) -> str:
    """Close an issue."""
    sent.github.close(sent.issue, by=sent.me)
    return f"{_shown(sent.issue)} is closed."


@_action
def reopen(sent: Submission) -> str:
    """Reopen an issue."""
    sent.github.reopen(sent.issue, by=sent.me)
    return f"{_shown(sent.issue)} is open again."


@_action
def open_issue(sent: Submission) -> str:
    """Open an issue."""
    issue = sent.github.open_issue(sent.repository, sent.text("title", _MAX_TITLE), by=sent.me)
    return f"Opened {_shown(issue)}."


# ---------------------------------------------------------------------- pull requests


@_action
def open_pull(sent: Submission) -> str:
    """Open a pull request that closes an issue when it is merged."""
    title = sent.text("title", _MAX_TITLE)
    pull = sent.github.open_pull_request(sent.repository, title, [sent.issue], by=sent.me)
    return f"Opened the pull request {_shown(pull)}."


@_action
def merge(sent: Submission) -> str:
    """Merge a pull request."""
    if sent.pull.state != "open":
        raise Impossible("This pull request is not open.")
    sent.github.merge(sent.pull, by=sent.me)
    return f"Merged {_shown(sent.pull)}."


@_action
def close_pull(sent: Submission) -> str:
    """Close a pull request without merging it."""
    sent.github.close_pull_request(sent.pull, by=sent.me)
    return f"{_shown(sent.pull)} is closed."


@_action
def reopen_pull(sent: Submission) -> str:
    """Reopen a pull request that was not merged."""
    sent.github.reopen_pull_request(sent.pull, by=sent.me)
    return f"{_shown(sent.pull)} is open again."


@_action
def request_review(sent: Submission) -> str:
    """Request the review of a person."""
    if sent.person is sent.pull.user:
        raise Impossible("Authors cannot review their own pull requests.")
    sent.github.request_review(sent.pull, sent.person, by=sent.me)
    return f"Requested a review of {_shown(sent.pull)} from {sent.person.login}."


@_action
def remove_review_request(sent: Submission) -> str:
    """Remove the request for the review of a person."""
    sent.github.remove_review_request(sent.pull, sent.person, by=sent.me)
    return f"{sent.person.login} is no longer asked to review {_shown(sent.pull)}."


@_action
def submit_review(sent: Submission) -> str:
    """Submit a review of an open pull request."""
    if sent.pull.state != "open":
        raise Impossible("This pull request is not open.")
    state = sent.choice("state", {one: one for one in ("approved", "changes_requested", "commented")})
    if sent.me is sent.pull.user and state != "commented":
        raise Impossible("Authors can only comment on their own pull requests.")
    sent.github.submit_review(sent.pull, sent.me, state)
    return f"Reviewed {_shown(sent.pull)}."


@_action
def ready(sent: Submission) -> str:
    """Mark a draft as ready for review."""
    sent.github.mark_ready(sent.pull, by=sent.me)
    return f"{_shown(sent.pull)} is ready for review."


@_action
def draft(sent: Submission) -> str:
    """Convert a pull request to a draft."""
    sent.github.mark_ready(sent.pull, ready=False, by=sent.me)
    return f"{_shown(sent.pull)} is a draft."


@_action
def create_branch(sent: Submission) -> str:
    """Create a branch."""
    name = sent.text("branch", _MAX_TITLE)
    sent.github.create_branch(sent.repository, name, by=sent.me)
    return f"Created the branch {name}."


# ---------------------------------------------------------------------- deliveries


@_action
def hold(sent: Submission) -> str:
    """Hold deliveries back from now on."""
    sent.github.hold(on=True)
    return "Deliveries are held back."


@_action
def release(sent: Submission) -> str:
    """Send a held delivery."""
    sent.github.release([sent.held])
    return f"Sent {_name(sent.delivery)}."


@_action
def release_twice(sent: Submission) -> str:
    """Send a held delivery twice, as a network may."""
    sent.github.release([sent.held, sent.held])
    return f"Sent {_name(sent.delivery)} twice."


@_action
def release_all(sent: Submission) -> str:
    """Send all held deliveries, in an order that the form chooses; later ones are held back again."""
    held = sent.github.held
    order = sent.choice("order", {one: one for one in ("shown", "reverse", "shuffled")})
    if order == "reverse":
        held.reverse()
    elif order == "shuffled":
        random.shuffle(held)
    sent.github.release(held)
    return f"Sent {len(held)} held deliveries."


@_action
def hold_no_more(sent: Submission) -> str:
    """Send all held deliveries as they are shown, and later ones immediately."""
    sent.github.hold(on=False)
    return "Deliveries are sent immediately."


@_action
def earlier(sent: Submission) -> str:
    """Move a held delivery up."""
    sent.github.shift(sent.held, -1)
    return f"Moved {_name(sent.delivery)} up."


@_action
def later(sent: Submission) -> str:
    """Move a held delivery down."""
    sent.github.shift(sent.held, 1)
    return f"Moved {_name(sent.delivery)} down."


@_action
def drop(sent: Submission) -> str:
    """Lose a held delivery without a record."""
    shown = _name(sent.held)
    sent.github.lose(sent.held)
    return f"Dropped {shown}. `make sweep` finds what never arrived."


@_action
def fail(sent: Submission) -> str:
    """Record a held delivery as failed."""
    sent.github.fail(sent.held)
    return f"{_name(sent.delivery)} has failed. The product requests failed deliveries again every hour."


@_action
def redeliver(sent: Submission) -> str:
    """Send a delivery again."""
    attempts = sent.github.attempts_of(sent.delivery)
    if not attempts:
        raise Impossible("This delivery has not been sent yet.")
    sent.github.redeliver(attempts[-1])
    return f"Sent {_name(sent.delivery)} again."


@_action
def compare(sent: Submission) -> str:
    """Give three new issues the same history, and deliver it in three orders."""
    github, repository = sent.github, sent.repository
    with github.acting():
        begin = github.now - timedelta(seconds=_HISTORY[-1][0])
        is_auto, github.hook.auto = github.hook.auto, False
        first = len(github.outbox)
        with github.at(begin):
            issues = [github.new_issue(repository, f"Delivered {one}", by=sent.me) for one in _ORDERS]
        for seconds, name in _HISTORY:
            with github.at(begin + timedelta(seconds=seconds)):
                for issue in issues:
                    _HISTORY_ACTIONS[name](github, issue, sent.me)
        mine = github.outbox[first:]
        github.hook.auto = is_auto
        histories = [[one for one in mine if one.payload["issue"]["id"] == issue.id] for issue in issues]
        histories[1].reverse()
        histories[2] *= 2
        random.shuffle(histories[2])
        github.release([delivery for history in histories for delivery in history])
        github.comparison = issues
    return "Delivered the same history in three orders."


_HISTORY_ACTIONS: dict[str, Callable[[DemoGitHub, Issue, Account], None]] = {
    "assign": lambda github, issue, me: github.assign(issue, me, by=me),
    "unassign": lambda github, issue, me: github.unassign(issue, me, by=me),
    "close": lambda github, issue, me: github.close(issue, by=me),
}


@_action
def start_over(sent: Submission) -> str:
    """Return everything to its initial state."""
    sent.github.start_over()
    return "Everything is as in the beginning."


def _shown(issue: Issue) -> str:
    return f"{issue.repository.name}#{issue.number}"


def _name(delivery: Delivery) -> str:
    return f"{delivery.event}.{delivery.action}" if delivery.action else delivery.event
