"""The list of timers, a single timer, and totals: what these requests return."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from timelogs.periods import elapsed_part, limit_long, period_between
from timelogs.shared import any_timer, closed_issues, names, require_visible, timers, timesheets
from timer_core.api import requests
from timer_core.api.conditional import entity_tag, refuse_unmodified
from timer_core.api.cursors import decode_cursor, encode_cursor
from timer_core.api.replies import Reply
from timer_core.api.representations import WITHOUT_ELAPSED_TIME, elapsed, part_of_period, time_log, totals_of
from timer_core.api.requests import Request
from timer_core.api.working import working_times
from timer_core.domain.schedule import DAY_MS
from timer_core.domain.timers import Period, Timer
from timer_core.domain.totals import add_up, part_of
from timer_core.domain.totals import time_zone as find_zone
from timer_core.settings import settings
from timer_core.store.positions import Position
from timer_core.store.queries import Filters, Page
from timer_core.store.stored_days import StoredState
from timer_core.store.timesheets import Worked

if TYPE_CHECKING:
    from timer_core.domain.timeline import Slice

_PAGE_SIZE = 50
_TOTALS_MS = 30 * DAY_MS
# The beginning of the year 10000, the end of a list's period that has no end.
_END_MS = 253_402_300_800_000


def list_timers(request: Request, parameters: Mapping[str, Any], if_none_match: str | None) -> Reply:
    """Return a page of a person's timers.

    Parameters
    ----------
    parameters
        Those of `routes.reading.list_timers` that are given, with times in milliseconds since the epoch.
    """
    now, given = request.now_ms, parameters.get
    period = _requested_period(given("since"), given("until"))
    zone = find_zone(given("time_zone", "UTC"))
    filters = Filters(
        is_open=given("end_time__isnull"),
        repo_keys=_repo_keys(given("github_repo"), now),
        number=given("github_issue_number"),
        start_from_ms=given("start_time__gte"),
        start_before_ms=given("start_time__lt"),
        period=None if period is None else elapsed_part(period, now),
    )
    cursor, user = given("cursor"), given("user")
    position = None if cursor is None else decode_cursor(cursor, Position.parse)
    caller = request.caller
    if user not in {None, caller.user_id}:
        caller.require_admin()
        require_visible(request, user)
    owner_id = user or caller.user_id
    if given("count"):
        limit_long(request, filters.period)
    present = None if period else timesheets.present(owner_id, now_ms=now)
    days = present.days if present else timesheets.state(owner_id, now_ms=now)
    page = _page(owner_id, filters, given("page_size", _PAGE_SIZE), position, days, present)
    counted = timers.count(owner_id, filters) if given("count") else None
    listed = names.of(page.timers, now_ms=now)
    slices: Sequence[Slice] = ()
    if period and listed:
        part = _reached_part(period, listed)
        in_period = timesheets.worked(owner_id, part, now_ms=now, state=days)
        slices = in_period.slices
        if part.until_ms >= now:
            present = in_period
    worked = working_times(timesheets, owner_id, listed, now_ms=now, present=present, slices=slices)
    counts_for = closed_issues.of(listed, now_ms=now)

    def part_at(timer: Timer, shown_at: int) -> dict[str, float | None]:
        if period is None:
            return part_of_period(None)
        own = worked.slices_of(timer, without_elapsed=shown_at == WITHOUT_ELAPSED_TIME)
        return part_of_period(part_of(timer, own, period, zone, shown_at))

    shown: dict[str, Any] = {
        "count": counted,
        "next": _link(page.next, request),
        "previous": _link(page.previous, request),
        "github_url": settings().github_url,
        "results": [
            time_log(timer, worked.of(timer), WITHOUT_ELAPSED_TIME, counts_for=counts_for)
            | part_at(timer, WITHOUT_ELAPSED_TIME)
            for timer in listed
        ],
    }
    covered = shown
    if filters.is_open and present:
        # Clients that show open timers learn from this tag when the rest of what they show has changed.
        covered = shown | {"revision": present.revision(now_ms=now)}
    tag = entity_tag(covered, caller.user_id)
    refuse_unmodified(tag, if_none_match)
    for link in ("next", "previous"):
        shown[link] = shown[link] and requests.origin(request.event) + shown[link]
    for timer, one in zip(listed, shown["results"], strict=True):
        if timer.is_open:
            one.update(elapsed(timer, worked.of(timer), now) | part_at(timer, now))
    return Reply(HTTPStatus.OK, shown, {"ETag": tag})


def get_timer(request: Request, timer_id: str, if_none_match: str | None) -> Reply:
    """Return one of the caller's timers, or an admin one of a person whose time the admin sees."""
    now = request.now_ms
    owner_id, ulid = any_timer(request, timer_id)
    require_visible(request, owner_id)
    (timer,) = names.of([timers.get(owner_id, ulid)], now_ms=now)
    worked = working_times(timesheets, timer.user_id, [timer], now_ms=now).of(timer)
    counts_for = closed_issues.of([timer], now_ms=now)
    shown = time_log(timer, worked, WITHOUT_ELAPSED_TIME, counts_for=counts_for)
    tag = entity_tag(shown, request.caller.user_id)
    refuse_unmodified(tag, if_none_match)
    return Reply(HTTPStatus.OK, shown | elapsed(timer, worked, now), {"ETag": tag})


def get_totals(request: Request, parameters: Mapping[str, Any]) -> Reply:
    """Return the working time and the active time in a period.

    Parameters
    ----------
    parameters
        Those of `routes.reading.get_totals` that are given, with times in milliseconds since the epoch.
    """
    now, given, user_id = request.now_ms, parameters.get, request.caller.user_id
    until_ms = given("until", now)
    period = period_between(given("since", until_ms - _TOTALS_MS), until_ms)
    zone = find_zone(given("time_zone", "UTC"))
    part = elapsed_part(period, now)
    filters = Filters(
        repo_keys=_repo_keys(given("github_repo"), now), number=given("github_issue_number"), period=part
    )
    limit_long(request, part)
    worked = timesheets.worked(user_id, part, now_ms=now)
    found, complete = timers.in_period(user_id, filters, worked.only_confirmed)
    totals = add_up(names.of(found, now_ms=now), worked.slices, period, zone, now)
    shown = totals_of(totals, period, time_zone=given("time_zone", "UTC"), complete=complete)
    return Reply(HTTPStatus.OK, shown)


def _requested_period(since_ms: int | None, until_ms: int | None) -> Period | None:
    if since_ms is None and until_ms is None:
        return None
    return period_between(since_ms or 0, _END_MS if until_ms is None else until_ms)


def _reached_part(period: Period, listed: Sequence[Timer]) -> Period:
    """Return the part of a period in which some timers can have working time."""
    reaches = [timer.reach for timer in listed]
    return Period(
        max(period.since_ms, min(reach.since_ms for reach in reaches)),
        min(period.until_ms, max(reach.until_ms for reach in reaches)),
    )


def _page(
    user_id: int,
    filters: Filters,
    page_size: int,
    position: Position | None,
    days: StoredState,
    present: Worked | None,
) -> Page:
    """Return a page of timers.

    The present contains all open timers, so the list of them needs no other read.
    """
    if present and filters == Filters(is_open=True) and position is None:
        found = sorted(
            (timer for timer in present.timers if timer.is_open),
            key=lambda timer: (timer.start_ms, timer.ulid),
            reverse=True,
        )
        if len(found) <= page_size:
            return Page(found, None, None)
    return timers.page(
        user_id, filters, page_size=page_size, position=position, has_moved_starts=days.has_moved_starts
    )


def _repo_keys(full_name: str | None, now: int) -> frozenset[str]:
    return frozenset() if full_name is None else names.keys(full_name, now_ms=now)


def _link(position: Position | None, request: Request) -> str | None:
    """Return the path and query of another page."""
    if position is None:
        return None
    parameters = dict(request.parameters)
    parameters["cursor"] = encode_cursor(position)
    # The count is the same on all pages, and costs much.
    parameters.pop("count", None)
    return f"/api/timelogs/?{urlencode(parameters)}"
