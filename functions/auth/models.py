"""What the routes of an account take and answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from timer_core.api.auth import Caller
from timer_core.api.models import Time, TimeIn, TimeLog, printable, to_time
from timer_core.api.sessions import Session
from timer_core.domain.ids import timer_id
from timer_core.domain.timers import Timer
from timer_core.store.account_deletion import Stored
from timer_core.store.people import Profile, Scope, Token


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionShown(BaseModel):
    """The session that a request was made with."""

    expires: Time
    origin: Annotated[str, Field(description="The web site that it was given to; empty: our own page.")]

    @classmethod
    def of(cls, session: Session) -> Self:
        """Show a session."""
        return cls(expires=to_time(session.expires_s * 1000), origin=session.origin)


class Me(BaseModel):
    """Who makes the request."""

    id: int
    login: str
    name: str
    avatar_url: str
    created: Time | None
    is_admin: bool
    scope: Scope
    session: SessionShown | None

    @classmethod
    def of(cls, caller: Caller, profile: Profile | None) -> Self:
        """Show a caller; who has a token and was never registered has no profile."""
        session = caller.session
        return cls(
            id=caller.user_id,
            login=profile.login if profile else caller.person.login,
            name=profile.name if profile else "",
            avatar_url=profile.avatar_url if profile else "",
            created=to_time(profile.created_ms) if profile else None,
            is_admin=caller.is_admin,
            scope="write" if caller.person.can_write else "read",
            session=SessionShown.of(session) if session else None,
        )


class NewSession(BaseModel):
    """A session that goes on."""

    session: Annotated[str, Field(description="To be sent as Authorization: Bearer.")]
    expires: Time


class SignOutRequest(_Request):
    """Which sessions to end."""

    everywhere: Annotated[bool, Field(description="All sessions on all devices, not only this one.")] = False


class TokenRequest(_Request):
    """A token to make."""

    name: Annotated[
        str, Field(min_length=1, max_length=100, description="What it is for."), AfterValidator(printable)
    ]
    scope: Scope = "write"
    expires: Annotated[TimeIn | None, Field(description="When it ends; it does not without.")] = None


class TokenShown(BaseModel):
    """A token, without its text."""

    id: str
    name: str
    scope: Scope
    created: Time
    expires: Time | None
    last_used: Annotated[Time | None, Field(description="Give or take a day.")]

    @classmethod
    def of(cls, token: Token) -> Self:
        """Show a token."""
        return cls(
            id=token.token_id,
            name=token.name,
            scope=token.scope,
            created=to_time(token.created_ms),
            expires=None if token.expires_at is None else to_time(token.expires_at * 1000),
            last_used=None if token.used_ms is None else to_time(token.used_ms),
        )


class TokenMade(TokenShown):
    """A new token, with its text, which is shown this once."""

    token: str


class TokenList(BaseModel):
    """A person's tokens."""

    results: list[TokenShown]


class Entry(BaseModel):
    """Something that happened to a timer."""

    at: Time
    action: str
    by: str
    cause: Annotated[
        str,
        Field(description="What names it: a delivery's GUID, a comment, the hash of an Idempotency-Key..."),
    ]


class TimerExported(TimeLog):
    """A timer with its history, and what else is kept with it."""

    paused_by: Annotated[str | None, Field(description="What paused it, while it is paused.")]
    changed: Annotated[Time, Field(description="When the last transition happened.")]
    settled: Annotated[Time | None, Field(description="Up to when events change it no more.")]
    history: list[Entry]

    @classmethod
    def with_history(cls, timer: Timer, now_ms: int) -> "TimerExported":
        """Show a timer and what happened to it."""
        shown = dict(TimeLog.of(timer, now_ms))
        history = [
            Entry(at=to_time(done.at_ms), action=done.action.value, by=done.by, cause=done.cause)
            for done in timer.history
        ]
        return cls.model_construct(
            **shown,
            paused_by=timer.paused_by,
            changed=to_time(timer.changed_ms),
            settled=_time(timer.locked_until_ms),
            history=history,
        )


class EndedSession(BaseModel):
    """A session that was ended."""

    id: str
    kept_until: Time


class ProfileExported(Me):
    """Who makes the request, and what they ended."""

    signed_out_everywhere: Time | None
    left: Annotated[Time | None, Field(description="When the account was deleted before, if it was.")]
    ended_sessions: list[EndedSession]
    tokens_made: Annotated[int, Field(description="How many API tokens were ever made on the page.")]

    @classmethod
    def with_sessions(cls, caller: Caller, profile: Profile | None) -> "ProfileExported":
        """Show a caller and what they ended."""
        ended = profile.ended if profile else {}
        return cls.model_construct(
            **dict(Me.of(caller, profile)),
            signed_out_everywhere=_time(profile.signed_out_ms) if profile else None,
            left=_time(profile.events_ignored_until_ms) if profile else None,
            ended_sessions=[
                EndedSession(id=session_id, kept_until=to_time(until_ms))
                for session_id, until_ms in ended.items()
            ],
            tokens_made=profile.tokens_made if profile else 0,
        )


class DeletedTimer(BaseModel):
    """What is kept of a timer that was deleted."""

    id: str
    deleted: Time
    settled: Annotated[Time | None, Field(description="Up to when events bring nothing of it back.")]
    kept_until: Time


class Slot(BaseModel):
    """A person's slot on an issue."""

    issue: Annotated[str, Field(examples=["octocat/hello-world#7"])]
    timers: Annotated[list[str], Field(description="Those on it that events may still change.")]
    settled: Annotated[Time | None, Field(description="Up to when events change none of them.")]
    moves: Annotated[list[str], Field(description="GitHub's deliveries that told of the issue's moves.")]
    kept_until: Annotated[Time | None, Field(description="null while a timer is open on the issue.")]


class KeyedRequest(BaseModel):
    """A request with an Idempotency-Key, of which only hashes are stored."""

    timer: Annotated[str, Field(description="What it was answered with.")]
    created: Annotated[bool, Field(description="Whether it made that timer.")]
    kept_until: Time


class Changes(BaseModel):
    """How much was changed in a minute."""

    minute: Time
    changes: int
    kept_until: Time


class Export(BaseModel):
    """All that is stored about a person, in pages."""

    profile: ProfileExported
    tokens: Annotated[list[TokenShown], Field(description="All of them are on the first page.")]
    timers: list[TimerExported]
    deleted_timers: list[DeletedTimer]
    slots: Annotated[list[Slot], Field(description="On the issues of this page's timers.")]
    requests: list[KeyedRequest]
    changes: list[Changes]
    exclusive_runs: Annotated[
        int | None, Field(description="How often a timer began to run that pauses the others.")
    ]
    next: Annotated[str | None, Field(description="The URL of the next page.")]

    @classmethod
    def of(
        cls,
        caller: Caller,
        profile: Profile | None,
        tokens: Sequence[Token],
        page: Stored,
        *,
        now_ms: int,
        following: str | None,
    ) -> Self:
        """Show a page of what is stored."""

        def timer(ulid: str) -> str:
            return timer_id(caller.user_id, ulid)

        return cls(
            profile=ProfileExported.with_sessions(caller, profile),
            tokens=[TokenShown.of(token) for token in tokens],
            timers=[TimerExported.with_history(one, now_ms) for one in page.timers],
            deleted_timers=[
                DeletedTimer(
                    id=timer(one.ulid),
                    deleted=to_time(one.deleted_ms),
                    settled=_time(one.locked_until_ms),
                    kept_until=to_time(one.kept_until_s * 1000),
                )
                for one in page.deleted
            ],
            slots=[
                Slot(
                    issue=slot.issue_key,
                    timers=[timer(ulid) for ulid in slot.ulids],
                    settled=_time(slot.locked_until_ms),
                    moves=slot.moved,
                    kept_until=None if slot.kept_until_s is None else to_time(slot.kept_until_s * 1000),
                )
                for slot in page.slots
            ],
            requests=[
                KeyedRequest(
                    timer=timer(one.ulid),
                    created=one.created,
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
            exclusive_runs=page.runs,
            next=following,
        )


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else to_time(ms)
