"""The names of repositories, by which people and GitHub's API call them.

GitHub identifies a repository by its id; its name can change, and another repository can get the former name
(docs/decisions/0006-identity-of-issues.md). Each delivery is an observation: a repository had a name at a
time. Of two observations, the later one is stored, so that the order of their arrival does not matter. These
times, ``named_at``, have the unit of `timer_core.domain.events.guid_time`: 100 ns.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action as UpdateAction

from timer_core.domain.issues import Issue, Repository
from timer_core.domain.timers import Timer
from timer_core.store.items import EVENT_DAYS, NAME_DAYS, NameItem, OwnerRenamedItem, RepositoryItem, expiry
from timer_core.store.keys import NAMES, RENAMED_SK, REPOSITORY_SK, name_of, name_sk, owner_pk, repo_pk
from timer_core.store.table import ConditionFailed, Key, RawItem, Table, Write

_Observed: TypeAlias = NameItem | OwnerRenamedItem | RepositoryItem
# A name is stored again when it was last stored this long ago (an hour). So within this time, deliveries of a
# repository that keeps its name cause no writes.
_CONFIRMED = 3_600 * 10_000_000
# The `NameItem` exists for at least this time after it was stored: half of the time until it expires.
_NAME_EXISTS = NAME_DAYS // 2 * 86_400 * 10_000_000
# Requests show a name that was read at most this long ago.
_CACHE_MS = 60_000


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """The present name of a repository, read from a `RepositoryItem`."""

    full_name: str
    named_at: int
    observed_at: int
    joined: frozenset[str] = frozenset()

    def has_joined(self, full_name: str, named_at: int) -> bool:
        """Whether an observation confirms the stored name, and no slots can be under the name.

        There are none as long as the `NameItem` exists, which was stored with this name.
        """
        is_same = full_name == self.full_name and full_name.lower() in self.joined
        return is_same and named_at < self.named_at + _NAME_EXISTS

    def includes(self, full_name: str, named_at: int) -> bool:
        """Whether an observation changes nothing that is stored, and the slots under the name have joined."""
        if full_name.lower() not in self.joined:
            return False
        return named_at <= self.named_at or (
            full_name == self.full_name and named_at < self.named_at + _CONFIRMED
        )


def to_repository_name(item: RawItem) -> RepositoryName:
    """Convert an item to a repository's name."""
    row = RepositoryItem.from_raw_data(item)
    return RepositoryName(row.full_name, int(row.named_at), int(row.observed_at), frozenset(row.joined or ()))


def repository_key(repo_id: int) -> Key:
    """Return the keys of a `RepositoryItem`."""
    return repo_pk(str(repo_id)), REPOSITORY_SK


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
        return issue if issue.repo_id else _identified(issue, self._table.get(*_name_key(issue)))

    def name(self, repo_id: int) -> RepositoryName | None:
        """Return the present name of a repository; None if it is unknown."""
        item = self._table.get(*repository_key(repo_id))
        return None if item is None else to_repository_name(item)

    def names(self, repo_ids: Iterable[int]) -> dict[int, str]:
        """Return the present full names of repositories; unknown repositories are not included."""
        keys = (repository_key(repo_id) for repo_id in sorted(set(repo_ids)))
        return {int(name_of(item["pk"]["S"])): item["full_name"]["S"] for item in self._table.get_many(keys)}

    def record(
        self, repository: Repository, named_at: int, *, now_ms: int, observed_at: int | None = None
    ) -> list[Repository]:
        """Store an observation: a repository had its name at a time. A repeated call has no effect.

        If the owner was renamed later, the name with the new login is an observation too. Of two that differ
        in the other part of the name, the one counts in which this part was observed later.

        Parameters
        ----------
        observed_at
            The time at which the part of the name after the owner was observed; by default ``named_at``.

        Returns
        -------
        list[Repository]
            The repository under each observed name.

        Raises
        ------
        ValueError
            If the id of the repository is 0, which means that it is unknown.
        """
        if not repository.id:
            raise ValueError(f"The id of a repository is missing: {repository.full_name}")
        observed = []
        part_at = named_at if observed_at is None else observed_at
        while True:
            observed.append(repository)
            self._store_name(repository, named_at, part_at, now_ms)
            renamed = self._table.get(owner_pk(repository.owner), RENAMED_SK)
            if renamed is None or int(renamed["named_at"]["N"]) <= named_at:
                return observed
            named_at = int(renamed["named_at"]["N"])
            repository = Repository(repository.id, f"{renamed['login']['S']}/{repository.name}")

    def note_joined(self, repository: Repository) -> None:
        """Store that the slots under a name of a repository were joined with those under its id."""
        joined = RepositoryItem.joined.add({repository.full_name.lower()})
        exists = RepositoryItem.full_name.exists()
        with contextlib.suppress(ConditionFailed):
            self._table.write(Write("Update", repo_pk(str(repository.id)), REPOSITORY_SK, exists, [joined]))

    def rename_owner(
        self, origin: str, target: str, named_at: int, *, now_ms: int
    ) -> list[tuple[Repository, int]]:
        """Store the new login of an owner.

        Returns
        -------
        list[tuple[Repository, int]]
            The known repositories of the owner under their new names, each with the time at which the other
            part of the name was observed (see `record`).
        """
        login, expires_at = OwnerRenamedItem.login.set(target), expiry(now_ms, EVENT_DAYS)
        self._store_latest(OwnerRenamedItem, owner_pk(origin), RENAMED_SK, [login], named_at, expires_at)
        known = self._table.query_all(owner_pk(origin), NameItem.sk.startswith(NAMES))
        keys = sorted({repository_key(int(item["repo_id"]["N"])) for item in known})
        repositories = (
            (Repository(int(name_of(item["pk"]["S"])), name.full_name), name.observed_at)
            for item in self._table.get_many(keys)
            if (name := to_repository_name(item))
        )
        return [
            (Repository(repository.id, f"{target}/{repository.name}"), observed_at)
            for repository, observed_at in repositories
            # Another owner may have got a repository in the meantime. If an earlier attempt was interrupted,
            # some repositories already have the new name.
            if repository.owner.lower() in {origin.lower(), target.lower()}
        ]

    def _store_name(self, repository: Repository, named_at: int, observed_at: int, now_ms: int) -> None:
        # Store the present name last. If this process is interrupted before, the observation is still not
        # included in what is stored, and the next attempt repeats both writes.
        expires_at = expiry(now_ms, NAME_DAYS)
        owner, repo = owner_pk(repository.owner), name_sk(repository.name)
        repo_id = NameItem.repo_id.set(repository.id)
        self._store_latest(NameItem, owner, repo, [repo_id], named_at, expires_at)
        by_id = repo_pk(str(repository.id))
        name = [
            RepositoryItem.full_name.set(repository.full_name),
            RepositoryItem.observed_at.set(observed_at),
        ]
        is_later = (RepositoryItem.named_at == named_at) & (RepositoryItem.observed_at < observed_at)
        self._store_latest(RepositoryItem, by_id, REPOSITORY_SK, name, named_at, expires_at, is_later)

    def _store_latest(
        self,
        item: type[_Observed],
        pk: str,
        sk: str,
        values: Sequence[UpdateAction],
        named_at: int,
        expires_at: int,
        is_later: Condition | None = None,
    ) -> None:
        """Store observed values, unless a later observation is stored.

        Parameters
        ----------
        is_later
            The condition that these values are also later than those of the same time.
        """
        earlier = item.named_at.does_not_exist() | (item.named_at < named_at)
        if is_later is not None:
            earlier |= is_later
        actions = [*values, item.named_at.set(named_at), item.expires_at.set(expires_at)]
        with contextlib.suppress(ConditionFailed):
            self._table.write(Write("Update", pk, sk, earlier, actions))


class PresentNames:
    """Replaces the names of repositories in timers by the present names.

    Names are cached, so that a request seldom reads them.

    Parameters
    ----------
    table
        The table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._cache: dict[tuple[str, str], RawItem | None] = {}
        self._expires_ms = 0

    def of(self, timers: Sequence[Timer], *, now_ms: int) -> list[Timer]:
        """Return timers with the ids and the present names of their repositories."""
        present = iter(self.issues([timer.issue for timer in timers if timer.issue], now_ms=now_ms))
        return [_renamed(timer, next(present)) if timer.issue else timer for timer in timers]

    def issues(self, issues: Sequence[Issue], *, now_ms: int) -> list[Issue]:
        """Return issues with the ids and the present names of their repositories."""
        self._read((_name_key(issue) for issue in issues if not issue.repo_id), now_ms)
        identified = [self._identify(issue) for issue in issues]
        self._read((_repository_key(issue) for issue in identified if issue.repo_id), now_ms)
        return [self._named(issue) for issue in identified]

    def keys(self, full_name: str, *, now_ms: int) -> frozenset[str]:
        """Return the keys by which timers refer to the repository with a name, see `Issue.repo_key`.

        Timers that were added before the id was known have a name as the key, which may be a former name.
        """
        owner, _, repo = full_name.partition("/")
        issue = Issue(owner, repo, 0)
        key = _name_key(issue)
        if self._cache.get(key) is None:
            # The repository's first delivery may have come since, and its timers have the id as the key.
            self._cache.pop(key, None)
        self._read([key], now_ms)
        identified = self._identify(issue)
        if not identified.repo_id:
            return frozenset({issue.repo_key})
        self._read([_repository_key(identified)], now_ms)
        item = self._cache[_repository_key(identified)]
        joined = to_repository_name(item).joined if item else frozenset()
        names = [issue.in_repository(name) for name in sorted({issue.repo_key, *joined})]
        self._read(map(_name_key, names), now_ms)
        own = (name for name in names if self._identify(name).repo_id == identified.repo_id)
        return frozenset({identified.repo_key, *(name.repo_key for name in own)})

    def _identify(self, issue: Issue) -> Issue:
        return issue if issue.repo_id else _identified(issue, self._cache.get(_name_key(issue)))

    def _named(self, issue: Issue) -> Issue:
        item = self._cache.get(_repository_key(issue)) if issue.repo_id else None
        return issue if item is None else issue.in_repository(item["full_name"]["S"])

    def _read(self, keys: Iterable[tuple[str, str]], now_ms: int) -> None:
        if now_ms >= self._expires_ms:
            self._cache.clear()
            self._expires_ms = now_ms + _CACHE_MS
        missing = sorted(set(keys) - self._cache.keys())
        if not missing:
            return
        found = {(item["pk"]["S"], item["sk"]["S"]): item for item in self._table.get_many(missing)}
        self._cache |= {key: found.get(key) for key in missing}


def _renamed(timer: Timer, issue: Issue) -> Timer:
    """Return a timer with the present name of its issue."""
    if timer.issue is None or issue == timer.issue:
        return timer
    # An organization that was not set manually is the owner of the repository.
    is_owner = timer.organization == timer.issue.owner
    return replace(timer, issue=issue, organization=issue.owner if is_owner else timer.organization)


def _identified(issue: Issue, item: RawItem | None) -> Issue:
    return issue if item is None else replace(issue, repo_id=int(item["repo_id"]["N"]))


def _repository_key(issue: Issue) -> tuple[str, str]:
    return repo_pk(issue.repo_key), REPOSITORY_SK


def _name_key(issue: Issue) -> tuple[str, str]:
    return owner_pk(issue.owner), name_sk(issue.repo)
