"""A rotating secret. During a rotation, the previous value is accepted in addition to the current value."""

import json
from datetime import UTC, datetime, timedelta

import boto3


class SecretPair:
    """A secret in Secrets Manager as `timer_core.secrets.RotatingSecret` reads it.

    Parameters
    ----------
    aws
        Account and region, with credentials.
    arn
        The secret's ARN.
    """

    def __init__(self, aws: boto3.Session, arn: str) -> None:
        self._client = aws.client("secretsmanager")
        self._arn = arn

    @property
    def current(self) -> str:
        """The current secret."""
        return self._read()["current"]

    @property
    def has_previous(self) -> bool:
        """Whether a previous secret is accepted too."""
        return bool(self._read().get("previous"))

    @property
    def age(self) -> timedelta:
        """The time since the last change."""
        created = self._client.get_secret_value(SecretId=self._arn)["CreatedDate"]
        return datetime.now(UTC) - created

    def change(self, secret: str) -> None:
        """Set a new current secret; the old current secret becomes the previous secret."""
        self._write(current=secret, previous=self.current)

    def replace(self, secret: str) -> None:
        """Set a new current secret, and accept only this secret."""
        self._write(current=secret, previous="")

    def forget_previous(self) -> None:
        """Accept the current secret only."""
        self._write(current=self.current, previous="")

    def _write(self, *, current: str, previous: str) -> None:
        pair = json.dumps({"current": current, "previous": previous})
        self._client.put_secret_value(SecretId=self._arn, SecretString=pair)

    def _read(self) -> dict[str, str]:
        pair: dict[str, str] = json.loads(self._client.get_secret_value(SecretId=self._arn)["SecretString"])
        return pair
