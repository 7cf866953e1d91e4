"""Timesheets: the working time of each date, beside the working hours, and their ETags.

The replies consist of plain dictionaries, whose members `routes.timesheets` describes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import Any

from timelogs.shared import calendars, guard, names, timesheets
from timer_core.api.conditional import matches, refuse_unmodified, require_match, required, tag_of
from timer_core.api.replies import Reply
from timer_core.api.representations import issue_members
from timer_core.api.requests import Request
from timer_core.api.times import format_ms
from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.ids import timer_id
from timer_core.domain.schedule import DAY, MINUTE_MS
from timer_core.domain.sheets import Label, Row, Sheet

_MOST_TIMESHEETS = 366
_WEEK_DAYS = 7


class DayState(StrEnum):
    """Whether a day is over, and whether its time is confirmed or locked."""

    UPCOMING = "upcoming"
    RUNNING = "running"
    OVER = "over"
    CONFIRMED = "confirmed"
    LOCKED = "locked"


def get_timesheets(request: Request, from_: date | None, to: date | None, if_none_match: str | None) -> Reply:
    """Return what counted on each date, for which issue, beside the working hours."""
    now, user_id = request.now_ms, request.caller.user_id
    first = from_ or _monday(to or calendars.of(user_id).schedule.day_of(now))
    last = to or first + (_WEEK_DAYS - 1) * DAY
    days = (last - first).days + 1
    if days < 1:
        raise InvalidInput("from", "Must not be after to.", ErrorCode.END_BEFORE_START)
    if days > _MOST_TIMESHEETS:
        raise InvalidInput("from", "Must be at most 365 days before to.", ErrorCode.OUT_OF_RANGE)
    if days > _WEEK_DAYS:
        guard.count_write(request.caller, now_ms=now)
    sheets = _with_present_names(
        timesheets.days(user_id, [first + n * DAY for n in range(days)], now_ms=now), now
    )
    shown = _timesheets(sheets, user_id, now)
    # The elapsed time does not change the tag of a range, because it does not change those of the days.
    tag = tag_of(f"{first} {last} {[day['etag'] for day in shown['days']]}", user_id)
    refuse_unmodified(tag, if_none_match)
    return Reply(HTTPStatus.OK, shown, {"ETag": tag})


def confirm_day(request: Request, date: date, if_match: str | None, reason: str) -> Reply:
    """Freeze the time of a day that has been over for a minute, until it is reopened."""
    seen, user_id, now = required(if_match), request.caller.user_id, request.now_ms
    expect = partial(_expect, user_id=user_id, seen=seen, now=now)
    return _sheet_reply(timesheets.confirm(user_id, date, expect, now_ms=now, reason=reason), user_id, now)


def reopen_day(request: Request, date: date, if_match: str | None, reason: str) -> Reply:
    """Derive the time of a confirmed day from the timers again."""
    seen, user_id, now = required(if_match), request.caller.user_id, request.now_ms

    def expect(sheet: Sheet) -> None:
        require_match(_present_tag(sheet, user_id, now), seen)

    return _sheet_reply(timesheets.reopen(user_id, date, expect, now_ms=now, reason=reason), user_id, now)


def _monday(day: date) -> date:
    """Return the first day of a date's week (ISO 8601)."""
    return day - day.weekday() * DAY


def _with_present_names(sheets: Sequence[Sheet], now: int) -> list[Sheet]:
    """Return timesheets with the present names of the repositories."""
    labels = {ulid: label for sheet in sheets for ulid, label in sheet.labels.items()}
    issues = {ulid: label.issue for ulid, label in labels.items() if label.issue}
    present = names.issues([*issues.values()], now_ms=now)
    labels |= {
        ulid: Label(issue, labels[ulid].description) for ulid, issue in zip(issues, present, strict=True)
    }
    return [replace(sheet, labels=labels) for sheet in sheets]


def _present_tag(sheet: Sheet, user_id: int, now: int) -> str:
    """Return the entity tag of a timesheet with the present names of the repositories."""
    (named,) = _with_present_names([sheet], now)
    return _tag(named, user_id, now)


def _expect(sheet: Sheet, *, user_id: int, seen: str, now: int) -> None:
    """Compare a day to confirm with the tag of the day as the person saw it.

    The tag from before the confirmation is also valid, so that a request whose response was lost can be
    repeated.

    Raises
    ------
    PreconditionFailed
        If the day has changed since.
    """
    unconfirmed = replace(sheet, confirmed_ms=None, derived=None)
    if sheet.confirmed_ms is None or not matches(_present_tag(unconfirmed, user_id, now), seen):
        require_match(_present_tag(sheet, user_id, now), seen)


def _sheet_reply(sheet: Sheet, user_id: int, now: int) -> Reply:
    (named,) = _with_present_names([sheet], now)
    shown = _timesheet(named, user_id, now)
    return Reply(HTTPStatus.OK, shown, {"ETag": shown["etag"]})


def _timesheets(sheets: Sequence[Sheet], user_id: int, now_ms: int) -> dict[str, Any]:
    """Return the representation of the timesheets of at least one date."""
    return {
        "from": sheets[0].date.isoformat(),
        "to": sheets[-1].date.isoformat(),
        "working_duration": sum(sheet.working_ms for sheet in sheets) / 1000,
        "scheduled_duration": _sum(sheet.scheduled_ms for sheet in sheets),
        "overtime_duration": sum(sheet.overtime_ms for sheet in sheets) / 1000,
        "balance_duration": _sum(sheet.balance_ms for sheet in sheets),
        "days": [_timesheet(sheet, user_id, now_ms) for sheet in sheets],
    }


def _timesheet(sheet: Sheet, user_id: int, now_ms: int) -> dict[str, Any]:
    """Return the representation of a timesheet, with its entity tag."""
    changed_ms = sheet.derived_ms
    return {
        "date": sheet.date.isoformat(),
        "since": format_ms(sheet.since_ms),
        "until": format_ms(sheet.until_ms),
        "time_zone": sheet.zone,
        "state": _state(sheet, now_ms),
        "confirmed_at": None if sheet.confirmed_ms is None else format_ms(sheet.confirmed_ms),
        "scheduled_duration": _seconds(sheet.scheduled_ms),
        "working_duration": sheet.working_ms / 1000,
        "overtime_duration": sheet.overtime_ms / 1000,
        "balance_duration": _seconds(sheet.balance_ms),
        "changed_since": None
        if changed_ms is None
        else {
            "working_duration": changed_ms / 1000,
            "difference_duration": (changed_ms - sheet.working_ms) / 1000,
        },
        "details_deleted": not sheet.has_details,
        "etag": _tag(sheet, user_id, now_ms),
        "issues": [_row(row, user_id) for row in sheet.rows],
    }


def _row(row: Row, user_id: int) -> dict[str, Any]:
    """Return the representation of the time on an issue, or without an issue and with one description."""
    issue = row.label.issue
    return {
        "issue": issue and issue_members(issue),
        "description": "" if issue else row.label.description,
        "working_duration": row.working_ms / 1000,
        "overtime_duration": row.overtime_ms / 1000,
        "timers": [timer_id(user_id, ulid) for ulid in row.timers],
    }


def _tag(sheet: Sheet, user_id: int, now_ms: int) -> str:
    """Return the entity tag of a timesheet, which the time of counting slices does not change.

    The balance changes it each minute, also while nothing counts in working hours.
    """
    counting = [piece.since_ms for piece in sheet.slices if piece.until_ms == now_ms]
    fixed = sheet
    if counting:
        slices = (
            piece._replace(until_ms=piece.since_ms + piece.of) if piece.until_ms == now_ms else piece
            for piece in sheet.slices
        )
        fixed = replace(sheet, slices=tuple(slices))
    balance_ms = sheet.balance_ms
    content = (
        (sheet.date.isoformat(), sheet.since_ms, sheet.until_ms, sheet.zone),
        (str(_state(sheet, now_ms)), sheet.confirmed_ms, sheet.scheduled_ms, sheet.derived_ms),
        sheet.has_details,
        [_shown(row) for row in fixed.rows],
        balance_ms and balance_ms // MINUTE_MS,
        counting,
    )
    return tag_of(repr(content), user_id)


def _shown(row: Row) -> tuple[object, ...]:
    """Return the parts of a row that people see.

    The id of a repository is none of them: functions that cached the name earlier do not know the id yet.
    """
    issue, description = row.label
    shown = issue and (issue.full_name, issue.number, issue.title)
    return shown, description, row.working_ms, row.overtime_ms, row.timers


def _state(sheet: Sheet, now_ms: int) -> DayState:
    if sheet.locked:
        return DayState.LOCKED
    if sheet.confirmed_ms is not None:
        return DayState.CONFIRMED
    if sheet.until_ms <= now_ms:
        return DayState.OVER
    return DayState.RUNNING if sheet.since_ms <= now_ms else DayState.UPCOMING


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _sum(values: Iterable[int | None]) -> float | None:
    """Return the sum of the values in seconds; None if there are none."""
    known = [ms for ms in values if ms is not None]
    return sum(known) / 1000 if known else None
