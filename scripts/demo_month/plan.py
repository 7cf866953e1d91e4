"""What the demo's people did in the last month.

The acts follow from the date only: each person's day has its own random numbers, which its date and the
person's login seed. So the same date always has the same month.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from demo_github.team import ISSUES, PEOPLE, QUICK_FIX, Issue, Person
from demo_month.acts import (
    Act,
    Added,
    Button,
    Confirmed,
    DayOff,
    EndCorrected,
    Happened,
    HoursChosen,
    Kind,
    PauseInserted,
    Pressed,
)

DAYS = 30
# Reasons of days off; no reason is one that a person would type in the demo.
REASONS = ("Dentist in the next town", "Moving to another flat", "Visit of the grandparents", "Long weekend")

_DAY = timedelta(days=1)
_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# The delay of a usual delivery.
_DELIVERY_MS = 2_000
# The time from a delivery that failed until GitHub's redelivery.
_REDELIVERY_MS = 27 * _HOUR_MS
# How long a forgotten overtime counts: the default of `overtime_hours`.
_OVERTIME_MS = 4 * _HOUR_MS
_CALLS = ("Call with a customer", "Interview with a candidate", "Help for the support team", "Printer, again")
_PLANNING = "Weekly planning"
_SCENE = tuple(
    next(issue for issue in ISSUES if issue.title == title)
    for title in (
        "Wish lists that can be shared",
        "Load test before the holiday season",
        "Chargebacks are counted twice in the report",
    )
)
# The last workdays, on which people work on the issues that are in progress today.
_CURRENT_DAYS = 5


class _Window(NamedTuple):
    """Working hours of a date without a gap, in minutes since midnight."""

    since: int
    until: int


def month(now_ms: int, people: Sequence[Person] = PEOPLE) -> list[Act]:
    """Return everything that people did in the days up to now, in the order in which it became known."""
    acts = [act for person in people for act in _PersonMonth(person, now_ms).acts()]
    return sorted(acts, key=lambda act: act.known_ms)


class _PersonMonth:
    """One person's acts.

    Attributes
    ----------
    _open
        The issues of the person's open timers, and whether they run.
    """

    def __init__(self, person: Person, now_ms: int) -> None:
        self._person = person
        self._zone = ZoneInfo(person.time_zone)
        self._now_ms = now_ms
        self._today = datetime.fromtimestamp(now_ms / 1000, self._zone).date()
        self._acts: list[Act] = []
        self._days_off: set[date] = set()
        self._open: dict[Issue, bool] = {}
        self._confirmed_until = self._today - DAYS * _DAY
        self._random = random.Random()  # noqa: S311 - not for secrets
        # Quick fixes to come, and the one of the day before, which may be reopened.
        self._small: list[Issue] = []
        self._closed: Issue | None = None
        self._has_late = False

    def acts(self) -> Iterator[Act]:
        """Yield the acts that are known now."""
        first = self._today - DAYS * _DAY
        self._acts.append(HoursChosen(self._person, first, self._at(first, 0)))
        self._days_off = self._choose_days_off(first)
        workdays = [day for day in self._dates(first) if self._works(day)]
        mains = self._distribute(workdays)
        past: list[date] = []
        for day, following in zip(workdays, [*workdays[1:], workdays[-1]], strict=True):
            self._random.seed(f"{self._person.login} {day}")
            self._work(day, mains[day], mains[following], past)
            past.append(day)
        yield from (act for act in self._with_scene() if act.known_ms <= self._now_ms)

    # ------------------------------------------------------------------ the month

    def _dates(self, first: date) -> Iterator[date]:
        return (first + number * _DAY for number in range(DAYS + 1))

    def _windows(self, day: date) -> list[_Window]:
        hours = self._person.working_hours.get(_WEEKDAYS[day.weekday()], ())
        return [_Window(_minutes(since), _minutes(until)) for since, until in hours]

    def _works(self, day: date) -> bool:
        return bool(self._windows(day)) and day not in self._days_off

    def _choose_days_off(self, first: date) -> set[date]:
        """Choose one or two days off, and announce each the evening before."""
        chosen: set[date] = set()
        for day in self._dates(first + 3 * _DAY):
            self._random.seed(f"{self._person.login} off {day}")
            is_possible = self._windows(day) and day < self._today - 3 * _DAY
            if is_possible and len(chosen) < 2 and self._random.random() < 0.07:
                reason = self._random.choice(REASONS)
                self._acts.append(DayOff(self._person, day, reason, self._at(day - _DAY, 20 * 60)))
                chosen.add(day)
        return chosen

    def _distribute(self, workdays: Sequence[date]) -> dict[date, Issue]:
        """Return the issue that the person mainly works on, for each workday."""
        own = [issue for issue in _issues_of(self._person) if not _is_side(issue)]
        done = [issue for issue in own if issue.status == "Done"]
        current = [issue for issue in own if issue.status in ("In progress", "In review")]
        self._random.seed(f"{self._person.login} {self._today - DAYS * _DAY}")
        self._random.shuffle(done)
        self._small = [issue for issue in done if QUICK_FIX in issue.labels]
        done = [issue for issue in done if issue not in self._small]
        earlier, later = workdays[:-_CURRENT_DAYS], workdays[-_CURRENT_DAYS:]
        shares = [self._random.uniform(0.6, 1.4) for _ in done]
        mains: dict[date, Issue] = {}
        for number, day in enumerate(earlier):
            position = (number + 0.5) / len(earlier) * sum(shares)
            index = next(i for i in range(len(done)) if sum(shares[: i + 1]) >= position)
            mains[day] = done[index]
        for number, day in enumerate(later):
            mains[day] = current[number * len(current) // len(later)]
        return mains

    # ------------------------------------------------------------------ a day

    def _work(self, day: date, main: Issue, following: Issue, past: Sequence[date]) -> None:
        windows, habits = self._windows(day), self._person.habits
        begin = windows[0].since + self._random.randint(0, habits.minutes_late)
        self._begin_day(day, begin, main)
        self._tidy(day, begin, past)
        is_last = following != main and main.status == "Done"
        closes = windows[-1].until - self._random.randint(20, 85) if is_last else None
        side, closed = self._side(day, main), self._closed
        self._closed = None
        breaks = self._random.randint(0, habits.breaks)
        for number, (since, until) in enumerate(windows):
            minute = (begin + 12 if number == 0 else since) + self._random.randint(15, 50)
            while minute + 55 < (closes if closes and number == len(windows) - 1 else until):
                latest = min(until, closes or until) - 8
                if closed is not None and self._random.random() < 0.25:
                    minute = self._help(day, minute, latest, closed, "reopened")
                    closed = None
                elif self._small and self._random.random() < 0.13:
                    minute = self._help(day, minute, latest, self._small.pop(), "assigned")
                elif side is not None and self._random.random() < 0.6:
                    minute = self._work_aside(day, minute, latest, side, main)
                    side = None
                elif breaks and self._random.random() < 0.6:
                    minute = self._take_break(day, minute, main)
                    breaks -= 1
                elif self._random.random() < 0.4:
                    self._happen(day, minute, main, "commented")
                minute += self._random.randint(30, 90)
        if closes is not None:
            self._close(day, closes, main, following)
        else:
            self._end_day(day, windows[-1].until, main)

    def _begin_day(self, day: date, minute: int, main: Issue) -> None:
        if self._open.get(main) and sum(self._open.values()) == 1:
            self._happen(day, minute, main, "commented")
        else:
            self._turn_to(day, minute, main)

    def _tidy(self, day: date, begin: int, past: Sequence[date]) -> None:
        """Correct yesterday's time, and confirm the days that are over."""
        habits = self._person.habits
        if past and self._random.random() < 0.12:
            self._add_call(day, begin + 3, past[-1])
        is_due = {"daily": True, "weekly": day.weekday() == 0, "never": False}[habits.confirms]
        if not is_due:
            return
        for number, earlier in enumerate(past):
            if earlier >= self._confirmed_until:
                known_ms = self._at(day, begin + 7, number)
                self._acts.append(Confirmed(self._person, earlier, known_ms))
        self._confirmed_until = day

    def _add_call(self, day: date, minute: int, about: date) -> None:
        """Add time of an earlier day for something without an issue."""
        windows = self._windows(about)
        since = windows[-1].since + self._random.randint(20, 50)
        length = self._random.choice((15, 20, 30, 45))
        span = self._at(about, since), self._at(about, since + length)
        description = self._random.choice(_CALLS)
        self._acts.append(Added(self._person, None, description, *span, self._at(day, minute)))

    def _side(self, day: date, main: Issue) -> Issue | None:
        """Return the issue that the person works on beside the main one of a day."""
        own = [issue for issue in _issues_of(self._person) if issue != main]
        planning = [issue for issue in own if _is_side(issue)]
        if planning and day.weekday() == 0:
            return planning[0]
        others = [issue for issue in own if issue.status == "In progress" and not _is_side(issue)]
        return self._random.choice(others) if others and self._random.random() < 0.35 else None

    def _work_aside(self, day: date, minute: int, latest: int, side: Issue, main: Issue) -> int:
        """Work on another issue for a while, then go on with the main one; return the minute of that."""
        self._turn_to(day, minute, side)
        end = min(minute + self._random.randint(25, 70), latest - 3)
        self._pause(day, end, side)
        self._press(day, end + self._random.randint(1, 3), main, "focus")
        return end

    def _help(self, day: date, minute: int, latest: int, small: Issue, kind: Kind) -> int:
        """Fix something small for a colleague; the main issue's timer waits, and counts again then."""
        self._happen(day, minute, small, kind, actor=self._colleague())
        begin = minute + self._random.randint(1, 9)
        self._press(day, begin, small, "focus")
        end = min(begin + self._random.randint(20, 75), latest)
        self._happen(day, end, small, "closed")
        self._closed = small if kind == "assigned" else None
        return end

    def _take_break(self, day: date, minute: int, main: Issue) -> int:
        end = minute + self._random.randint(8, 22)
        self._pause(day, minute, main)
        self._resume(day, end, main)
        return end

    def _close(self, day: date, minute: int, main: Issue, following: Issue) -> None:
        kind: Kind = "project.stop" if self._person.habits.starts_by == "card" else "closed"
        # One delivery of the month is late: it arrives after its day was confirmed.
        is_late = self._person == PEOPLE[0] and not self._has_late and self._works(day + _DAY)
        at_ms = self._happen(day, minute, main, kind, late=is_late)
        if is_late:
            self._has_late = True
            return
        if self._random.random() < 0.25:
            earlier_ms = at_ms - self._random.randint(10, 25) * _MINUTE_MS
            corrected = EndCorrected(self._person, main, earlier_ms, at_ms + 2 * _MINUTE_MS)
            self._acts.append(corrected)
        self._turn_to(day, minute + self._random.randint(4, 9), following)

    def _end_day(self, day: date, until: int, main: Issue) -> None:
        habits = self._person.habits
        evening = self._random.random() < habits.evenings
        if main.status == "In review" and self._random.random() < 0.7:
            self._happen(day, until - 5, main, "project.pause")
        elif habits.starts_by == "page" and not evening and self._random.random() < 0.6:
            self._press(day, until - self._random.randint(1, 8), main, "stop")
        elif habits.starts_by in ("page", "command") and self._random.random() < 0.9:
            self._pause(day, until - self._random.randint(1, 8), main)
        if habits.starts_by == "command" and self._random.random() < 0.25:
            minutes = self._random.choice((15, 20, 30))
            self._happen(day, until + 35, main, "comment.log", minutes=minutes)
        if evening:
            self._work_late(day, until + self._random.randint(60, 150), main)

    def _work_late(self, day: date, minute: int, main: Issue) -> None:
        self._press(day, minute, main, "focus" if self._open[main] else "resume")
        length = self._random.randint(30, 110)
        if self._random.random() < 0.75:
            self._press(day, minute + length, main, "pause")
            return
        # The person forgets to pause the timer, and removes this time on the next morning.
        act_ms = self._at(day, minute)
        since_ms = act_ms + length * _MINUTE_MS
        known_ms = self._at(day + _DAY, 7 * 60)
        self._acts.append(PauseInserted(self._person, main, since_ms, act_ms + _OVERTIME_MS, known_ms))

    # ------------------------------------------------------------------ acts

    def _turn_to(self, day: date, minute: int, issue: Issue) -> None:
        """Work on an issue from now on."""
        if issue not in self._open:
            self._begin(day, minute, issue)
        elif self._open[issue]:
            self._press(day, minute, issue, "focus")
        else:
            self._resume(day, minute, issue)

    def _begin(self, day: date, minute: int, issue: Issue) -> None:
        """Begin to work on an issue, in the way that the person prefers."""
        way = self._person.habits.starts_by
        if way == "command":
            self._happen(day, minute, issue, "comment.start")
        elif way == "page":
            self._press(day, minute, issue, "start")
        elif way == "card" and len(issue.assignees) == 1:
            self._happen(day, minute, issue, "project.start")
        elif self._random.random() < 0.5:
            self._happen(day, minute, issue, "assigned")
        else:
            self._happen(day, minute, issue, "assigned", actor=self._colleague())
            self._press(day, minute + 1, issue, "focus")

    def _colleague(self) -> Person:
        return self._random.choice([person for person in PEOPLE if person != self._person])

    def _pause(self, day: date, minute: int, issue: Issue) -> None:
        if self._person.habits.starts_by == "command":
            self._happen(day, minute, issue, "comment.pause")
        else:
            self._press(day, minute, issue, "pause")

    def _resume(self, day: date, minute: int, issue: Issue) -> None:
        if self._person.habits.starts_by == "command":
            self._happen(day, minute, issue, "comment.resume")
        else:
            self._press(day, minute, issue, "resume")

    def _press(self, day: date, minute: int, issue: Issue, button: Button) -> None:
        at_ms = self._at(day, minute, self._random.randint(1, 58))
        self._acts.append(Pressed(self._person, issue, button, at_ms))
        _follow(self._open, self._acts[-1])

    def _happen(
        self,
        day: date,
        minute: int,
        issue: Issue,
        kind: Kind,
        *,
        actor: Person | None = None,
        minutes: int = 0,
        late: bool = False,
    ) -> int:
        """Add an event on GitHub, and return its time."""
        at_ms = self._at(day, minute, self._random.randint(1, 58))
        known_ms = at_ms + (_REDELIVERY_MS if late else _DELIVERY_MS)
        by = (actor or self._person).id
        self._acts.append(Happened(self._person, issue, kind, by, at_ms, known_ms, minutes))
        _follow(self._open, self._acts[-1])
        return at_ms

    def _at(self, day: date, minute: int, second: int = 0) -> int:
        """Return an instant of a date (milliseconds since the epoch)."""
        hours, minutes = divmod(minute, 60)
        local = datetime(day.year, day.month, day.day, hours, minutes, second, tzinfo=self._zone)
        return int(local.astimezone(UTC).timestamp()) * 1000

    def _is_within(self, at_ms: int) -> bool:
        """Whether an instant is within the working hours, days off aside."""
        local = datetime.fromtimestamp(at_ms / 1000, self._zone)
        minute = 60 * local.hour + local.minute
        return any(window.since <= minute < window.until for window in self._windows(local.date()))

    # ------------------------------------------------------------------ now

    def _with_scene(self) -> Iterable[Act]:
        """Return the acts. The first person has a timer that counts, one that waits and one that is paused.

        So the person as whom visitors sign in has something to look at, also at night.
        """
        if self._person != PEOPLE[0]:
            return self._acts
        minute_ms = self._now_ms // _MINUTE_MS * _MINUTE_MS
        before = [act for act in self._acts if act.known_ms < minute_ms - 60 * _MINUTE_MS]
        open_issues: dict[Issue, bool] = {}
        for act in sorted(before, key=lambda one: one.known_ms):
            _follow(open_issues, act)
        counts, waits, paused = _SCENE

        def pressed(issue: Issue, button: Button, minutes_ago: int) -> Act:
            return Pressed(self._person, issue, button, minute_ms - minutes_ago * _MINUTE_MS)

        scene: list[Act] = []
        if open_issues.get(paused, True):
            scene += [pressed(paused, "start", 58)] if paused not in open_issues else []
            scene.append(pressed(paused, "pause", 52))
        if waits not in open_issues:
            at_ms = minute_ms - 50 * _MINUTE_MS
            scene.append(Happened(self._person, waits, "assigned", PEOPLE[6].id, at_ms, at_ms + _DELIVERY_MS))
        elif not open_issues[waits]:
            scene.append(pressed(waits, "resume", 50))
        button: Button = "resume" if counts in open_issues else "start"
        scene.append(pressed(counts, "focus" if open_issues.get(counts) else button, 48))
        if not self._is_within(minute_ms - _MINUTE_MS):
            scene.append(pressed(counts, "focus", 1))
        return [*before, *scene]


def _issues_of(person: Person) -> list[Issue]:
    return [issue for issue in ISSUES if person.login in issue.assignees]


def _is_side(issue: Issue) -> bool:
    """Whether people never work on an issue mainly."""
    return issue.title == _PLANNING


def _follow(timers: dict[Issue, bool], act: Act) -> None:
    """Update the issues of a person's open timers, and whether they run, after an act."""
    if not isinstance(act, Happened | Pressed):
        return
    name = act.kind if isinstance(act, Happened) else act.button
    if name in ("stop", "closed", "project.stop"):
        timers.pop(act.issue, None)
    elif name.endswith("pause"):
        timers[act.issue] = False
    elif name not in ("commented", "comment.log"):
        timers[act.issue] = True


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return 60 * int(hours) + int(minutes)
