"""The REST API of repositories and issues."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fake_github import payloads
from fake_github.messages import Answer, ApiError
from fake_github.rest import Call, Routes, in_repository, page

if TYPE_CHECKING:
    from fake_github.model import Comment, Issue, Repository

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
    _check_write(call, issue.repository)
    comment = call.github.comment(issue, viewer.account, _comment_body(call), app=viewer.app)
    return Answer(201, payloads.comment(comment))


@routes.endpoint("PATCH", *in_repository("/issues/comments/{comment_id:d}"))
def edit_comment(call: Call) -> Answer:
    comment = _comment(call)
    _check_write(call, comment.issue.repository)
    if comment.user is not call.viewer.account:
        raise ApiError(403, "You are not allowed to edit this comment.")
    call.github.edit_comment(comment, _comment_body(call), by=call.viewer.account)
    return Answer(200, payloads.comment(comment))


@routes.endpoint("GET", "/orgs/{org}/issue-fields")
def list_issue_fields(call: Call) -> Answer:
    """List the fields of an organization's issues.

    The endpoint works with GitHub App tokens that have the organization permission "Issue Fields" (read).
    """
    viewer, github = call.viewer, call.github
    organization = github.accounts.get(call.variables["org"].lower())
    if organization is None or organization.type != "Organization" or not viewer.sees(organization):
        raise ApiError(404, "Not Found")
    if not github.has_issue_fields:
        raise ApiError(404, "Not Found")
    if viewer.app is not None and "issue_fields" not in viewer.app.permissions:
        raise ApiError(403, "Resource not accessible by integration")
    return Answer(200, [payloads.issue_field(one) for one in organization.issue_fields.values()])


@routes.endpoint("POST", *in_repository("/issues/{number:d}/issue-field-values"))
def add_issue_field_values(call: Call) -> Answer:
    """Set the values of fields of an issue, and keep those of its other fields."""
    issue = _issue(call)
    _check_write(call, issue.repository)
    values = call.request.members.get("issue_field_values")
    fields = {one.id: one for one in issue.repository.owner.issue_fields.values()}
    if not isinstance(values, list) or not values:
        raise ApiError(422, "Validation Failed")
    for value in values:
        known = fields.get(value.get("field_id"))
        number = value.get("value")
        if known is None or isinstance(number, bool) or not isinstance(number, int | float):
            raise ApiError(422, "Validation Failed")
        call.github.set_number(issue, number, field=known.name, by=call.viewer.account)
    return Answer(200, [payloads.issue_field_value(one) for one in issue.field_values.values()])


@routes.endpoint("POST", *in_repository("/issues/comments/{comment_id:d}/reactions"))
def create_reaction(call: Call) -> Answer:
    comment = _comment(call)
    content = call.request.members.get("content")
    if content not in payloads.REACTIONS:
        raise ApiError(422, "Validation Failed")
    reaction, is_new = call.github.react(comment, call.viewer.account, content)
    return Answer(201 if is_new else 200, payloads.reaction(reaction))


def _check_write(call: Call, repository: Repository) -> None:
    call.viewer.check_write("issues")
    if repository.archived:
        raise ApiError(403, "Repository was archived so is read-only.")


def _comment_body(call: Call) -> str:
    body = call.request.members.get("body")
    if not isinstance(body, str) or not body:
        raise ApiError(422, "Validation Failed")
    return body


def _comment(call: Call) -> Comment:
    repository = call.repository
    issues = [*repository.issues.values(), *repository.pulls.values()]
    comments = (comment for issue in issues for comment in issue.comments)
    comment = next((one for one in comments if one.id == call.number("comment_id")), None)
    if comment is None:
        raise ApiError(404, "Not Found")
    return comment


def _issue(call: Call) -> Issue:
    """Return the issue that the path names.

    Raises
    ------
    ApiError
        See `Call.repository`; also 301 or 307 if the issue was transferred, and 410 if it was deleted.
    """
    repository, number = call.repository, call.number("number")
    if issue := repository.issues.get(number) or repository.pulls.get(number):
        return issue
    moved = repository.transferred.get(number)
    if moved and call.viewer.sees(moved.repository.owner):
        path = call.request.path.partition(f"/issues/{number}")[2]
        raise call.moved(f"/repositories/{moved.repository.id}/issues/{moved.number}{path}")
    if number in repository.deleted:
        raise ApiError(410, "This issue was deleted")
    raise ApiError(404, "Not Found")
