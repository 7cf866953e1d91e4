"""The fields of GitHub's GraphQL schema that the fake supports."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from graphql import GraphQLEnumType, GraphQLError, GraphQLResolveInfo, get_named_type

from fake_github import payloads
from fake_github.graphql_pages import Page, page
from fake_github.model import (
    Account,
    Card,
    Comment,
    Event,
    Field,
    FieldValue,
    Issue,
    NumberField,
    NumberValue,
    Option,
    Project,
    PullRequest,
    Repository,
    Review,
)

if TYPE_CHECKING:
    from fake_github.access import Access, Viewer

# The maximum number of node ids in one query.
MAX_IDS = 100


class NotResolved(GraphQLError):
    """The object does not exist, or the viewer has no access to it."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Could not resolve to {message}.", extensions={"type": "NOT_FOUND"})


class Context(NamedTuple):
    """A query and its sender."""

    github: Access
    viewer: Viewer


Resolver: TypeAlias = Callable[..., Any]

_RESOLVERS: dict[tuple[str, str], Resolver] = {}
# Fields whose names differ from the model's names, such as REST's `id`, which is a `databaseId` in GraphQL.
_RENAMED = {"id": "node_id", "databaseId": "id", "nameWithOwner": "full_name", "author": "user"}


def resolve(source: Any, info: GraphQLResolveInfo[Context], **arguments: Any) -> Any:
    """Return a field's value from its resolver or, if it has none, from the attribute of the same name.

    Raises
    ------
    GraphQLError
        The error that GitHub would return, such as `NotResolved`.
    AttributeError, NotImplementedError, TypeError
        The fake does not support the field.
    """
    given = {_snake_case(name): value for name, value in arguments.items()}
    resolver = _RESOLVERS.get((info.parent_type.name, info.field_name))
    if resolver:
        return resolver(source, info.context, **given)
    if given or source is None:
        raise NotImplementedError(f"The fake has no {info.parent_type.name}.{info.field_name}.")
    value = getattr(source, _RENAMED.get(info.field_name) or _snake_case(info.field_name))
    if isinstance(value, datetime):
        return payloads.time(value)
    # The model has the values of REST, in lower case; GraphQL has the same values in upper case.
    if isinstance(get_named_type(info.return_type), GraphQLEnumType) and isinstance(value, str):
        return value.upper()
    return value


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _field(*names: str) -> Callable[[Resolver], Resolver]:
    """Register a resolver of fields, such as ``Issue.labels``; resolvers receive arguments in snake case."""

    def register(resolver: Resolver) -> Resolver:
        for name in names:
            parent, _, own = name.partition(".")
            _RESOLVERS[parent, own] = resolver
        return resolver

    return register


# ---------------------------------------------------------------------- queries


@_field("Query.viewer")
def _viewer(_source: None, context: Context) -> Account:
    return context.viewer.account


@_field("Query.node")
def _node(_source: None, context: Context, *, id: str) -> Any:  # noqa: A002
    found = context.github.nodes.get(id)
    owner = _owner(found)
    if owner is None or not context.viewer.sees(owner):
        raise NotResolved(f"a node with the global id of '{id}'")
    return found


@_field("Query.nodes")
def _nodes(_source: None, context: Context, *, ids: Sequence[str]) -> list[Any]:
    if len(ids) > MAX_IDS:
        raise GraphQLError(
            f"You may not provide more than {MAX_IDS} node ids; you provided {len(ids)}.",
            extensions={"type": "ARGUMENT_LIMIT"},
        )
    return [_node_or_error(context, one) for one in ids]


def _node_or_error(context: Context, node_id: str) -> Any:
    # An exception in a list becomes an error at its position.
    try:
        return _node(None, context, id=node_id)
    except NotResolved as error:
        return error


@_field("Query.repository")
def _repository(
    _source: None, context: Context, *, owner: str, name: str, follow_renames: bool
) -> Repository:
    full_name = f"{owner}/{name}"
    found = context.github.repository(full_name, follow=follow_renames)
    if found is None or not context.viewer.sees(found.owner):
        raise NotResolved(f"a Repository with the name '{full_name}'")
    return found


def _owner(thing: Any) -> Account | None:
    """Return the owner of an object; None if the object has no owner or cannot be fetched by its id."""
    match thing:
        case Repository() | Project():
            return thing.owner
        case Issue():
            return thing.repository.owner
        case Card() | Field() | NumberField():
            return thing.project.owner
        case Account():
            return thing
    return None


# ---------------------------------------------------------------------- mutations


@_field("Mutation.updateProjectV2ItemFieldValue")
def _update_field_value(_source: None, context: Context, *, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    context.viewer.check_projects_write()
    card, field, project = (
        _node(None, context, id=input[name]) for name in ("itemId", "fieldId", "projectId")
    )
    if not isinstance(field, NumberField) or not field.project is card.project is project:
        raise GraphQLError("Did not receive a number field of the project", extensions={"type": "VALIDATION"})
    if card.archived_at is not None:
        raise GraphQLError(
            "The item is archived and cannot be updated.", extensions={"type": "UNPROCESSABLE"}
        )
    number = input["value"].get("number")
    context.github.set_card_number(card, number, field=field.name, by=context.viewer.account)
    return {"projectV2Item": card}


@_field("UpdateProjectV2ItemFieldValuePayload.projectV2Item")
def _updated_item(payload: dict[str, Any], _: Context) -> Card:
    card: Card = payload["projectV2Item"]
    return card


# ---------------------------------------------------------------------- issues


@_field("Repository.issue")
def _issue(repository: Repository, _: Context, *, number: int) -> Issue:
    found = repository.issues.get(number)
    if found is None:
        raise NotResolved(f"an Issue with the number of {number}")
    return found


@_field("Repository.issueOrPullRequest")
def _issue_or_pull(repository: Repository, _: Context, *, number: int) -> Issue:
    found = repository.issues.get(number) or repository.pulls.get(number)
    if found is None:
        raise NotResolved(f"an issue or pull request with the number of {number}")
    return found


@_field("PullRequest.closingIssuesReferences")
def _closing(pull: PullRequest, context: Context, **arguments: Any) -> Page:
    return page([one for one in pull.closes if context.viewer.sees(one.repository.owner)], **arguments)


@_field("PullRequestReview.submittedAt")
def _submitted_at(review: Review, _: Context) -> str:
    return payloads.time(review.created_at)


@_field("Issue.fullDatabaseId", "IssueComment.fullDatabaseId", "ProjectV2Item.fullDatabaseId")
def _full_database_id(thing: Issue | Comment | Card, _: Context) -> str:
    # A BigInt is a string.
    return str(thing.id)


@_field("Issue.closed", "PullRequest.closed")
def _is_closed(issue: Issue, _: Context) -> bool:
    return issue.state == "closed"


@_field("Issue.stateReason")
def _state_reason(issue: Issue, _: Context, *, enable_duplicate: bool) -> str | None:
    if issue.state_reason == "duplicate" and not enable_duplicate:
        return "NOT_PLANNED"
    return issue.state_reason and issue.state_reason.upper()


@_field("Issue.assignees", "PullRequest.assignees")
def _assignees(issue: Issue, _: Context, **arguments: Any) -> Page:
    return page([one for one in issue.assignees if one.type == "User"], **arguments)


@_field("Issue.labels", "PullRequest.labels")
def _labels(issue: Issue, _: Context, **arguments: Any) -> Page:
    return page(issue.labels, **arguments)


@_field("Issue.comments", "PullRequest.comments")
def _comments(issue: Issue, _: Context, **arguments: Any) -> Page:
    return page(issue.comments, **arguments)


@_field("IssueComment.viewerDidAuthor")
def _viewer_did_author(comment: Comment, context: Context) -> bool:
    return comment.user is context.viewer.account


@_field("Issue.parent")
def _parent(issue: Issue, context: Context) -> Issue | None:
    parent = issue.parent
    return parent if parent and context.viewer.sees(parent.repository.owner) else None


@_field("Issue.issueFieldValues")
def _issue_field_values(issue: Issue, _: Context, **arguments: Any) -> Page:
    return page(list(issue.field_values.values()), **arguments)


@_field("Issue.timelineItems", "PullRequest.timelineItems")
def _timeline(
    issue: Issue,
    _: Context,
    *,
    since: str | None = None,
    item_types: Sequence[str] | None = None,
    **arguments: Any,
) -> Page:
    items = issue.timeline
    if since is not None:
        items = [item for item in items if item.created_at >= datetime.fromisoformat(since)]
    if item_types is not None:
        items = [item for item in items if _snake_case(item.typename).upper() in item_types]
    return page(items, **arguments)


@_field("TransferredEvent.fromRepository")
def _from_repository(event: Event, context: Context) -> Repository | None:
    repository = event.from_repository
    return repository if repository and context.viewer.sees(repository.owner) else None


# ---------------------------------------------------------------------- projects


@_field("Issue.projectItems", "PullRequest.projectItems")
def _project_items(
    issue: Issue, context: Context, *, include_archived: bool = True, **arguments: Any
) -> Page:
    context.viewer.check_projects()
    cards = [card for card in issue.cards if include_archived or card.archived_at is None]
    return page([card for card in cards if context.viewer.sees(card.project.owner)], **arguments)


@_field("ProjectV2Item.content")
def _content(card: Card, context: Context) -> Any:
    # A draft has no owner, so use the project's owner.
    owner = _owner(card.content) or card.project.owner
    return card.content if context.viewer.sees(owner) else None


@_field("ProjectV2Item.type")
def _card_type(card: Card, _: Context) -> str:
    return "ISSUE" if isinstance(card.content, Issue) else "DRAFT_ISSUE"


@_field("ProjectV2Item.isArchived")
def _is_archived(card: Card, _: Context) -> bool:
    return card.archived_at is not None


@_field("ProjectV2Item.fieldValueByName")
def _value_by_name(card: Card, _: Context, *, name: str) -> FieldValue | NumberValue | None:
    return card.values.get(name) or card.numbers.get(name)


@_field("ProjectV2ItemFieldSingleSelectValue.name")
def _option_name(value: FieldValue, _: Context) -> str:
    return value.option.name


@_field("ProjectV2ItemFieldSingleSelectValue.optionId")
def _option_id(value: FieldValue, _: Context) -> str:
    return value.option.id


@_field("ProjectV2ItemFieldSingleSelectValue.item")
def _item(value: FieldValue, _: Context) -> Card:
    return value.card


@_field("ProjectV2.field")
def _project_field(project: Project, _: Context, *, name: str) -> Field | NumberField | None:
    return project.fields.get(name) or project.number_fields.get(name)


@_field("ProjectV2.fields")
def _fields(project: Project, _: Context, **arguments: Any) -> Page:
    return page([*project.fields.values(), *project.number_fields.values()], **arguments)


@_field("ProjectV2SingleSelectField.options")
def _options(field: Field, _: Context, *, names: Sequence[str] | None = None) -> list[Option]:
    wanted = None if names is None else {name.lower() for name in names}
    return [one for one in field.options if wanted is None or one.name.lower() in wanted]


@_field("ProjectV2SingleSelectFieldOption.id")
def _id_of_option(option: Option, _: Context) -> str:
    return option.id
