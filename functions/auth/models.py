"""The bodies of the account's routes, except the export (see `auth.export`)."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from timer_core.api.auth import Caller
from timer_core.api.models import Time, TimeIn, printable, to_time
from timer_core.api.sessions import Session
from timer_core.domain.tokens import Scope, Token
from timer_core.store.people import Profile


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionShown(BaseModel):
    """The session of the request."""

    expires: Time
    origin: Annotated[str, Field(description="Its web site; empty for Issue Timer's own page.")]

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return the representation of a session."""
        return cls(expires=to_time(session.expires_s * 1000), origin=session.origin)


class Me(BaseModel):
    """The person who makes the request."""

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
        """Return the representation of a caller; a token's owner may have no profile."""
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
    """A renewed session."""

    session: Annotated[str, Field(description="Send it as Authorization: Bearer <session>.")]
    expires: Time


class SignOutRequest(_Request):
    """The sessions to end."""

    everywhere: Annotated[
        bool, Field(description="Whether to end all sessions on all devices, not only this one.")
    ] = False


class TokenRequest(_Request):
    """A token to create."""

    name: Annotated[
        str,
        Field(min_length=1, max_length=100, description="The purpose of the token."),
        AfterValidator(printable),
    ]
    scope: Scope = "write"
    expires: Annotated[TimeIn | None, Field(description="When it expires; by default never.")] = None


class TokenShown(BaseModel):
    """A token, without its text."""

    id: str
    name: str
    scope: Scope
    created: Time
    expires: Time | None
    last_used: Annotated[Time | None, Field(description="When it was last used, to within a day.")]

    @classmethod
    def of(cls, token: Token) -> Self:
        """Return the representation of a token."""
        return cls(
            id=token.token_id,
            name=token.name,
            scope=token.scope,
            created=to_time(token.created_ms),
            expires=None if token.expires_at is None else to_time(token.expires_at * 1000),
            last_used=None if token.used_ms is None else to_time(token.used_ms),
        )


class TokenMade(TokenShown):
    """A new token with its text, which is not shown again."""

    token: str


class TokenList(BaseModel):
    """A person's tokens."""

    results: list[TokenShown]
