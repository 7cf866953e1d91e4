"""Secrets that are rotated: the current one and, for as long as it is needed, the previous."""

import contextlib
import json
import math
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_MAX_AGE_S = 300
# Anybody can send wrong signatures, so these may not make us ask for the secret each time.
_MIN_AGE_S = 10


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

    def refresh(self) -> bool:
        """Read the secrets again, but for the second time within ten seconds; return whether they changed.

        Also when they were read just before: they may have been rotated since.
        """
        if time.monotonic() < self._refreshed_at + _MIN_AGE_S:
            return False
        before = self._secrets
        with contextlib.suppress(BotoCoreError, ClientError):
            self._read()
        self._refreshed_at = time.monotonic()
        return self._secrets != before

    def _read(self) -> None:
        value = json.loads(self._client.get_secret_value(SecretId=self._arn)["SecretString"])
        self._secrets = (value["current"], value.get("previous", ""))
        self._good_until = time.monotonic() + _MAX_AGE_S
