"""The bodies of the REST API's requests and responses about timers.

Requests are strict: unknown fields, and values of another type (such as "5" for a number), are refused.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from timer_core.api.issue_fields import issue_of
from timer_core.api.times import EPOCH, format_time, parse_date, to_ms
from timer_core.domain.addresses import organization_of
from timer_core.domain.audit import MAX_REASON, AuditKind
from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.issues import MAX_ISSUE_NUMBER, Issue
from timer_core.domain.state import Status
from timer_core.domain.timeline import Waiting
from timer_core.settings import settings
from timer_core.store.health import DeliveryState

# The configuration of models that few requests need. The validators of these models are built on first use,
# not in every cold start.
_RARE = ConfigDict(defer_build=True)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")
_LONGEST_S = 10 * 366 * 86_400


def _invalid(code: ErrorCode, message: str) -> PydanticCustomError:
    """Return the error that a validator raises; `timer_core.api.errors` reads the code from its type."""
    return PydanticCustomError(code.value, message)


def _rfc_3339(value: object) -> object:
    """Refuse numbers, and dates without a time, which pydantic would also accept as times."""
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise _invalid(
            ErrorCode.INVALID_TIME, "Must be a date and time with an offset, such as 2026-01-31T09:00:00Z."
        )
    return value


def _in_utc(moment: datetime) -> datetime:
    """Convert a time to UTC; refuse times before 1970 and after 9999 in UTC."""
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise _invalid(ErrorCode.INVALID_TIME, "Must be between 1970 and 9999.") from None
    if moment < EPOCH:
        raise _invalid(ErrorCode.INVALID_TIME, "Must not be before 1970.")
    return moment


def _date(value: object) -> date:
    try:
        return parse_date(value)
    except InvalidInput as error:
        raise _invalid(error.code, error.message) from None


def printable(text: str) -> str:
    """Refuse control characters except line breaks and tabs."""
    if any((character < " " and character not in "\n\t\r") or character == "\x7f" for character in text):
        raise _invalid(ErrorCode.CONTROL_CHARACTERS, "Must not contain control characters.")
    return text


Time = Annotated[datetime, PlainSerializer(format_time, return_type=str)]
DateIn = Annotated[date, BeforeValidator(_date)]
TimeIn = Annotated[datetime, BeforeValidator(_rfc_3339), AfterValidator(_in_utc)]
Seconds = Annotated[float, Field(ge=0, examples=[5400.25])]
_Text = Annotated[str, Field(max_length=2000), AfterValidator(printable)]
Reason = Annotated[
    str,
    Field(strict=True, max_length=MAX_REASON, description="Why; the audit log has it."),
    AfterValidator(printable),
]
_Url = Annotated[str, Field(min_length=1, max_length=2000)]
_FullName = Annotated[str, Field(min_length=3, max_length=140)]
_Number = Annotated[int, Field(ge=1, le=MAX_ISSUE_NUMBER)]


class PauseShown(BaseModel):
    """A pause of a timer. The present pause of an open timer has no end."""

    start: Time
    end: Time | None


class TimerFacts(BaseModel):
    """A timer's own history. Times are in UTC; durations are in seconds, with up to three decimals."""

    id: Annotated[str, Field(examples=["583231-01JD3K5W9GZ8Q4T1M6V7X0Y2BC"])]
    user: Annotated[int, Field(description="The numeric id of the GitHub account.")]
    organization: str | None
    status: Status
    start_time: Time
    end_time: Time | None
    duration: Annotated[Seconds | None, Field(description="Null until stopped; then the active time.")]
    active_duration: Annotated[Seconds, Field(description="Elapsed time minus paused time, up to now.")]
    is_paused: bool
    paused_duration: Annotated[Seconds, Field(description="The length of all pauses that have ended.")]
    last_pause_time: Annotated[Time | None, Field(description="When the current pause began.")]
    pauses: Annotated[
        list[PauseShown],
        Field(description="The pauses between start and end, in order; the last one may not have ended."),
    ]
    github_issue_url: str | None
    github_issue_number: int | None
    github_repo: Annotated[str | None, Field(examples=["octocat/hello-world"])]
    github_issue_title: Annotated[
        str | None, Field(description="The latest title received from GitHub; null before the first.")
    ]
    description: str
    source: Annotated[
        str,
        Field(
            description="The cause of the start: manual, correction (split from another timer), or a GitHub "
            "event such as assigned."
        ),
    ]
    stopped_by: Annotated[
        str | None,
        Field(description="The cause of the stop: manual, correction, closed, sweeper...; null while open."),
    ]
    last_sign_at: Annotated[
        Time,
        Field(description="The last act, comment or event that shows that somebody works on the issue."),
    ]
    created: Time
    details_deleted: Annotated[
        bool,
        Field(
            description="Whether the details of this confirmed time are deleted. Then the timer has another"
            " id, no pauses and no description. Its times only say the dates; its durations are unchanged."
        ),
    ]


class Why(BaseModel):
    """The rule that decides whether a timer counts, and the act that decided it."""

    rule: Annotated[
        str,
        Field(
            description="only, focus, shared, parallel or overtime: the timer counts."
            " schedule, focus or break: it waits. paused or stale: it does not count."
        ),
    ]
    action: Annotated[str | None, Field(description="The action of the act, such as start or focus.")]
    by: Annotated[
        str | None, Field(description="The cause of the act: manual, or an event such as assigned.")
    ]
    at: Time | None
    timer: Annotated[
        str | None, Field(description="The timer that has the focus instead, or whose pause is the break.")
    ]


class IssueShown(BaseModel):
    """An issue on GitHub."""

    github_issue_url: str
    github_issue_number: int
    github_repo: Annotated[str, Field(examples=["octocat/hello-world"])]
    github_issue_title: str | None


class TimeLog(TimerFacts):
    """A timer, with the part of its time that counts as the person's working time."""

    working_duration: Annotated[
        Seconds, Field(description="The part of the active time that counts as working time, up to now.")
    ]
    is_counting: Annotated[bool, Field(description="Whether working time passes now.")]
    waiting_for: Annotated[
        Waiting | None, Field(description="Why no working time passes although the timer runs.")
    ]
    counting_share: Annotated[
        float,
        Field(ge=0, le=1, description="The part of each second that counts now; less than 1 under shared."),
    ]
    counting_changes_at: Annotated[
        Time | None,
        Field(description="When the share, or what the timer waits for, changes by itself; null if never."),
    ]
    why: Annotated[Why | None, Field(description="Why the timer counts or waits; null if it is stopped.")]
    counts_for: Annotated[
        IssueShown | None,
        Field(
            description="The issue for which the time of a pull request counts: the only one that it closes."
        ),
    ]


class ListedTimeLog(TimeLog):
    """A timer in a list. If the list is that of a period, the timer has the part that lies in the period."""

    part_working_duration: Annotated[
        Seconds | None,
        Field(description="The working time between since and until; null without these parameters."),
    ]
    part_active_duration: Annotated[
        Seconds | None,
        Field(description="The active time between since and until; null without these parameters."),
    ]
    part_first_day_working_duration: Annotated[
        Seconds | None,
        Field(description="The working time of this part on its first day, in the requested time zone."),
    ]


class TimeLogPage(BaseModel):
    """A page of timers, newest start first, with absolute links to the next and previous page."""

    count: Annotated[
        int | None, Field(description="The number of timers on all pages; null without count=true.")
    ]
    next: str | None
    previous: str | None
    github_url: Annotated[
        str,
        Field(
            description="The base address of the GitHub that the server is connected to.",
            examples=["https://github.com"],
        ),
    ]
    results: list[ListedTimeLog]


class DayTotal(BaseModel):
    """The time of a day."""

    model_config = _RARE

    date: Annotated[date, Field(description="The day in the requested time zone.")]
    working_duration: Seconds
    active_duration: Seconds


class IssueTotal(BaseModel):
    """The time on an issue. The issue's fields are null in the total of timers without an issue."""

    model_config = _RARE

    github_issue_url: str | None
    github_issue_number: int | None
    github_repo: str | None
    github_issue_title: str | None
    working_duration: Seconds
    active_duration: Seconds
    timers: Annotated[int, Field(description="The number of timers.")]


class TimeTotals(BaseModel):
    """The time in a period, up to now. Days and issues without any time are omitted.

    Working time is what counts for the person. Active time is the sum of the timers' own histories, and
    exceeds it if timers run outside of working hours, or several at once.
    """

    model_config = _RARE

    since: Time
    until: Time
    time_zone: str
    working_duration: Seconds
    active_duration: Seconds
    days: Annotated[list[DayTotal], Field(description="In chronological order.")]
    issues: Annotated[list[IssueTotal], Field(description="Longest time first.")]
    complete: Annotated[
        bool,
        Field(
            description="False if the period has more timers than a request reads: 5,000, or 20 MB of timers"
            " with long histories. The oldest timers are not counted then."
        ),
    ]


class HiddenTimer(BaseModel):
    """An open timer of a person whose time the admin does not see."""

    id: str
    user: int
    start_time: Time


class OpenTimerPage(BaseModel):
    """A page of everybody's open timers."""

    next: str | None
    results: list[TimerFacts | HiddenTimer]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)


class _OnIssue(_Request):
    github_issue_url: Annotated[
        _Url | None,
        Field(
            strict=True,
            description="The issue's address, also with a query or fragment, or owner/name#number.",
            examples=["https://github.com/octocat/hello-world/issues/1347"],
        ),
    ] = None
    github_repo: Annotated[_FullName | None, Field(strict=True, examples=["octocat/hello-world"])] = None
    github_issue_number: Annotated[_Number | None, Field(strict=True, examples=[1347])] = None
    organization_url: Annotated[
        _Url | None,
        Field(
            strict=True,
            description="Any http or https address. On GitHub, its login is the organization; elsewhere, "
            "its host.",
            examples=["https://github.com/octocat"],
        ),
    ] = None

    @property
    def organization(self) -> str | None:
        """The name of the organization with the address ``organization_url``.

        Raises
        ------
        InvalidInput
            If it is not an http or https address.
        """
        url = self.organization_url
        return None if url is None else organization_of(url, settings().github_url)

    @property
    def issue(self) -> Issue | None:
        """The issue that the three fields identify.

        Raises
        ------
        InvalidInput
            If the fields contradict each other or do not identify an issue.
        """
        return issue_of(self.github_issue_url, self.github_repo, self.github_issue_number)


_CLOCKS_DIFFER = "A time up to a minute in the future counts as now, because clocks differ."
_At = Annotated[
    TimeIn | None,
    Field(
        description="The time of the action, if it was taken offline: at most three days ago. "
        + _CLOCKS_DIFFER
    ),
]
_Past = Field(description=_CLOCKS_DIFFER)


class StartRequest(_OnIssue):
    """The issue and description of a timer to start; all fields are optional."""

    description: Annotated[_Text, Field(strict=True)] = ""
    at: _At = None


class TransitionRequest(_Request):
    """The time of a pause, resume or stop; optional."""

    at: _At = None


class FocusRequest(TransitionRequest):
    """The time of the switch to a timer, and whether to continue counting after working hours; optional."""

    overtime: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether the time after the present working hours is to count too, as long as the "
            "organization's settings allow.",
        ),
    ] = False


class _ReasonedRequest(_Request):
    """A correction, whose reason is in the audit log."""

    reason: Reason = ""


class PauseRequest(_ReasonedRequest):
    """The start and the end of a pause to insert."""

    start: Annotated[TimeIn, _Past]
    end: Annotated[TimeIn, _Past]


class PauseChange(_ReasonedRequest):
    """The start and the end of a pause. The present pause of an open timer has no end."""

    start: Annotated[TimeIn, _Past]
    end: Annotated[TimeIn | None, _Past] = None


class SplitRequest(_ReasonedRequest):
    """The time at which to divide a timer, between its start and its end."""

    at: TimeIn


class SplitTimeLog(BaseModel):
    """The two timers into which a timer was divided."""

    model_config = _RARE

    first: TimeLog
    second: TimeLog


class ConfirmRequest(_ReasonedRequest):
    """The reason to confirm a day."""


class UndoRequest(_ReasonedRequest):
    """The Idempotency-Key of the correction to undo."""

    idempotency_key: Annotated[str, Field(strict=True, min_length=1, max_length=255)]


class AddRequest(_OnIssue, _ReasonedRequest):
    """A stopped timer to add: its start, and either its end or its duration (active time in seconds)."""

    start_time: Annotated[TimeIn, _Past]
    end_time: Annotated[TimeIn | None, _Past] = None
    duration: Annotated[float | None, Field(strict=True, ge=0, le=_LONGEST_S, allow_inf_nan=False)] = None
    description: Annotated[_Text, Field(strict=True)] = ""

    @property
    def span_ms(self) -> tuple[int, int]:
        """The start and the end (milliseconds since the epoch).

        Raises
        ------
        InvalidInput
            If not exactly one of end and duration is given.
        """
        start_ms = to_ms(self.start_time)
        if (self.end_time is None) == (self.duration is None):
            raise InvalidInput(
                "end_time", "Exactly one of end_time and duration is required.", ErrorCode.REQUIRED
            )
        if self.end_time is not None:
            return start_ms, to_ms(self.end_time)
        assert self.duration is not None  # noqa: S101 - checked above
        return start_ms, start_ms + round(self.duration * 1000)


class PatchRequest(_OnIssue, _ReasonedRequest):
    """The fields to correct. A null ``github_issue_url`` removes the timer from its issue."""

    description: Annotated[_Text | None, Field(strict=True)] = None
    start_time: Annotated[TimeIn | None, _Past] = None
    end_time: Annotated[TimeIn | None, _Past] = None

    @model_validator(mode="after")
    def _null_only_unlinks(self) -> "PatchRequest":
        null = {name for name in self.model_fields_set if getattr(self, name) is None}
        if null - {"github_issue_url"}:
            raise _invalid(ErrorCode.REQUIRED, f"{min(null - {'github_issue_url'})} must not be null.")
        if null and (self.github_repo is not None or self.github_issue_number is not None):
            raise _invalid(
                ErrorCode.CONTRADICTION, "github_issue_url is null, so no other field may name an issue."
            )
        return self


class ChangedMembers(TypedDict, total=False):
    """The members that a change replaced. The others are absent."""

    start_time: Time
    end_time: Time | None
    pauses: Annotated[list[PauseShown], Field(description="The pauses that differ, without the others.")]
    github_repo: str | None
    github_issue_number: int | None
    organization: str | None
    description: str
    state: Annotated[str, Field(description="Of a day: over or confirmed.")]
    working_duration: Annotated[Seconds, Field(description="Of a day that is confirmed.")]


class DifferenceShown(BaseModel):
    """A timer or a day that a change concerns."""

    model_config = _RARE

    timer: Annotated[str | None, Field(examples=["583231-01JD3K5W9GZ8Q4T1M6V7X0Y2BC"])]
    date: Annotated[date | None, Field(description="The day, if it was confirmed or reopened.")]
    before: Annotated[
        ChangedMembers | None, Field(alias="from", description="Null if the timer did not exist.")
    ]
    after: Annotated[ChangedMembers | None, Field(alias="to", description="Null if the timer was deleted.")]


class AuditEntryShown(BaseModel):
    """A change of a person's time by hand, or by the sweeper."""

    model_config = _RARE

    id: Annotated[str, Field(examples=["01JD3K5W9GZ8Q4T1M6V7X0Y2BC"])]
    at: Time
    kind: AuditKind
    by: Annotated[Literal["self", "admin", "sweeper"], Field(description="The author.")]
    user: Annotated[int | None, Field(description="The id of the author's GitHub account.")]
    reason: str
    differences: list[DifferenceShown]


class AuditPageShown(BaseModel):
    """A page of the changes of one's time, newest first."""

    model_config = _RARE

    next: Annotated[str | None, Field(description="The URL of the next page.")]
    results: Annotated[
        list[AuditEntryShown],
        Field(description="With `timer`, a page may be empty although there is a next one."),
    ]


class GitHubReport(BaseModel):
    """The deployment's access to GitHub's API."""

    model_config = _RARE

    credential: Annotated[
        str | None,
        Field(description="Its kind: none, token, app or invalid; null before the first check."),
    ]
    cannot: Annotated[
        list[str],
        Field(
            description=(
                "Those missing among project_cards, replies, redelivery, reconcile, lead_teams and"
                " write_back."
            )
        ),
    ]


class HealthReport(BaseModel):
    """The health of the deployment."""

    model_config = _RARE

    status: str
    version: str
    open_timers: int
    stale_timers: Annotated[int, Field(description="Stale timers that the last sweep found.")]
    webhook_success_rate: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="The processed share of today's and yesterday's deliveries; null if there were none.",
        ),
    ]
    github: GitHubReport


class DeliveriesOfDay(BaseModel):
    """The deliveries of a day (UTC): how many were processed, and how many failed permanently."""

    model_config = _RARE

    day: str
    processed: int
    ignored: Annotated[int, Field(description="Those of the processed ones that changed no timer.")]
    failed: int


class HealthDetails(BaseModel):
    """The health of the deployment in detail, for operators."""

    model_config = _RARE

    deliveries: list[DeliveriesOfDay]
    webhooks: Annotated[list[str], Field(description="The webhooks' paths in GitHub's REST API.")]


class ConnectedWebhook(BaseModel):
    """A webhook that has sent deliveries in the last 90 days."""

    model_config = _RARE

    kind: Literal["app", "organization", "repository"]
    name: Annotated[
        str | None,
        Field(description="The organization's login or the repository's full name; null for an App."),
    ]
    repaired: Annotated[
        Time | None,
        Field(description="Failed deliveries up to this time were requested again; null if never."),
    ]


class DeliveryReport(BaseModel):
    """A delivery, and what became of it."""

    model_config = _RARE

    event: Annotated[str, Field(examples=["issues.assigned", "ping"])]
    source: Annotated[
        str | None, Field(description="The full name of the repository, or the login of the organization.")
    ]
    received: Time
    state: Annotated[
        DeliveryState,
        Field(
            description="`processed`, `ignored` (no timer changed), `given_up` (GitHub's API refused a "
            "request for it), `waiting` (failed, and is repeated) or `failed` (permanently)."
        ),
    ]
    reason: Annotated[
        str | None,
        Field(
            description="Why it was ignored, or why it was given up, in words.",
            examples=["user_not_registered"],
        ),
    ]


class GitHubConnection(BaseModel):
    """How the deployment is connected with GitHub, and what has arrived."""

    model_config = _RARE

    connection: Annotated[
        Literal["app", "token", "webhook", "none"],
        Field(
            description="`app`: a GitHub App. `token`: webhooks, and a token for GitHub's API. `webhook`: "
            "webhooks only. `none`: nothing has arrived, and there is no credential."
        ),
    ]
    stack: Annotated[str, Field(description="The stack's name, for the commands.")]
    local_port: Annotated[
        int | None,
        Field(description="The port of a local stack (`make run`), for the commands; null in AWS."),
    ]
    webhook_url: Annotated[str, Field(description="The address to enter at GitHub.")]
    github_url: Annotated[
        str,
        Field(
            description="The base address of the GitHub that the server is connected to.",
            examples=["https://github.com"],
        ),
    ]
    github: GitHubReport
    webhooks: list[ConnectedWebhook]
    last_delivery: Annotated[
        DeliveryReport | None,
        Field(
            description="The last delivery of the last 35 days. Of deliveries that no timer needs, one a "
            "minute is recorded."
        ),
    ]
    last_refused: Annotated[
        Time | None, Field(description="When a delivery with a wrong signature arrived last.")
    ]
    deliveries: Annotated[
        list[DeliveriesOfDay], Field(description="Those of yesterday and today (UTC) that had deliveries.")
    ]


class FieldError(BaseModel):
    """An error in a request: the path of the field, a message, and the reason as a code."""

    model_config = _RARE

    loc: list[str | int]
    msg: str
    code: ErrorCode


class Problem(BaseModel):
    """An error as RFC 9457 describes it."""

    model_config = _RARE

    type: str
    title: str
    status: int
    detail: str
    code: ErrorCode
    errors: list[FieldError] | None = None
    request_id: str | None = None
    date: Annotated[
        str | None, Field(description="For `day_confirmed`, the first confirmed date that would change.")
    ] = None
