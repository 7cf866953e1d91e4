"""Changes of the OpenAPI document that break existing clients.

The comparison covers operations, parameters, bodies and successful responses: their presence, types, values,
limits and required members. It ignores descriptions, errors, authentication and rules that no schema
expresses. If a schema offers several objects or several arrays, any change of them is reported.
"""

import operator
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
_Side: TypeAlias = Literal["request", "response"]

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")


def breaking_changes(before: Schema, after: Schema) -> list[str]:
    """Return the changes that break clients, as sentences.

    Parameters
    ----------
    before, after
        OpenAPI documents.
    """
    return sorted(set(_Comparison(before, after).all()))


class _Comparison:
    def __init__(self, before: Schema, after: Schema) -> None:
        self._before = before
        self._after = after
        self._compared: set[tuple[str, str, _Side]] = set()

    def all(self) -> Iterator[str]:
        for path, operations in self._before["paths"].items():
            for method, old in operations.items():
                if method not in _METHODS:
                    continue
                name = f"{method.upper()} {path}"
                new = self._after["paths"].get(path, {}).get(method)
                if new is None:
                    yield f"{name} is gone."
                    continue
                yield from self._parameters(name, old, new)
                yield from self._body(name, old.get("requestBody"), new.get("requestBody"))
                yield from self._responses(name, old["responses"], new["responses"])

    def _parameters(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        were = {(each["in"], each["name"].lower()): each for each in old.get("parameters", ())}
        are = {(each["in"], each["name"].lower()): each for each in new.get("parameters", ())}
        for key, parameter in are.items():
            required_before = key in were and were[key].get("required", False)
            if parameter.get("required", False) and not required_before:
                yield f"{name}: the {key[0]} parameter {key[1]} is required now."
        for key, parameter in were.items():
            where = f"{name}: the {key[0]} parameter {key[1]}"
            if key not in are:
                yield f"{where} is gone."
            else:
                yield from self._schemas(
                    where, parameter.get("schema", {}), are[key].get("schema", {}), "request"
                )

    def _body(self, name: str, old: Schema | None, new: Schema | None) -> Iterator[str]:
        if old is None:
            if new is not None and new.get("required", False):
                yield f"{name} needs a body now."
            return
        if new is None:
            yield f"{name} no longer accepts a body."
            return
        if new.get("required", False) and not old.get("required", False):
            yield f"{name} needs a body now."
        yield from self._contents(f"{name}: the body", old, new, "request")

    def _responses(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        for status in (status for status in old if status.startswith("2")):
            where = f"{name}: the response {status}"
            if status in new:
                yield from self._contents(where, old[status], new[status], "response")
            else:
                yield f"{where} is gone."
        for status in new:
            if status.startswith("2") and status not in old:
                yield f"{name}: the response {status} is new."

    def _contents(self, where: str, old: Schema, new: Schema, side: _Side) -> Iterator[str]:
        contents = new.get("content", {})
        for media_type, content in old.get("content", {}).items():
            if media_type not in contents:
                yield f"{where} as {media_type} is gone."
            else:
                yield from self._schemas(
                    where, content.get("schema", {}), contents[media_type].get("schema", {}), side
                )

    def _schemas(self, where: str, old: Schema, new: Schema, side: _Side) -> Iterator[str]:
        if "$ref" in old and "$ref" in new:
            # Compare each pair of schemas only once, because schemas may be recursive.
            key = (old["$ref"], new["$ref"], side)
            if key in self._compared:
                return
            self._compared.add(key)
            where = f"{where.partition(':')[0]}: {old['$ref'].rpartition('/')[2]} in the {side}"
        were = _by_type(self._before, old)
        are = _by_type(self._after, new)
        wide, narrow = (are, were) if side == "request" else (were, are)
        for kind in narrow.keys() - wide.keys():
            # In JSON Schema, every integer is also a number.
            if "any" not in wide and not (kind == "integer" and "number" in wide):
                verb = "may not be" if side == "request" else "may be"
                yield f"{where} {verb} of type {kind} now."
        for kind in were.keys() & are.keys():
            if len(were[kind]) == len(are[kind]) == 1:
                yield from self._same_type(where, were[kind][0], are[kind][0], side)
            elif were[kind] != are[kind]:
                yield f"{where}: the alternatives of type {kind} have changed."

    def _same_type(self, where: str, old: Schema, new: Schema, side: _Side) -> Iterator[str]:
        yield from _values(where, old, new, side)
        properties, now = old.get("properties", {}), new.get("properties", {})
        for name in properties:
            if name in now:
                yield from self._schemas(f"{where}, {name}", properties[name], now[name], side)
            elif side == "response" or new.get("additionalProperties") is False:
                yield f"{where}: {name} is gone."
        required, required_now = set(old.get("required", ())), set(new.get("required", ()))
        if side == "request":
            yield from (f"{where}: {name} is required now." for name in required_now - required)
        else:
            yield from (
                f"{where}: {name} may be missing now." for name in required - required_now if name in now
            )
        if "items" in old and "items" in new:
            yield from self._schemas(f"{where}, each", old["items"], new["items"], side)


def _by_type(document: Schema, schema: Schema) -> dict[str, list[Schema]]:
    """Return the alternatives of a schema by type."""
    allowed: dict[str, list[Schema]] = {}
    pending = [schema]
    while pending:
        each = pending.pop(0)
        if "$ref" in each:
            pending.append(document["components"]["schemas"][each["$ref"].rpartition("/")[2]])
        elif "anyOf" in each or "oneOf" in each:
            pending += each.get("anyOf", each.get("oneOf"))
        elif "allOf" in each and len(each["allOf"]) == 1:
            pending += each["allOf"]
        else:
            kinds = each.get("type", "any")
            for kind in [kinds] if isinstance(kinds, str) else kinds:
                allowed.setdefault(kind, []).append(each)
    return allowed


def _values(where: str, old: Schema, new: Schema, side: _Side) -> Iterator[str]:
    """Compare enumerations, limits and patterns."""
    wide, narrow = (new, old) if side == "request" else (old, new)
    values, allowed = _enumerated(narrow), _enumerated(wide)
    if allowed is not None and (values is None or not values <= allowed):
        yield f"{where}: the values have changed."
    for keys, is_within in ((_UPPER, operator.le), (_LOWER, operator.ge)):
        for key in keys:
            if key in wide and (key not in narrow or not is_within(narrow[key], wide[key])):
                yield f"{where}: {key} has changed."
    for key in ("pattern", "format"):
        if key in wide and wide[key] != narrow.get(key):
            yield f"{where}: the {key} has changed."


def _enumerated(schema: Schema) -> set[str] | None:
    if "const" in schema:
        return {repr(schema["const"])}
    return {repr(value) for value in schema["enum"]} if "enum" in schema else None
