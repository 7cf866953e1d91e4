"""Who makes a request, by its ``Authorization`` header (RFC 9110, section 11.6.2)."""

from collections import OrderedDict
from collections.abc import Mapping

from timer_core.domain.errors import Unauthorized
from timer_core.store.items import digest
from timer_core.store.people import PeopleStore, Person

# How long a revoked token may still work on a warm function.
CACHE_MS = 60_000
_CACHED_PEOPLE = 1000
_SCHEMES = {"token", "bearer"}


class Authenticator:
    """Authenticates requests, with at most one read each and none while warm."""

    def __init__(self, people: PeopleStore) -> None:
        self._people = people
        self._cache: OrderedDict[str, tuple[int, Person]] = OrderedDict()

    def authenticate(self, headers: Mapping[str, str], *, now_ms: int) -> Person:
        """Return who sent these headers (names in lower case).

        Raises
        ------
        Unauthorized
            If there are no credentials, or none that are valid.
        """
        scheme, _, credentials = headers.get("authorization", "").strip().partition(" ")
        if not scheme:
            raise Unauthorized("Credentials are needed: Authorization: Token <token>.")
        if scheme.lower() not in _SCHEMES:
            raise Unauthorized("The scheme must be Token or Bearer.")
        text = credentials.strip()
        name = digest(text)
        cached = self._cache.get(name)
        if cached is not None and now_ms < cached[0]:
            return cached[1]
        self._cache.pop(name, None)
        person = self._people.authenticate(text, now_ms=now_ms)
        until_ms = now_ms + CACHE_MS
        if person.expires_at is not None:
            until_ms = min(until_ms, person.expires_at * 1000)
        self._cache[name] = (until_ms, person)
        if len(self._cache) > _CACHED_PEOPLE:
            self._cache.popitem(last=False)
        return person
