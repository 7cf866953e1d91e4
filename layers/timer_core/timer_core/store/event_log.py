"""The log of an issue, which contains its events and moves.

Each event is stored once, under the present identity of the issue. Timers are derived from the log, never
from a delivery alone. So an interrupted derivation can be repeated, and the order of arrival does not matter
(see `timer_core.domain.replay`).

The events in the log of an issue are numbered. A process that appends an event has read the log, and gives
the event the next number, on the condition that the number is unused. So of two processes that have read the
same log, one is refused and reads again, and a process whose event is appended knows all events of the log.
`IssuePage.next_numbers` ensures that this also holds while TTL deletes events.
"""

from collections.abc import Mapping

from timer_core.domain.events import EFFECTS, Event
from timer_core.domain.issues import Issue, Repository
from timer_core.domain.moves import Move
from timer_core.store.issue_details import to_stored_details
from timer_core.store.issue_history import OVERLAP_S, IssueHistory, IssuePage, RepositoryPage
from timer_core.store.items import (
    EMPTY_SLOT_DAYS,
    EVENT_DAYS,
    EventItem,
    MoveItem,
    RepositoryItem,
    SlotItem,
    expiry,
    raw,
)
from timer_core.store.keys import (
    DETAILS_SK,
    EVENTS,
    MOVES_TO,
    NAMED_SLOTS,
    REPOSITORY_SK,
    event_sk,
    issue_number_of,
    issue_pk,
    kind_of,
    move_from_sk,
    move_to_sk,
    name_of,
    named_slot_of,
    named_slots,
    repo_pk,
    repository_event_sk,
)
from timer_core.store.repositories import Repositories, repository_key, to_repository_name
from timer_core.store.slots import to_slot
from timer_core.store.table import ConditionFailed, Key, RawItem, Table, Write

# The maximum number of identities of an issue that are read.
_MOST_IDENTITIES = 50
# The kind of an entry of the log that only uses a number.
_NUMBER_USED = "number.used"


class EventLog:
    """Appends events and moves to the logs of issues, and reads the logs.

    Parameters
    ----------
    table
        The table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._repositories = Repositories(table)

    def append(self, event: Event, history: IssueHistory, *, now_ms: int) -> None:
        """Put an event into the log of an issue, and into the history that was read.

        Raises
        ------
        Conflict
            If an event was appended since the history was read. It has to be read again.
        """
        page = history.log
        self._use_number(page, event, now_ms)
        page.events.append(event)

    def use_numbers(self, history: IssueHistory, *, now_ms: int) -> None:
        """Use the next number of an issue's log, under each of its identities.

        A process that has read the log before cannot append an event until it has read everything again. So
        it reads what has changed besides the log, such as the history of a timer or a move.

        Raises
        ------
        Conflict
            If an event was appended since the history was read. It has to be read again.
        """
        for page in history.logs():
            self._use_number(page, Event(_NUMBER_USED, _NUMBER_USED, now_ms), now_ms)

    def append_of_repository(self, event: Event, repository: Repository, *, now_ms: int) -> int:
        """Put an event of a repository into the log, unless it is there.

        Returns
        -------
        int
            The time at which the event was logged first (milliseconds since the epoch, accurate to a second).
        """
        pk, until = repo_pk(str(repository.id)), expiry(now_ms, EVENT_DAYS)
        # First announce the event, so that nobody who reads the repository later overlooks it.
        announced, exists = [RepositoryItem.events_until.set(until)], RepositoryItem.full_name.exists()
        self._table.write(Write("Update", pk, REPOSITORY_SK, exists, announced))
        return self._put_once(_event_item(event, pk, repository_event_sk(event.delivery), now_ms), now_ms)

    def append_move(self, move: Move, *, now_ms: int) -> int:
        """Log the move of an issue under both identities and for its former repository, unless it is there.

        Returns
        -------
        int
            The time at which the move was logged first (milliseconds since the epoch, accurate to a second).
        """
        logged_ms = now_ms
        # Write the item under the former identity first, so that the move is readable before any slot is
        # moved.
        for pk, sk in (
            (issue_pk(move.origin), move_to_sk),
            (issue_pk(move.target), move_from_sk),
            (repo_pk(move.origin.repo_key), move_to_sk),
        ):
            item = MoveItem(
                pk=pk,
                sk=sk(move.delivery),
                origin=_issue_text(move.origin),
                target=_issue_text(move.target),
                at_ms=move.at_ms,
                expires_at=expiry(now_ms, EVENT_DAYS),
            )
            logged_ms = min(logged_ms, self._put_once(item, now_ms))
        return logged_ms

    def read(self, issue: Issue) -> IssueHistory:
        """Return everything that is stored under all identities of an issue.

        The names and events of its repositories are added by `add_repositories`.
        """
        pages: dict[str, IssuePage] = {}
        pending = [issue]
        while pending and len(pages) < _MOST_IDENTITIES:
            one = pending.pop()
            if one.key in pages:
                continue
            page = pages[one.key] = self._page(one) if one.repo_id else self._page_of_name(one)
            pending += [end for move in page.moves for end in (move.origin, move.target)]
        return IssueHistory(issue, pages)

    def add_repositories(self, history: IssueHistory, items: Mapping[Key, RawItem], *, now_ms: int) -> None:
        """Add the names and events of its repositories to the history of an issue.

        Parameters
        ----------
        items
            Items that were read, with those of all `repository_keys`.
        """
        for repository in history.repositories():
            item = items.get(repository_key(repository.id))
            if item is None:
                continue
            page = RepositoryPage(to_repository_name(item))
            if "events_until" in item and int(item["events_until"]["N"]) * 1000 >= now_ms:
                page.events = self._repository_events(repository)
            history.add_repository(repository.id, page)

    def _repository_events(self, repository: Repository) -> list[Event]:
        items = self._table.query_all(repo_pk(str(repository.id)), EventItem.sk.startswith(EVENTS))
        return [event for item in items for event in _known(item)]

    def numbers(self, repository: Repository, *, at_ms: int) -> list[int]:
        """Return the numbers of the issues whose timers an event of a repository may concern.

        These issues have slots with a timer that was open at the time of the event or later, or were
        transferred to other repositories. The index of slots is eventually consistent.
        """
        keys = self._table.query_all(str(repository.id), index="slots-by-repo")
        found = self._table.get_many((key["pk"]["S"], key["sk"]["S"]) for key in keys)
        slots = (item for item in found if _is_in_use(item, expiry(at_ms, EMPTY_SLOT_DAYS)))
        moves = self._table.query_all(repo_pk(str(repository.id)), MoveItem.sk.startswith(MOVES_TO))
        return sorted(
            {issue_number_of(item["pk"]["S"]) for item in slots}
            | {_to_move(item).origin.number for item in moves}
        )

    def named_issues(self, full_name: str) -> list[int]:
        """Return the numbers of the issues with slots under the name of a repository that are not empty."""
        slots = self._table.query_all(repo_pk(full_name.lower()), SlotItem.sk.startswith(NAMED_SLOTS))
        return sorted(
            {
                named_slot_of(item["sk"]["S"])[0]
                for item in slots
                if "ulids" in item or "locked_until_ms" in item
            }
        )

    def _use_number(self, page: IssuePage, event: Event, now_ms: int) -> None:
        """Put an event into a log under the next number."""
        now_s = now_ms // 1000
        unused = EventItem.pk.does_not_exist() | (EventItem.expires_at <= now_s + OVERLAP_S)
        items = [
            _event_item(event, issue_pk(page.issue), event_sk(number), now_ms)
            for number in page.next_numbers(now_s)
        ]
        writes = [Write("Put", item.pk, item.sk, unused, item=raw(item)) for item in items]
        if len(writes) == 1:
            self._table.write(writes[0])
        else:
            self._table.transact(writes)
        for item in items:
            page.numbers[int(name_of(item.sk))] = int(item.expires_at)

    def _put(self, item: EventItem | MoveItem) -> None:
        """Put an item that does not exist."""
        self._table.write(Write("Put", item.pk, item.sk, EventItem.pk.does_not_exist(), item=raw(item)))

    def _put_once(self, item: EventItem | MoveItem, now_ms: int) -> int:
        """Put an item unless it exists; return the time at which it was put (ms since the epoch)."""
        try:
            self._put(item)
        except ConditionFailed as failed:
            if failed.item:
                return (int(failed.item["expires_at"]["N"]) - EVENT_DAYS * 86_400) * 1000
        return now_ms

    def _page(self, issue: Issue) -> IssuePage:
        page = IssuePage(issue)
        for item in self._table.query_all(issue_pk(issue)):
            kind = kind_of(item["sk"]["S"])
            if kind == "event":
                page.numbers[int(name_of(item["sk"]["S"]))] = int(item["expires_at"]["N"])
                page.events += _known(item)
            elif kind == "user":
                slot = to_slot(item, issue)
                page.slots[slot.user_id] = slot
            elif kind == DETAILS_SK:
                page.details = to_stored_details(item)
            else:
                page.moves.append(_to_move(item))
        return page

    def _page_of_name(self, issue: Issue) -> IssuePage:
        """Return the slots of an issue under its repository's name, and the move to the repository's id."""
        page = IssuePage(issue)
        condition = SlotItem.sk.startswith(named_slots(issue.number))
        for item in self._table.query_all(repo_pk(issue.repo_key), condition):
            slot = to_slot(item, issue)
            page.slots[slot.user_id] = slot
        identified = self._repositories.identify(issue)
        if identified.repo_id:
            page.moves.append(Move(identified.repo_key, issue, identified, 0))
        return page


def _is_in_use(slot: RawItem, since_s: int) -> bool:
    """Whether a slot has an open timer, or had one at the time after which it expires at ``since_s``."""
    return "open_ulid" in slot or ("expires_at" in slot and int(slot["expires_at"]["N"]) >= since_s)


def _known(item: RawItem) -> list[Event]:
    """Return the event of an item, or nothing if this version does not know its kind.

    If a later version was rolled back, the log may contain events of other kinds. They stay in the log.
    """
    return [_to_event(item)] if item["kind"]["S"] in EFFECTS else []


def _event_item(event: Event, pk: str, sk: str, now_ms: int) -> EventItem:
    return EventItem(
        pk=pk,
        sk=sk,
        delivery=event.delivery,
        kind=event.kind,
        at_ms=event.at_ms,
        users=None if event.users is None else {str(user) for user in event.users},
        title=event.title or None,
        received_ms=event.received_ms,
        backfilled=event.backfilled or None,
        order=event.order,
        except_users={str(user) for user in event.except_users} or None,
        card=event.card or None,
        actor=event.actor or None,
        expires_at=expiry(now_ms, EVENT_DAYS),
    )


def _to_event(item: RawItem) -> Event:
    """Convert an item to an event. PynamoDB would take several times as long."""
    excluded = item["except_users"]["SS"] if "except_users" in item else ()
    return Event(
        delivery=item["delivery"]["S"],
        kind=item["kind"]["S"],
        at_ms=int(item["at_ms"]["N"]),
        users=frozenset(map(int, item["users"]["SS"])) if "users" in item else None,
        title=item["title"]["S"] if "title" in item else "",
        received_ms=int(item["received_ms"]["N"]) if "received_ms" in item else 0,
        backfilled="backfilled" in item,
        order=int(item["order"]["N"]) if "order" in item else None,
        except_users=frozenset(map(int, excluded)),
        card=item["card"]["S"] if "card" in item else "",
        actor=int(item["actor"]["N"]) if "actor" in item else 0,
    )


def _to_move(item: RawItem) -> Move:
    row = MoveItem.from_raw_data(item)
    return Move(name_of(row.sk), _issue_of_text(row.origin), _issue_of_text(row.target), int(row.at_ms))


def _issue_text(issue: Issue) -> str:
    return f"{issue.repo_id} {issue.full_name} {issue.number}"


def _issue_of_text(text: str) -> Issue:
    repo_id, full_name, number = text.split()
    return Issue.of(full_name, int(number), repo_id=int(repo_id))
