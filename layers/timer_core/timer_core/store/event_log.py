"""The log of an issue, which contains its events and moves.

Each event is stored once, under the name that the issue had. Timers are derived from the log, never from a
delivery alone. So an interrupted derivation can be repeated, and the order of arrival does not matter
(see `timer_core.domain.replay`).
"""

from timer_core.domain.events import EFFECTS, Event
from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move
from timer_core.store.issue_history import IssueHistory, IssuePage
from timer_core.store.items import EVENT_DAYS, EventItem, MoveItem, expiry, raw
from timer_core.store.keys import event_sk, issue_pk, kind_of, move_from_sk, move_to_sk, name_of, repo_pk
from timer_core.store.slots import to_slot
from timer_core.store.table import ConditionFailed, RawItem, Table, Write

# The maximum number of names of an issue that are read.
_MOST_NAMES = 50


class EventLog:
    """Appends events and moves to the logs of issues, and reads the logs.

    Parameters
    ----------
    table
        The table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def append(self, event: Event, issue: Issue, *, now_ms: int) -> tuple[Event, bool]:
        """Put an event into the log.

        Returns
        -------
        tuple[Event, bool]
            The logged event, and whether this call logged it. A repeated event is returned with the values of
            the first call.
        """
        item = EventItem(
            pk=issue_pk(issue),
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
            expires_at=expiry(now_ms, EVENT_DAYS),
        )
        logged = self._put_once(item)
        return (event, True) if logged is None else (_to_event(logged), False)

    def append_issue_move(self, move: Move, *, now_ms: int) -> Move:
        """Put the move of an issue into the log under both names.

        Returns
        -------
        Move
            The logged move. A repeated move is returned with the values of the first call.
        """
        return self._append_move(move, issue_pk(move.origin), issue_pk(move.target), now_ms)

    def append_repository_move(self, move: Move, *, now_ms: int) -> Move:
        """Put the move of a repository into the log under both names; see `append_issue_move`."""
        origin, target = repo_pk(move.origin.full_name), repo_pk(move.target.full_name)
        return self._append_move(move, origin, target, now_ms)

    def read(self, issue: Issue) -> IssueHistory:
        """Return everything that is stored under all names of an issue."""
        pages: dict[str, IssuePage] = {}
        pending = [issue]
        while pending and len(pages) < _MOST_NAMES:
            name = pending.pop()
            if name.key not in pages:
                page = pages[name.key] = self._page(name)
                pending += [end for move in page.moves for end in (move.origin, move.target)]
        return IssueHistory(pages)

    def open_issues(self, full_name: str) -> list[int]:
        """Return the numbers of a repository's issues that have open timers."""
        open_items = self._table.query_all(full_name.lower(), index="open-by-repo")
        return sorted({int(item["number"]["N"]) for item in open_items})

    def _append_move(self, move: Move, origin_pk: str, target_pk: str, now_ms: int) -> Move:
        # Write the item under the old name first, so that the move is readable before any slot is marked as
        # moved.
        for pk, end_sk in ((origin_pk, move_to_sk), (target_pk, move_from_sk)):
            item = MoveItem(
                pk=pk,
                sk=end_sk(move.delivery),
                origin=_issue_text(move.origin),
                target=_issue_text(move.target),
                at_ms=move.at_ms,
                until_ms=move.until_ms,
                expires_at=expiry(now_ms, EVENT_DAYS),
            )
            logged = self._put_once(item)
            move = move if logged is None else _to_move(logged)
        return move

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
                event = _to_event(item)
                # If a later version was rolled back, the log may contain events of kinds unknown to this
                # version. They stay in the log.
                if event.kind in EFFECTS:
                    page.events.append(event)
            elif kind == "user":
                slot = to_slot(item, issue)
                page.slots[slot.user_id] = slot
            else:
                page.moves.append(_to_move(item))
        of_repository = self._table.query_all(repo_pk(issue.full_name))
        page.moves += [_to_move(item).of(issue.number) for item in of_repository]
        return page


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
    )


def _to_move(item: RawItem) -> Move:
    row = MoveItem.from_raw_data(item)
    origin, target = (_issue_of_text(text) for text in (row.origin, row.target))
    until_ms = None if row.until_ms is None else int(row.until_ms)
    return Move(name_of(row.sk), origin, target, int(row.at_ms), until_ms)


def _issue_text(issue: Issue) -> str:
    return f"{issue.full_name}#{issue.number}"


def _issue_of_text(text: str) -> Issue:
    full_name, _, number = text.rpartition("#")
    return Issue.of(full_name, int(number))
