"""The card of a project, fetched from GitHub's API."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLList,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_non_null_type,
    parse,
)

from fake_github import FakeGitHub
from fake_github.graphql_api import schema
from timer_core.github.api.cards import Card, fetch_card
from timer_core.github.api.client import GitHub
from timer_core.github.api.credentials import CredentialParameter, Token
from timer_core.github.api.errors import Refused
from timer_core.github.api.graphql import QueryResult
from timer_core.github.messages import CardEvent, CardKind

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp()) * 1000


class StoredToken(CredentialParameter):
    """A stored credential that is a token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get(self) -> Token:
        return Token(self._token)


class Recorder(GitHub):
    """A client that keeps its last query and the result, or returns another result instead."""

    query = ""
    result = QueryResult({})
    replacement: QueryResult | None = None

    def graphql(self, query: str, variables: Mapping[str, Any], *, owner: str) -> QueryResult:
        if self.replacement is not None:
            return self.replacement
        self.query, self.result = query, super().graphql(query, variables, owner=owner)
        return self.result


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


def nullable(selections: SelectionSetNode, parent: Any, value: Any, path: tuple[Any, ...]) -> Iterator[Any]:
    """Yield the path of each member of a result that GitHub's schema lets be null."""
    for node in selections.selections:
        if isinstance(node, InlineFragmentNode):
            assert node.type_condition
            narrowed = schema().type_map[node.type_condition.name.value]
            yield from nullable(node.selection_set, narrowed, value, path)
        elif isinstance(node, FieldNode):
            name = (node.alias or node.name).value
            if name in value and name != "__typename":
                assert isinstance(parent, GraphQLObjectType)
                kind = parent.fields[node.name.value].type
                yield from _nullable(node, kind, value[name], (*path, name))


def _nullable(node: FieldNode, kind: Any, value: Any, path: tuple[Any, ...]) -> Iterator[Any]:
    if not is_non_null_type(kind):
        yield path
    kind = get_nullable_type(kind)
    if isinstance(kind, GraphQLList):
        for index, item in enumerate(value or ()):
            yield from _nullable(node, kind.of_type, item, (*path, index))
    elif value is not None and node.selection_set:
        yield from nullable(node.selection_set, get_named_type(kind), value, path)


@pytest.mark.parametrize(
    ("kind", "has_field_id"),
    [("moved", True), ("moved", False), ("removed", False), ("restored", False), ("converted", False)],
)
def test_every_result_that_the_schema_allows_is_read_or_refused(
    fake: FakeGitHub, kind: CardKind, has_field_id: bool
) -> None:
    fake.reset()
    fake.now = NOON
    issue = fake.new_issue("octo-org/app")
    card = fake.add_card(fake.new_project("octo-org"), issue)
    fake.move_card(card, "In Progress")
    ann = fake.new_user("ann")
    fake.label(issue, "bug")
    fake.assign(issue, ann)
    fake.unassign(issue, fake.maintainer)
    github = Recorder(StoredToken(fake.new_token()), api_url=fake.url)
    field = card.project.fields["Status"].node_id if has_field_id else None
    event = CardEvent("guid", "octo-org", card.node_id, issue.node_id, NOON_MS, field, kind=kind)
    known = fetch_card(github, event, "Status", "Estimate", now_ms=NOON_MS)
    assert known
    assert known.state.assignees == {ann.id}
    (definition,) = parse(github.query).definitions
    assert isinstance(definition, OperationDefinitionNode)
    data = github.result.data
    paths = set(nullable(definition.selection_set, schema().query_type, data, ()))
    assert len(paths) > 10
    for path in paths:
        *parents, last = path
        changed: Any = deepcopy(data)
        parent = changed
        for step in parents:
            parent = parent[step]
        parent[last] = None
        github.replacement = QueryResult(changed)
        try:
            found = fetch_card(github, event, "Status", "Estimate", now_ms=NOON_MS)
        except Refused:
            continue
        assert found is None or (isinstance(found, Card) and isinstance(found.status, str)), path
    assert fake.mistakes == []
