"""The details of issues, one item an issue.

They are kept for issues on which somebody is or was timed. The item is under the partition key of the issue,
so that it comes with the read of the issue's log and slots.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence

from pynamodb.expressions.update import Action

from timer_core.domain.issue_details import IssueDetails, Register, Registers, details_of, merged
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer
from timer_core.store.issue_history import IssueHistory, IssuePage, StoredDetails
from timer_core.store.items import EVENT_DAYS, IssueDetailsItem, as_read, compact, expiry
from timer_core.store.keys import DETAILS_SK, issue_pk
from timer_core.store.repositories import PresentNames
from timer_core.store.table import ConditionFailed, RawItem, Table, Write, retry_on_conflict

# Requests show details that were read at most this long ago.
_CACHE_MS = 60_000
_BUSY = "The details of an issue kept changing."


def to_stored_details(item: RawItem) -> StoredDetails:
    """Convert an item to the registers of an issue."""
    found = json.loads(item["registers"]["S"])
    registers = {name: Register(*register) for name, register in found.items()}
    return StoredDetails(registers, int(item["version"]["N"]))


class IssueDetailsStore:
    """Reads and writes the details of issues.

    Parameters
    ----------
    table
        The table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, issues: Iterable[Issue]) -> dict[str, IssueDetails]:
        """Return the details of issues by `Issue.key`; issues without details are not included."""
        by_key = {(issue_pk(issue), DETAILS_SK): issue for issue in issues if issue.repo_id}
        return {
            by_key[key].key: details_of(by_key[key], to_stored_details(item).registers)
            for key, item in self._table.get_map(by_key).items()
        }

    def record(self, history: IssueHistory, seen: Registers, *, now_ms: int) -> bool:
        """Merge observations into the details of an issue, under its present identity.

        What is stored under former identities is moved there. A repeated call changes nothing.

        Returns
        -------
        bool
            Whether a write was necessary.

        Raises
        ------
        TooMuchContention
            If other processes kept changing the details; a retry is safe.
        """
        home = history.home
        former = [page for page in history.logs() if page.issue.key != home.key and page.details.registers]
        known = merged(seen, *(page.details.registers for page in former))
        has_changed = self._merge(home, history.log, known)
        for page in former:
            self._empty(page, now_ms)
        return has_changed

    def _merge(self, issue: Issue, page: IssuePage, known: Registers) -> bool:
        stored = page.details if page.issue.key == issue.key else None

        def attempt() -> bool:
            nonlocal stored
            if stored is None:
                item = self._table.get(issue_pk(issue), DETAILS_SK)
                stored = StoredDetails() if item is None else to_stored_details(item)
            registers = merged(stored.registers, known)
            if registers == stored.registers:
                return False
            condition = as_read(IssueDetailsItem.version, stored.version or None)
            actions = [
                IssueDetailsItem.registers.set(compact(registers)),
                IssueDetailsItem.version.set(stored.version + 1),
                *_counting(details_of(issue, registers).counts_for),
            ]
            # If another process has written meanwhile, the next attempt reads.
            stored = None
            self._table.write(Write("Update", issue_pk(issue), DETAILS_SK, condition, actions))
            return True

        return retry_on_conflict(attempt, _BUSY)

    def _empty(self, page: IssuePage, now_ms: int) -> None:
        """Remove the details under a former identity, unless another process has changed them since."""
        is_unchanged = as_read(IssueDetailsItem.version, page.details.version)
        actions = [
            IssueDetailsItem.registers.set(compact({})),
            IssueDetailsItem.version.set(page.details.version + 1),
            IssueDetailsItem.expires_at.set(expiry(now_ms, EVENT_DAYS)),
            *_counting(None),
        ]
        # If they have changed, they are moved when the move is applied again.
        with contextlib.suppress(ConditionFailed):
            self._table.write(Write("Update", issue_pk(page.issue), DETAILS_SK, is_unchanged, actions))


def _counting(issue: Issue | None) -> list[Action]:
    """Return what puts a pull request beside the timers of the issue for which it counts, in ``by-issue``."""
    if issue is None:
        return [IssueDetailsItem.repo_key.remove(), IssueDetailsItem.number.remove()]
    return [IssueDetailsItem.repo_key.set(issue.repo_key), IssueDetailsItem.number.set(issue.number)]


class ClosedIssues:
    """Finds the issues for which the time of pull requests counts, see `IssueDetails.counts_for`.

    What was read is cached, and only pull requests are read.

    Parameters
    ----------
    names
        The present names of repositories.
    """

    def __init__(self, details: IssueDetailsStore, names: PresentNames) -> None:
        self._details = details
        self._names = names
        # The issues by the keys of pull requests; None if the time of one counts for no other issue.
        self._cache: dict[str, Issue | None] = {}
        self._expires_ms = 0

    def of(self, timers: Sequence[Timer], *, now_ms: int) -> Mapping[str, Issue]:
        """Map the keys of pull requests to the issues for which their time counts.

        Parameters
        ----------
        timers
            Timers with the ids of their repositories.
        """
        pulls = {timer.issue.key: timer.issue for timer in timers if timer.issue and timer.issue.is_pull}
        self._read(pulls, now_ms)
        found = {key: issue for key in pulls if (issue := self._cache[key]) is not None}
        return dict(zip(found, self._names.issues([*found.values()], now_ms=now_ms), strict=True))

    def _read(self, pulls: Mapping[str, Issue], now_ms: int) -> None:
        if now_ms >= self._expires_ms:
            self._cache.clear()
            self._expires_ms = now_ms + _CACHE_MS
        missing = [pull for key, pull in sorted(pulls.items()) if key not in self._cache]
        if missing:
            found = self._details.read(missing)
            for pull in missing:
                self._cache[pull.key] = found[pull.key].counts_for if pull.key in found else None
