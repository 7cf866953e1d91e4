"""The GraphQL API, which validates queries with the part of GitHub's public schema in schema.graphql.

The types and number fields of issues are in schema_preview.graphql.

Invalid queries are refused as at GitHub. A valid query that the fake does not support fails the test (see
`FakeGitHub.mistakes`).
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    build_schema,
    execute,
    parse,
    validate,
)

from fake_github import graphql_pages
from fake_github.graphql_fields import Context, resolve
from fake_github.messages import Answer, ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fake_github.access import Access
    from fake_github.messages import Request

# GitHub's codes for invalid queries, by the beginning of graphql-core's message.
_CODES = {
    "Cannot query field": "undefinedField",
    "Unknown argument": "argumentNotAccepted",
    "Unknown type": "undefinedType",
}


class _Query(NamedTuple):
    document: DocumentNode
    connections: Sequence[graphql_pages.Connection]
    errors: Sequence[GraphQLError]


def answer(github: Access, request: Request, mistakes: list[Exception]) -> Answer:
    """Answer a query; errors of the fake itself are added to ``mistakes``.

    Raises
    ------
    ApiError
        401 without a credential, 400 without a query.
    """
    viewer = github.viewer(request)
    if viewer is None:
        raise ApiError(401, "This endpoint requires you to be authenticated.")
    text, variables = request.members.get("query"), request.members.get("variables") or {}
    if not isinstance(text, str):
        raise ApiError(400, "A query attribute must be specified and must be a string.")
    try:
        query = _read(text, has_issue_fields=github.has_issue_fields)
    except GraphQLError as error:
        return Answer(200, {"errors": [_formatted(error)]})
    errors = [*query.errors, *graphql_pages.errors(query.connections, variables)]
    if errors:
        return Answer(200, {"errors": [_formatted(error) for error in errors]})
    result = execute(
        schema(has_issue_fields=github.has_issue_fields),
        query.document,
        context_value=Context(github, viewer),
        variable_values=variables,
        operation_name=request.members.get("operationName"),
        field_resolver=resolve,
        type_resolver=lambda value, _info, _type: value.typename,
    )
    if not isinstance(result, ExecutionResult):
        raise TypeError("A resolver is a coroutine.")
    errors = result.errors or []
    mistakes += filter(None, map(_mistake, errors))
    body: dict[str, Any] = {} if result.data is None else {"data": result.data}
    if errors:
        body["errors"] = [_formatted(error) for error in errors]
    return Answer(200, body)


@cache
def schema(*, has_issue_fields: bool = True) -> GraphQLSchema:
    """Return the part of the schema that the fake supports."""
    names = ["schema.graphql", *(["schema_preview.graphql"] if has_issue_fields else [])]
    return build_schema("\n".join(Path(__file__).with_name(name).read_text() for name in names))


@lru_cache(maxsize=256)
def _read(text: str, *, has_issue_fields: bool) -> _Query:
    document, known = parse(text), schema(has_issue_fields=has_issue_fields)
    errors = validate(known, document)
    return _Query(document, [] if errors else graphql_pages.connections(known, document), errors)


def _formatted(error: GraphQLError) -> dict[str, Any]:
    """Return an error in GitHub's form: with a code if the query is invalid, otherwise with its type."""
    if _mistake(error):
        return {"message": "Something went wrong while executing your query."}
    formatted: dict[str, Any] = {**error.formatted}
    if error.extensions:
        return {**error.extensions, **{name: formatted[name] for name in formatted if name != "extensions"}}
    if error.message.startswith("Variable") and "got invalid value" in error.message:
        return {**formatted, "extensions": {"problems": [{"path": [], "explanation": error.message}]}}
    code = next((code for start, code in _CODES.items() if error.message.startswith(start)), "invalid")
    return {**formatted, "extensions": {"code": code}}


def _mistake(error: GraphQLError) -> Exception | None:
    """Return the exception of a resolver that failed; None if GitHub would report the error too."""
    return None if isinstance(error.original_error, GraphQLError) else error.original_error
