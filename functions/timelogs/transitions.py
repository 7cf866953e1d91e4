"""Start, pause, resume, stop and focus: what these requests do."""

from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, TypeGuard

from timelogs.shared import (
    any_timer,
    cause_of,
    created_reply,
    idempotency_of,
    offline_actions,
    own_timer,
    time_logs,
    timer_reply,
    timers,
    visible_people,
)
from timer_core.api.issue_fields import issue_of
from timer_core.api.replies import Reply, to_json
from timer_core.api.requests import Request
from timer_core.domain.addresses import organization_of
from timer_core.domain.timers import Timer, requested_ms
from timer_core.settings import settings

# The time that a request may spend in the network. If `at` is older than this, the request is an offline
# action, and the issue's timers are rederived after the action.
_NETWORK_MS = 5_000


def start(request: Request, fields: Mapping[str, Any], idempotency_key: str | None) -> Reply:
    """Start a timer, or return the one that is open on the issue.

    Parameters
    ----------
    fields
        The members of the body that are not null (see `models.StartRequest`), with `at` in milliseconds since
        the epoch.
    """
    now = request.now_ms
    at_ms = _requested_ms(fields, now)
    organization = fields.get("organization_url")
    begin = (
        partial(offline_actions().start, at_ms=at_ms)
        if _was_offline(at_ms, now)
        else partial(timers.start, at_ms=at_ms)
    )
    timer, created = begin(
        user_id=request.caller.user_id,
        now_ms=now,
        issue=issue_of(*map(fields.get, ("github_issue_url", "github_repo", "github_issue_number"))),
        organization=organization and organization_of(organization, settings().github_url),
        description=fields.get("description", ""),
        idempotency=idempotency_of(idempotency_key, "start", _content(fields)),
    )
    if not created:
        return timer_reply(timer, now)
    (shown,) = time_logs([timer], now)
    return created_reply(timer, shown)


def pause(request: Request, timer_id: str, fields: Mapping[str, Any], idempotency_key: str | None) -> Reply:
    """Stop counting time until the timer is resumed."""
    return _change(request, timers.pause, own_timer(request, timer_id), fields, idempotency_key)


def resume(request: Request, timer_id: str, fields: Mapping[str, Any], idempotency_key: str | None) -> Reply:
    """Count time again after a pause."""
    return _change(request, timers.resume, own_timer(request, timer_id), fields, idempotency_key)


def stop(request: Request, timer_id: str, fields: Mapping[str, Any], idempotency_key: str | None) -> Reply:
    """Stop the timer permanently. An admin may stop any timer, and gets no content of one that is hidden."""
    timer, caller = any_timer(request, timer_id), request.caller.user_id
    end = timers.stop if timer[0] == caller else partial(timers.stop, admin=caller)
    reply = _change(request, end, timer, fields, idempotency_key)
    return reply if visible_people(request, [timer[0]]) else Reply(HTTPStatus.NO_CONTENT)


def focus(request: Request, timer_id: str, fields: Mapping[str, Any], idempotency_key: str | None) -> Reply:
    """Count this running timer from now on; with `overtime`, also after the present working hours."""

    def switch(user_id: int, ulid: str, *, by: str, **parameters: Any) -> Timer:  # noqa: ARG001
        return timers.focus(user_id, ulid, overtime=fields.get("overtime", False), **parameters)

    return _change(request, switch, own_timer(request, timer_id), fields, idempotency_key)


def _change(
    request: Request,
    transition: Callable[..., Timer],
    timer: tuple[int, str],
    fields: Mapping[str, Any],
    idempotency_key: str | None,
) -> Reply:
    now = request.now_ms
    at_ms = _requested_ms(fields, now)
    by = "manual" if timer[0] == request.caller.user_id else "admin"
    cause = cause_of(request, idempotency_key, _content(fields))
    changed = transition(*timer, now_ms=now, by=by, cause=cause, at_ms=at_ms)
    if _was_offline(at_ms, now):
        changed = offline_actions().rederive(changed, now_ms=now)
    return timer_reply(changed, now)


def _content(fields: Mapping[str, Any]) -> str:
    """Return the text that identifies a body, without the members that have their default values."""
    return to_json({name: value for name, value in sorted(fields.items()) if value or name == "at"})


def _requested_ms(fields: Mapping[str, Any], now: int) -> int | None:
    """Return the requested time of the action (milliseconds since the epoch) if it is in the past; else None.

    None means that the action happens now. If the clock of the machine that made the last change was ahead,
    the action counts from the time of that change.
    """
    if fields.get("at") is None:
        return None
    at_ms = requested_ms(fields["at"], now)
    return at_ms if at_ms < now else None


def _was_offline(at_ms: int | None, now: int) -> TypeGuard[int]:
    return at_ms is not None and at_ms < now - _NETWORK_MS
