"""Ids of repositories for tests."""

from dataclasses import replace
from zlib import crc32

from timer_core.domain.issues import Issue


def identified(issue: Issue) -> Issue:
    """Return an issue with an id of its repository that is derived from the repository's name."""
    return issue if issue.repo_id else replace(issue, repo_id=crc32(issue.full_name.lower().encode()) + 1)


def repo_keys(issue: Issue) -> frozenset[str]:
    """Return the keys by which timers refer to the repository of an issue, before and after `identified`."""
    return frozenset({issue.full_name.lower(), identified(issue).repo_key})
