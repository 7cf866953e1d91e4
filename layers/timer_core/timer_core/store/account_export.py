"""Export of all data about a person."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from timer_core.domain.audit import AuditEntry
from timer_core.domain.confirmed import ConfirmedDay
from timer_core.domain.issues import Issue
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.state import Transition
from timer_core.domain.timers import Claim, Timer
from timer_core.store.audit import to_entry
from timer_core.store.calendars import to_own
from timer_core.store.confirmed_days import ConfirmedDays
from timer_core.store.connections import Connection, connections_of
from timer_core.store.former_state import former_timers
from timer_core.store.items import SlotItem, claims_of, history_of, is_tombstone, to_timer
from timer_core.store.keys import kind_of, name_of, slot_key, user_pk
from timer_core.store.limits import MINUTE_MS
from timer_core.store.outgoing_webhooks import Notification, to_notification
from timer_core.store.positions import ExportPosition
from timer_core.store.repositories import Repositories
from timer_core.store.table import RawItem, Table


@dataclass(frozen=True, slots=True)
class DeletedTimer:
    """The tombstone of a deleted timer. It prevents late events from creating the timer again.

    Attributes
    ----------
    claims
        The time that the timer had, which no other timer gets.
    acts
        The acts that began and ended breaks.
    kept_until_s
        When the tombstone expires (seconds since the epoch); None if it has claims.
    """

    ulid: str
    deleted_ms: int
    locked_until_ms: int | None
    claims: tuple[Claim, ...]
    acts: tuple[Transition, ...]
    kept_until_s: int | None


@dataclass(frozen=True, slots=True)
class Slot:
    """A person's slot on an issue.

    Attributes
    ----------
    issue_key
        The key of the issue, see `timer_core.domain.issues.Issue.key`.
    ulids
        The ULIDs of the person's timers on the issue that events may still change.
    locked_until_ms
        Events up to this time do not change these timers; None if the slot locks no time.
    kept_until_s
        When the slot expires (seconds since the epoch); None while a timer is open on the issue.
    """

    issue_key: str
    ulids: list[str]
    locked_until_ms: int | None
    kept_until_s: int | None


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with an Idempotency-Key, the timer in the response, and what a correction has changed."""

    ulid: str
    created: bool
    former: Sequence[Timer]
    undone: bool
    kept_until_s: int


@dataclass(frozen=True, slots=True)
class Changes:
    """The number of a person's changes in a minute."""

    minute_ms: int
    changes: int
    kept_until_s: int


@dataclass(slots=True)
class ExportPage:
    """A page of the stored data about a person, except profile and tokens.

    Attributes
    ----------
    slots
        The person's slots on the issues of this page's timers.
    calendar
        The person's working hours, exceptions and settings, on the page that has them.
    confirmed_days
        The confirmed days.
    audit
        The entries of the audit log.
    notifications
        What was sent to outgoing webhooks about the person, and when it expires (seconds since the epoch).
    connections
        The person's live connections, on the page that has them.
    next
        The position of the next page; None if this is the last page.
    """

    timers: list[Timer] = field(default_factory=list)
    deleted: list[DeletedTimer] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    requests: list[KeyedRequest] = field(default_factory=list)
    changes: list[Changes] = field(default_factory=list)
    calendar: OwnCalendar | None = None
    confirmed_days: list[ConfirmedDay] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)
    notifications: list[tuple[Notification, int]] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    next: ExportPosition | None = None

    def add(self, item: RawItem) -> None:
        """Add an item of the person's partition to the page. The profile and tokens are not added."""
        kind, name = kind_of(item["sk"]["S"]), name_of(item["sk"]["S"])
        if kind == "timer" and is_tombstone(item):
            locked_until_ms = _number(item, "locked_until_ms") if "locked_until_ms" in item else None
            kept_until_s = _number(item, "expires_at") if "expires_at" in item else None
            deleted_ms = _number(item, "deleted_ms")
            self.deleted.append(
                DeletedTimer(
                    name, deleted_ms, locked_until_ms, claims_of(item), history_of(item), kept_until_s
                )
            )
        elif kind == "timer":
            self.timers.append(to_timer(item))
        elif kind == "calendar":
            self.calendar = to_own(item)
        elif kind == "audit":
            self.audit.append(to_entry(item))
        elif kind == "notification":
            self.notifications.append((to_notification(item), _number(item, "expires_at")))
        elif kind == "live":
            self.connections = connections_of(item)
        elif kind == "key":
            self.requests.append(
                KeyedRequest(
                    item["ulid"]["S"],
                    item["created"]["BOOL"],
                    former_timers(item),
                    "undone" in item,
                    _number(item, "expires_at"),
                )
            )
        elif kind == "writes":
            minute_ms = int(name) * MINUTE_MS
            self.changes.append(Changes(minute_ms, _number(item, "changes"), _number(item, "expires_at")))


class AccountExport:
    """Reads a person's items in pages."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._repositories = Repositories(table)
        self._confirmed = ConfirmedDays(table)

    def page(self, user_id: int, *, position: ExportPosition | None, page_size: int) -> ExportPage:
        """Return a page of the stored data about a person. Timers are sorted by ULID."""
        pk = user_pk(user_id)
        start = None if position is None else {"pk": {"S": pk}, "sk": {"S": position.sk}}
        items, _, last = self._table.query(pk, limit=page_size, start=start)
        page = ExportPage(next=ExportPosition(last["sk"]["S"]) if last else None)
        for item in items:
            page.add(item)
        # A day may have several items, the last of which are on the next page.
        days = [date.fromisoformat(name) for name in _names(items, "confirmed") if "#" not in name]
        if days:
            page.confirmed_days = list(self._confirmed.of_dates(user_id, days[0], days[-1]))
        page.slots = self._slots(user_id, page.timers)
        return page

    def _slots(self, user_id: int, timers: Sequence[Timer]) -> list[Slot]:
        named = {timer.issue for timer in timers if timer.issue}
        # A timer that was corrected keeps the name, and its slot joined those under the id.
        identified = map(self._repositories.identify, named)
        issues = {slot_key(issue, user_id): issue for issue in (*named, *identified)}
        found = self._table.get_many(sorted(issues))
        return [_to_slot(item, issues[item["pk"]["S"], item["sk"]["S"]]) for item in found]


def _to_slot(item: RawItem, issue: Issue) -> Slot:
    row = SlotItem.from_raw_data(item)
    return Slot(
        issue_key=issue.key,
        ulids=sorted(row.ulids or ()),
        locked_until_ms=None if row.locked_until_ms is None else int(row.locked_until_ms),
        kept_until_s=None if row.expires_at is None else int(row.expires_at),
    )


def _names(items: Iterable[RawItem], kind: str) -> Iterator[str]:
    return (name_of(item["sk"]["S"]) for item in items if kind_of(item["sk"]["S"]) == kind)


def _number(item: RawItem, name: str) -> int:
    return int(item[name]["N"])
