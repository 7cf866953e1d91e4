"""The bodies of the account's routes, except the export (see `auth.export`)."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from timer_core.api.models import Time, TimeIn, printable
from timer_core.api.times import to_time
from timer_core.domain.tokens import Scope, Token


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionShown(BaseModel):
    """The session of the request."""

    expires: Time
    origin: Annotated[str, Field(description="Its web site; empty for Issue Timer's own page.")]


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
