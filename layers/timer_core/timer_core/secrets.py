"""Values that the functions fetch from Secrets Manager or Parameter Store, cached in memory."""

import json
import math
import time
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

MAX_AGE_S = 300
# The shortest time between two attempts to fetch a value that cannot be fetched, or that somebody outside
# causes to be fetched again: anybody can send wrong signatures.
MIN_AGE_S = 10
# By then every function that can reach Secrets Manager has fetched a new secret and accepts it.
_SIGNS_AFTER_S = MAX_AGE_S + 60

T = TypeVar("T")


def _monotonic_s() -> float:
    return time.monotonic()


class CachedValue(Generic[T]):
    """A value that is fetched when it is first needed, and again when it is too old or on demand.

    Parameters
    ----------
    fetch
        Returns the value, and raises one of `errors` if its source cannot be reached.
    errors
        The exceptions of `fetch` after which the value fetched before is used further.
    max_age_s
        Returns for how many seconds a value may be used.
    caches_first_failure
        Whether the failure to fetch the first value is raised again for `MIN_AGE_S` seconds, instead of
        another attempt for each caller.
    now_s
        The clock, in seconds since any moment.
    """

    def __init__(
        self,
        fetch: Callable[[], T],
        errors: tuple[type[Exception], ...],
        *,
        max_age_s: Callable[[T], float] = lambda _: MAX_AGE_S,
        caches_first_failure: bool = False,
        now_s: Callable[[], float] = _monotonic_s,
    ) -> None:
        self._fetch = fetch
        self._errors = errors
        self._max_age_s = max_age_s
        self._caches_first_failure = caches_first_failure
        self._now_s = now_s
        # Empty until the first value was fetched.
        self._value: tuple[T, ...] = ()
        self._expires_s = -math.inf
        self._refreshed_s = -math.inf
        self._failure: Exception | None = None

    @property
    def expires_in_s(self) -> float:
        """For how many seconds `get` returns, or raises, the same."""
        return self._expires_s - self._now_s()

    def get(self) -> T:
        """Return the value; the one fetched before if its source cannot be reached.

        Raises
        ------
        Exception
            One of `errors`, if no value was ever fetched.
        """
        if self._now_s() >= self._expires_s:
            try:
                self._store(self._fetch())
            except self._errors as error:
                if self._value or self._caches_first_failure:
                    self._expires_s = self._now_s() + MIN_AGE_S
                if not self._value:
                    self._failure = error
                    raise
        if not self._value and self._failure is not None:
            raise self._failure.with_traceback(None)
        return self._value[0]

    def refresh(self) -> bool:
        """Fetch the value again, at most once in ten seconds; return whether it has changed.

        An earlier `get` does not count as such a time: the value may have changed since.

        Raises
        ------
        Exception
            One of `errors`, if the value cannot be fetched, or could not be within the last ten seconds:
            whether it has changed is not known.
        """
        if self._now_s() < self._refreshed_s + MIN_AGE_S:
            if self._failure is not None:
                raise self._failure.with_traceback(None)
            return False
        before = self._value
        try:
            self._store(self._fetch())
        except self._errors as error:
            self._failure = error
            raise
        finally:
            self._refreshed_s = self._now_s()
        return self._value != before

    def _store(self, value: T) -> None:
        self._value = (value,)
        self._failure = None
        self._expires_s = self._now_s() + self._max_age_s(value)


class SecretVersions(NamedTuple):
    """The versions of a rotated secret; those that do not exist are empty."""

    current: str
    previous: str
    written_s: float


class RotatingSecret:
    """A secret in Secrets Manager with a current and a previous version, at most five minutes old.

    Parameters
    ----------
    client
        A Secrets Manager client.
    arn
        The secret, a JSON object with ``current`` and ``previous``.
    """

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn
        # A delivery is lost if its signature cannot be checked, so each tries until there is a first value.
        self._versions = CachedValue(self._fetch, (BotoCoreError, ClientError))

    def get(self) -> tuple[str, ...]:
        """Return the versions that are accepted.

        Raises
        ------
        BotoCoreError, ClientError
            If the secret was never fetched and cannot be now.
        """
        versions = self._versions.get()
        return versions.current, versions.previous

    def signing(self, now_s: int) -> str:
        """Return the version to sign with: the previous one until every function has fetched the current one.

        Raises
        ------
        BotoCoreError, ClientError
            If the secret was never fetched and cannot be now.
        """
        current, previous, written_s = self._versions.get()
        return previous if previous and now_s < written_s + _SIGNS_AFTER_S else current

    def refresh(self) -> bool:
        """Fetch the secret again, at most once in ten seconds; return whether it has changed.

        Raises
        ------
        BotoCoreError, ClientError
            If it cannot be fetched, or could not be within the last ten seconds.
        """
        return self._versions.refresh()

    def _fetch(self) -> SecretVersions:
        stored = self._client.get_secret_value(SecretId=self._arn)
        value = json.loads(stored["SecretString"])
        return SecretVersions(value["current"], value.get("previous", ""), stored["CreatedDate"].timestamp())
