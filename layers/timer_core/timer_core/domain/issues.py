"""GitHub issues: their names and addresses."""

import re
from dataclasses import dataclass, replace
from typing import Self

from timer_core.domain.errors import ErrorCode, InvalidInput

# GitHub's GraphQL API declares Issue.number as Int, which is signed and has 32 bits.
MAX_ISSUE_NUMBER = 2**31 - 1

# Logins have up to 39 letters, digits and hyphens. Logins of Enterprise Managed Users end in an underscore
# and a short code. Repository names have up to 100 characters: letters, digits, hyphens, underscores, dots.
_OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})"
_REPO = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]{1,100}"
_ORGANIZATION_URL = re.compile(rf"https://(?:www\.)?github\.com/(?:orgs/)?({_OWNER})/?")
_FULL_NAME = re.compile(rf"({_OWNER})/({_REPO})")
_URL = re.compile(
    rf"https://(?:www\.)?github\.com/({_OWNER})/({_REPO})/issues/([0-9]{{1,12}})/?(?:[?#]\S*)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue of a repository on GitHub.

    The name of a repository changes when the repository is renamed or transferred, or its owner is renamed,
    and another repository can get the former name. The repository's id never changes
    (docs/decisions/0006-identity-of-issues.md).

    Attributes
    ----------
    title
        The last known title; empty if unknown.
    repo_id
        The numeric id of the repository; 0 if only the repository's name is known.
    """

    owner: str
    repo: str
    number: int
    title: str = ""
    repo_id: int = 0

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
    def from_url(cls, url: str) -> Self:
        """Return the issue whose page has this address; query and fragment are ignored.

        Raises
        ------
        InvalidInput
            If the URL is not the address of an issue on github.com.
        """
        match = _URL.fullmatch(url)
        if match is None:
            raise InvalidInput(
                "github_issue_url",
                "Must be an issue's address: https://github.com/owner/name/issues/1.",
                ErrorCode.NOT_AN_ISSUE,
            )
        number = int(match[3])
        if not 1 <= number <= MAX_ISSUE_NUMBER:
            raise InvalidInput(
                "github_issue_url",
                f"The number must be between 1 and {MAX_ISSUE_NUMBER}.",
                ErrorCode.OUT_OF_RANGE,
            )
        return cls(match[1], match[2], number)

    @property
    def full_name(self) -> str:
        """The full name of the repository, ``owner/name``."""
        return f"{self.owner}/{self.repo}"

    @property
    def url(self) -> str:
        """The address of the issue's page."""
        return f"https://github.com/{self.full_name}/issues/{self.number}"

    @property
    def repo_key(self) -> str:
        """The id of the repository, or else its name in lower case, because GitHub ignores the case."""
        return str(self.repo_id) if self.repo_id else self.full_name.lower()

    @property
    def key(self) -> str:
        """The identity of the issue: its repository's key and its number."""
        return f"{self.repo_key}#{self.number}"

    def in_repository(self, full_name: str) -> Self:
        """Return the issue with another name of its repository."""
        owner, _, repo = full_name.partition("/")
        return replace(self, owner=owner, repo=repo)


def organization_login(url: str) -> str:
    """Return the login in the address of an organization or user on GitHub.

    Raises
    ------
    InvalidInput
        If the URL is not such an address.
    """
    match = _ORGANIZATION_URL.fullmatch(url)
    if match is None:
        raise InvalidInput(
            "organization_url",
            "Must be an organization's address: https://github.com/login.",
            ErrorCode.NOT_AN_ORGANIZATION,
        )
    return match[1]
