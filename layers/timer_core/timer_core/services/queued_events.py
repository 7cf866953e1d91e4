"""Handle the events in the queue: change timers, and reply to comments with commands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools import Logger

from timer_core.domain.events import guid_time_at
from timer_core.domain.issue_details import IS_PULL_REQUEST
from timer_core.domain.issues import Issue
from timer_core.github.api.cards import Card, fetch_card
from timer_core.github.api.client import GitHub
from timer_core.github.api.replies import send_reply
from timer_core.github.messages import (
    CardEvent,
    CommentEvent,
    DetailsEvent,
    IssueEvent,
    LeadTeamEvent,
    Message,
    MoveEvent,
    OwnerRenamed,
    QueuedEvent,
    ReplyEvent,
    RepositoryEvent,
)
from timer_core.github.trigger_config import TriggerConfig
from timer_core.services.capabilities import RefusedForGood, noting
from timer_core.services.command_replies import reply_to
from timer_core.services.event_handler import EventHandler, Handled, to_registers
from timer_core.services.issue_timers import IssueTimers
from timer_core.services.lead_teams import LeadTeams
from timer_core.store.health import Capability, HealthStore


@dataclass(frozen=True, slots=True)
class Outcome:
    """The effect of a queued event.

    Attributes
    ----------
    name
        ``applied``, ``ignored``, ``given_up``, ``reply_queued``, ``replied`` or ``not_replied``.
    details
        Additional fields for the log entry.
    unregistered
        The number of the event's users who are not tracked.
    is_refused
        Whether GitHub refused a request for the event.
    again_ms
        The time after which the event has to be handled again (milliseconds); 0 if it does not.
    """

    name: str
    details: dict[str, Any] = field(default_factory=dict)
    unregistered: int = 0
    is_refused: bool = False
    again_ms: int = 0


class QueuedEventHandler:
    """Handles queued events; handling one again changes nothing.

    Parameters
    ----------
    queue_reply
        Puts a reply into the queue, in a separate message.
    queue_closed
        Queues a closed issue, whose total time is to be written to GitHub.
    clock
        Returns the present time (milliseconds since the epoch).
    """

    def __init__(
        self,
        event_handler: EventHandler,
        issue_timers: IssueTimers,
        lead_teams: LeadTeams,
        github: GitHub,
        triggers: TriggerConfig,
        health: HealthStore,
        *,
        queue_reply: Callable[[ReplyEvent], None],
        queue_closed: Callable[[Issue], None],
        clock: Callable[[], int],
        logger: Logger,
    ) -> None:
        self._event_handler = event_handler
        self._issue_timers = issue_timers
        self._lead_teams = lead_teams
        self.github = github
        self._triggers = triggers
        self._health = health
        self._queue_reply = queue_reply
        self._queue_closed = queue_closed
        self._clock = clock
        self._logger = logger

    def handle(self, event: QueuedEvent, message: Message) -> Outcome:
        """Handle an event of a message.

        Raises
        ------
        TooMuchContention
            If other writers kept changing the timers; a retry is safe.
        Unavailable, Refused
            If GitHub does not answer now, or the credential has expired; a retry is safe.
        """
        match event:
            case IssueEvent():
                return self._apply(event)
            case DetailsEvent():
                return self._record_details(event)
            case MoveEvent():
                return _outcome(self._event_handler.move(event, now_ms=self._clock()))
            case RepositoryEvent():
                handled = self._event_handler.handle_repository(event, now_ms=self._clock())
                return _outcome(handled, kind=event.kind)
            case OwnerRenamed():
                return _outcome(self._event_handler.rename_owner(event, now_ms=self._clock()))
            case LeadTeamEvent():
                return self._update_leads(event)
            case CardEvent():
                return self._with_github("project_cards", "given_up", lambda: self._apply_card(event))
            case CommentEvent():
                commands = [command for command in message.events if isinstance(command, IssueEvent)]
                return self._reply_to(event, commands)
            case ReplyEvent():
                # The comment's commands have already been handled, so only the reply is lost if GitHub
                # refuses the reply.
                return self._with_github("replies", "not_replied", lambda: self._send_reply(event))

    def _apply(self, event: IssueEvent) -> Outcome:
        handled = self._event_handler.handle(event, now_ms=self._clock())
        if event.kind == "closed" and not handled.reason:
            # Timers that were stopped before do not change.
            self._queue_closed(Issue.of(event.repo, event.number, repo_id=event.repo_id))
        return _outcome(handled, kind=event.kind)

    def _record_details(self, event: DetailsEvent) -> Outcome:
        issue = Issue.of(event.repo, event.number, repo_id=event.repo_id)
        is_kept = self._issue_timers.record_details(
            issue,
            to_registers(event.seen),
            now_ms=self._clock(),
            # Only deliveries tell which issues it closes, also if somebody is timed on it later.
            is_explicit=IS_PULL_REQUEST in event.seen,
        )
        if is_kept and event.reason == "only_details":
            return Outcome("applied", {"kind": "details"})
        # The reason says why the delivery changed no timer.
        return _ignored("not_timed" if event.reason == "only_details" else event.reason)

    def _update_leads(self, event: LeadTeamEvent) -> Outcome:
        """Change the members of lead teams: those that GitHub lists now, because deliveries have no time."""
        # Remove people before the request to GitHub, which may fail.
        self._lead_teams.withdraw(event)
        if self.github.credential_kind() == "none":
            self._lead_teams.admit(event)
            return Outcome("applied", {"kind": event.change})

        def act() -> Outcome:
            self._lead_teams.list_members(event.organization)
            return Outcome("applied", {"kind": event.change})

        return self._with_github("lead_teams", "given_up", act)

    def _apply_card(self, event: CardEvent) -> Outcome:
        """Apply the change of a card: start or resume the assignees' timers, or pause or stop open timers."""
        card = fetch_card(
            self.github,
            event,
            self._triggers.status_field,
            self._triggers.estimate_field,
            now_ms=self._clock(),
        )
        if card is None:
            return _ignored("no_such_card")
        if event.kind == "detailed":
            return self._record_details(_details_of(event, card))
        kind = self._kind_of(event, card)
        reason, users = _people_of_card(event, card, kind)
        if reason:
            return self._record_details(_details_of(event, card, reason))
        issue = card.state.issue
        if issue.repo_id:
            # The name is the present one, not the name at the time of the delivery.
            now_ms = self._clock()
            self._issue_timers.observe(issue.repository, guid_time_at(now_ms), now_ms=now_ms)
        return self._apply(
            IssueEvent(
                delivery=event.delivery,
                kind=kind,
                repo_id=issue.repo_id,
                repo=issue.full_name,
                number=issue.number,
                at_ms=card.at_ms,
                users=users,
                title=issue.title,
                card=event.item,
                actor=event.actor,
                seen=card.seen,
            )
        )

    def _kind_of(self, event: CardEvent, card: Card) -> str:
        """Return the kind of event for the change of a card."""
        if event.kind in ("removed", "restored"):
            return f"project.{event.kind}"
        return self._triggers.kind_of_status(card.status)

    def _reply_to(self, comment: CommentEvent, commands: Sequence[IssueEvent]) -> Outcome:
        """Queue the reply to a comment, so that the issue's next events need not wait for GitHub."""
        is_tracked = self._event_handler.was_tracked(comment.author, at_ms=comment.at_ms)
        issue = Issue.of(comment.repo, comment.number, repo_id=comment.repo_id)
        timers = self._issue_timers.timers_of(comment.author, issue) if is_tracked else []
        refused = (
            self._event_handler.refused_days(commands, comment.author, now_ms=self._clock())
            if is_tracked
            else {}
        )
        reply = reply_to(comment, commands, timers, is_tracked=is_tracked, refused=refused)
        self._queue_reply(reply)
        return Outcome("reply_queued", {"reaction": reply.reaction})

    def _send_reply(self, reply: ReplyEvent) -> Outcome:
        send_reply(self.github, reply)
        return Outcome("replied", {"reaction": reply.reaction})

    def _with_github(self, capability: Capability, given_up: str, act: Callable[[], Outcome]) -> Outcome:
        """Send requests to GitHub's API, and record whether it accepts them.

        A refused request is given up, because a retry would be refused too. A temporary failure or an expired
        credential raises the error, so that the message is retried.
        """
        try:
            with noting(capability, self.github, self._health, self._logger, now_ms=self._clock()):
                return act()
        except RefusedForGood as refused:
            return Outcome(given_up, {"reason": str(refused)}, is_refused=True)


def _people_of_card(event: CardEvent, card: Card, kind: str) -> tuple[str, tuple[int, ...] | None]:
    """Return why the change of a card changes no timer, if it does not, and the people whom it concerns."""
    if event.kind == "converted" and kind != "project.start":
        # The status did not change.
        return "other_status", None
    if kind not in ("project.start", "project.restored"):
        return "", None
    if card.state.is_closed:
        return "issue_closed", None
    users = tuple(sorted(card.state.assignees))
    return ("" if users else "no_assignees"), users


def _details_of(event: CardEvent, card: Card, reason: str = "only_details") -> DetailsEvent:
    issue = card.state.issue
    return DetailsEvent(event.delivery, issue.repo_id, issue.full_name, issue.number, card.seen, reason)


def _outcome(handled: Handled, **details: str) -> Outcome:
    if handled.reason:
        return _ignored(handled.reason, unregistered=handled.unregistered, **details)
    timers = [timer.id for timer in handled.timers]
    return Outcome(
        "applied",
        {**details, "timers": timers},
        unregistered=handled.unregistered,
        again_ms=handled.again_ms,
    )


def _ignored(reason: str, *, unregistered: int = 0, **details: str) -> Outcome:
    return Outcome("ignored", {**details, "reason": reason}, unregistered=unregistered)
