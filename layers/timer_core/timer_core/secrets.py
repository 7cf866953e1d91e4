"""Values that the functions fetch from Secrets Manager or Parameter Store, cached in memory."""

import json
import math
import time
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

MAX_AGE_S = 300
# The minimum time between two fetches after a failure or on demand. Without this minimum, anybody could cause
# many fetches by sending invalid signatures.
MIN_AGE_S = 10
# When a secret is this old, every function that can reach Secrets Manager has fetched it and accepts it.
_SIGNS_AFTER_S = MAX_AGE_S + 60

# The staging labels of the secret's versions. Each key has a version of its own, so that a role can be
# allowed to read one and not the other (docs/decisions/0004-secrets.md).
SESSION_STAGE = "AWSCURRENT"
WEBHOOK_STAGE = "webhook"

T = TypeVar("T")


def _monotonic_s() -> float:
    return time.monotonic()


class CachedValue(Generic[T]):
    """A value that is fetched on first use, and again when it expires or on demand.

    Parameters
    ----------
    fetch
        Returns the value; raises one of `errors` if the source cannot be reached.
    errors
        If `fetch` raises one of these exceptions, the previous value stays in use.
    max_age_s
        Returns the number of seconds for which a value may be used.
    caches_first_failure
        Whether a failure of the first fetch is cached. If so, callers get the same error for `MIN_AGE_S`
        seconds, and no further fetch is made in this time.
    now_s
        The clock, in seconds since any fixed time.
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
        # Empty until the first successful fetch.
        self._value: tuple[T, ...] = ()
        self._expires_s = -math.inf
        self._refreshed_s = -math.inf
        self._failure: Exception | None = None

    @property
    def expires_in_s(self) -> float:
        """The number of seconds until `get` fetches again."""
        return self._expires_s - self._now_s()

    def get(self) -> T:
        """Return the value; the expired value if the source cannot be reached.

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

        Fetches by `get` do not count toward this limit, because the value may have changed since.

        Raises
        ------
        Exception
            One of `errors`, if the fetch fails or has failed in the last ten seconds. It is then unknown
            whether the value has changed.
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
    """The current and the previous value of a key.

    Attributes
    ----------
    previous
        Empty if there is no previous value.
    written_s
        When the key was last changed, in seconds since the epoch.
    """

    current: str
    previous: str
    written_s: float


class RotatingSecret:
    """The current and the previous value of a key in Secrets Manager, at most five minutes old.

    Parameters
    ----------
    client
        A Secrets Manager client.
    arn
        The ARN of the secret.
    stage
        The key's staging label, such as `SESSION_STAGE`. The value of this version is a JSON object with
        ``current`` and ``previous``.
    """

    def __init__(self, client: Any, arn: str, stage: str) -> None:
        self._client = client
        self._arn = arn
        self._stage = stage
        # A failure of the first fetch is not cached. Each delivery retries the fetch, because a delivery is
        # lost if its signature cannot be checked.
        self._versions = CachedValue(self._fetch, (BotoCoreError, ClientError))

    def get(self) -> tuple[str, ...]:
        """Return the current and the previous version. Both are accepted; the previous one may be empty.

        Raises
        ------
        BotoCoreError, ClientError
            If the secret was never fetched and cannot be fetched now.
        """
        versions = self._versions.get()
        return versions.current, versions.previous

    def signing(self, now_s: int) -> str:
        """Return the version that signs.

        The previous version signs until every function has fetched the current version.

        Raises
        ------
        BotoCoreError, ClientError
            If the secret was never fetched and cannot be fetched now.
        """
        current, previous, written_s = self._versions.get()
        return previous if previous and now_s < written_s + _SIGNS_AFTER_S else current

    def refresh(self) -> bool:
        """Fetch the secret again, at most once in ten seconds; return whether it has changed.

        Raises
        ------
        BotoCoreError, ClientError
            If the fetch fails or has failed in the last ten seconds.
        """
        return self._versions.refresh()

    def _fetch(self) -> SecretVersions:
        stored = self._client.get_secret_value(SecretId=self._arn, VersionStage=self._stage)
        value = json.loads(stored["SecretString"])
        return SecretVersions(value["current"], value.get("previous", ""), stored["CreatedDate"].timestamp())
