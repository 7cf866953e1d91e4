"""The state of a fake GitHub as JSON, so that a file can keep it.

The tokens of people and of installations, and the Apps' callback URLs, are not part of it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fake_github import model, webhooks

if TYPE_CHECKING:
    from fake_github.accounts import Accounts

_KINDS = {
    kind.__name__: kind
    for module in (model, webhooks)
    for kind in vars(module).values()
    if isinstance(kind, type) and is_dataclass(kind)
}
_ROOTS = (
    "accounts",
    "nodes",
    "apps",
    "oauth_apps",
    "maintainer",
    "app",
    "repositories",
    "_names",
    "_former_names",
    "hooks",
    "outbox",
)


def dump(github: Accounts) -> dict[str, Any]:
    """Return the state of a fake GitHub.

    Raises
    ------
    TypeError
        If a hook's receiver is a function, which JSON cannot represent.
    """
    with github.lock:
        writer = _Writer()
        roots = {name: writer.encode(getattr(github, name)) for name in _ROOTS}
        return {"last_number": github.numbers.last, "roots": roots, "objects": writer.finish()}


def load(github: Accounts, saved: dict[str, Any]) -> None:
    """Replace the state of a fake GitHub by one that `dump` returned.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the state is of another version of the fake.
    """
    reader = _Reader(saved["objects"])
    roots = {name: reader.decode(saved["roots"][name]) for name in _ROOTS}
    with github.lock:
        github.numbers.last = saved["last_number"]
        for name, value in roots.items():
            present = getattr(github, name)
            if isinstance(present, dict):
                # Keep the object, because `Nodes` also creates ids.
                present.clear()
                present.update(value)
            else:
                setattr(github, name, value)


class _Writer:
    """Encodes objects as references to a list, because they refer to each other."""

    def __init__(self) -> None:
        self._indexes: dict[int, int] = {}
        self._found: list[Any] = []
        self._queue: deque[Any] = deque()

    def encode(self, value: Any) -> Any:
        match value:
            case None | bool() | int() | float() | str():
                return value
            case datetime():
                return {"time": value.isoformat()}
            case list():
                return [self.encode(one) for one in value]
            case tuple():
                return {"tuple": [self.encode(one) for one in value]}
            case set() | frozenset():
                return {type(value).__name__: [self.encode(one) for one in value]}
            case dict():
                return {"dict": [[self.encode(key), self.encode(one)] for key, one in value.items()]}
        if type(value).__name__ not in _KINDS:
            raise TypeError(f"{value!r} cannot be saved.")
        return {"ref": self._index(value)}

    def _index(self, value: Any) -> int:
        if id(value) not in self._indexes:
            self._indexes[id(value)] = len(self._found)
            self._found.append(value)
            self._queue.append(value)
        return self._indexes[id(value)]

    def finish(self) -> list[Any]:
        """Return all objects that have been referred to."""
        encoded = []
        while self._queue:
            value = self._queue.popleft()
            encoded.append({"kind": type(value).__name__, **self._members(value)})
        return encoded

    def _members(self, value: Any) -> dict[str, Any]:
        members = {one.name: getattr(value, one.name) for one in fields(value)}
        # The callback URLs depend on where the product is at the next start.
        members |= {"callback_urls": ()} if "callback_urls" in members else {}
        # A payload is JSON already.
        return {
            name: {"json": member} if name == "payload" else self.encode(member)
            for name, member in members.items()
        }


class _Reader:
    def __init__(self, encoded: list[dict[str, Any]]) -> None:
        self._objects = [_KINDS[one["kind"]].__new__(_KINDS[one["kind"]]) for one in encoded]
        for thing, members in zip(self._objects, encoded, strict=True):
            for one in fields(thing):
                # Some of the classes are frozen.
                object.__setattr__(thing, one.name, self.decode(members[one.name]))

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(one) for one in value]
        if not isinstance(value, dict):
            return value
        ((kind, content),) = value.items()
        match kind:
            case "ref":
                return self._objects[content]
            case "json":
                return content
            case "time":
                return datetime.fromisoformat(content)
            case "dict":
                return {self.decode(key): self.decode(one) for key, one in content}
            case "tuple":
                return tuple(map(self.decode, content))
            case "set":
                return set(map(self.decode, content))
            case "frozenset":
                return frozenset(map(self.decode, content))
        raise ValueError(f"There is no {kind}.")
