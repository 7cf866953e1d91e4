"""The issue that the fields of a request identify."""

from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.issues import Issue
from timer_core.settings import settings


def issue_of(url: str | None, repo: str | None, number: int | None) -> Issue | None:
    """Return the issue of ``github_issue_url``, ``github_repo`` and ``github_issue_number``.

    Raises
    ------
    InvalidInput
        If the fields contradict each other or do not identify an issue.
    """
    if url is not None:
        issue = Issue.from_url(url, settings().github_url)
        if repo is not None and repo.lower() != issue.full_name.lower():
            raise InvalidInput(
                "github_repo", "Is not the repository in github_issue_url.", ErrorCode.CONTRADICTION
            )
        if number is not None and number != issue.number:
            raise InvalidInput(
                "github_issue_number", "Is not the number in github_issue_url.", ErrorCode.CONTRADICTION
            )
        return issue
    if repo is not None and number is not None:
        return Issue.of(repo, number)
    if repo is not None:
        raise InvalidInput("github_issue_number", "Is required with github_repo.", ErrorCode.REQUIRED)
    if number is not None:
        raise InvalidInput("github_repo", "Is required with github_issue_number.", ErrorCode.REQUIRED)
    return None
