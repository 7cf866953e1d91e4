"""The route that lists the changes of one's time."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from timelogs.routes.app import app, current_request
from timelogs.shared import own_timer, table
from timer_core.api import requests
from timer_core.api.cursors import decode_cursor, encode_cursor
from timer_core.api.models import AuditPageShown, TimeIn
from timer_core.api.replies import Reply
from timer_core.api.representations import audit_entry
from timer_core.api.resolver import as_response
from timer_core.api.responses import responses
from timer_core.api.times import to_ms
from timer_core.store.audit import AuditLog
from timer_core.store.positions import AuditPosition

_audit_log = AuditLog(table)


@app.get(
    "/api/timelogs/changes/",
    summary="List the changes of your time, newest first",
    operation_id="changes",
    responses=responses(200, 400, 401, 403, 404, model=AuditPageShown),
    tags=["timers"],
)
def list_changes(
    since: Annotated[TimeIn | None, Query(description="Changes made at this time or later")] = None,
    until: Annotated[TimeIn | None, Query(description="Changes made before this time")] = None,
    timer: Annotated[
        str | None, Query(description="Only the changes of this timer, which may be deleted", max_length=60)
    ] = None,
    page_size: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(description="The cursor in a page's next", max_length=100)] = None,
) -> Response[AuditPageShown]:
    """Return who changed the caller's time by hand, when, from what to what, and why.

    These are corrections, entries, confirmed and reopened days, what admins stopped, and what the sweeper
    stopped as forgotten. Ordinary starts, pauses and stops are in the timer itself.
    """
    app.refuse_unknown_parameters(list_changes)
    request = current_request()
    user_id = request.caller.user_id
    page = _audit_log.page(
        user_id,
        since_ms=None if since is None else to_ms(since),
        until_ms=None if until is None else to_ms(until),
        ulid=None if timer is None else own_timer(request, timer)[1],
        position=None if cursor is None else decode_cursor(cursor, AuditPosition.parse),
        page_size=page_size,
    )
    following = None
    if page.next is not None:
        parameters = {**request.parameters, "cursor": encode_cursor(page.next)}
        following = f"{requests.origin(request.event)}/api/timelogs/changes/?{urlencode(parameters)}"
    results = [audit_entry(entry, user_id) for entry in page.entries]
    return as_response(Reply(HTTPStatus.OK, {"next": following, "results": results}))
