"""The routes that start, pause, resume, stop and focus timers."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from timelogs import transitions
from timelogs.routes.app import IdempotencyKey, app, current_request
from timelogs.shared import TIMER
from timer_core.api.models import FocusRequest, StartRequest, TimeLog, TransitionRequest
from timer_core.api.resolver import as_response
from timer_core.api.responses import responses
from timer_core.api.times import to_ms


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
    return as_response(transitions.start(current_request(), _fields(request), idempotency_key))


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
    return as_response(transitions.pause(current_request(), timer_id, _fields(request), idempotency_key))


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
    return as_response(transitions.resume(current_request(), timer_id, _fields(request), idempotency_key))


@app.post(
    TIMER + "stop/",
    summary="Stop an open timer",
    operation_id="stop",
    description="An admin may stop everybody's timers; 204 if the admin does not see the person's time.",
    responses=responses(200, 204, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def stop_timer(
    timer_id: str,
    request: Annotated[TransitionRequest | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[TimeLog]:
    """Stop the timer permanently; its duration is its active time."""
    return as_response(transitions.stop(current_request(), timer_id, _fields(request), idempotency_key))


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
    return as_response(transitions.focus(current_request(), timer_id, _fields(request), idempotency_key))


def _fields(request: StartRequest | TransitionRequest | None) -> dict[str, Any]:
    """Return the members of a body that are not null, with times in milliseconds since the epoch."""
    fields = request.model_dump(exclude_none=True) if request else {}
    return fields | {"at": to_ms(fields["at"])} if "at" in fields else fields
