"""Write the comment with the total time of a closed issue."""

from collections.abc import Callable
from http import HTTPStatus

from timer_core.domain.issues import Issue
from timer_core.github.api.client import GitHub
from timer_core.github.api.errors import Refused
from timer_core.github.api.issue_details import nodes
from timer_core.github.marks import mark_of

_MARK = mark_of("total")
_PAGE = """
    comments(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { fullDatabaseId body viewerDidAuthor }
    }
"""
_QUERY = f"""
query($owner: String!, $name: String!, $number: Int!, $after: String) {{
    repository(owner: $owner, name: $name) {{
        issue: issueOrPullRequest(number: $number) {{
            ... on Issue {{ {_PAGE} }}
            ... on PullRequest {{ {_PAGE} }}
        }}
    }}
}}
"""
_DELETED = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class TotalComment:
    """The comment with the total time of a closed issue, one for each issue.

    Parameters
    ----------
    pace
        Called before each request that changes something.
    """

    def __init__(self, github: GitHub, pace: Callable[[], None]) -> None:
        self._github = github
        self._pace = pace

    def create(self, issue: Issue, text: str) -> int:
        """Return the id of the comment with the text, which is created unless an earlier call has done so.

        Raises
        ------
        GitHubError
            If GitHub does not respond, or refuses.
        """
        existing = self._find(issue)
        if existing is not None and self.edit(issue, existing, text):
            return existing
        self._pace()
        path = f"/repos/{issue.full_name}/issues/{issue.number}/comments"
        comment = self._github.rest("POST", path, owner=issue.owner, body=_body(text))
        return int(comment.data["id"])

    def edit(self, issue: Issue, comment_id: int, text: str) -> bool:
        """Replace the text of the comment, and return whether the comment still exists.

        Raises
        ------
        GitHubError
            If GitHub does not respond, or refuses.
        """
        self._pace()
        path = f"/repos/{issue.full_name}/issues/comments/{comment_id}"
        edited = self._github.rest("PATCH", path, owner=issue.owner, body=_body(text), accept=_DELETED)
        return edited.status not in _DELETED

    def _find(self, issue: Issue) -> int | None:
        """Return the id of our comment. Others may have copied its mark, so its author counts, too."""
        after = None
        while True:
            variables = {"owner": issue.owner, "name": issue.repo, "number": issue.number, "after": after}
            result = self._github.graphql(_QUERY, variables, owner=issue.owner)
            found = (result.data.get("repository") or {}).get("issue")
            if not found:
                reason = result.errors[0].message if result.errors else "The issue was not found."
                raise Refused(HTTPStatus.NOT_FOUND, reason)
            for comment in nodes(found["comments"]):
                if comment["viewerDidAuthor"] and comment["body"].rstrip().endswith(_MARK):
                    return int(comment["fullDatabaseId"])
            page = found["comments"]["pageInfo"]
            if not page["hasNextPage"]:
                return None
            after = page["endCursor"]


def _body(text: str) -> dict[str, str]:
    return {"body": f"{text}\n\n{_MARK}"}
