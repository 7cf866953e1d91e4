"""The demo's GitHub: the fake GitHub with the demo's team, the machine's clock, and a file that keeps it."""

from __future__ import annotations

import json
import os
import queue
import secrets
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from demo_github import team
from fake_github import FakeGitHub
from fake_github.accounts import EVENTS, new_private_key
from fake_github.model import Addresses, PullRequest
from fake_github.saved import dump, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from fake_github.model import Account, Issue, Project, Repository
    from fake_github.webhooks import Attempt, Delivery, Hook

# GitHub's client ids never have this prefix; they begin with Iv or Ov, or are hexadecimal.
_CLIENT_ID_PREFIX = "demo-"
_AUTOMATION = "github-project-automation[bot]"
_DONE = team.STATUSES[-1]
_KEPT_DELIVERIES = 200
_TICKS_PER_MS = 10_000
# The age of the team's issues in a new state.
_AGE = timedelta(days=60)


class DemoGitHub(FakeGitHub):
    """A GitHub with one organization, whose App delivers its events to the local stack.

    Parameters
    ----------
    base_url
        The address of the pages and of the API.
    state_file
        The file that keeps the state over a restart.

    Attributes
    ----------
    on_change
        Called by any thread after each change of the state.
    comparison
        The issues of the last comparison of orders of deliveries.
    set_aside
        The file with the former state, if that could not be used; None otherwise.
    """

    def __init__(self, base_url: str, state_file: Path) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self.comparison: list[Issue] = []
        self.set_aside: Path | None = None
        self._state_file = state_file
        self._saving = threading.Lock()
        self._fixed_time: datetime | None = None
        self._last_ticks = 0
        self._to_send: queue.SimpleQueue[tuple[Delivery, bool] | None] = queue.SimpleQueue()
        self._sender: threading.Thread | None = None
        super().__init__(Addresses(base_url, base_url, f"{base_url}/avatars/{{id}}.svg"))
        self.url = base_url
        if not self._restore():
            self._build()
            self.save()

    # ------------------------------------------------------------------ clock and state

    @property
    def now(self) -> datetime:
        """The machine's time in whole seconds."""
        return self._fixed_time or datetime.now(UTC).replace(microsecond=0)

    @now.setter
    def now(self, _at: datetime | float) -> None:
        """Ignore the assignment, because the machine's clock counts."""

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Give events this time."""
        with self.lock:
            self._fixed_time = moment.replace(microsecond=0)
            try:
                yield
            finally:
                self._fixed_time = None

    def _event_ticks(self) -> int:
        if self._fixed_time:
            return super()._event_ticks()
        # Events of moved cards have no other time, and the product reads milliseconds.
        self._last_ticks = max(time.time_ns() // 100, self._last_ticks + _TICKS_PER_MS)
        return self._last_ticks

    def changed(self) -> None:
        """Save the state, and report the change."""
        self.save()
        self.on_change()

    def save(self) -> None:
        """Write the state to its file, which other users of the machine cannot read."""
        with self._saving:
            with self.lock:
                self._forget_old_deliveries()
                text = json.dumps(dump(self))
            self._state_file.parent.mkdir(parents=True, exist_ok=True)
            written = self._state_file.with_suffix(".new")
            with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            written.replace(self._state_file)

    def start_over(self) -> None:
        """Return everything to its initial state.

        Before that, delete the issues that people have opened, and close those that they have changed, so
        that their timers stop.
        """
        with self.acting():
            self.comparison = []
            planned = {(one.repository.id, one.number): one for one in team.ISSUES}
            for issue in self.all_issues:
                plan = planned.get((issue.repository.id, issue.number))
                if plan is None:
                    self.delete(issue)
                    continue
                card = issue.cards[0]
                is_changed = issue.timeline or card.updated_at != card.created_at
                if is_changed and issue.state == "open":
                    super().close(issue)
                self._reset_issue(issue, plan)
            for repository in self.repositories.values():
                repository.pulls.clear()
            self.outbox = [delivery for delivery in self.outbox if self.is_untried(delivery)]
        self.changed()

    def _restore(self) -> bool:
        """Read the state from its file; return False if there is none of this version."""
        try:
            load(self, json.loads(self._state_file.read_text()))
            # The port may be another one.
            for account in self.accounts.values():
                account.addresses = self.addresses
            self._check()
        except FileNotFoundError:
            return False
        except Exception:
            # A file of another version, or a damaged one. Keep it beside the new one.
            self.set_aside = self._state_file.replace(self._state_file.with_suffix(".unreadable"))
            return False
        return True

    def _check(self) -> None:
        """Raise an error if the state is not of the present team, on which the pages are built."""
        ids = {one.login: one.id for one in (*self.people, self.organization)}
        ids |= {one.full_name: one.id for one in self.repositories.values()}
        planned = {one.login: one.id for one in team.PEOPLE} | {team.ORGANIZATION: team.ORGANIZATION_ID}
        planned |= {one.full_name: one.id for one in team.REPOSITORIES}
        labels = {label.name for one in self.repositories.values() for label in one.labels.values()}
        statuses = tuple(one.name for one in self.statuses)
        is_current = (ids, labels, statuses) == (planned, {one.name for one in team.LABELS}, team.STATUSES)
        if not is_current or not self.hooks:
            raise ValueError("The state is of another team.")

    def _build(self) -> None:
        """Create the team, its repositories and its App."""
        with self.lock, self.at(self.now - _AGE):
            self.reset()
            self.new_user(_AUTOMATION, type="Bot")
            people = [self.new_user(one.login, id=one.id, name=one.name) for one in team.PEOPLE]
            members = dict.fromkeys(people, "member")
            organization = self.new_organization(team.ORGANIZATION, members, id=team.ORGANIZATION_ID)
            project = self.new_project(organization.login, team.PROJECT, statuses=team.STATUSES)
            for one in team.REPOSITORIES:
                repository = self.new_repository(one.full_name, id=one.id, description=one.description)
                for label in team.LABELS:
                    self.new_label(repository, label.name, color=label.color, description=label.description)
            for plan in team.ISSUES:
                issue = self.new_issue(plan.repository.full_name, plan.title, by=people[0], id=plan.id)
                self.add_card(project, issue, by=people[0])
                self._reset_issue(issue, plan)
            for plan in team.ISSUES:
                self._set_details(plan)
            self.app.private_key = new_private_key()
            self.app.client_id = _CLIENT_ID_PREFIX + secrets.token_hex(10)
            self.app.client_secret = secrets.token_urlsafe(32)
            self.install_app(organization.login)
            self.add_hook(self.app, "", secrets.token_urlsafe(32), events=EVENTS, auto=True)
            # The ping has no receiver before the local stack has its address.
            self.outbox.clear()

    def _reset_issue(self, issue: Issue, plan: team.Issue) -> None:
        """Give an issue its initial members, without an event."""
        status = next(one for one in self.statuses if one.name == plan.status)
        is_done = plan.status == _DONE
        issue.title = plan.title
        issue.state, issue.state_reason = ("closed", "completed") if is_done else ("open", None)
        issue.closed_at = issue.created_at if is_done else None
        issue.assignees = [self.accounts[login.lower()] for login in plan.assignees]
        issue.labels = [issue.repository.labels[name.lower()] for name in plan.labels]
        issue.timeline.clear()
        card = issue.cards[0]
        card.updated_at = card.created_at
        self.set_field(card, self.project.fields["Status"], status)

    def _set_details(self, plan: team.Issue) -> None:
        """Give an issue its milestone, type, parent and estimate. The hook is added later."""
        issue = self.repositories[plan.repository.id].issues[plan.number]
        self.set_milestone(issue, plan.milestone)
        self.set_type(issue, plan.type)
        if plan.estimate_hours is not None:
            self.set_number(issue, plan.estimate_hours)
        if plan.parent is not None:
            parent = plan.parent
            self.set_parent(issue, self.repositories[parent.repository.id].issues[parent.number])
        issue.updated_at = issue.created_at

    # ------------------------------------------------------------------ what the pages show

    @property
    def people(self) -> Sequence[Account]:
        """The team."""
        return [self.accounts[one.login.lower()] for one in team.PEOPLE]

    @property
    def organization(self) -> Account:
        """The team's organization."""
        return self.accounts[team.ORGANIZATION]

    @property
    def project(self) -> Project:
        """The organization's board."""
        return next(iter(self.all_issues)).cards[0].project

    @property
    def statuses(self) -> Sequence[Any]:
        """The columns of the board."""
        return self.project.fields["Status"].options

    @property
    def all_issues(self) -> list[Issue]:
        """All issues, repository by repository."""
        return [issue for one in self.repositories.values() for issue in one.issues.values()]

    @property
    def hook(self) -> Hook:
        """The App's webhook."""
        return next(iter(self.hooks.values()))

    def find(self, repository: str, number: int) -> Issue | PullRequest | None:
        """Return the issue or the pull request with this number in a repository of the organization."""
        found = self.repository(f"{team.ORGANIZATION}/{repository}")
        return (found.issues.get(number) or found.pulls.get(number)) if found else None

    # ------------------------------------------------------------------ actions

    def open_issue(self, repository: Repository, title: str, *, by: Account) -> Issue:
        """Open an issue, whose card is in the board's first column."""
        with self.acting():
            issue = self.new_issue(repository, title, by=by)
            self.move_card(self.add_card(self.project, issue, by=by), team.STATUSES[0], by=by)
            return issue

    def close(self, issue: Issue, reason: str = "completed", *, by: Account | None = None) -> None:
        """Close an issue, and move its card to the last column, as GitHub's built-in workflow does."""
        with self.acting():
            super().close(issue, reason, by=by)
            for card in issue.cards:
                self.move_card(card, _DONE, by=self.accounts[_AUTOMATION])

    # ------------------------------------------------------------------ deliveries

    def connect(self, url: str, secret: str) -> None:
        """Send deliveries to this address, from now on and those that were left unsent."""
        with self.lock:
            self.hook.receiver, self.hook.secret = url, secret
            unsent = [delivery for delivery in self.outbox if self.is_untried(delivery)]
        self.save()
        if self._sender is None:
            self._to_send = queue.SimpleQueue()
            if self.hook.auto:
                self._send([(delivery, False) for delivery in unsent])
            self._sender = threading.Thread(target=self._send_all, name="demo deliveries", daemon=True)
            self._sender.start()

    def disconnect(self) -> None:
        """Stop sending deliveries; the unsent ones are kept."""
        if self._sender:
            self._to_send.put(None)
            self._sender.join(1)
            self._sender = None

    def attempts_of(self, delivery: Delivery) -> list[Attempt]:
        """Return the attempts to deliver, oldest first."""
        return [attempt for attempt in self.hook.attempts if attempt.delivery is delivery]

    def is_untried(self, delivery: Delivery) -> bool:
        """Whether a delivery has not been sent yet."""
        return not self.attempts_of(delivery)

    @property
    def held(self) -> list[Delivery]:
        """The deliveries that are held back, in the order in which they would be sent."""
        return [] if self.hook.auto else [one for one in self.outbox if self.is_untried(one)]

    def hold(self, *, on: bool) -> None:
        """Hold new deliveries back, or send those that are held."""
        with self.acting():
            released = self.held
            self.hook.auto = not on
            if not on:
                self._due += [(delivery, False) for delivery in released]

    def release(self, deliveries: Sequence[Delivery]) -> None:
        """Send deliveries in this order; a delivery may occur twice."""
        with self.acting():
            self._due += [(delivery, False) for delivery in deliveries]

    def shift(self, delivery: Delivery, by: int) -> None:
        """Move a held delivery by some places among the held ones."""
        with self.lock:
            held = self.held
            places = [self.outbox.index(one) for one in held]
            present = held.index(delivery)
            held.insert(min(max(present + by, 0), len(held) - 1), held.pop(present))
            for place, one in zip(places, held, strict=True):
                self.outbox[place] = one

    def _send(self, due: Sequence[tuple[Delivery, bool]]) -> None:
        # The sender of an action, which may be the local stack itself, does not wait for the deliveries.
        for one in due:
            self._to_send.put(one)

    def _send_all(self) -> None:
        while one := self._to_send.get():
            delivery, redelivery = one
            self._transmit(delivery, redelivery=redelivery)
            self.changed()

    def _forget_old_deliveries(self) -> None:
        tried = [delivery for delivery in self.outbox if not self.is_untried(delivery)]
        old = set(tried[:-_KEPT_DELIVERIES])
        if old:
            self.outbox = [delivery for delivery in self.outbox if delivery not in old]
            self.hook.attempts[:] = [one for one in self.hook.attempts if one.delivery not in old]


def is_demo(credential_text: str) -> bool:
    """Whether a stored credential, for signing in or for the API, is the demo's and not GitHub's."""
    try:
        credential = json.loads(credential_text)
    except ValueError:
        credential = None
    if not isinstance(credential, dict):
        return False
    return str(credential.get("client_id", credential.get("app_id", ""))).startswith(_CLIENT_ID_PREFIX)
