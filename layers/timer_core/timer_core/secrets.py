"""Secrets that are rotated: the current one and, for as long as it is needed, the previous."""

import json
import math
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_MAX_AGE_S = 300
# Anybody can send wrong signatures, so these may not make us ask for the secret each time.
_MIN_AGE_S = 10
# By then every function that can reach Secrets Manager has read a new secret, and accepts it.
_SIGNS_AFTER_S = _MAX_AGE_S + 60


class RotatingSecret:
    """A secret read from Secrets Manager and kept for a while.

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
        self._secrets: tuple[str, ...] = ()
        self._good_until = 0.0
        self._refreshed_at = -math.inf
        self._failure: BotoCoreError | ClientError | None = None
        self._written_s = -math.inf

    def get(self) -> tuple[str, ...]:
        """Return the secrets, at most five minutes old unless Secrets Manager is out of reach.

        Raises
        ------
        BotoCoreError, ClientError
            If they were never read and cannot be now.
        """
        if time.monotonic() >= self._good_until:
            try:
                self._read()
            except (BotoCoreError, ClientError):
                if not self._secrets:
                    raise
                # Better an old secret than a lost delivery; and not one slow attempt for each.
                self._good_until = time.monotonic() + _MIN_AGE_S
        return self._secrets

    def signing(self, now_s: int) -> str:
        """Return the secret to sign with: the previous one until every function has read the current one.

        Raises
        ------
        BotoCoreError, ClientError
            If they were never read and cannot be now.
        """
        current, previous = self.get()
        return previous if previous and now_s < self._written_s + _SIGNS_AFTER_S else current

    def refresh(self) -> bool:
        """Read the secrets again, but for the second time within ten seconds; return whether they changed.

        Also when they were read just before: they may have been rotated since.

        Raises
        ------
        BotoCoreError, ClientError
            If they cannot be read, or could not be the first time: whether they changed is not known.
        """
        if time.monotonic() < self._refreshed_at + _MIN_AGE_S:
            if self._failure is not None:
                raise self._failure.with_traceback(None)
            return False
        before = self._secrets
        try:
            self._read()
            self._failure = None
        except (BotoCoreError, ClientError) as error:
            self._failure = error
            raise
        finally:
            self._refreshed_at = time.monotonic()
        return self._secrets != before

    def _read(self) -> None:
        stored = self._client.get_secret_value(SecretId=self._arn)
        value = json.loads(stored["SecretString"])
        self._written_s = stored["CreatedDate"].timestamp()
        self._secrets = (value["current"], value.get("previous", ""))
        self._good_until = time.monotonic() + _MAX_AGE_S
