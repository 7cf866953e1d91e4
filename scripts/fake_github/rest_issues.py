"""The REST API of repositories and issues."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fake_github import payloads
from fake_github.messages import Answer, ApiError
from fake_github.rest import Call, Routes, in_repository, page

if TYPE_CHECKING:
    from fake_github.model import Issue

routes = Routes()


@routes.endpoint("GET", *in_repository(""))
def get_repository(call: Call) -> Answer:
    return Answer(200, payloads.repository(call.repository))


@routes.endpoint("GET", *in_repository("/issues/{number:d}"))
def get_issue(call: Call) -> Answer:
    return Answer(200, payloads.issue(_issue(call)))


@routes.endpoint("GET", *in_repository("/issues/{number:d}/comments"))
def list_comments(call: Call) -> Answer:
    comments = _issue(call).comments
    if since := call.request.query.get("since"):
        comments = [one for one in comments if one.updated_at >= datetime.fromisoformat(since)]
    return page(call, [payloads.comment(one) for one in comments])


@routes.endpoint("POST", *in_repository("/issues/{number:d}/comments"))
def create_comment(call: Call) -> Answer:
    issue, viewer = _issue(call), call.viewer
    body = call.request.members.get("body")
    if not isinstance(body, str) or not body:
        raise ApiError(422, "Validation Failed")
    comment = call.github.comment(issue, viewer.account, body, app=viewer.app)
    return Answer(201, payloads.comment(comment))


@routes.endpoint("POST", *in_repository("/issues/comments/{comment_id:d}/reactions"))
def create_reaction(call: Call) -> Answer:
    repository = call.repository
    comments = (comment for issue in repository.issues.values() for comment in issue.comments)
    comment = next((one for one in comments if one.id == call.number("comment_id")), None)
    if comment is None:
        raise ApiError(404, "Not Found")
    content = call.request.members.get("content")
    if content not in payloads.REACTIONS:
        raise ApiError(422, "Validation Failed")
    reaction, is_new = call.github.react(comment, call.viewer.account, content)
    return Answer(201 if is_new else 200, payloads.reaction(reaction))


def _issue(call: Call) -> Issue:
    """Return the issue that the path names.

    Raises
    ------
    ApiError
        See `Call.repository`; also 301 or 307 if the issue was transferred, and 410 if it was deleted.
    """
    repository, number = call.repository, call.number("number")
    if issue := repository.issues.get(number):
        return issue
    moved = repository.transferred.get(number)
    if moved and call.viewer.sees(moved.repository.owner):
        path = call.request.path.partition(f"/issues/{number}")[2]
        raise call.moved(f"/repositories/{moved.repository.id}/issues/{moved.number}{path}")
    if number in repository.deleted:
        raise ApiError(410, "This issue was deleted")
    raise ApiError(404, "Not Found")
