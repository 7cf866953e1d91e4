"""People's confirmed days: reading them, and the writes that add and delete one."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import groupby

from timer_core.domain.confirmed import ConfirmedDay, ConfirmedRange, lifted_from, with_range, without_range
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import DAY, Span, local_date
from timer_core.domain.timeline import Carry, Slice, Timeline
from timer_core.domain.timers import Timer
from timer_core.store.calendars import as_confirmed, set_confirmed, update_calendar
from timer_core.store.items import CalendarItem, ConfirmedDayItem, TimerItem, as_read, encode_span, raw
from timer_core.store.keys import confirmed_sk, day_of, timer_sk, user_pk
from timer_core.store.stored_days import StoredState, date_of, decode_day, encode_day, parts_of
from timer_core.store.table import RawItem, Table, Write

# The number of days that one transaction freezes, or derives again. It has at most 100 writes (AWS, "DynamoDB
# quotas"), and a day is one item, unless it has thousands of slices.
MOST_DAYS = 28


class ConfirmedDays:
    """Reads the confirmed days in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def between(self, user_id: int, since_ms: int, until_ms: int) -> list[ConfirmedDay]:
        """Return a person's confirmed days that overlap an interval, in order."""
        # A date begins and ends less than a day before or after the same date in UTC.
        first, last = local_date("UTC", since_ms) - DAY, local_date("UTC", until_ms) + DAY
        found = self.of_dates(user_id, first, last)
        return [day for day in found if max(day.since_ms, since_ms) < min(day.until_ms, until_ms)]

    def slices_of(self, timer: Timer) -> list[Slice]:
        """Return the slices of a timer on confirmed days."""
        if timer.confirmed_span is None:
            return []
        ulids = {timer.ulid, *timer.absorbed}
        days = self.between(timer.user_id, *timer.confirmed_span)
        return [piece for day in days for piece in day.slices if piece.timer in ulids]

    def deletes(self, user_id: int, day: date) -> list[Write]:
        """Return the writes that delete a confirmed day."""
        items = self._items(user_id, day, day)
        return [Write("Delete", item["pk"]["S"], item["sk"]["S"]) for item in items]

    def lifting(self, user_id: int, own: OwnCalendar, locked_until: date | None) -> list[Write]:
        """Return the writes that derive days again that a former lock has frozen; none if there are none.

        A transaction has room for a month only, so there may be further ones.

        Parameters
        ----------
        locked_until
            The last date that is still locked; None if none is.
        """
        if own.details_from_ms:
            # Days without details stay frozen, because nothing else has their sums.
            kept = date.fromisoformat(date_of(own.details_from_ms)) + DAY
            locked_until = max(locked_until or kept, kept)
        lifted = next((one for one in reversed(own.confirmed) if lifted_from(one, locked_until)), None)
        if lifted is None:
            return []
        first = max(lifted_from(lifted, locked_until) or lifted.first, lifted.last - MOST_DAYS * DAY + DAY)
        items = list(self._items(user_id, first, lifted.last))
        since_ms = min((int(item["since_ms"]["N"]) for item in items), default=lifted.since_ms)
        removed = lifted._replace(first=first, since_ms=since_ms)
        actions = set_confirmed(
            replace(own, confirmed=without_range(own.confirmed, removed)), reopened_ms=since_ms
        )
        deletes = [Write("Delete", item["pk"]["S"], item["sk"]["S"]) for item in items]
        return [update_calendar(user_id, actions, as_confirmed(own)), *deletes]

    def of_dates(self, user_id: int, first: date, last: date) -> Iterator[ConfirmedDay]:
        """Yield a person's confirmed days from one date to another one, in order."""
        items = self._items(user_id, first, last)
        for _, parts in groupby(items, key=lambda item: day_of(item["sk"]["S"])):
            yield to_confirmed_day(list(parts))

    def _items(self, user_id: int, first: date, last: date) -> Iterator[RawItem]:
        # All parts of a day follow the day's first key, and precede this one of the last day.
        keys = ConfirmedDayItem.sk.between(
            confirmed_sk(first.isoformat()), f"{confirmed_sk(last.isoformat())}~"
        )
        return self._table.query_all(user_pk(user_id), keys)


def to_confirmed_day(parts: list[RawItem]) -> ConfirmedDay:
    """Convert the items of a confirmed day, in order of their keys."""
    rows = [ConfirmedDayItem.from_raw_data(part) for part in parts]
    return ConfirmedDay(
        date.fromisoformat(day_of(rows[0].sk)),
        int(rows[0].since_ms),
        int(rows[0].until_ms),
        int(rows[0].confirmed_ms),
        decode_day(b"".join(row.content for row in rows)).slices,
        bool(rows[0].locked),
    )


def puts(user_id: int, day: ConfirmedDay) -> Iterator[Write]:
    """Yield the writes of a day that was not confirmed before."""
    content = encode_day(Timeline(day.slices, Carry(day.until_ms)))
    for number, part in enumerate(parts_of(content)):
        item = ConfirmedDayItem(
            pk=user_pk(user_id),
            sk=confirmed_sk(day.date.isoformat(), number),
            since_ms=day.since_ms,
            until_ms=day.until_ms,
            confirmed_ms=day.confirmed_ms,
            locked=day.locked or None,
            content=part,
        )
        yield Write("Put", item.pk, item.sk, item=raw(item))


def confirmation(user_id: int, state: StoredState, added: ConfirmedRange) -> Write:
    """Return the write that adds a day to the confirmed ones, if the day was not changed by hand."""
    own = state.own
    unchanged = (
        as_confirmed(own)
        & as_read(CalendarItem.dirty_changes, state.changes or None)
        & as_read(CalendarItem.version, own.version or None)
    )
    actions = set_confirmed(replace(own, confirmed=with_range(own.confirmed, added)))
    return update_calendar(user_id, actions, unchanged)


def note_confirmed(timer: Timer, span: Span) -> Write:
    """Return the write that notes slices on a confirmed day at their timer."""
    edges = (*span, *(timer.confirmed_span or ()))
    return Write(
        "Update",
        user_pk(timer.user_id),
        timer_sk(timer.ulid),
        TimerItem.version == timer.version,
        [
            TimerItem.confirmed_span.set(encode_span(Span(min(edges), max(edges)))),
            TimerItem.version.set(timer.version + 1),
        ],
    )
