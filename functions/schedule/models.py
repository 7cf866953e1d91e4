"""The bodies of the routes of working hours, exceptions and settings."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from timer_core.api.models import DateIn, Reason, Seconds, Time, printable
from timer_core.api.times import to_time
from timer_core.domain.audit import AuditEntry
from timer_core.domain.calendar import HOUR_MS, AssignmentStarts, ConcurrentTimers, Policy
from timer_core.domain.own_calendar import DayDifference
from timer_core.domain.schedule import ALWAYS, DayException, Week
from timer_core.domain.weeks import (
    MAX_INTERVALS,
    WEEKDAYS,
    check_zone,
    format_week,
    parse_intervals,
    parse_week,
)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


_Zone = Annotated[
    str,
    Field(max_length=64, description="The IANA name of the time zone.", examples=["Europe/Berlin"]),
]
_TimeOfDay = Annotated[str, Field(max_length=5, examples=["09:00"])]
_Interval = Annotated[list[_TimeOfDay], Field(min_length=2, max_length=2)]
_Intervals = Annotated[
    list[_Interval],
    Field(
        max_length=MAX_INTERVALS,
        description="Pairs of a beginning and an end in local time; the end is exclusive and may be 24:00.",
        examples=[[["09:00", "12:30"], ["13:00", "17:00"]]],
    ),
]
_Reason = Annotated[str, Field(max_length=100), AfterValidator(printable)]
_OwnAssignmentStarts = Annotated[
    AssignmentStarts | None,
    Field(
        description="Which assignments start a timer: any, only those by oneself (self), or never. Null: as"
        " the organization decides, which one can only narrow."
    ),
]


class WeekBody(BaseModel):
    """The working hours of each weekday. An interval that ends before it begins ends on the next day."""

    model_config = ConfigDict(extra="forbid")

    mon: _Intervals = []
    tue: _Intervals = []
    wed: _Intervals = []
    thu: _Intervals = []
    fri: _Intervals = []
    sat: _Intervals = []
    sun: _Intervals = []

    @classmethod
    def of(cls, week: Week) -> Self | None:
        """Return the representation of a week; None if all time counts."""
        days = format_week(week)
        return None if days is None else cls(**days)


def week_in(zone: str, week: WeekBody | None, prefix: str = "") -> Week:
    """Return a requested week; without a week, all time counts.

    Raises
    ------
    InvalidInput
        If the zone or the week is not valid.
    """
    if week is None:
        check_zone(zone, prefix=prefix)
        return Week(zone)
    return parse_week(zone, {day: getattr(week, day) for day in WEEKDAYS}, prefix=prefix)


class ExceptionHours(_Request):
    """Other working hours on one date; no intervals for a day off."""

    intervals: _Intervals
    reason: _Reason = ""

    def parse(self, field: str) -> DayException:
        """Return the exception.

        Raises
        ------
        InvalidInput
            See `parse_intervals`.
        """
        return _day_exception(self.intervals, self.reason, field)


def _day_exception(intervals: list[_Interval], reason: str, field: str) -> DayException:
    return DayException(parse_intervals(intervals, field=field), reason.strip())


class ExceptionIn(_Request):
    """An exception and its date."""

    date: DateIn
    intervals: Annotated[
        _Intervals | None, Field(description="Null removes the exception, so that the weekday's hours hold.")
    ]
    reason: _Reason = ""

    def parse(self, field: str) -> DayException | None:
        """Return the exception, or None if the date has none.

        Raises
        ------
        InvalidInput
            See `parse_intervals`.
        """
        return None if self.intervals is None else _day_exception(self.intervals, self.reason, field)


class ScheduleRequest(_Request):
    """A change of one's working hours, exceptions and settings. Omitted members do not change."""

    valid_from: Annotated[
        DateIn | None,
        Field(description="The date from which week and time_zone hold; by default today in time_zone."),
    ] = None
    time_zone: _Zone | None = None
    week: Annotated[WeekBody | None, Field(description="Null: all time counts.")] = None
    exceptions: Annotated[
        list[ExceptionIn] | None,
        Field(max_length=1000, description="Replaces all exceptions from today on; earlier ones are kept."),
    ] = None
    assignment_starts: _OwnAssignmentStarts = None


class HoursShown(BaseModel):
    """Working hours in a time zone."""

    time_zone: str
    week: Annotated[WeekBody | None, Field(description="Null: all time counts.")]


class VersionShown(HoursShown):
    """Working hours that hold from the first instant of a date in their time zone."""

    valid_from: date


class CurrentHours(HoursShown):
    """The working hours that hold now."""

    valid_from: Annotated[date | None, Field(description="Null for the organization's working hours.")]


class ExceptionShown(BaseModel):
    """Other working hours on one date."""

    date: date
    intervals: _Intervals
    reason: str


class OrganizationShown(BaseModel):
    """The organization's settings that concern a person."""

    concurrent_timers: ConcurrentTimers
    overtime_hours: float
    assignment_starts: AssignmentStarts
    stale_after_hours: float


class Schedule(BaseModel):
    """One's working hours, exceptions and settings, and those of the organization."""

    source: Annotated[
        Literal["own", "default"],
        Field(description="Whether one's own or the organization's hours hold now."),
    ]
    chosen: Annotated[bool, Field(description="Whether one has ever decided about working hours.")]
    current: CurrentHours
    versions: Annotated[list[VersionShown], Field(description="One's own, in order.")]
    exceptions: list[ExceptionShown]
    default: Annotated[HoursShown, Field(description="The organization's working hours.")]
    assignment_starts: _OwnAssignmentStarts
    organization: OrganizationShown
    version: Annotated[int, Field(description="The number of changes.")]


class DayPreview(BaseModel):
    """The working time of a date without and with a change."""

    date: date
    before: Seconds
    after: Seconds


class SchedulePreview(BaseModel):
    """The effects of a change of the schedule. Nothing is stored."""

    days: Annotated[
        list[DayPreview], Field(description="The dates, up to today, whose working time would differ.")
    ]
    complete: Annotated[
        bool,
        Field(description="False if the change concerns more than the 366 days that are compared."),
    ]
    conflicts: Annotated[
        list[date],
        Field(
            description="The confirmed dates whose working hours or borders the change would alter. It is "
            "refused until they are reopened."
        ),
    ]

    @classmethod
    def of(cls, days: Iterable[DayDifference], conflicts: Iterable[date], *, complete: bool) -> Self:
        """Return the representation of the differences, and of the confirmed dates that conflict."""
        shown = [
            DayPreview(date=day.date, before=day.before_ms / 1000, after=day.after_ms / 1000) for day in days
        ]
        return cls(days=shown, complete=complete, conflicts=list(conflicts))


class HolidayShown(BaseModel):
    """A public holiday."""

    date: date
    name: str


class HolidayList(BaseModel):
    """The public holidays of a year, in order."""

    holidays: list[HolidayShown]


class Subdivision(BaseModel):
    """A part of a country that has holidays of its own."""

    code: Annotated[str, Field(description="ISO 3166-2 without the country, or a name.", examples=["BE"])]
    name: Annotated[str, Field(description="In a language of the country.", examples=["Berlin"])]


class Country(BaseModel):
    """A country or territory whose holidays are known."""

    country: Annotated[str, Field(description="ISO 3166-1 alpha-2 code.", examples=["DE"])]
    subdivisions: Annotated[list[Subdivision], Field(description="By code.")]


class CountryList(BaseModel):
    """The countries whose holidays are known, by code."""

    countries: list[Country]


class WorkingHours(_Request):
    """Working hours in a time zone."""

    time_zone: _Zone
    week: Annotated[WeekBody | None, Field(description="Null: all time counts.")]


_OvertimeHours = Annotated[
    float,
    Field(
        ge=0,
        le=24,
        strict=True,
        description="How long work outside of working hours counts after each act by hand.",
    ),
]
_StaleAfterHours = Annotated[
    float,
    Field(
        ge=1,
        le=8760,
        strict=True,
        description="The working time without a sign of life after which a timer ends.",
    ),
]


class SettingsRequest(_Request):
    """A change of the organization's settings, from now on. Omitted members do not change."""

    working_hours: Annotated[
        WorkingHours | None,
        Field(description="The working hours of people without their own; null: all time counts."),
    ] = None
    concurrent_timers: ConcurrentTimers | None = None
    overtime_hours: _OvertimeHours | None = None
    assignment_starts: AssignmentStarts | None = None
    stale_after_hours: _StaleAfterHours | None = None

    def changes(self) -> dict[str, Any]:
        """Return the attributes of a `Policy` that change.

        Raises
        ------
        InvalidInput
            If the working hours are not valid.
        """
        changes: dict[str, Any] = {
            "concurrent_timers": self.concurrent_timers,
            "overtime_ms": _ms(self.overtime_hours),
            "assignment_starts": self.assignment_starts,
            "stale_after_ms": _ms(self.stale_after_hours),
        }
        if self.working_hours is not None:
            hours = self.working_hours
            changes["working_hours"] = week_in(hours.time_zone, hours.week, "working_hours.")
        elif "working_hours" in self.model_fields_set:
            changes["working_hours"] = ALWAYS
        return {name: value for name, value in changes.items() if value is not None}


class SettingsShown(BaseModel):
    """The organization's settings."""

    working_hours: Annotated[
        WorkingHours | None,
        Field(description="The working hours of people without their own; null: all time counts."),
    ]
    concurrent_timers: ConcurrentTimers
    overtime_hours: _OvertimeHours
    assignment_starts: AssignmentStarts
    stale_after_hours: _StaleAfterHours


class SettingsVersion(SettingsShown):
    """The organization's settings from an instant on."""

    valid_from: Annotated[Time | None, Field(description="Null for the settings from the beginning.")]

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """Return the representation of settings."""
        hours = policy.working_hours
        return cls(
            valid_from=to_time(policy.from_ms) if policy.from_ms else None,
            working_hours=None
            if hours.days is None
            else WorkingHours(time_zone=hours.zone, week=WeekBody.of(hours)),
            concurrent_timers=policy.concurrent_timers,
            overtime_hours=policy.overtime_ms / HOUR_MS,
            assignment_starts=policy.assignment_starts,
            stale_after_hours=policy.stale_after_ms / HOUR_MS,
        )


class OrganizationSettings(SettingsShown):
    """The organization's present settings, and all versions of them, the latest first."""

    versions: list[SettingsVersion]

    @classmethod
    def of(cls, policies: tuple[Policy, ...]) -> Self:
        """Return the representation of settings that are sorted by time."""
        versions = [SettingsVersion.of(policy) for policy in reversed(policies)]
        return cls(versions=versions, **versions[0].model_dump(exclude={"valid_from"}))


class LockRequest(_Request):
    """The last date to lock."""

    until: DateIn
    reason: Reason = ""


class LockChange(BaseModel):
    """A change of the lock."""

    at: Time
    user: Annotated[int, Field(description="The id of the admin's GitHub account.")]
    reason: str
    before: Annotated[date | None, Field(alias="from")]
    after: Annotated[date | None, Field(alias="to")]


class LockShown(BaseModel):
    """The last date that is locked."""

    locked_until: Annotated[date | None, Field(description="Null if no day is locked.")]
    changes: Annotated[list[LockChange], Field(description="The last ones, newest first.")]

    @classmethod
    def of(cls, until: date | None, entries: Iterable[AuditEntry]) -> Self:
        """Return the representation of the lock and of the audit entries of its changes."""
        return cls(
            locked_until=until,
            changes=[
                LockChange.model_validate(
                    {
                        "at": to_time(entry.at_ms),
                        "user": entry.by,
                        "reason": entry.reason,
                        "from": (one.before or {}).get("locked_until"),
                        "to": (one.after or {}).get("locked_until"),
                    }
                )
                for entry in entries
                for one in entry.differences
            ],
        )


def _ms(hours: float | None) -> int | None:
    return None if hours is None else round(hours * HOUR_MS)
