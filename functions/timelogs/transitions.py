"""The routes that start, pause, resume, stop and focus timers."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, TypeGuard

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from timelogs.shared import (
    TIMER,
    IdempotencyKey,
    any_timer,
    app,
    cause_of,
    current_caller,
    current_ms,
    idempotency_of,
    location,
    offline_actions,
    own_timer,
    response,
    time_log,
    timers,
)
from timer_core.api.models import FocusRequest, StartRequest, TimeLog, TransitionRequest, to_ms
from timer_core.api.responses import responses
from timer_core.domain.timers import Timer, requested_ms

# The time that a request may spend in the network. If `at` is older than this, the request is an offline
# action, and the issue's timers are rederived after the action.
_NETWORK_MS = 5_000


@app.post(
    "/api/timelogs/start/",
    summary="Start a timer, or get the one that is open on the issue",
    operation_id="start",
    responses=responses(200, 201, 400, 401, 403, 409, 413, 415, model=TimeLog),
    tags=["timers"],
)
def start_timer(
    request: Annotated[StartRequest | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[TimeLog]:
    """Start a timer: 201, or 200 with the timer that is already open on the issue."""
    request = request or StartRequest()
    now = current_ms()
    at_ms = _requested_ms(request, now)
    start = (
        partial(offline_actions().start, at_ms=at_ms)
        if _was_offline(at_ms, now)
        else partial(timers.start, at_ms=at_ms)
    )
    timer, created = start(
        user_id=current_caller().user_id,
        now_ms=now,
        issue=request.issue,
        organization=request.organization,
        description=request.description,
        idempotency=idempotency_of(idempotency_key, "start", request),
    )
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    return response(status, time_log(timer, now), location(timer) if created else None)


@app.post(
    TIMER + "pause/",
    summary="Pause a running timer",
    operation_id="pause",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def pause_timer(
    timer_id: str,
    request: Annotated[TransitionRequest | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[TimeLog]:
    """Stop counting time until the timer is resumed."""
    return _change(timers.pause, own_timer(timer_id), request, idempotency_key)


@app.post(
    TIMER + "resume/",
    summary="Resume a paused timer",
    operation_id="resume",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def resume_timer(
    timer_id: str,
    request: Annotated[TransitionRequest | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[TimeLog]:
    """Count time again after a pause."""
    return _change(timers.resume, own_timer(timer_id), request, idempotency_key)


@app.post(
    TIMER + "stop/",
    summary="Stop an open timer",
    operation_id="stop",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def stop_timer(
    timer_id: str,
    request: Annotated[TransitionRequest | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[TimeLog]:
    """Stop the timer permanently; its duration is its active time."""
    return _change(timers.stop, any_timer(timer_id), request, idempotency_key)


@app.post(
    TIMER + "focus/",
    summary="Switch to a running timer",
    operation_id="focus",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def focus_timer(
    timer_id: str,
    request: Annotated[FocusRequest | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[TimeLog]:
    """Count this running timer from now on, where one timer counts at a time.

    With `overtime`, the timer also counts after the present working hours.
    """
    overtime = request is not None and request.overtime

    def focus(user_id: int, ulid: str, *, by: str, **parameters: Any) -> Timer:  # noqa: ARG001
        return timers.focus(user_id, ulid, overtime=overtime, **parameters)

    return _change(focus, own_timer(timer_id), request, idempotency_key)


def _change(
    transition: Callable[..., Timer],
    timer: tuple[int, str],
    request: TransitionRequest | None,
    idempotency_key: str | None,
) -> Response[TimeLog]:
    now = current_ms()
    at_ms = _requested_ms(request, now)
    by = "manual" if timer[0] == current_caller().user_id else "admin"
    changed = transition(*timer, now_ms=now, by=by, cause=cause_of(idempotency_key, request), at_ms=at_ms)
    if _was_offline(at_ms, now):
        changed = offline_actions().rederive(changed, now_ms=now)
    return response(HTTPStatus.OK, time_log(changed, now))


def _requested_ms(request: StartRequest | TransitionRequest | None, now: int) -> int | None:
    """Return the requested time of the action (milliseconds since the epoch) if it is in the past; else None.

    None means that the action happens now. If the clock of the machine that made the last change was ahead,
    the action counts from the time of that change.
    """
    if request is None or request.at is None:
        return None
    at_ms = requested_ms(to_ms(request.at), now)
    return at_ms if at_ms < now else None


def _was_offline(at_ms: int | None, now: int) -> TypeGuard[int]:
    return at_ms is not None and at_ms < now - _NETWORK_MS
