"""What the routes of an account take and answer."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from timer_core.api.auth import Caller
from timer_core.api.models import Time, TimeIn, TimeLog, to_time
from timer_core.api.sessions import Session
from timer_core.domain.timers import Timer
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

    name: Annotated[str, Field(min_length=1, max_length=100, description="What it is for.")]
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


class TimerExported(TimeLog):
    """A timer with its history."""

    history: list[Entry]

    @classmethod
    def with_history(cls, timer: Timer, now_ms: int) -> "TimerExported":
        """Show a timer and what happened to it."""
        shown = dict(TimeLog.of(timer, now_ms))
        history = [
            Entry(at=to_time(done.at_ms), action=done.action.value, by=done.by) for done in timer.history
        ]
        return cls.model_construct(**shown, history=history)


class Export(BaseModel):
    """All that is stored about a person; the timers in pages."""

    profile: Me
    tokens: list[TokenShown]
    timers: list[TimerExported]
    next: Annotated[str | None, Field(description="The URL of the next page of timers.")]
