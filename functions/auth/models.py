"""The bodies of the account's routes, except the export (see `auth.export`)."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from timer_core.api.models import Time, TimeIn, printable
from timer_core.api.times import to_time
from timer_core.domain.tokens import Scope, Token
from timer_core.domain.visibility import SeenAs, Visibility


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


class TeamMember(BaseModel):
    """A person whose time the caller sees."""

    id: int
    login: str
    name: str
    avatar_url: str
    why: Annotated[
        SeenAs,
        Field(
            description="own: the caller; lead: the caller is a lead; everyone: visible to everybody here."
        ),
    ]


class TeamList(BaseModel):
    """The people whose time the caller sees, sorted by login."""

    results: list[TeamMember]


class VisibilityRequest(_Request):
    """Who is to see the caller's time."""

    visibility: Annotated[
        Visibility | None, Field(description="Null for the default of the deployment, also when it changes.")
    ]


class LeadShown(BaseModel):
    """A person who sees the caller's time as a lead."""

    login: str
    name: str
    teams: Annotated[
        list[str], Field(description="The lead teams of the person.", examples=[["octo-org/leads"]])
    ]
    is_admin: Annotated[bool, Field(description="Whether the person is an admin, who counts as a lead.")]


class SeenBy(BaseModel):
    """The people who see the caller's time."""

    everyone: Annotated[bool, Field(description="Whether everybody who has signed in here sees it.")]
    leads: Annotated[
        list[LeadShown], Field(description="The leads who have signed in; empty if nobody sees the time.")
    ]


class VisibilityShown(BaseModel):
    """Who sees the caller's time, and why."""

    visibility: Annotated[Visibility | None, Field(description="The caller's choice; null before one.")]
    default: Annotated[Visibility, Field(description="What holds without a choice.")]
    lead_teams: Annotated[
        list[str],
        Field(description="The GitHub teams whose members are leads.", examples=[["octo-org/leads"]]),
    ]
    organizations: Annotated[
        list[str],
        Field(description="The organizations whose members may sign in; empty if everybody may."),
    ]
    seen_by: SeenBy


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
