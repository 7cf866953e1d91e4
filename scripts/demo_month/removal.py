"""The removal of everything that the demo recorded, and of nothing else."""

from collections.abc import Iterable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import groupby
from typing import NamedTuple

from pynamodb.expressions.operand import Path

from demo_github.team import ISSUES, REPOSITORIES, Issue, Person, Repository
from demo_month.marks import is_marked
from demo_month.plan import REASONS
from demo_month.records import product_issue, week_of
from timer_core.domain.errors import DayConfirmed
from timer_core.domain.ids import ulid_ms
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.store.calendars import Calendars
from timer_core.store.confirmed_days import to_confirmed_day
from timer_core.store.items import ProfileItem, SlotItem
from timer_core.store.keys import (
    DETAILS_SK,
    PEOPLE_PK,
    PROFILE_SK,
    REPOSITORY_SK,
    day_of,
    issue_pk,
    kind_of,
    name_of,
    name_sk,
    owner_pk,
    repo_pk,
    user_id_of,
    user_pk,
)
from timer_core.store.queries import TimerQueries
from timer_core.store.slots import to_slot, update_slot
from timer_core.store.table import RawItem, Table, Write
from timer_core.store.timesheets import Timesheets

_THREADS = 4
# A transaction has at most 100 writes (AWS, "DynamoDB quotas").
_MOST_WRITES = 100
# The attribute of a person's profile with the time of the last recording.
_RECORDED = "demo_recorded_ms"


@dataclass(frozen=True, slots=True)
class Removed:
    """The effect of a removal.

    Attributes
    ----------
    timers
        The number of timers that were deleted.
    in_use
        The issues that still have events or timers, which are not the demo's.
    """

    timers: int
    in_use: Set[Issue]


class _Recorded(NamedTuple):
    """A person's items by their sort keys, and the ULIDs of the timers that the demo recorded."""

    items: Mapping[str, RawItem]
    ulids: Set[str]


def note_recording(table: Table, people: Iterable[Person], *, now_ms: int) -> None:
    """Note that a recording begins, so that tombstones of its timers can be told from later ones."""
    for person in people:
        noted = Path(_RECORDED).set(now_ms)
        table.write(Write("Update", user_pk(person.id), PROFILE_SK, actions=[noted]))


class Removal:
    """Deletes the demo's items."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._calendars = Calendars(table)
        self._timesheets = Timesheets(table, TimerQueries(table), self._calendars)

    def remove(self, people: Iterable[Person], *, now_ms: int) -> Removed:
        """Delete what the demo recorded of people.

        People who have signed in, or who have a token or timers of their own, keep them and stay registered.
        """
        found = {person: self._recorded(person) for person in people}
        ulids = {person.id: recorded.ulids for person, recorded in found.items()}
        with ThreadPoolExecutor(_THREADS) as pool:
            # The timers are deleted last: after a removal that was interrupted, they tell the next one which
            # slots are the demo's.
            used = list(pool.map(lambda issue: self._remove_issue(issue, ulids), ISSUES))
            removed = [
                pool.submit(self._remove_person, person, recorded, now_ms=now_ms)
                for person, recorded in found.items()
            ]
            for each in removed:
                each.result()
        for repository in REPOSITORIES:
            self._remove_name(repository)
        in_use = {issue for issue, is_used in zip(ISSUES, used, strict=True) if is_used}
        return Removed(sum(map(len, ulids.values())), in_use)

    def _recorded(self, person: Person) -> _Recorded:
        items = {item["sk"]["S"]: item for item in self._table.query_all(user_pk(person.id))}
        profile = items.get(PROFILE_SK, {})
        recorded_ms = int(profile[_RECORDED]["N"]) if _RECORDED in profile else 0
        ulids = {
            name_of(sk)
            for sk, item in items.items()
            if kind_of(sk) == "timer" and _is_ours(sk, item, recorded_ms)
        }
        return _Recorded(items, ulids)

    def _remove_person(self, person: Person, recorded: _Recorded, *, now_ms: int) -> None:
        """Delete a person's items, as far as the demo recorded them."""
        pk = user_pk(person.id)
        items, ours = recorded
        timers = {sk: item for sk, item in items.items() if kind_of(sk) == "timer"}
        others = timers.keys() - {f"timer#{ulid}" for ulid in ours}
        if not others and "avatar_url" not in items.get(PROFILE_SK, {}) and _has_no_token(items):
            # Nobody has used the account.
            self._delete([*items.values(), _keys(PEOPLE_PK, pk)])
            return
        for day in _confirmed_days(items, ours):
            self._timesheets.reopen(person.id, day, lambda _: None, now_ms=now_ms)
        self._remove_choices(person, now_ms=now_ms)
        self._remove_audit_entries(pk, items)
        self._delete(item for sk, item in timers.items() if name_of(sk) in ours)
        # Without a request to delete the account, events from before it count again in the next recording.
        forgotten = [ProfileItem.events_ignored_until_ms.remove(), Path(_RECORDED).remove()]
        self._table.write(Write("Update", pk, PROFILE_SK, actions=forgotten))
        self._timesheets.rebuild(person.id, now_ms=now_ms)

    def _remove_audit_entries(self, pk: str, before: Mapping[str, RawItem]) -> None:
        """Delete the entries about changes by the demo, and about those that the removal has just made."""
        entries = [item for item in self._table.query_all(pk) if kind_of(item["sk"]["S"]) == "audit"]
        self._delete(item for item in entries if is_marked(item) or item["sk"]["S"] not in before)

    def _remove_choices(self, person: Person, *, now_ms: int) -> None:
        """Delete the working hours and days off that the demo chose, and reopen the days that they concern.

        The person may have confirmed days off, on which no timer of the demo counts.
        """
        while True:
            try:
                self._calendars.change(person.id, partial(_without_choices, person), now_ms=now_ms)
            except DayConfirmed as refusal:
                self._timesheets.reopen(person.id, refusal.date, lambda _: None, now_ms=now_ms)
            else:
                return

    def _remove_issue(self, issue: Issue, ulids: Mapping[int, Set[str]]) -> bool:
        """Delete the events and timers of the demo from the log and slots of an issue.

        Returns
        -------
        bool
            Whether other ones are left.
        """
        items = list(self._table.query_all(issue_pk(product_issue(issue))))
        others = [item for item in items if not is_marked(item)]
        self._delete(item for item in items if is_marked(item))
        # The product writes the details of an issue because somebody has a timer there.
        details = [item for item in others if item["sk"]["S"] == DETAILS_SK]
        is_used = False
        for item in others:
            if item in details:
                continue
            if kind_of(item["sk"]["S"]) != "user":
                is_used = True
                continue
            slot = to_slot(item, product_issue(issue))
            ours = slot.ulids & ulids.get(user_id_of(item["sk"]["S"]), frozenset())
            if ours == slot.ulids:
                self._delete([item])
                continue
            is_used = True
            if ours:
                closed = [SlotItem.open_ulid.remove()] if slot.open_ulid in ours else []
                self._table.write(update_slot(slot, [SlotItem.ulids.delete(ours), *closed]))
        if not is_used:
            self._delete(details)
        return is_used

    def _remove_name(self, repository: Repository) -> None:
        """Delete the name of a repository on whose issues nobody has a timer."""
        if not any(self._table.query_all(str(repository.id), index="slots-by-repo")):
            issue = product_issue(next(issue for issue in ISSUES if issue.repository == repository))
            by_id = _keys(repo_pk(issue.repo_key), REPOSITORY_SK)
            self._delete([by_id, _keys(owner_pk(issue.owner), name_sk(issue.repo))])

    def _delete(self, items: Iterable[RawItem]) -> None:
        writes = [Write("Delete", item["pk"]["S"], item["sk"]["S"]) for item in items]
        for first in range(0, len(writes), _MOST_WRITES):
            self._table.transact(writes[first : first + _MOST_WRITES])


def _has_no_token(items: Iterable[str]) -> bool:
    return all(kind_of(sk) != "token" for sk in items)


def _is_ours(sk: str, item: RawItem, recorded_ms: int) -> bool:
    """Whether the demo recorded a timer, which may have been deleted since."""
    return is_marked(item) or ("deleted_ms" in item and ulid_ms(name_of(sk)) <= recorded_ms)


def _confirmed_days(items: Mapping[str, RawItem], ours: Set[str]) -> list[date]:
    """Return the confirmed days that the demo confirmed, or on which its timers counted."""
    parts = [item for sk, item in sorted(items.items()) if kind_of(sk) == "confirmed"]
    found = []
    for day, of_day in groupby(parts, key=lambda item: day_of(item["sk"]["S"])):
        whole = list(of_day)
        slices = to_confirmed_day(whole).slices
        if is_marked(whole[0]) or any(piece.timer in ours for piece in slices):
            found.append(date.fromisoformat(day))
    return found


def _without_choices(person: Person, own: OwnCalendar) -> OwnCalendar:
    """Return a calendar without the working hours and days off that the demo chose."""
    others = tuple(version for version in own.versions if version.week != week_of(person))
    if others != own.versions:
        own = replace(own, versions=others, chosen=bool(others))
    days_off = [day for day, exception in own.exceptions.items() if exception.reason in REASONS]
    return own.with_exceptions(dict.fromkeys(days_off))


def _keys(pk: str, sk: str) -> RawItem:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
