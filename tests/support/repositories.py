"""Ids of repositories for tests."""

from dataclasses import replace
from zlib import crc32

from timer_core.domain.issues import Issue


def repo_id(full_name: str) -> int:
    """Return an id that is derived from the name of a repository."""
    return crc32(full_name.lower().encode()) + 1


def identified(issue: Issue) -> Issue:
    """Return an issue with an id of its repository, see `repo_id`."""
    return issue if issue.repo_id else replace(issue, repo_id=repo_id(issue.full_name))


def repo_keys(issue: Issue) -> frozenset[str]:
    """Return the keys by which timers refer to the repository of an issue, before and after `identified`."""
    return frozenset({issue.full_name.lower(), identified(issue).repo_key})
