"""The log of an issue, which contains its events and moves.

Each event is stored once, under the identity that the issue had. Timers are derived from the log, never from
a delivery alone. So an interrupted derivation can be repeated, and the order of arrival does not matter
(see `timer_core.domain.replay`).
"""

from timer_core.domain.events import EFFECTS, Event
from timer_core.domain.issues import Issue, Repository
from timer_core.domain.moves import Move
from timer_core.store.issue_history import IssueHistory, IssuePage, RepositoryPage
from timer_core.store.items import EMPTY_SLOT_DAYS, EVENT_DAYS, EventItem, MoveItem, SlotItem, expiry, raw
from timer_core.store.keys import (
    MOVES_TO,
    NAMED_SLOTS,
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
)
from timer_core.store.repositories import Repositories, to_repository_name
from timer_core.store.slots import to_slot
from timer_core.store.table import ConditionFailed, RawItem, Table, Write

# The maximum number of identities of an issue that are read.
_MOST_IDENTITIES = 50


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

    def append(self, event: Event, issue: Issue, *, now_ms: int) -> tuple[Event, bool]:
        """Put an event of an issue into the log.

        Returns
        -------
        tuple[Event, bool]
            The logged event, and whether this call logged it. A repeated event is returned with the values of
            the first call.
        """
        return self._append(event, issue_pk(issue), now_ms)

    def append_of_repository(self, event: Event, repository: Repository, *, now_ms: int) -> None:
        """Put an event of a repository into the log."""
        self._append(event, repo_pk(str(repository.id)), now_ms)

    def append_move(self, move: Move, *, now_ms: int) -> None:
        """Log the move of an issue under both identities and for its former repository."""
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
            self._put_once(item)

    def read(self, issue: Issue) -> IssueHistory:
        """Return everything that is stored under all identities of an issue."""
        pages: dict[str, IssuePage] = {}
        repositories: dict[str, RepositoryPage] = {}
        pending = [issue]
        while pending and len(pages) < _MOST_IDENTITIES:
            one = pending.pop()
            if one.key in pages:
                continue
            page = pages[one.key] = self._page(one) if one.repo_id else self._page_of_name(one)
            pending += [end for move in page.moves for end in (move.origin, move.target)]
            if one.repo_id:
                if one.repo_key not in repositories:
                    repositories[one.repo_key] = self.repository_page(one.repository)
                page.repository = repositories[one.repo_key]
        return IssueHistory(issue, pages)

    def repository_page(self, repository: Repository) -> RepositoryPage:
        """Return the name and the events that are stored for a repository."""
        page = RepositoryPage()
        # The moves of the repository's issues come after the events and the name.
        for item in self._table.query_all(repo_pk(str(repository.id)), EventItem.sk < MOVES_TO):
            if kind_of(item["sk"]["S"]) == "event":
                page.events += _known(_to_event(item))
            else:
                page.name = to_repository_name(item)
        return page

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

    def _append(self, event: Event, pk: str, now_ms: int) -> tuple[Event, bool]:
        item = EventItem(
            pk=pk,
            sk=event_sk(event.delivery),
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
        logged = self._put_once(item)
        return (event, True) if logged is None else (_to_event(logged), False)

    def _put_once(self, item: EventItem | MoveItem) -> RawItem | None:
        """Put an item, or return the existing one."""
        absent = EventItem.pk.does_not_exist()
        try:
            self._table.write(Write("Put", item.pk, item.sk, absent, item=raw(item)))
        except ConditionFailed as failed:
            return failed.item
        return None

    def _page(self, issue: Issue) -> IssuePage:
        page = IssuePage(issue)
        for item in self._table.query_all(issue_pk(issue)):
            kind = kind_of(item["sk"]["S"])
            if kind == "event":
                page.events += _known(_to_event(item))
            elif kind == "user":
                slot = to_slot(item, issue)
                page.slots[slot.user_id] = slot
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


def _known(event: Event) -> list[Event]:
    """Return the event, or nothing if this version does not know its kind.

    If a later version was rolled back, the log may contain events of other kinds. They stay in the log.
    """
    return [event] if event.kind in EFFECTS else []


def _to_event(item: RawItem) -> Event:
    row = EventItem.from_raw_data(item)
    users = frozenset(int(user) for user in row.users) if row.users else None
    return Event(
        delivery=name_of(row.sk),
        kind=row.kind,
        at_ms=int(row.at_ms),
        users=users,
        title=row.title or "",
        received_ms=int(row.received_ms or 0),
        backfilled=bool(row.backfilled),
        order=None if row.order is None else int(row.order),
        except_users=frozenset(int(user) for user in row.except_users or ()),
        card=row.card or "",
        actor=int(row.actor or 0),
    )


def _to_move(item: RawItem) -> Move:
    row = MoveItem.from_raw_data(item)
    return Move(name_of(row.sk), _issue_of_text(row.origin), _issue_of_text(row.target), int(row.at_ms))


def _issue_text(issue: Issue) -> str:
    return f"{issue.repo_id} {issue.full_name} {issue.number}"


def _issue_of_text(text: str) -> Issue:
    repo_id, full_name, number = text.split()
    return Issue.of(full_name, int(number), repo_id=int(repo_id))
