"""The bodies of the routes of outgoing webhooks."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from timer_core.api.models import Seconds, Time, printable
from timer_core.api.times import to_time
from timer_core.domain.errors import ErrorCode
from timer_core.domain.notifications import SUBSCRIBABLE, Happening
from timer_core.domain.outgoing_webhooks import MAX_ADDRESS, OutgoingWebhook, WebhookFormat
from timer_core.store.outgoing_webhooks import Attempt, Sending, SendingState


def _subscribable(events: list[Happening]) -> list[Happening]:
    """Refuse a ping, which only tests a webhook."""
    if not SUBSCRIBABLE.issuperset(events):
        raise PydanticCustomError(ErrorCode.INVALID_VALUE.value, "Must not contain ping.")
    return events


_Events = Annotated[
    list[Happening],
    Field(min_length=1, description="All but ping.", examples=[["timer.stopped"]]),
    AfterValidator(_subscribable),
]
_Url = Annotated[
    str,
    Field(
        max_length=MAX_ADDRESS,
        description="An HTTPS address of a public host, with port 443 or 8443. It may contain a secret, as"
        " Slack's do, so only admins see it.",
        examples=["https://example.com/issue-timer"],
    ),
]
_Secret = Annotated[str, Field(min_length=16, max_length=200), AfterValidator(printable)]
_Format = Annotated[
    WebhookFormat, Field(description="json, or slack for messages as Slack and similar chats accept them.")
]


class HookRequest(BaseModel):
    """An outgoing webhook to add, or its new properties."""

    model_config = ConfigDict(extra="forbid")

    url: _Url
    events: _Events
    format: _Format = WebhookFormat.JSON
    secret: Annotated[
        _Secret | None,
        Field(
            description="The key of the signature. It is never returned. Without one, a change keeps the"
            " present key, and a new webhook is not signed.",
        ),
    ] = None

    def happenings(self) -> frozenset[Happening]:
        """Return what the webhook is to be told about."""
        return frozenset(self.events)


class Hook(BaseModel):
    """An outgoing webhook."""

    id: str
    url: _Url
    events: _Events
    format: _Format
    is_signed: Annotated[bool, Field(description="Whether it has a secret.")]
    created: Time

    @classmethod
    def of(cls, webhook: OutgoingWebhook) -> Self:
        """Return the representation of a webhook, without its secret."""
        return cls(
            id=webhook.id,
            url=webhook.url,
            events=[one for one in Happening if one in webhook.happenings],
            format=webhook.format,
            is_signed=bool(webhook.secret),
            created=to_time(webhook.created_ms),
        )


class HookList(BaseModel):
    """All outgoing webhooks, the oldest first."""

    hooks: list[Hook]


class HookAttempt(BaseModel):
    """An attempt to send a notification."""

    at: Time
    duration: Seconds
    status: Annotated[int | None, Field(description="The status of the response; null without one.")]
    failure: Annotated[
        str | None,
        Field(
            description="Why there was no response: no_address, address_refused (the host is not public),"
            " timeout, tls or connection."
        ),
    ]

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """Return the representation of an attempt."""
        return cls(
            at=to_time(attempt.at_ms),
            duration=attempt.duration_ms / 1000,
            status=attempt.status,
            failure=attempt.failure or None,
        )


class HookDelivery(BaseModel):
    """What became of sending a notification."""

    id: Annotated[str, Field(description="The id of the notification.")]
    event: Happening
    state: Annotated[
        SendingState, Field(description="waiting: the next attempt follows; given_up: there is none.")
    ]
    attempts: Annotated[list[HookAttempt], Field(description="In order.")]

    @classmethod
    def of(cls, sending: Sending) -> Self:
        """Return the representation of a sending, which does not name its person."""
        return cls(
            id=sending.id,
            event=sending.happening,
            state=sending.state,
            attempts=[HookAttempt.of(attempt) for attempt in sending.attempts],
        )


class HookDeliveryList(BaseModel):
    """The last 100 notifications that were sent to a webhook, newest first."""

    deliveries: list[HookDelivery]


class QueuedNotification(BaseModel):
    """A notification that is going to be sent."""

    id: str
