"""The routes by which people state when they worked: they add, correct, divide and delete timers."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.openapi.params import Path as ApiPath

from timelogs.routes.app import IdempotencyKey, app, content_of, current_request
from timelogs.shared import (
    TIMER,
    cause_of,
    created_reply,
    idempotency_of,
    offline_actions,
    own_timer,
    time_logs,
    timer_reply,
    timers,
    timesheets,
)
from timer_core.api.digests import digest
from timer_core.api.models import (
    AddRequest,
    PatchRequest,
    PauseChange,
    PauseRequest,
    SplitRequest,
    SplitTimeLog,
    TimeLog,
    UndoRequest,
)
from timer_core.api.problems import HttpError
from timer_core.api.resolver import ReasonParameter, as_response
from timer_core.api.responses import responses
from timer_core.api.times import to_ms
from timer_core.domain.corrections import Correction, with_changed_pause, with_pause, without_pause
from timer_core.domain.errors import NotFound
from timer_core.domain.ids import new_ulid
from timer_core.domain.schedule import Span, joined
from timer_core.domain.timers import MAX_OF_EACH_KIND, Period, Timer, check_span, finished, past_ms, without
from timer_core.store.writes import Idempotency, Patch

_PauseNumber = Annotated[int, ApiPath(ge=0, lt=MAX_OF_EACH_KIND * 2)]


@app.post(
    "/api/timelogs/",
    summary="Add a stopped timer",
    operation_id="add",
    responses=responses(201, 400, 401, 403, 409, 413, 415, model=TimeLog),
    tags=["timers"],
)
def add_timer(
    request: Annotated[AddRequest, Body()],
    idempotency_key: IdempotencyKey = None,
) -> Response[TimeLog]:
    """Add a stopped timer; requests with the same Idempotency-Key add it once."""
    now = current_request().now_ms
    start_ms, end_ms = request.span_ms
    start_ms = past_ms(start_ms, now, field="start_time")
    end_ms = past_ms(end_ms, now, field="end_time" if request.duration is None else "duration")
    timer = finished(
        user_id=current_request().caller.user_id,
        ulid=new_ulid(start_ms),
        start_ms=start_ms,
        end_ms=end_ms,
        now_ms=now,
        issue=request.issue,
        organization=request.organization,
        description=request.description,
    )
    idempotency = idempotency_of(idempotency_key, "add", content_of(request))
    added = timers.add(timer, idempotency, request.reason)
    (shown,) = time_logs([added], now)
    return as_response(created_reply(added, shown))


@app.post(
    TIMER + "pauses/",
    summary="Insert a pause",
    operation_id="insert_pause",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def insert_pause(
    timer_id: str, request: Annotated[PauseRequest, Body()], idempotency_key: IdempotencyKey = None
) -> Response[TimeLog]:
    """Insert a pause into a timer, open or stopped.

    Where the timer counted alone, nothing counts during the pause. Where others counted too, they still
    count.
    """
    now = current_request().now_ms
    pause = past_ms(to_ms(request.start), now, field="start"), past_ms(to_ms(request.end), now, field="end")
    cause = cause_of(current_request(), idempotency_key, content_of(request))
    return _correct(
        timer_id,
        lambda timer: with_pause(timer, *pause, now, cause),
        idempotency_of(idempotency_key, f"insert pause {timer_id}", content_of(request)),
        now,
        request.reason,
    )


@app.put(
    TIMER + "pauses/<number>/",
    summary="Correct a pause",
    operation_id="change_pause",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def change_pause(
    timer_id: str,
    number: _PauseNumber,
    request: Annotated[PauseChange, Body()],
    idempotency_key: IdempotencyKey = None,
) -> Response[TimeLog]:
    """Change the start and the end of a pause.

    The number is the position in the timer's `pauses`, from 0. To end the present pause, resume the timer.
    """
    now = current_request().now_ms
    start = past_ms(to_ms(request.start), now, field="start")
    end = None if request.end is None else past_ms(to_ms(request.end), now, field="end")
    return _correct(
        timer_id,
        lambda timer: with_changed_pause(timer, number, start, end, now),
        idempotency_of(idempotency_key, f"change pause {timer_id} {number}", content_of(request)),
        now,
        request.reason,
    )


@app.delete(
    TIMER + "pauses/<number>/",
    summary="Remove a pause",
    operation_id="remove_pause",
    responses=responses(200, 400, 401, 403, 404, 409),
    tags=["timers"],
)
def remove_pause(
    timer_id: str, number: _PauseNumber, reason: ReasonParameter = "", idempotency_key: IdempotencyKey = None
) -> Response[TimeLog]:
    """Remove a pause, so that its time counts. If it is the present pause, the timer runs again.

    The number is the position in the timer's `pauses`, from 0. The pauses after it get other numbers, so
    repeat this request only with an Idempotency-Key.
    """
    app.refuse_unknown_parameters(remove_pause)
    now = current_request().now_ms
    return _correct(
        timer_id,
        lambda timer: without_pause(timer, number, now),
        idempotency_of(idempotency_key, f"remove pause {timer_id} {number}", content_of(None)),
        now,
        reason,
    )


@app.post(
    TIMER + "split/",
    summary="Divide a timer in two",
    operation_id="split",
    responses=responses(201, 400, 401, 403, 404, 409, 413, 415, model=SplitTimeLog),
    tags=["timers"],
)
def split_timer(
    timer_id: str, request: Annotated[SplitRequest, Body()], idempotency_key: IdempotencyKey = None
) -> Response[SplitTimeLog]:
    """Divide a timer at a time between its start and its end, without changing its active time.

    The timer ends there, and a new timer continues; it is open if the timer was. Each can then be corrected
    on its own, for example moved to another issue.
    """
    now, at_ms = current_request().now_ms, to_ms(request.at)
    halves = timers.split(
        *own_timer(current_request(), timer_id),
        at_ms,
        now_ms=now,
        idempotency=idempotency_of(idempotency_key, f"split {timer_id}", content_of(request)),
        reason=request.reason,
    )
    first, second = time_logs(halves, now)
    return as_response(created_reply(halves.second, {"first": first, "second": second}))


@app.patch(
    TIMER,
    summary="Correct a timer",
    operation_id="patch",
    responses=responses(200, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def patch_timer(
    timer_id: str, request: Annotated[PatchRequest, Body()], idempotency_key: IdempotencyKey = None
) -> Response[TimeLog]:
    """Change the issue, organization, description, start and end of a timer.

    The end of an open timer stops it at that time, as if it had not gone on. Time in which it counted alone
    since then counts for no other timer.
    """
    now = current_request().now_ms
    start_ms, end_ms = (
        None if time is None else past_ms(to_ms(time), now, field=field)
        for field, time in (("start_time", request.start_time), ("end_time", request.end_time))
    )
    check_span(start_ms, end_ms, now)
    if not request.model_fields_set - {"reason"}:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body must contain a field to correct.")
    unlinks = "github_issue_url" in request.model_fields_set and request.github_issue_url is None
    patch = Patch(
        issue=(request.issue,) if unlinks or request.issue is not None else None,
        organization=request.organization,
        description=request.description,
        start_ms=start_ms,
        end_ms=end_ms,
    )
    timer = timers.patch(
        *own_timer(current_request(), timer_id),
        patch,
        now_ms=now,
        idempotency=idempotency_of(idempotency_key, f"patch {timer_id}", content_of(request)),
        counted=partial(_counted, now=now),
        reason=request.reason,
    )
    return as_response(timer_reply(timer, now))


@app.delete(
    TIMER,
    summary="Delete a timer",
    operation_id="delete",
    responses=responses(204, 400, 401, 403, 404, 409),
    tags=["timers"],
)
def delete_timer(
    timer_id: str, reason: ReasonParameter = "", idempotency_key: IdempotencyKey = None
) -> Response[str]:
    """Delete a timer, open or stopped.

    Time in which it counted alone counts for no other timer.
    """
    app.refuse_unknown_parameters(delete_timer)
    now = current_request().now_ms
    timers.delete(
        *own_timer(current_request(), timer_id),
        now_ms=now,
        idempotency=idempotency_of(idempotency_key, f"delete {timer_id}", content_of(None)),
        counted=partial(_counted, now=now),
        reason=reason,
    )
    return Response(HTTPStatus.NO_CONTENT.value, body="")


@app.post(
    "/api/timelogs/undo/",
    summary="Undo a correction",
    operation_id="undo",
    responses=responses(204, 400, 401, 403, 404, 409, 413, 415),
    tags=["timers"],
)
def undo_correction(request: Annotated[UndoRequest, Body()]) -> Response[str]:
    """Undo a correction of the last day that was sent with an Idempotency-Key.

    Corrections add, correct, divide or delete a timer, or change its pauses. Afterwards, everything is as if
    the correction had not been made. If a timer has changed since, its correction cannot be undone (409).
    """
    now, user_id = current_request().now_ms, current_request().caller.user_id
    key = digest(request.idempotency_key)
    restored = timers.undo(user_id, key, now_ms=now, reason=request.reason)
    for timer in restored:
        # Events since the correction may not have changed the corrected timer.
        with suppress(NotFound):
            offline_actions().rederive(timer, now_ms=now)
    return Response(HTTPStatus.NO_CONTENT.value, body="")


def _correct(
    timer_id: str,
    correct: Callable[[Timer], Correction],
    idempotency: Idempotency | None,
    now: int,
    reason: str,
) -> Response[TimeLog]:
    timer = timers.correct(
        *own_timer(current_request(), timer_id),
        correct,
        now_ms=now,
        idempotency=idempotency,
        counted=partial(_counted, now=now),
        reason=reason,
    )
    return as_response(timer_reply(timer, now))


def _counted(timer: Timer, *, now: int) -> list[Span]:
    """Return the time that counts for a timer and for no other one."""
    reach = timer.reach
    period = Period(reach.since_ms, min(reach.until_ms, now))
    own, others = list[Span](), list[Span]()
    for piece in timesheets.worked(timer.user_id, period, now_ms=now).slices:
        (own if piece.timer == timer.ulid else others).append(Span(piece.since_ms, piece.until_ms))
    return list(joined(without(own, others)))
