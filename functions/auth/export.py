"""The bodies of an account's export."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from auth.me import me
from auth.models import Me, TokenShown
from timer_core.api.auth import Caller
from timer_core.api.models import AuditEntryShown, Time, TimerFacts
from timer_core.api.representations import audit_entry, timer_facts
from timer_core.api.times import to_time
from timer_core.domain.confirmed import ConfirmedDay
from timer_core.domain.ids import timer_id
from timer_core.domain.notifications import Happening
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.timers import Claim, Timer
from timer_core.domain.tokens import Token
from timer_core.domain.visibility import Visibility
from timer_core.domain.weeks import format_intervals, format_week
from timer_core.store.account_export import ExportPage
from timer_core.store.connections import Connection
from timer_core.store.outgoing_webhooks import Notification
from timer_core.store.people import Profile


class TransitionExported(BaseModel):
    """A transition of a timer."""

    at: Time
    action: str
    by: str
    cause: Annotated[
        str,
        Field(description="Its cause: a delivery's GUID, a comment, the hash of an Idempotency-Key..."),
    ]
    by_owner: Annotated[bool, Field(description="Whether the event was the timer's owner's.")]
    overtime: Annotated[bool, Field(description="Whether it asked to count after working hours.")]
    acted: Annotated[
        Time | None, Field(description="The time of the act, if a correction has moved the transition.")
    ]
    by_hand: Annotated[bool, Field(description="Whether a correction repeats an act by hand.")]


class ClaimExported(BaseModel):
    """A statement of a person that time counts for a timer, or does not count."""

    start: Time
    end: Time
    made: Time
    counts: bool

    @classmethod
    def of(cls, claim: Claim) -> "ClaimExported":
        """Return the representation of a claim."""
        return cls.model_construct(
            start=to_time(claim.since_ms),
            end=to_time(claim.until_ms),
            made=to_time(claim.made_ms),
            counts=claim.counts,
        )


class IntervalExported(BaseModel):
    """An interval of time."""

    start: Time
    end: Time


class TimerExported(TimerFacts):
    """A timer with its history and all other stored attributes."""

    paused_by: Annotated[str | None, Field(description="The cause of the current pause; null unless paused.")]
    changed: Annotated[Time, Field(description="The time of the last transition.")]
    locked_until: Annotated[Time | None, Field(description="Events up to this time no longer change it.")]
    history: list[TransitionExported]
    claims: list[ClaimExported]
    signs_of_life: Annotated[
        list[Time], Field(description="The last one of each day (UTC) that changed nothing.")
    ]
    confirmed_span: Annotated[
        IntervalExported | None, Field(description="The interval of its time on confirmed days.")
    ]
    absorbed: Annotated[
        list[str], Field(description="Timers with time on confirmed days that have become part of it.")
    ]

    @classmethod
    def with_history(cls, timer: Timer, now_ms: int) -> "TimerExported":
        """Return the representation of a timer with its history."""
        history = [
            TransitionExported(
                at=to_time(done.at_ms),
                action=done.action.value,
                by=done.by,
                cause=done.cause,
                by_owner=done.by_owner,
                overtime=done.overtime,
                acted=_time(done.acted_ms),
                by_hand=done.by_hand,
            )
            for done in timer.history
        ]
        return cls(
            **timer_facts(timer, now_ms),
            paused_by=timer.paused_by,
            changed=to_time(timer.changed_ms),
            locked_until=_time(timer.locked_until_ms),
            history=history,
            claims=[ClaimExported.of(claim) for claim in timer.claims],
            signs_of_life=[to_time(sign) for sign in timer.signs],
            confirmed_span=timer.confirmed_span
            and IntervalExported(
                start=to_time(timer.confirmed_span[0]), end=to_time(timer.confirmed_span[1])
            ),
            absorbed=[timer_id(timer.user_id, ulid) for ulid in timer.absorbed],
        )


class EndedSession(BaseModel):
    """A session that the person has ended."""

    id: str
    kept_until: Time


class ProfileExported(Me):
    """The person who makes the request, and the sessions that they have ended."""

    signed_out_everywhere: Time | None
    deletion_requested: Annotated[
        Time | None, Field(description="When deletion of an earlier account was requested; null if never.")
    ]
    ended_sessions: list[EndedSession]
    tokens_made: Annotated[int, Field(description="The number of API tokens ever created on the page.")]
    visibility: Annotated[
        Visibility | None, Field(description="The choice of who sees the person's time; null before one.")
    ]
    lead_teams: Annotated[list[str], Field(description="The lead teams that list the person as a member.")]

    @classmethod
    def with_sessions(
        cls, caller: Caller, profile: Profile | None, lead_teams: Iterable[str]
    ) -> "ProfileExported":
        """Return the representation of a caller, their ended sessions and their lead teams."""
        ended = profile.ended if profile else {}
        return cls(
            **me(caller, profile),
            signed_out_everywhere=_time(profile.signed_out_ms) if profile else None,
            deletion_requested=_time(profile.events_ignored_until_ms) if profile else None,
            ended_sessions=[
                EndedSession(id=session_id, kept_until=to_time(until_ms))
                for session_id, until_ms in ended.items()
            ],
            tokens_made=profile.tokens_made if profile else 0,
            visibility=profile.visibility if profile else None,
            lead_teams=sorted(lead_teams),
        )


class ActExported(BaseModel):
    """An act of the person on a deleted timer."""

    at: Time
    action: str


class DeletedTimer(BaseModel):
    """The record of a deleted timer."""

    id: str
    deleted: Time
    locked_until: Annotated[Time | None, Field(description="Events up to this time do not create it again.")]
    claims: Annotated[
        list[ClaimExported], Field(description="The time of the timer, which no other timer gets.")
    ]
    acts: Annotated[
        list[ActExported],
        Field(description="The acts that began breaks (pause) and ended them (focus); with claims."),
    ]
    kept_until: Annotated[Time | None, Field(description="Null if it has claims.")]


class Slot(BaseModel):
    """The record of the timers that a person has on an issue."""

    issue: Annotated[
        str,
        Field(
            description="The repository's id, or its name if the id is unknown, and the issue's number.",
            examples=["1296269#7"],
        ),
    ]
    timers: Annotated[list[str], Field(description="The timers that events may still change.")]
    locked_until: Annotated[Time | None, Field(description="Events up to this time change none of them.")]
    kept_until: Annotated[Time | None, Field(description="Null while a timer is open on the issue.")]


class KeyedRequest(BaseModel):
    """A request with an Idempotency-Key. Only hashes of the key and the request are stored."""

    timer: Annotated[str, Field(description="The timer in its response.")]
    created: Annotated[bool, Field(description="Whether it created the timer.")]
    corrected_timers: Annotated[
        list[TimerExported], Field(description="The timers as they were before, if it was a correction.")
    ]
    undone: Annotated[bool, Field(description="Whether the correction was undone.")]
    kept_until: Time


class VersionExported(BaseModel):
    """Working hours from a date on; no week if all time counts."""

    valid_from: date
    time_zone: str
    week: dict[str, list[list[str]]] | None


class ExceptionExported(BaseModel):
    """Other working hours on one date."""

    date: date
    intervals: list[list[str]]
    reason: str


class ChoiceExported(BaseModel):
    """Which assignments start a timer, from a time on; null as the organization decides."""

    since: Time
    assignment_starts: str | None


class CalendarExported(BaseModel):
    """A person's working hours, exceptions and settings."""

    versions: list[VersionExported]
    exceptions: list[ExceptionExported]
    assignment_starts: list[ChoiceExported]
    chosen: bool
    details_deleted_until: Annotated[
        Time | None, Field(description="Details of earlier time are deleted; null if none are.")
    ]
    version: Annotated[int, Field(description="The number of changes.")]

    @classmethod
    def of(cls, own: OwnCalendar) -> Self:
        """Return the representation of a calendar."""
        return cls(
            versions=[
                VersionExported(
                    valid_from=version.valid_from,
                    time_zone=version.week.zone,
                    week=format_week(version.week),
                )
                for version in own.versions
            ],
            exceptions=[
                ExceptionExported(
                    date=day, intervals=format_intervals(exception.intervals), reason=exception.reason
                )
                for day, exception in own.exceptions.items()
            ],
            assignment_starts=[
                ChoiceExported(since=to_time(from_ms), assignment_starts=choice)
                for from_ms, choice in own.assignment_starts
            ],
            chosen=own.chosen,
            details_deleted_until=to_time(own.details_from_ms) if own.details_from_ms else None,
            version=own.version,
        )


class SliceExported(IntervalExported):
    """Time that counts for a timer."""

    timer: str
    working_duration: Annotated[float, Field(description="Seconds; less than the interval if it is shared.")]
    overtime: bool


class ConfirmedDayExported(IntervalExported):
    """A confirmed day, and its time when it was confirmed."""

    date: date
    confirmed_at: Time
    locked: Annotated[bool, Field(description="Whether a lock of the organization has frozen it.")]
    slices: list[SliceExported]

    @classmethod
    def of(cls, day: ConfirmedDay, user_id: int) -> Self:
        """Return the representation of a confirmed day."""
        return cls(
            date=day.date,
            start=to_time(day.since_ms),
            end=to_time(day.until_ms),
            confirmed_at=to_time(day.confirmed_ms),
            locked=day.locked,
            slices=[
                SliceExported(
                    timer=timer_id(user_id, piece.timer),
                    start=to_time(piece.since_ms),
                    end=to_time(piece.until_ms),
                    working_duration=piece.working_ms / 1000,
                    overtime=piece.overtime,
                )
                for piece in day.slices
            ],
        )


class Changes(BaseModel):
    """The number of changes in a minute."""

    minute: Time
    changes: int
    kept_until: Time


class LiveConnectionExported(BaseModel):
    """A connection of an open page, over which it gets hints of changes."""

    opened: Time
    kept_until: Time
    credential: Annotated[
        str,
        Field(description="The kind and id of the session or token that opened it.", examples=["token:1a2b"]),
    ]

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Return the representation of a connection."""
        return cls(
            opened=to_time(connection.opened_ms),
            kept_until=to_time(connection.until_s * 1000),
            credential=connection.credential,
        )


class NotificationExported(BaseModel):
    """What was sent to outgoing webhooks about the person, or what the person has sent to test one."""

    id: str
    event: Happening
    body: Annotated[dict[str, Any], Field(description="What was sent.")]
    kept_until: Time

    @classmethod
    def of(cls, notification: Notification, kept_until_s: int) -> Self:
        """Return the representation of a notification."""
        return cls(
            id=notification.id,
            event=notification.happening,
            body=dict(notification.body),
            kept_until=to_time(kept_until_s * 1000),
        )


class Export(BaseModel):
    """Everything that is stored about a person, in pages."""

    profile: ProfileExported
    tokens: Annotated[list[TokenShown], Field(description="All tokens, on the first page only.")]
    timers: list[TimerExported]
    deleted_timers: list[DeletedTimer]
    slots: Annotated[list[Slot], Field(description="The records of the issues of this page's timers.")]
    requests: list[KeyedRequest]
    changes: list[Changes]
    calendar: Annotated[
        CalendarExported | None, Field(description="Null on other pages, and if nothing was chosen.")
    ]
    confirmed_days: list[ConfirmedDayExported]
    live_connections: list[LiveConnectionExported]
    audit: Annotated[list[AuditEntryShown], Field(description="The changes of one's time.")]
    notifications: Annotated[
        list[NotificationExported], Field(description="What outgoing webhooks were told in 30 days.")
    ]
    next: Annotated[str | None, Field(description="The URL of the next page.")]

    @classmethod
    def of(
        cls,
        caller: Caller,
        profile: Profile | None,
        tokens: Sequence[Token],
        page: ExportPage,
        *,
        lead_teams: Iterable[str],
        now_ms: int,
        following: str | None,
    ) -> Self:
        """Return the representation of a page; ``following`` is the URL of the next page."""

        def timer(ulid: str) -> str:
            return timer_id(caller.user_id, ulid)

        return cls(
            profile=ProfileExported.with_sessions(caller, profile, lead_teams),
            tokens=[TokenShown.of(token) for token in tokens],
            timers=[TimerExported.with_history(one, now_ms) for one in page.timers],
            deleted_timers=[
                DeletedTimer(
                    id=timer(one.ulid),
                    deleted=to_time(one.deleted_ms),
                    locked_until=_time(one.locked_until_ms),
                    claims=[ClaimExported.of(claim) for claim in one.claims],
                    acts=[ActExported(at=to_time(act.at_ms), action=act.action.value) for act in one.acts],
                    kept_until=None if one.kept_until_s is None else to_time(one.kept_until_s * 1000),
                )
                for one in page.deleted
            ],
            slots=[
                Slot(
                    issue=slot.issue_key,
                    timers=[timer(ulid) for ulid in slot.ulids],
                    locked_until=_time(slot.locked_until_ms),
                    kept_until=None if slot.kept_until_s is None else to_time(slot.kept_until_s * 1000),
                )
                for slot in page.slots
            ],
            requests=[
                KeyedRequest(
                    timer=timer(one.ulid),
                    created=one.created,
                    corrected_timers=[TimerExported.with_history(former, now_ms) for former in one.former],
                    undone=one.undone,
                    kept_until=to_time(one.kept_until_s * 1000),
                )
                for one in page.requests
            ],
            changes=[
                Changes(
                    minute=to_time(one.minute_ms),
                    changes=one.changes,
                    kept_until=to_time(one.kept_until_s * 1000),
                )
                for one in page.changes
            ],
            calendar=None if page.calendar is None else CalendarExported.of(page.calendar),
            confirmed_days=[ConfirmedDayExported.of(day, caller.user_id) for day in page.confirmed_days],
            live_connections=[LiveConnectionExported.of(one) for one in page.connections],
            audit=[
                AuditEntryShown.model_validate(audit_entry(entry, caller.user_id)) for entry in page.audit
            ],
            notifications=[NotificationExported.of(*one) for one in page.notifications],
            next=following,
        )


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else to_time(ms)
