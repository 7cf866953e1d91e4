"""The names of repositories, by which people and GitHub's API call them.

GitHub identifies a repository by its id; its name can change, and another repository can get the former name
(docs/decisions/0006-identity-of-issues.md). Each delivery shows that a repository had a name at a time. Of
two such observations, the later one is stored, so that the order of their arrival does not matter. These
times, ``named_at``, have the unit of `timer_core.domain.events.guid_time`: 100 ns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer
from timer_core.store.items import NameItem, OwnerRenamedItem, RepositoryItem
from timer_core.store.keys import (
    NAMES,
    RENAMED_SK,
    REPOSITORY_SK,
    name_of,
    name_sk,
    owner_pk,
    repo_pk,
)
from timer_core.store.table import ConditionFailed, RawItem, Table, Write

# A name is stored again when it was last stored this long ago (an hour). So within this time, deliveries of a
# repository that keeps its name cause no writes.
_CONFIRMED = 3_600 * 10_000_000
# Requests show a name that was read at most this long ago.
_CACHE_MS = 60_000
# The maximum number of keys in a BatchGetItem (AWS, "DynamoDB quotas").
_BATCH = 100


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """The present name of a repository, read from a `RepositoryItem`."""

    full_name: str
    named_at: int
    joined: frozenset[str] = frozenset()

    def includes(self, full_name: str, named_at: int) -> bool:
        """Whether an observation of a name need not be stored, and its slots have been joined."""
        if full_name.lower() not in self.joined:
            return False
        return named_at <= self.named_at or (
            full_name == self.full_name and named_at < self.named_at + _CONFIRMED
        )


def to_repository_name(item: RawItem) -> RepositoryName:
    """Convert an item to a repository's name."""
    row = RepositoryItem.from_raw_data(item)
    return RepositoryName(row.full_name, int(row.named_at), frozenset(row.joined or ()))


class Repositories:
    """Reads and stores the names of repositories.

    Parameters
    ----------
    table
        The table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def identify(self, issue: Issue) -> Issue:
        """Return an issue with the id of its repository, if the id is known."""
        if issue.repo_id:
            return issue
        item = self._table.get(*_name_key(issue))
        return issue if item is None else replace(issue, repo_id=int(item["repo_id"]["N"]))

    def names(self, repo_ids: Iterable[int]) -> dict[int, str]:
        """Return the present full names of repositories; unknown repositories are not included."""
        ids = sorted(set(repo_ids))
        found: dict[int, str] = {}
        for first in range(0, len(ids), _BATCH):
            keys = [(repo_pk(str(repo_id)), REPOSITORY_SK) for repo_id in ids[first : first + _BATCH]]
            for item in self._table.get_many(keys):
                found[int(name_of(item["pk"]["S"]))] = item["full_name"]["S"]
        return found

    def record(self, issue: Issue, named_at: int) -> None:
        """Store that an issue's repository had its name at a time.

        A repeated call has no effect. If the owner was renamed later, the new name is stored as well.
        """
        full_name = issue.full_name
        while True:
            owner, _, repo = full_name.partition("/")
            self._keep_latest(
                Write(
                    "Update",
                    repo_pk(str(issue.repo_id)),
                    REPOSITORY_SK,
                    RepositoryItem.named_at.does_not_exist() | (RepositoryItem.named_at < named_at),
                    [RepositoryItem.full_name.set(full_name), RepositoryItem.named_at.set(named_at)],
                )
            )
            self._keep_latest(
                Write(
                    "Update",
                    owner_pk(owner),
                    name_sk(repo),
                    NameItem.named_at.does_not_exist() | (NameItem.named_at < named_at),
                    [NameItem.repo_id.set(issue.repo_id), NameItem.named_at.set(named_at)],
                )
            )
            renamed = self._table.get(owner_pk(owner), RENAMED_SK)
            if renamed is None or int(renamed["named_at"]["N"]) <= named_at:
                return
            full_name, named_at = f"{renamed['login']['S']}/{repo}", int(renamed["named_at"]["N"])

    def note_joined(self, issue: Issue) -> None:
        """Store that the slots under a name of a repository were joined with those under its id."""
        joined = RepositoryItem.joined.add({issue.full_name.lower()})
        self._table.write(Write("Update", repo_pk(issue.repo_key), REPOSITORY_SK, actions=[joined]))

    def rename_owner(self, origin: str, target: str, named_at: int) -> list[Issue]:
        """Store the new login of an owner.

        Returns
        -------
        list[Issue]
            An issue with the number 0 for each repository of the owner, under the repository's new name.
        """
        self._keep_latest(
            Write(
                "Update",
                owner_pk(origin),
                RENAMED_SK,
                OwnerRenamedItem.named_at.does_not_exist() | (OwnerRenamedItem.named_at < named_at),
                [OwnerRenamedItem.login.set(target), OwnerRenamedItem.named_at.set(named_at)],
            )
        )
        known = self._table.query_all(owner_pk(origin), NameItem.sk.startswith(NAMES))
        names = self.names(int(item["repo_id"]["N"]) for item in known)
        issues = (Issue("", "", 0, repo_id=repo_id).in_repository(name) for repo_id, name in names.items())
        # Another owner may have got a repository in the meantime.
        return [replace(issue, owner=target) for issue in issues if issue.owner.lower() == origin.lower()]

    def _keep_latest(self, write: Write) -> None:
        try:
            self._table.write(write)
        except ConditionFailed:
            # A later observation is stored.
            return


class PresentNames:
    """Replaces the names of repositories in timers by the present names.

    Names are cached, so that a request seldom reads them.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._cache: dict[tuple[str, str], RawItem | None] = {}
        self._expires_ms = 0

    def of(self, timers: Sequence[Timer], *, now_ms: int) -> list[Timer]:
        """Return timers with the ids and the present names of their repositories."""
        issues = [timer.issue for timer in timers if timer.issue is not None]
        self._read((_name_key(issue) for issue in issues if not issue.repo_id), now_ms)
        identified = [self._identify(issue) for issue in issues]
        self._read((_repository_key(issue) for issue in identified if issue.repo_id), now_ms)
        return [self._named(timer) for timer in timers]

    def identify(self, issue: Issue, *, now_ms: int) -> Issue:
        """Return an issue with the id of its repository, if the id is known."""
        self._read([_name_key(issue)], now_ms)
        return self._identify(issue)

    def _identify(self, issue: Issue) -> Issue:
        item = None if issue.repo_id else self._cache.get(_name_key(issue))
        return issue if item is None else replace(issue, repo_id=int(item["repo_id"]["N"]))

    def _named(self, timer: Timer) -> Timer:
        if timer.issue is None:
            return timer
        issue = self._identify(timer.issue)
        item = self._cache.get(_repository_key(issue)) if issue.repo_id else None
        if item is not None:
            issue = issue.in_repository(item["full_name"]["S"])
        if issue == timer.issue:
            return timer
        # An organization that was not set manually is the owner of the repository.
        is_owner = timer.organization == timer.issue.owner
        return replace(timer, issue=issue, organization=issue.owner if is_owner else timer.organization)

    def _read(self, keys: Iterable[tuple[str, str]], now_ms: int) -> None:
        if now_ms >= self._expires_ms:
            self._cache.clear()
            self._expires_ms = now_ms + _CACHE_MS
        missing = sorted(set(keys) - self._cache.keys())
        for first in range(0, len(missing), _BATCH):
            batch = missing[first : first + _BATCH]
            found = {(item["pk"]["S"], item["sk"]["S"]): item for item in self._table.get_many(batch)}
            self._cache |= {key: found.get(key) for key in batch}


def _repository_key(issue: Issue) -> tuple[str, str]:
    return repo_pk(issue.repo_key), REPOSITORY_SK


def _name_key(issue: Issue) -> tuple[str, str]:
    return owner_pk(issue.owner), name_sk(issue.repo)
