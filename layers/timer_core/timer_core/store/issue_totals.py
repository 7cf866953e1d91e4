"""The working time of an issue: that of everybody's timers on it, and on the pull requests that count for it.

Nothing is stored: the total is the sum of the figures that each person sees.
"""

from collections import defaultdict
from collections.abc import Iterable

from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer
from timer_core.store.items import TimerItem, is_tombstone, to_timer
from timer_core.store.keys import DETAILS_SK, issue_key_of
from timer_core.store.table import Key, Table
from timer_core.store.timesheets import Timesheets


class IssueTotals:
    """Reads the totals of issues.

    Parameters
    ----------
    timesheets
        The working time of people, in the same table.
    """

    def __init__(self, table: Table, timesheets: Timesheets) -> None:
        self._table = table
        self._timesheets = timesheets

    def by_person(self, issue: Issue, *, now_ms: int) -> dict[int, int]:
        """Return the working time of each person on an issue up to the present (milliseconds), by user id.

        The index that finds the timers is eventually consistent; their content is read consistently.

        Parameters
        ----------
        issue
            The issue under its present name. Timers that were added before the id of its repository was known
            have this name.
        """
        of_issue = [key for keys in self._keys(_identities(issue)) for key in keys]
        pulls = [issue_key_of(pk) for pk, sk in of_issue if sk == DETAILS_SK]
        of_pulls = [key for keys in self._keys(pulls) for key in keys]
        counted = {*_identities(issue), *pulls}
        timers: defaultdict[int, list[Timer]] = defaultdict(list)
        keys = dict.fromkeys(key for key in (*of_issue, *of_pulls) if key[1] != DETAILS_SK)
        for item in self._table.get_many(keys):
            # It may have been moved to another issue, or deleted, since the index was written.
            if not is_tombstone(item) and _identity(timer := to_timer(item)) in counted:
                timers[timer.user_id].append(timer)
        return {
            user_id: sum(self._timesheets.working_ms(user_id, own, now_ms=now_ms).values())
            for user_id, own in timers.items()
        }

    def _keys(self, identities: Iterable[tuple[str, int]]) -> Iterable[list[Key]]:
        """Yield the keys of what the index has of each issue."""
        for repo_key, number in identities:
            items = self._table.query_all(repo_key, TimerItem.number == number, index="by-issue")
            yield [(item["pk"]["S"], item["sk"]["S"]) for item in items]


def _identities(issue: Issue) -> list[tuple[str, int]]:
    keys = dict.fromkeys((issue.repo_key, issue.full_name.lower()))
    return [(repo_key, issue.number) for repo_key in keys]


def _identity(timer: Timer) -> tuple[str, int] | None:
    return (timer.issue.repo_key, timer.issue.number) if timer.issue else None
