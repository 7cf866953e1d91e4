"""The errors of refused requests. The API translates them to HTTP responses in one place."""

from datetime import date, datetime, timedelta
from enum import StrEnum


class ErrorCode(StrEnum):
    """The reason of a refusal. The pages and the widget translate these codes (web/widget/strings.de.js)."""

    # Requests
    INTERNAL_ERROR = "internal_error"
    INVALID_REQUEST = "invalid_request"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    TOO_MANY_CHANGES = "too_many_changes"
    BUSY = "busy"
    CHANGED_MEANWHILE = "changed_meanwhile"
    IF_MATCH_REQUIRED = "if_match_required"
    # Timers and tokens
    TIMER_RUNNING = "timer_running"
    TIMER_PAUSED = "timer_paused"
    TIMER_STOPPED = "timer_stopped"
    TIMER_CHANGED_SINCE = "timer_changed_since"
    TOO_MANY_TRANSITIONS = "too_many_transitions"
    NOT_YOUR_TIMER = "not_your_timer"
    OTHER_TIMER_OPEN = "other_timer_open"
    TOO_MANY_TOKENS = "too_many_tokens"
    DAY_CONFIRMED = "day_confirmed"
    DAY_LOCKED = "day_locked"
    DETAILS_DELETED = "details_deleted"
    # Reports
    REPORT_TOO_LARGE = "report_too_large"
    EXPORT_RUNNING = "export_running"
    UNKNOWN_PERSON = "unknown_person"
    # Fields of a request
    INVALID_VALUE = "invalid_value"
    UNKNOWN_FIELD = "unknown_field"
    REQUIRED = "required"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    OUT_OF_RANGE = "out_of_range"
    INVALID_DATE = "invalid_date"
    INVALID_TIME_OF_DAY = "invalid_time_of_day"
    INTERVALS_OVERLAP = "intervals_overlap"
    UNKNOWN_REGION = "unknown_region"
    TOO_MANY_VALUES = "too_many_values"
    CONTROL_CHARACTERS = "control_characters"
    INVALID_TIME = "invalid_time"
    IN_THE_FUTURE = "in_the_future"
    IN_THE_PAST = "in_the_past"
    TOO_LONG_AGO = "too_long_ago"
    DAY_NOT_OVER = "day_not_over"
    END_BEFORE_START = "end_before_start"
    PAUSES_DO_NOT_FIT = "pauses_do_not_fit"
    PAUSES_OVERLAP = "pauses_overlap"
    OUTSIDE_OF_TIMER = "outside_of_timer"
    UNKNOWN_TIME_ZONE = "unknown_time_zone"
    NOT_AN_ISSUE = "not_an_issue"
    NOT_A_REPOSITORY = "not_a_repository"
    NOT_AN_ORGANIZATION = "not_an_organization"
    NOT_AN_ADDRESS = "not_an_address"
    CONTRADICTION = "contradiction"
    INVALID_CURSOR = "invalid_cursor"


class IssueTimerError(Exception):
    """Base of the errors that a caller can cause.

    Attributes
    ----------
    code
        The reason, which clients can compare and translate.
    """

    code: ErrorCode


class InvalidInput(IssueTimerError):
    """A value that cannot be used.

    Parameters
    ----------
    field
        The name of the value as the caller wrote it.
    message
        The reason, as a text for the caller.
    code
        The same reason, as a code.
    """

    def __init__(self, field: str, message: str, code: ErrorCode) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.code = code


class TransitionNotAllowed(IssueTimerError):
    """The timer is in a state that does not allow the action.

    Parameters
    ----------
    action
        The action: ``start``, ``pause``, ``resume``, ``stop`` or ``focus``.
    status
        The state that the timer is in.
    """

    def __init__(self, action: str, status: str) -> None:
        super().__init__(f"Cannot {action} a timer that is {status}.")
        self.action = action
        self.status = status
        self.code = ErrorCode(f"timer_{status}")


class TransitionTooEarly(IssueTimerError):
    """The timer has changed after the time for which an action was requested.

    Parameters
    ----------
    action
        The action: ``start``, ``pause``, ``resume``, ``stop`` or ``focus``.
    status
        The state that the timer is in.
    at_ms
        The requested time (milliseconds since the epoch).
    since_ms
        The time at which the timer entered its state.
    """

    code = ErrorCode.TIMER_CHANGED_SINCE

    def __init__(self, action: str, status: str, at_ms: int, since_ms: int) -> None:
        super().__init__(
            f"Cannot {action} at {_utc(at_ms)} a timer that has been {status} since {_utc(since_ms)}."
        )


class ChangedSince(IssueTimerError):
    """A timer has changed since the correction that is to be undone."""

    code = ErrorCode.CHANGED_MEANWHILE

    def __init__(self) -> None:
        super().__init__("The timer has changed since this correction.")


class TooManyTransitions(IssueTimerError):
    """The timer has reached the limit of manual transitions or of transitions by events.

    Parameters
    ----------
    action
        The action, for example ``resume`` or ``insert a pause into``.
    transitions
        The transitions that reached the limit, such as ``150 manual transitions``.
    """

    code = ErrorCode.TOO_MANY_TRANSITIONS

    def __init__(self, action: str, transitions: str) -> None:
        super().__init__(
            f"Cannot {action} a timer that has {transitions}, which is the limit. "
            "Stop it and start another one."
        )


class NotFound(IssueTimerError):
    """A timer, a token or something else with an id does not exist, or was deleted."""

    code = ErrorCode.NOT_FOUND


class NotYourTimer(IssueTimerError):
    """The timer exists and belongs to somebody else."""

    code = ErrorCode.NOT_YOUR_TIMER


class OtherTimerOpen(IssueTimerError):
    """The issue already has an open timer of the same person.

    Parameters
    ----------
    timer_id
        The id of the timer that is open.
    """

    code = ErrorCode.OTHER_TIMER_OPEN

    def __init__(self, timer_id: str) -> None:
        super().__init__(f"Timer {timer_id} is already open on that issue.")
        self.timer_id = timer_id


class DayConfirmed(IssueTimerError):
    """The change concerns a confirmed day.

    Parameters
    ----------
    day
        The first confirmed date that it concerns.
    """

    code = ErrorCode.DAY_CONFIRMED

    def __init__(self, day: date) -> None:
        super().__init__(f"{day.isoformat()} is confirmed. Reopen the day to change it.")
        self.date = day


class DayLocked(DayConfirmed):
    """The change concerns a day that the organization has locked.

    Parameters
    ----------
    day
        The first locked date that it concerns.
    """

    code = ErrorCode.DAY_LOCKED

    def __init__(self, day: date) -> None:
        IssueTimerError.__init__(self, f"{day.isoformat()} is locked. Ask an admin of your organization.")
        self.date = day


class DetailsDeleted(DayConfirmed):
    """The change concerns a day whose details are deleted.

    Parameters
    ----------
    day
        The first such date that it concerns.
    """

    code = ErrorCode.DETAILS_DELETED

    def __init__(self, day: date) -> None:
        IssueTimerError.__init__(
            self,
            f"The details of {day.isoformat()} are deleted. Only its sums are kept, which cannot change.",
        )
        self.date = day


class IdempotencyKeyReused(IssueTimerError):
    """An earlier, different request had the same ``Idempotency-Key``."""

    code = ErrorCode.IDEMPOTENCY_KEY_REUSED


class TooMuchContention(IssueTimerError):
    """Other writers kept changing the same items; a retry is safe."""

    code = ErrorCode.BUSY


class PreconditionFailed(IssueTimerError):
    """The resource is no longer in the state that the request requires (RFC 9110, section 13.1.1)."""

    code = ErrorCode.CHANGED_MEANWHILE


class PreconditionRequired(IssueTimerError):
    """The request has to name the state of the resource that it changes (RFC 6585, section 3)."""

    code = ErrorCode.IF_MATCH_REQUIRED


class Unauthorized(IssueTimerError):
    """The request has no valid credentials."""

    code = ErrorCode.UNAUTHORIZED


class Forbidden(IssueTimerError):
    """The credentials are valid, but they do not allow this request."""

    code = ErrorCode.FORBIDDEN


class TooManyTokens(Forbidden):
    """The person has reached the limit of API tokens."""

    code = ErrorCode.TOO_MANY_TOKENS


class ReportTooLarge(IssueTimerError):
    """A report of more time, or with more rows, than a request can read or return."""

    code = ErrorCode.REPORT_TOO_LARGE


class ExportRunning(IssueTimerError):
    """The person's last export is not finished."""

    code = ErrorCode.EXPORT_RUNNING


class TooManyRequests(IssueTimerError):
    """The person has reached the limit of changes per minute.

    Parameters
    ----------
    retry_after_s
        Seconds until the next change is accepted.
    """

    code = ErrorCode.TOO_MANY_CHANGES

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many changes in a minute; try again in {retry_after_s} seconds.")
        self.retry_after_s = retry_after_s


def _utc(ms: int) -> str:
    moment = datetime(1970, 1, 1) + timedelta(milliseconds=ms)  # noqa: DTZ001 - UTC, and says so
    return f"{moment.isoformat(timespec='milliseconds')}Z"
