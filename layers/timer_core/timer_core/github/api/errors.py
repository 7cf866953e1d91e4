"""What can keep GitHub from answering, told apart by whether asking again can help."""


class GitHubError(Exception):
    """Base of everything that can go wrong between us and GitHub."""


class NoCredential(GitHubError):
    """There is no credential, or the GitHub App is not installed for the account asked about."""


class InvalidCredential(GitHubError, ValueError):
    """The stored credential is not of a form that can be used; what it holds is not in the message."""


class Refused(GitHubError):
    """GitHub understood and said no; asking again will not help.

    Parameters
    ----------
    status
        The HTTP status; 200 for a GraphQL query that GitHub found to be wrong.
    reason
        GitHub's message.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"GitHub refused ({status}): {reason}")
        self.status = status
        self.reason = reason


class Unavailable(GitHubError):
    """No answer now, and perhaps one later.

    Parameters
    ----------
    message
        What happened.
    retry_after_s
        In how many seconds to ask again, if that is known.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueryFailed(Unavailable):
    """GitHub answered all but this query, perhaps because it is too much for one; others may do.

    See "Rate limits and query limits for the GraphQL API", "Resource limits".
    """


class RateLimited(Unavailable):
    """A primary or secondary rate limit is reached; until it is over, nothing may be asked."""

    retry_after_s: float

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s)
