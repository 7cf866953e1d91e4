"""The errors of refused requests. The API translates them to HTTP responses in one place."""

from datetime import datetime, timedelta


class IssueTimerError(Exception):
    """Base of the errors that a caller can cause."""


class InvalidInput(IssueTimerError):
    """A value that cannot be used.

    Parameters
    ----------
    field
        The name of the value as the caller wrote it.
    message
        The reason, as a text for the caller.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class TransitionNotAllowed(IssueTimerError):
    """The timer is in a state that does not allow the action.

    Parameters
    ----------
    action
        The action: ``pause``, ``resume``, ``stop`` or ``correct``.
    status
        The state that the timer is in.
    """

    def __init__(self, action: str, status: str) -> None:
        super().__init__(f"Cannot {action} a timer that is {status}.")
        self.action = action
        self.status = status


class TransitionTooEarly(IssueTimerError):
    """The timer has changed after the time for which an action was requested.

    Parameters
    ----------
    action
        The action: ``start``, ``pause``, ``resume`` or ``stop``.
    status
        The state that the timer is in.
    at_ms
        The requested time (milliseconds since the epoch).
    since_ms
        The time at which the timer entered its state.
    """

    def __init__(self, action: str, status: str, at_ms: int, since_ms: int) -> None:
        super().__init__(
            f"Cannot {action} at {_utc(at_ms)} a timer that has been {status} since {_utc(since_ms)}."
        )


class TooManyTransitions(IssueTimerError):
    """The timer has reached the limit of manual transitions or of transitions by events.

    Parameters
    ----------
    action
        The action: ``start``, ``pause`` or ``resume``.
    transitions
        The transitions that reached the limit, such as ``150 manual transitions``.
    """

    def __init__(self, action: str, transitions: str) -> None:
        super().__init__(
            f"Cannot {action} a timer that has {transitions}, which is the limit. "
            "Stop it and start another one."
        )


class NotFound(IssueTimerError):
    """A timer or a token does not exist, or was deleted."""


class NotYourTimer(IssueTimerError):
    """The timer exists and belongs to somebody else."""


class OtherTimerOpen(IssueTimerError):
    """The issue already has an open timer of the same person.

    Parameters
    ----------
    timer_id
        The id of the timer that is open.
    """

    def __init__(self, timer_id: str) -> None:
        super().__init__(f"Timer {timer_id} is already open on that issue.")
        self.timer_id = timer_id


class IdempotencyKeyReused(IssueTimerError):
    """An earlier, different request had the same ``Idempotency-Key``."""


class TooMuchContention(IssueTimerError):
    """Other writers kept changing the same items; a retry is safe."""


class Unauthorized(IssueTimerError):
    """The request has no valid credentials."""


class Forbidden(IssueTimerError):
    """The credentials are valid, but they do not allow this request."""


class TooManyRequests(IssueTimerError):
    """The person has reached the limit of changes per minute.

    Parameters
    ----------
    retry_after_s
        Seconds until the next change is accepted.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many changes in a minute; try again in {retry_after_s} seconds.")
        self.retry_after_s = retry_after_s


def _utc(ms: int) -> str:
    moment = datetime(1970, 1, 1) + timedelta(milliseconds=ms)  # noqa: DTZ001 - UTC, and says so
    return f"{moment.isoformat(timespec='milliseconds')}Z"
