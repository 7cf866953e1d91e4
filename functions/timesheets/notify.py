"""Notifications about changes in the table's stream, for outgoing webhooks.

Without an outgoing webhook, nothing is read for a change. A repeated record makes the same notification
again, with the same id.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

from aws_lambda_powertools import Logger

from timer_core.api.representations import time_log
from timer_core.api.times import format_ms
from timer_core.api.working import working_times
from timer_core.domain.confirmed import ConfirmedDay, ConfirmedRange
from timer_core.domain.ids import derived_ulid
from timer_core.domain.notifications import Happening, happening_of
from timer_core.domain.outgoing_webhooks import Order
from timer_core.domain.schedule import DAY
from timer_core.domain.timers import Timer
from timer_core.services.team import Team
from timer_core.store.calendars import to_own
from timer_core.store.confirmed_days import ConfirmedDays
from timer_core.store.issue_details import ClosedIssues, IssueDetailsStore
from timer_core.store.items import is_tombstone, to_timer
from timer_core.store.keys import CALENDAR_SK, user_id_of
from timer_core.store.outgoing_webhooks import Notification, Notifications, OutgoingWebhooks
from timer_core.store.people import Profile
from timer_core.store.repositories import PresentNames
from timer_core.store.table import RawItem, Table
from timer_core.store.timesheets import Timesheets

_THREADS = 8

Images = Mapping[str, Any]
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Change:
    """A change that outgoing webhooks may tell about.

    Attributes
    ----------
    at_ms, written_ms
        When it happened, and when it was written (milliseconds since the epoch).
    version
        A text that distinguishes this write of the timer or date from all others.
    subject
        The timer, or the confirmed day.
    """

    user_id: int
    happening: Happening
    at_ms: int
    written_ms: int
    version: str
    subject: Timer | ConfirmedDay

    @property
    def id(self) -> str:
        """The id of the notification. It sorts by the time of the write, because events may arrive late."""
        name = self.subject.id if isinstance(self.subject, Timer) else self.subject.date.isoformat()
        return derived_ulid(self.written_ms, str(self.user_id), name, self.version, self.happening)


class Notifier:
    """Makes the notifications about changes, and queues them for the outgoing webhooks that want them.

    Parameters
    ----------
    queue
        Sends a message to the queue of notifications.
    """

    def __init__(
        self, table: Table, timesheets: Timesheets, team: Team, queue: Callable[[Order], None], logger: Logger
    ) -> None:
        self._webhooks = OutgoingWebhooks(table)
        self._notifications = Notifications(table)
        self._names = PresentNames(table)
        self._closed_issues = ClosedIssues(IssueDetailsStore(table), self._names)
        self._confirmed = ConfirmedDays(table)
        self._timesheets = timesheets
        self._team = team
        self._queue = queue
        self._logger = logger

    def notify(self, records: Iterable[Images], *, now_ms: int) -> None:
        """Make the notifications about records of the stream.

        Only people whose time leads see are told about.
        """
        webhooks = self._webhooks.recent(now_ms=now_ms)
        if not webhooks:
            return
        wanted = frozenset[Happening]().union(*(webhook.happenings for webhook in webhooks))
        changes = [one for record in records for one in self._changes(record) if one.happening in wanted]
        profiles = self._team.seen_by_leads({one.user_id for one in changes})

        def tell(change: _Change) -> None:
            body = self._body(change, profiles[change.user_id], now_ms)
            notification = Notification(change.id, change.user_id, change.happening, body)
            self._notifications.put(notification, now_ms=now_ms)
            for webhook in webhooks:
                if change.happening in webhook.happenings:
                    self._queue(Order(webhook.id, change.user_id, notification.id))

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(tell, [one for one in changes if one.user_id in profiles]))

    def _changes(self, images: Images) -> list[_Change]:
        """Return the changes in a record of the stream that a webhook can tell about."""
        try:
            written_ms = round(images["ApproximateCreationDateTime"] * 1000)
            old, new = images.get("OldImage"), images.get("NewImage")
            if not new:
                return []
            if images["Keys"]["sk"]["S"] == CALENDAR_SK:
                return [*self._confirmations(old, new, written_ms)]
            change = _change_of_timer(old, new, written_ms)
            return [change] if change else []
        except (KeyError, TypeError, ValueError):
            # The days of its person are stored all the same.
            self._logger.exception("A record makes no notification", extra={"keys": images.get("Keys")})
            return []

    def _confirmations(self, old: RawItem | None, new: RawItem, written_ms: int) -> Iterator[_Change]:
        """Yield the days that a person has confirmed, given the images of the calendar."""
        before, after = to_own(old).confirmed, to_own(new).confirmed
        if before == after:
            return
        user_id = user_id_of(new["pk"]["S"])
        for day in sorted(_confirmed_by_person(after) - _confirmed_by_person(before)):
            # A day that was reopened meanwhile is not told about.
            for found in self._confirmed.of_dates(user_id, day, day):
                version = str(found.confirmed_ms)
                yield _Change(user_id, Happening.CONFIRMED, found.confirmed_ms, written_ms, version, found)

    def _body(self, change: _Change, profile: Profile, now_ms: int) -> Body:
        """Return what is sent about a change."""
        about = (
            {"timer": self._timer(change.subject, now_ms)}
            if isinstance(change.subject, Timer)
            else {"day": _day(change.subject)}
        )
        return {
            "event": change.happening.value,
            "id": change.id,
            "at": format_ms(change.at_ms),
            "person": {"id": profile.user_id, "login": profile.login},
            **about,
        }

    def _timer(self, timer: Timer, now_ms: int) -> Body:
        """Return a timer as the API shows it to its owner."""
        named = self._names.of([timer], now_ms=now_ms)
        worked = working_times(self._timesheets, timer.user_id, named, now_ms=now_ms)
        counts_for = self._closed_issues.of(named, now_ms=now_ms)
        return time_log(named[0], worked.of(named[0]), now_ms, counts_for=counts_for)


def _day(day: ConfirmedDay) -> Body:
    """Return a confirmed day, with its working time as it was confirmed."""
    working_ms = sum(piece.working_ms for piece in day.slices)
    return {"date": day.date.isoformat(), "working_duration": working_ms / 1000}


def _change_of_timer(old: RawItem | None, new: RawItem, written_ms: int) -> _Change | None:
    before = to_timer(old) if old and not is_tombstone(old) else None
    if is_tombstone(new):
        if before is None:
            return None
        version = f"deleted {new['deleted_ms']['N']}"
        return _Change(before.user_id, Happening.DELETED, written_ms, written_ms, version, before)
    after = to_timer(new)
    happening = happening_of(before, after)
    if happening is None:
        return None
    at_ms = written_ms if happening is Happening.CORRECTED else after.changed_ms
    return _Change(after.user_id, happening, at_ms, written_ms, str(after.version), after)


def _confirmed_by_person(ranges: Iterable[ConfirmedRange]) -> set[date]:
    """Return the dates in ranges that their person has confirmed, and no lock has frozen."""
    return {
        one.first + number * DAY
        for one in ranges
        if not one.locked
        for number in range((one.last - one.first).days + 1)
    }
