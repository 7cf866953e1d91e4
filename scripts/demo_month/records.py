"""The product's records of the acts: each act goes through the services and the store, at its own time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from demo_github.team import Issue as TeamIssue
from demo_github.team import Person
from demo_month.acts import (
    Act,
    Added,
    Confirmed,
    DayOff,
    EndCorrected,
    Happened,
    HoursChosen,
    OnIssue,
    PauseInserted,
    Pressed,
    issue_of,
)
from timer_core.api.digests import short_digest
from timer_core.domain.corrections import with_pause
from timer_core.domain.ids import derived_ulid
from timer_core.domain.issue_details import (
    FIELD_ESTIMATE,
    LABELS,
    MILESTONE,
    PARENT,
    STATE,
    TITLE,
    TYPE,
    Register,
    Registers,
    estimate_of_hours,
    issue_content,
)
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DayException, ScheduleVersion, Span, Week, joined
from timer_core.domain.state import MANUAL
from timer_core.domain.timers import Period, Timer, finished, without
from timer_core.domain.weeks import parse_week
from timer_core.github.messages import LOG, IssueEvent
from timer_core.services.event_handler import EventHandler
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.calendars import Calendars
from timer_core.store.people import PeopleStore
from timer_core.store.stored_days import StoredState
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets
from timer_core.store.writes import Patch

# The people whose acts are recorded at the same time.
_THREADS = 4
_MINUTE_MS = 60_000


class Recorder:
    """Records acts in the table.

    Parameters
    ----------
    table
        The table; its items may be written with a mark.
    """

    def __init__(self, table: Table) -> None:
        calendars = Calendars(table)
        self._calendars = calendars
        self._timers = TimerStore(table, calendars)
        self._timesheets = _DerivedTimesheets(table, self._timers, calendars)
        self._people = PeopleStore(table)
        self._issue_timers = IssueTimers(table, self._timers)
        self._events = EventHandler(
            self._issue_timers,
            self._timers,
            self._people,
            # Some people may have signed in for the first time after the month began.
            track_unregistered=True,
            again_after_ms=0,
        )
        # The latest timer of each person on each issue, logged time aside.
        self._latest: dict[tuple[int, str], str] = {}

    def record(self, acts: Sequence[Act], done: Callable[[Person], None]) -> None:
        """Record acts, which are sorted by the time at which they became known.

        The acts of different people are recorded at the same time, because they do not depend on each other.

        Parameters
        ----------
        done
            Called when all acts of a person are recorded.
        """
        by_person = defaultdict[Person, list[Act]](list)
        for act in acts:
            by_person[act.person].append(act)

        def record_all(person: Person, own: Iterable[Act]) -> None:
            for act in own:
                self._record(act)
            done(person)

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(record_all, by_person.keys(), by_person.values()))
        known_ms = {issue: act.known_ms for act in acts if (issue := issue_of(act)) is not None}
        for issue, last_ms in known_ms.items():
            seen = details_of(issue, last_ms)
            self._issue_timers.record_details(product_issue(issue), seen, now_ms=last_ms)

    def _record(self, act: Act) -> None:
        match act:
            case Happened():
                changed = self._events.handle(_event(act), now_ms=act.known_ms).timers
                if act.kind != LOG:
                    self._note(changed)
            case Pressed():
                self._press(act)
            case Added():
                self._add(act)
            case EndCorrected():
                self._correct_end(act)
            case PauseInserted():
                self._insert_pause(act)
            case HoursChosen():
                self._choose_hours(act)
            case DayOff():
                exception = {act.date: DayException(reason=act.reason)}
                self._calendars.change(
                    act.person.id, lambda own: own.with_exceptions(exception), now_ms=act.known_ms
                )
            case Confirmed():
                self._timesheets.confirm(act.person.id, act.date, lambda _: None, now_ms=act.known_ms)

    def _choose_hours(self, act: HoursChosen) -> None:
        person = act.person
        if self._people.profile(person.id) is None:
            self._people.register(person.id, person.login, name=person.name, now_ms=act.known_ms)
        version = ScheduleVersion(act.valid_from, week_of(person))
        self._calendars.change(person.id, lambda own: own.with_version(version), now_ms=act.known_ms)

    def _press(self, act: Pressed) -> None:
        user_id, now_ms = act.person.id, act.known_ms
        if act.button == "start":
            timer, _ = self._timers.start(user_id=user_id, now_ms=now_ms, issue=product_issue(act.issue))
            self._note([timer])
            return
        ulid, cause = self._ulid(act), _cause(act)
        if act.button == "focus":
            self._timers.focus(user_id, ulid, now_ms=now_ms, cause=cause)
            return
        press = {"pause": self._timers.pause, "resume": self._timers.resume, "stop": self._timers.stop}
        press[act.button](user_id, ulid, now_ms=now_ms, by=MANUAL, cause=cause)

    def _add(self, act: Added) -> None:
        self._timers.add(
            finished(
                user_id=act.person.id,
                ulid=derived_ulid(act.since_ms, str(act.person.id), act.description),
                start_ms=act.since_ms,
                end_ms=act.until_ms,
                now_ms=act.known_ms,
                issue=None if act.issue is None else product_issue(act.issue),
                description=act.description,
            )
        )

    def _correct_end(self, act: EndCorrected) -> None:
        self._timers.patch(
            act.person.id,
            self._ulid(act),
            Patch(end_ms=act.end_ms),
            now_ms=act.known_ms,
            counted=lambda timer: self._counted(timer, act.known_ms),
        )

    def _insert_pause(self, act: PauseInserted) -> None:
        self._timers.correct(
            act.person.id,
            self._ulid(act),
            lambda timer: with_pause(timer, act.since_ms, act.until_ms, act.known_ms, _cause(act)),
            now_ms=act.known_ms,
            counted=lambda timer: self._counted(timer, act.known_ms),
        )

    def _counted(self, timer: Timer, now_ms: int) -> list[Span]:
        """Return the time that counted for a timer and for no other one, as the API's routes do."""
        period = Period(timer.reach.since_ms, min(timer.reach.until_ms, now_ms))
        own, others = list[Span](), list[Span]()
        for piece in self._timesheets.worked(timer.user_id, period, now_ms=now_ms).slices:
            (own if piece.timer == timer.ulid else others).append(Span(piece.since_ms, piece.until_ms))
        return list(joined(without(own, others)))

    def _note(self, changed: Iterable[Timer]) -> None:
        for timer in changed:
            if timer.issue is not None:
                self._latest[timer.user_id, timer.issue.key] = timer.ulid

    def _ulid(self, act: OnIssue) -> str:
        return self._latest[act.person.id, product_issue(act.issue).key]


class _DerivedTimesheets(Timesheets):
    """Timesheets that read no stored days.

    Stored days are as valid as they are at the real present. At the time of an act, the stack may have stored
    days to which later acts of the month will add something.
    """

    def state(self, user_id: int, *, now_ms: int) -> StoredState:
        """Return that no days are stored."""
        return super().state(user_id, now_ms=now_ms).valid_until(0)


def week_of(person: Person) -> Week:
    """Return a person's working hours."""
    return parse_week(person.time_zone, person.working_hours)


def product_issue(issue: TeamIssue) -> Issue:
    """Return an issue as the product names it."""
    return Issue.of(issue.repository.full_name, issue.number, repo_id=issue.repository.id)


def details_of(issue: TeamIssue, at_ms: int) -> Registers:
    """Return the details of an issue, as a delivery at a time (milliseconds since the epoch) shows them."""
    parent = issue.parent
    found = {
        TITLE: issue.title,
        STATE: "closed" if issue.status == "Done" else "open",
        LABELS: sorted(issue.labels),
        MILESTONE: issue.milestone or "",
        TYPE: issue.type,
        PARENT: None if parent is None else issue_content(product_issue(parent)),
        FIELD_ESTIMATE: estimate_of_hours(issue.estimate_hours),
    }
    return {name: Register(at_ms, 0, content) for name, content in found.items()}


def _event(act: Happened) -> IssueEvent:
    concerns_everybody = act.kind in ("closed", "project.stop", "project.pause")
    return IssueEvent(
        delivery=act.delivery,
        kind=act.kind,
        repo_id=act.issue.repository.id,
        repo=act.issue.repository.full_name,
        number=act.issue.number,
        at_ms=act.at_ms,
        users=None if concerns_everybody else (act.person.id,),
        duration_ms=act.minutes * _MINUTE_MS,
        commented_ms=act.at_ms if act.kind == LOG else 0,
        title=act.issue.title,
        actor=act.actor,
    )


def _cause(act: Pressed | PauseInserted) -> str:
    return short_digest(repr(act))
