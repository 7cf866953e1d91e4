"""GitHub issues: their names and addresses."""

import re
from dataclasses import dataclass
from typing import Self

from timer_core.domain.addresses import OWNER, REPO, parse_issue
from timer_core.domain.errors import InvalidInput

# GitHub's GraphQL API declares Issue.number as Int, which is signed and has 32 bits.
MAX_ISSUE_NUMBER = 2**31 - 1

_FULL_NAME = re.compile(rf"({OWNER})/({REPO})")


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue of a repository on GitHub.

    Attributes
    ----------
    title
        The last known title; empty if unknown.
    """

    owner: str
    repo: str
    number: int
    title: str = ""

    @classmethod
    def of(cls, full_name: str, number: int, *, field: str = "github_repo") -> Self:
        """Return the issue with this number in a repository (``owner/name``).

        Raises
        ------
        InvalidInput
            If the name or the number is invalid on GitHub.
        """
        match = _FULL_NAME.fullmatch(full_name)
        if match is None:
            raise InvalidInput(field, "Must be a repository's full name: owner/name.")
        if not 1 <= number <= MAX_ISSUE_NUMBER:
            raise InvalidInput("github_issue_number", f"Must be between 1 and {MAX_ISSUE_NUMBER}.")
        return cls(match[1], match[2], number)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the issue that a text names, in any of the spellings that `parse_issue` accepts.

        Raises
        ------
        InvalidInput
            If the text does not name an issue on github.com.
        """
        owner, repo, number = parse_issue(url, field="github_issue_url")
        if not 1 <= number <= MAX_ISSUE_NUMBER:
            raise InvalidInput("github_issue_url", f"The number must be between 1 and {MAX_ISSUE_NUMBER}.")
        return cls(owner, repo, number)

    @property
    def full_name(self) -> str:
        """The full name of the repository, ``owner/name``."""
        return f"{self.owner}/{self.repo}"

    @property
    def url(self) -> str:
        """The address of the issue's page."""
        return f"https://github.com/{self.full_name}/issues/{self.number}"

    @property
    def key(self) -> str:
        """The key of the issue in lower case, because GitHub ignores the case of names."""
        return f"{self.full_name}#{self.number}".lower()
