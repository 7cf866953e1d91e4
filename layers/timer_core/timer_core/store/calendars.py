"""The organization's settings, and people's working hours, exceptions and settings."""

import json
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.update import Action

from timer_core.domain.audit import ORGANIZATION, AuditEntry
from timer_core.domain.calendar import AssignmentStarts, Calendar, ConcurrentTimers, Policy
from timer_core.domain.confirmed import ConfirmedRange, is_over_everywhere
from timer_core.domain.errors import DayConfirmed, DayLocked, ErrorCode, InvalidInput
from timer_core.domain.own_calendar import OwnCalendar, changed_from_ms, confirmed_conflicts
from timer_core.domain.schedule import DAY, DayException, Interval, ScheduleVersion, Week, midnight
from timer_core.store.audit import put_entry
from timer_core.store.items import LOCKED_AFTER_MS, CalendarItem, SettingsItem, as_read, compact
from timer_core.store.keys import CALENDAR_END_KEY, CALENDAR_SK, SETTINGS_PK, SETTINGS_SK, user_pk
from timer_core.store.table import Conflict, RawItem, Table, TransactionRefused, Write, retry_on_conflict
from timer_core.store.writes import set_or_remove

_CACHE_MS = 60_000
# The clocks of two functions differ by less than this, and a write takes less than this. A change of the
# settings that a read did not see counts from a time that is at most this long before the read.
_TOLERANCE_MS = 5_000
# An item has at most 400 KB, together with its entries in local indexes (AWS, "DynamoDB quotas"). The entry
# of a calendar in `by-end` has all of its attributes, so each of them counts twice. The rest is for the
# attributes of the stored and the confirmed days.
_MAX_CALENDAR_BYTES = 130_000
_MAX_SETTINGS_BYTES = 330_000
# A range of confirmed days: its first date (`date.toordinal`), its number of days, its instants, and whether
# a lock has frozen it.
_RANGE = struct.Struct(">IHqq?")
# The keys of the organization's settings.
SETTINGS_KEY = (SETTINGS_PK, SETTINGS_SK)
_BUSY = "Your calendar was not changed: other requests kept changing it."


@dataclass(frozen=True, slots=True)
class Dirty:
    """The mark that a person's stored days are outdated.

    Attributes
    ----------
    from_ms
        The beginning of the first UTC day that may be outdated; None if all are up to date.
    changes
        The number of times that days were marked, by which a refresh detects later marks.
    """

    from_ms: int | None = None
    changes: int = 0


class Calendars:
    """The calendars in the table.

    The organization's settings are cached in the process. A change of them counts from its moment on, so
    settings that were read at a time are valid for everything that happened before.

    Parameters
    ----------
    now_s
        Returns the present time (seconds since the epoch), by which the cached settings expire.
    """

    def __init__(self, table: Table, *, now_s: Callable[[], float] = time.time) -> None:
        self._table = table
        self._now_s = now_s
        self._policies: tuple[Policy, ...] = ()
        self._locked_until: date | None = None
        self._cached_ms = 0

    def of(self, user_id: int, *, not_before_ms: int | None = None) -> Calendar:
        """Return a person's calendar. The person's own part is read consistently.

        Parameters
        ----------
        not_before_ms
            A time (ms since the epoch) for which the organization's settings have to be known, such as the
            time of an event. By default, settings that are up to a minute old are used.
        """
        return self.own(user_id).calendar(self.organization(not_before_ms=not_before_ms))

    # ------------------------------------------------------------------ the organization

    def organization(self, *, not_before_ms: int | None = None) -> tuple[Policy, ...]:
        """Return the organization's settings, sorted by the instant from which they hold (see `of`)."""
        cached = self.cached_organization(not_before_ms=not_before_ms)
        if cached:
            return cached
        began_ms = self.now_ms()
        return self.cache_organization(self._table.get(*SETTINGS_KEY), began_ms)

    def cached_organization(self, *, not_before_ms: int | None = None) -> tuple[Policy, ...]:
        """Return the organization's settings (see `of`), or nothing if they have to be read."""
        is_known = not_before_ms is None or not_before_ms < self._cached_ms - _TOLERANCE_MS
        is_recent = 0 <= self.now_ms() - self._cached_ms < _CACHE_MS
        return self._policies if is_known and is_recent else ()

    def cache_organization(self, item: RawItem | None, began_ms: int) -> tuple[Policy, ...]:
        """Cache the organization's settings, given the `SettingsItem` that was read, and return them."""
        self._policies, self._cached_ms = _to_policies(item), began_ms
        self._locked_until = _to_locked_until(item)
        return self._policies

    def locked_until(self) -> date | None:
        """Return the last date that is locked; None if none is.

        It may be a minute old. So a write that depends on it has the condition `lock_unchanged`.
        """
        self.organization()
        return self._locked_until

    def forget_organization(self) -> None:
        """Read the organization's settings again when they are needed next."""
        self._policies = ()

    def now_ms(self) -> int:
        """Return the present time (milliseconds since the epoch)."""
        return int(self._now_s() * 1000)

    def put_policy(self, change: Callable[[Policy], Policy], *, now_ms: int) -> tuple[Policy, ...]:
        """Change the organization's settings from now on, and return all of them.

        Parameters
        ----------
        change
            A function that returns the new settings, given the present ones.

        Raises
        ------
        InvalidInput
            If there would be too many changes to store.
        TooMuchContention
            If other requests kept changing the settings. Nothing was written.
        """

        def attempt() -> tuple[Policy, ...]:
            item = self._table.get(*SETTINGS_KEY)
            policies = _to_policies(item)
            latest = policies[-1]
            changed = replace(change(latest), from_ms=latest.from_ms)
            if changed == latest:
                return policies
            policies = (*policies, replace(changed, from_ms=max(now_ms, latest.from_ms + 1)))
            encoded = [_encode_policy(policy) for policy in policies]
            if sum(len(entry.encode()) + 3 for entry in encoded) > _MAX_SETTINGS_BYTES:
                message = "The settings were changed too often to store another change."
                raise InvalidInput("settings", message, ErrorCode.TOO_MANY_VALUES)
            unchanged: Condition = SettingsItem.policies.does_not_exist()
            if item and "policies" in item:
                # Changes are only ever added.
                unchanged = size(SettingsItem.policies) == len(policies) - 1  # type: ignore[no-untyped-call]
            actions = [SettingsItem.policies.set(encoded)]
            self._table.write(Write("Update", *SETTINGS_KEY, unchanged, actions))
            return policies

        self.forget_organization()
        return retry_on_conflict(attempt, "Other requests kept changing the settings; nothing was changed.")

    def lock(self, until: date | None, *, by: int, reason: str, now_ms: int) -> date | None:
        """Lock all days up to a date, for everybody, and return the date; None locks none.

        Parameters
        ----------
        until
            The last date that is locked. An earlier one than before opens the days after it.
        by
            The user id of the admin.

        Raises
        ------
        InvalidInput
            If the date has not been over for a minute in all time zones.
        TooMuchContention
            If other requests kept changing the lock. Nothing was written.
        """
        if until is not None and not is_over_everywhere(until, now_ms):
            message = "The day is not over in all time zones."
            raise InvalidInput("until", message, ErrorCode.DAY_NOT_OVER)

        def attempt() -> date | None:
            before = _to_locked_until(self._table.get(*SETTINGS_KEY))
            if before == until:
                return until
            locked = set_or_remove(SettingsItem.locked_until, until and until.isoformat())
            entry = AuditEntry.of_lock(before, until, by=by, now_ms=now_ms, reason=reason)
            self._table.transact(
                [
                    Write("Update", *SETTINGS_KEY, _as_locked(before), [locked]),
                    *put_entry(ORGANIZATION, entry),
                ]
            )
            return until

        self.forget_organization()
        return retry_on_conflict(attempt, "Other requests kept changing the lock; nothing was changed.")

    # ------------------------------------------------------------------ a person

    def own(self, user_id: int) -> OwnCalendar:
        """Return a person's own working hours, exceptions and settings."""
        return to_own(self._table.get(*calendar_key(user_id)))

    def change(
        self, user_id: int, change: Callable[[OwnCalendar], OwnCalendar], *, now_ms: int
    ) -> OwnCalendar:
        """Change a person's calendar, mark the stored days that it outdates, and return the new calendar.

        Parameters
        ----------
        change
            A function that returns the new calendar, given the present one. It may be called several times.

        Raises
        ------
        InvalidInput
            If the calendar would be too large.
        DayConfirmed
            If the change would alter the working hours or the borders of a confirmed day.
        TooMuchContention
            If other requests kept changing the calendar. Nothing was written.
        """

        def attempt() -> OwnCalendar:
            before = self.own(user_id)
            after = replace(change(before), version=before.version)
            if after == before:
                return before
            locked_until = self.locked_until()
            for day in confirmed_conflicts(before, after, self.organization(), locked_until):
                if locked_until is None or day > locked_until:
                    raise DayConfirmed(day)
                self.refuse_locked(day)
                raise Conflict
            after = replace(after, version=before.version + 1)
            changed_ms = changed_from_ms(before, after)
            actions = _set_calendar(after)
            if changed_ms is not None and changed_ms < now_ms:
                actions += _mark_dirty(changed_ms)
            unchanged = as_read(CalendarItem.version, before.version or None) & as_confirmed(before)
            update = update_calendar(user_id, actions, unchanged)
            if changed_ms is None or changed_ms >= now_ms:
                # Only days that are over can be locked.
                self._table.write(update)
            else:
                self.transact([update], locked_until)
            return after

        return retry_on_conflict(attempt, _BUSY)

    def refuse_locked(self, day: date) -> None:
        """Refuse a change of a day that was locked when the lock was read last, if it still is.

        Raises
        ------
        DayLocked
            If the day is locked.
        """
        self.forget_organization()
        locked_until = self.locked_until()
        if locked_until is not None and day <= locked_until:
            raise DayLocked(day)

    def transact(self, writes: Sequence[Write], locked_until: date | None) -> None:
        """Execute writes in one transaction, if the lock has not changed since it was read.

        Raises
        ------
        TransactionRefused
            If the lock has changed, or another condition did not hold.
        """
        try:
            self._table.transact([*writes, lock_unchanged(locked_until)])
        except TransactionRefused:
            self.forget_organization()
            raise


def lock_unchanged(locked_until: date | None) -> Write:
    """Return the condition that the organization has locked the same days as when the lock was read."""
    return Write("ConditionCheck", *SETTINGS_KEY, _as_locked(locked_until))


def _as_locked(locked_until: date | None) -> Condition:
    return as_read(SettingsItem.locked_until, locked_until and locked_until.isoformat())


def with_choice(own: OwnCalendar, choice: AssignmentStarts | None, *, now_ms: int) -> OwnCalendar:
    """Return a calendar with a choice of the assignments that start a timer, without outdated choices."""
    return own.with_assignment_starts(choice, now_ms=now_ms, forget_before_ms=now_ms - LOCKED_AFTER_MS)


def update_calendar(user_id: int, actions: Sequence[Action], condition: Condition | None = None) -> Write:
    """Return an update of a person's `CalendarItem`, which may create it."""
    actions = [*actions, CalendarItem.end_key.set(CALENDAR_END_KEY)]
    return Write("Update", user_pk(user_id), CALENDAR_SK, condition, actions)


def lower_dirty(user_id: int, from_ms: int) -> Write:
    """Return the write that marks a person's stored days from an instant on as outdated.

    It has no condition. So it can be part of any transaction, and concurrent writes do not refuse each other.
    """
    return update_calendar(user_id, _mark_dirty(from_ms))


def as_confirmed(own: OwnCalendar) -> Condition:
    """Return the condition that no day was confirmed, reopened or reduced since a calendar was read."""
    return as_read(CalendarItem.confirmed, _encode_confirmed(own))


def guarded(user_id: int, own: OwnCalendar, from_ms: int | None) -> Write:
    """Return the write that refuses a change by hand of days that are over, if one has been confirmed since.

    It also refuses a confirmation that did not read the change.

    Parameters
    ----------
    own
        The calendar that was read.
    from_ms
        The instant from which stored days may be outdated; None if the change outdates none.
    """
    actions = [CalendarItem.dirty_changes.add(1)] if from_ms is None else _mark_dirty(from_ms)
    return update_calendar(user_id, actions, as_confirmed(own))


def set_confirmed(own: OwnCalendar, *, reopened_ms: int | None = None) -> list[Action]:
    """Return the update actions of other confirmed days, or of other days whose details are deleted.

    Parameters
    ----------
    own
        The calendar with the days that are confirmed from now on.
    reopened_ms
        The beginning of a day that was reopened, from which stored days are outdated.
    """
    changed = [CalendarItem.dirty_changes.add(1)] if reopened_ms is None else _mark_dirty(reopened_ms)
    return [set_or_remove(CalendarItem.confirmed, _encode_confirmed(own)), *changed]


def dirty_of(item: RawItem | None) -> Dirty:
    """Return from which day on the stored days are outdated, given a `CalendarItem` or None."""
    if not item or "dirty_changes" not in item:
        return Dirty()
    days = [int(day) for day in item["dirty_days"]["NS"]] if "dirty_days" in item else []
    return Dirty(min(days, default=None), int(item["dirty_changes"]["N"]))


def _mark_dirty(from_ms: int) -> list[Action]:
    # Adding to a set needs no read, and days keep the set small.
    return [CalendarItem.dirty_days.add({midnight(from_ms)}), CalendarItem.dirty_changes.add(1)]


# ---------------------------------------------------------------------- conversion


def _set_calendar(own: OwnCalendar) -> list[Action]:
    about = compact(
        {
            "versions": [_encode_version(version) for version in own.versions],
            "exceptions": [_encode_exception(day, exception) for day, exception in own.exceptions.items()],
            "assignment_starts": [f"{from_ms} {choice or '-'}" for from_ms, choice in own.assignment_starts],
            "chosen": own.chosen,
        }
    )
    if len(about.encode()) > _MAX_CALENDAR_BYTES:
        message = "Your working hours and exceptions are too large to store; delete some first."
        raise InvalidInput("exceptions", message, ErrorCode.TOO_MANY_VALUES)
    return [CalendarItem.about.set(about), CalendarItem.version.set(own.version)]


def to_own(item: RawItem | None) -> OwnCalendar:
    """Convert a `CalendarItem`; without one, a person has no calendar of their own."""
    if not item:
        return OwnCalendar()
    about = json.loads(item["about"]["S"]) if "about" in item else {}
    confirmed = list(_decode_confirmed(item["confirmed"]["B"] if "confirmed" in item else b""))
    return OwnCalendar(
        versions=tuple(_decode_version(entry) for entry in about.get("versions", ())),
        exceptions=dict(_decode_exception(entry) for entry in about.get("exceptions", ())),
        assignment_starts=tuple(_decode_choice(entry) for entry in about.get("assignment_starts", ())),
        chosen=about.get("chosen", False),
        version=int(item["version"]["N"]) if "version" in item else 0,
        confirmed=tuple(one for one in confirmed if isinstance(one, ConfirmedRange)),
        details_from_ms=next((one for one in confirmed if isinstance(one, int)), 0),
    )


def calendar_key(user_id: int) -> tuple[str, str]:
    """Return the keys of a person's `CalendarItem`."""
    return user_pk(user_id), CALENDAR_SK


def _to_policies(item: RawItem | None) -> tuple[Policy, ...]:
    """Convert a `SettingsItem`; without one, the defaults hold."""
    if not item or "policies" not in item:
        return (Policy(),)
    return tuple(_decode_policy(entry["S"]) for entry in item["policies"]["L"])


def _to_locked_until(item: RawItem | None) -> date | None:
    return date.fromisoformat(item["locked_until"]["S"]) if item and "locked_until" in item else None


def _encode_policy(policy: Policy) -> str:
    return (
        f"{policy.from_ms} {policy.concurrent_timers} {policy.overtime_ms} {policy.assignment_starts}"
        f" {policy.stale_after_ms} {_encode_week(policy.working_hours)}"
    )


def _decode_policy(entry: str) -> Policy:
    from_ms, concurrent_timers, overtime_ms, assignment_starts, stale_after_ms, week = entry.split(" ", 5)
    return Policy(
        from_ms=int(from_ms),
        working_hours=_decode_week(week),
        concurrent_timers=ConcurrentTimers(concurrent_timers),
        overtime_ms=int(overtime_ms),
        assignment_starts=AssignmentStarts(assignment_starts),
        stale_after_ms=int(stale_after_ms),
    )


# The stored forms: `Europe/Berlin 540-750,780-1020/…/-` for a week (its days from Monday on; `-` alone if all
# time counts), `2026-12-01 <week>` or `2026-12-01@<begins_ms> <week>` for a version,
# `2026-12-24 540-720 <reason>` for an exception, `<from_ms> self` for a choice,
# `<from_ms> focus <overtime_ms> any <stale_after_ms> <week>` for settings. `-` is an empty value.


def _encode_week(week: Week) -> str:
    days = "-" if week.days is None else "/".join(_encode_intervals(day) for day in week.days)
    return f"{week.zone} {days}"


def _decode_week(text: str) -> Week:
    zone, days = text.split(" ")
    if days == "-":
        return Week(zone)
    return Week(zone, tuple(_decode_intervals(day) for day in days.split("/")))


def _encode_version(version: ScheduleVersion) -> str:
    begins = "" if version.begins_ms is None else f"@{version.begins_ms}"
    return f"{version.valid_from.isoformat()}{begins} {_encode_week(version.week)}"


def _decode_version(entry: str) -> ScheduleVersion:
    since, week = entry.split(" ", 1)
    valid_from, _, begins_ms = since.partition("@")
    return ScheduleVersion(
        date.fromisoformat(valid_from), _decode_week(week), int(begins_ms) if begins_ms else None
    )


def _encode_exception(day: date, exception: DayException) -> str:
    return f"{day.isoformat()} {_encode_intervals(exception.intervals)} {exception.reason}"


def _decode_exception(entry: str) -> tuple[date, DayException]:
    day, intervals, reason = entry.split(" ", 2)
    return date.fromisoformat(day), DayException(_decode_intervals(intervals), reason)


def _encode_confirmed(own: OwnCalendar) -> bytes | None:
    """Return the stored form of the confirmed days. A range without dates says whose details are deleted."""
    packed = [
        _RANGE.pack(one.first.toordinal(), (one.last - one.first).days + 1, *one[2:]) for one in own.confirmed
    ]
    if own.details_from_ms:
        packed.append(_RANGE.pack(0, 0, 0, own.details_from_ms, False))
    return b"".join(packed) or None


def _decode_confirmed(content: bytes) -> Iterator[ConfirmedRange | int]:
    """Yield the ranges of confirmed days, and the end of those whose details are deleted."""
    for ordinal, days, since_ms, until_ms, locked in _RANGE.iter_unpack(content):
        if days:
            first = date.fromordinal(ordinal)
            yield ConfirmedRange(first, first + (days - 1) * DAY, since_ms, until_ms, locked)
        else:
            yield until_ms


def _encode_intervals(intervals: Sequence[Interval]) -> str:
    return ",".join(f"{since}-{until}" for since, until in intervals) or "-"


def _decode_intervals(text: str) -> tuple[Interval, ...]:
    if text == "-":
        return ()
    pairs = (interval.split("-") for interval in text.split(","))
    return tuple(Interval(int(since), int(until)) for since, until in pairs)


def _decode_choice(entry: str) -> tuple[int, AssignmentStarts | None]:
    from_ms, choice = entry.split(" ")
    return int(from_ms), None if choice == "-" else AssignmentStarts(choice)
