"""The errors of GitHub's API, distinguished by whether a retry can help."""


class GitHubError(Exception):
    """Base of all errors of GitHub's API."""


class NoCredential(GitHubError):
    """There is no credential, or the GitHub App is not installed for the account."""


class InvalidCredential(GitHubError, ValueError):
    """The stored credential has an unknown form; the message does not contain it."""


class Refused(GitHubError):
    """GitHub refused the request; a retry does not help.

    Parameters
    ----------
    status
        The HTTP status; 200 for a GraphQL query that GitHub rejects.
    reason
        GitHub's message.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"GitHub refused ({status}): {reason}")
        self.status = status
        self.reason = reason


class Unavailable(GitHubError):
    """GitHub does not respond, or responds with a temporary error; a later retry may succeed.

    Parameters
    ----------
    message
        The reason.
    retry_after_s
        The time to wait before a retry, if known (seconds).
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueryFailed(Unavailable):
    """GitHub could not execute this query, perhaps because it is too expensive; other queries may succeed.

    See "Rate limits and query limits for the GraphQL API", "Resource limits".
    """


class RateLimited(Unavailable):
    """A primary or secondary rate limit is reached; until it ends, no requests may be sent."""

    retry_after_s: float

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s)
