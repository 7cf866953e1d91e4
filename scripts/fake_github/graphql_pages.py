"""Pages of connections in the GraphQL API ("Using pagination in the GraphQL API")."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    IntValueNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_PAGE_SIZE = 100
# The fake accepts and ignores this argument, because it has one sort order.
_WITHOUT_EFFECT = {"order_by"}


@dataclass(frozen=True)
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True)
class Edge:
    cursor: str
    node: Any


@dataclass(frozen=True)
class Page:
    """A page of a connection."""

    edges: Sequence[Edge]
    page_info: PageInfo
    total_count: int
    filtered_count: int

    @property
    def nodes(self) -> list[Any]:
        return [edge.node for edge in self.edges]

    @property
    def page_count(self) -> int:
        return len(self.edges)


def page(
    items: Sequence[Any],
    *,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    **others: Any,
) -> Page:
    """Return the requested page (the GraphQL Cursor Connections Specification).

    Raises
    ------
    GraphQLError
        A cursor does not belong to this connection.
    """
    if unknown := others.keys() - _WITHOUT_EFFECT:
        raise NotImplementedError(f"The fake's connections do not support {unknown}.")
    edges = [Edge(_cursor(item), item) for item in items]
    positions = {edge.cursor: position for position, edge in enumerate(edges)}
    for cursor in (after, before):
        if cursor and cursor not in positions:
            raise GraphQLError(
                f"`{cursor}` does not appear to be a valid cursor.",
                extensions={"type": "INVALID_CURSOR_ARGUMENTS"},
            )
    begin = positions[after] + 1 if after else 0
    end = positions[before] if before else len(edges)
    filtered = max(end - begin, 0)
    if first is not None:
        end = min(end, begin + first)
    if last is not None:
        begin = max(begin, end - last)
    chosen = edges[begin:end]
    info = PageInfo(
        has_next_page=end < len(edges),
        has_previous_page=begin > 0,
        start_cursor=chosen[0].cursor if chosen else None,
        end_cursor=chosen[-1].cursor if chosen else None,
    )
    return Page(chosen, info, len(items), filtered)


def _cursor(item: Any) -> str:
    return base64.b64encode(f"cursor:v2:{item.node_id}".encode()).decode()


class Connection(NamedTuple):
    """A connection in a query.

    ``sizes`` contains the values of ``first`` and ``last``: numbers, or names of variables.
    """

    name: str
    sizes: Mapping[str, int | str]


def connections(schema: GraphQLSchema, document: DocumentNode) -> list[Connection]:
    """Return all connections in a query."""
    types = TypeInfo(schema)
    finder = _Finder(types)
    visit(document, TypeInfoVisitor(types, finder))
    return finder.found


class _Finder(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.found: list[Connection] = []
        self._types = types

    def enter_field(self, node: FieldNode, *_: object) -> None:
        kind = get_named_type(self._types.get_type())
        if kind and kind.name.endswith("Connection"):
            self.found.append(Connection(node.name.value, dict(_sizes(node))))


def _sizes(node: FieldNode) -> Iterator[tuple[str, int | str]]:
    for argument in node.arguments or ():
        if argument.name.value in ("first", "last"):
            match argument.value:
                case IntValueNode(value=number):
                    yield argument.name.value, int(number)
                case VariableNode(name=variable):
                    yield argument.name.value, variable.value


def errors(connections: Sequence[Connection], variables: Mapping[str, Any]) -> Iterator[GraphQLError]:
    """Yield an error for each missing or excessive page size."""
    for connection in connections:
        sizes = {
            side: variables.get(size) if isinstance(size, str) else size
            for side, size in connection.sizes.items()
        }
        if all(size is None for size in sizes.values()):
            yield GraphQLError(
                "You must provide a `first` or `last` value to properly paginate the "
                f"`{connection.name}` connection.",
                extensions={"type": "MISSING_PAGINATION_BOUNDARIES"},
            )
        for side, size in sizes.items():
            if size is not None and size > MAX_PAGE_SIZE:
                yield GraphQLError(
                    f"Requesting {size} records on the `{connection.name}` connection exceeds the "
                    f"`{side}` limit of {MAX_PAGE_SIZE} records.",
                    extensions={"type": "EXCESSIVE_PAGINATION"},
                )
