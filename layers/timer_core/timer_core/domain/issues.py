"""GitHub issues: their names and addresses."""

import re
from dataclasses import dataclass, replace
from typing import Self

from timer_core.domain.addresses import OWNER, REPO, parse_issue
from timer_core.domain.errors import ErrorCode, InvalidInput

# GitHub's GraphQL API declares Issue.number as Int, which is signed and has 32 bits.
MAX_ISSUE_NUMBER = 2**31 - 1

_FULL_NAME = re.compile(rf"({OWNER})/({REPO})")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on GitHub under one of its names.

    The name changes when the repository is renamed or transferred, or its owner is renamed, and another
    repository can get the former name. The id never changes
    (docs/decisions/0006-identity-of-issues.md).
    """

    id: int
    full_name: str

    @classmethod
    def of(cls, repo_id: int, full_name: str) -> Self:
        """Return the repository with this id and name (``owner/name``).

        Raises
        ------
        InvalidInput
            If the name is invalid on GitHub.
        """
        return cls(repo_id, Issue.of(full_name, 1).full_name)

    @property
    def owner(self) -> str:
        """The login of the owner."""
        return self.full_name.partition("/")[0]

    @property
    def name(self) -> str:
        """The name without the owner."""
        return self.full_name.partition("/")[2]

    def issue(self, number: int) -> "Issue":
        """Return an issue of the repository."""
        return Issue(self.owner, self.name, number, repo_id=self.id)


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue of a repository on GitHub.

    Attributes
    ----------
    title
        The last known title; empty if unknown.
    repo_id
        The numeric id of the repository; 0 if only the repository's name is known.
    is_pull
        Whether it is known to be a pull request. GitHub numbers issues and pull requests together, so this is
        no part of its identity.
    """

    owner: str
    repo: str
    number: int
    title: str = ""
    repo_id: int = 0
    is_pull: bool = False

    @classmethod
    def of(cls, full_name: str, number: int, *, repo_id: int = 0, field: str = "github_repo") -> Self:
        """Return the issue with this number in a repository (``owner/name``).

        Raises
        ------
        InvalidInput
            If the name or the number is invalid on GitHub.
        """
        match = _FULL_NAME.fullmatch(full_name)
        if match is None:
            raise InvalidInput(
                field, "Must be a repository's full name: owner/name.", ErrorCode.NOT_A_REPOSITORY
            )
        if not 1 <= number <= MAX_ISSUE_NUMBER:
            raise InvalidInput(
                "github_issue_number", f"Must be between 1 and {MAX_ISSUE_NUMBER}.", ErrorCode.OUT_OF_RANGE
            )
        return cls(match[1], match[2], number, repo_id=repo_id)

    @classmethod
    def from_url(cls, url: str, github_url: str) -> Self:
        """Return the issue that a text names, in any of the spellings that `parse_issue` accepts.

        Parameters
        ----------
        github_url
            The base URL of GitHub's pages.

        Raises
        ------
        InvalidInput
            If the text names neither an issue nor a pull request on GitHub.
        """
        owner, repo, number, is_pull = parse_issue(url, github_url, field="github_issue_url")
        if not 1 <= number <= MAX_ISSUE_NUMBER:
            raise InvalidInput(
                "github_issue_url",
                f"The number must be between 1 and {MAX_ISSUE_NUMBER}.",
                ErrorCode.OUT_OF_RANGE,
            )
        return cls(owner, repo, number, is_pull=is_pull)

    @property
    def full_name(self) -> str:
        """The full name of the repository, ``owner/name``."""
        return f"{self.owner}/{self.repo}"

    @property
    def repository(self) -> Repository:
        """The repository of the issue."""
        return Repository(self.repo_id, self.full_name)

    @property
    def repo_key(self) -> str:
        """The id of the repository, or else its name in lower case, because GitHub ignores the case."""
        return str(self.repo_id) if self.repo_id else self.full_name.lower()

    @property
    def key(self) -> str:
        """The identity of the issue: its repository's key and its number."""
        return f"{self.repo_key}#{self.number}"

    def url(self, github_url: str) -> str:
        """Return the address of the issue's page, below the base URL of GitHub's pages."""
        kind = "pull" if self.is_pull else "issues"
        return f"{github_url}/{self.full_name}/{kind}/{self.number}"

    def in_repository(self, full_name: str) -> Self:
        """Return the issue with another name of its repository."""
        owner, _, repo = full_name.partition("/")
        return replace(self, owner=owner, repo=repo)
