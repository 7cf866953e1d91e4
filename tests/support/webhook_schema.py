"""GitHub's JSON schema of webhook payloads, and the payloads that it allows.

The schema is the OpenAPI description that GitHub publishes (`tests.support.install_github_schema`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.support.install_github_schema import webhook_payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str | int, ...]


@cache
def _description() -> JSON:
    loaded: JSON = json.loads(webhook_payloads().read_text())
    return loaded


@cache
def schemas() -> dict[str, JSON]:
    """Return the schemas of all payloads by event and action, such as ``issues.assigned``."""
    found = {}
    for webhook in _description()["webhooks"].values():
        name = webhook["post"]["operationId"].replace("-", "_").replace("/", ".")
        found[name] = webhook["post"]["requestBody"]["content"]["application/json"]["schema"]
    return found


@dataclass(frozen=True)
class _Form:
    """One form that an object may have: the schemas of each member, all of which apply."""

    members: dict[str, list[JSON]]
    required: frozenset[str]


def _resolved(schema: JSON) -> JSON:
    while "$ref" in schema:
        found: Any = _description()
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        schema = found
    return schema


def _forms(schema: JSON) -> list[_Form]:
    """Return the forms that an object of a schema may have."""
    schema = _resolved(schema)
    own = _Form(
        {name: [member] for name, member in schema.get("properties", {}).items()},
        frozenset(schema.get("required", ())),
    )
    # For each keyword, one of several forms applies, and the forms of all keywords apply together.
    choices = [[own]]
    choices += [_forms(part) for part in schema.get("allOf", ())]
    for keyword in ("oneOf", "anyOf"):
        if keyword in schema:
            choices.append([form for part in schema[keyword] for form in _forms(part)])
    return [_merged(chosen) for chosen in product(*choices)]


def _merged(forms: tuple[_Form, ...]) -> _Form:
    members: dict[str, list[JSON]] = {}
    for form in forms:
        for name, schemas_of_member in form.members.items():
            members[name] = [*members.get(name, ()), *schemas_of_member]
    return _Form(members, frozenset().union(*(form.required for form in forms)))


def _allows_null(schema: JSON) -> bool:
    schema = _resolved(schema)
    types = schema.get("type")
    if types is not None:
        return types == "null" or "null" in types
    parts = [part for keyword in ("oneOf", "anyOf") for part in schema.get(keyword, ())]
    return any(map(_allows_null, parts)) if parts else all(map(_allows_null, schema.get("allOf", ())))


def _item_schemas(schema: JSON) -> list[JSON]:
    schema = _resolved(schema)
    parts = [part for keyword in ("allOf", "oneOf", "anyOf") for part in schema.get(keyword, ())]
    own = [schema["items"]] if "items" in schema else []
    return own + [item for part in parts for item in _item_schemas(part)]


def dispensable(schema: JSON, value: Any, depth: int, path: Path = ()) -> Iterator[Path]:
    """Yield the path of each member, and each list's item, that may be null or absent.

    Parameters
    ----------
    value
        A payload of this schema. Members that it lacks are included.
    depth
        The maximum number of names in a path; the positions in lists do not count.
    """
    if isinstance(value, list):
        for index, item in enumerate(value):
            for item_schema in _item_schemas(schema):
                if _allows_null(item_schema):
                    yield (*path, index)
                yield from dispensable(item_schema, item, depth, (*path, index))
    elif isinstance(value, dict) and depth > 0:
        for form in _forms(schema):
            for name, member_schemas in form.members.items():
                if name not in form.required or all(map(_allows_null, member_schemas)):
                    yield (*path, name)
                for member_schema in member_schemas:
                    yield from dispensable(member_schema, value.get(name), depth - 1, (*path, name))
