"""A secret and the one before it, which is accepted too while it is rotated."""

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
        Which secret.
    """

    def __init__(self, aws: boto3.Session, arn: str) -> None:
        self._client = aws.client("secretsmanager")
        self._arn = arn

    @property
    def current(self) -> str:
        """The present secret."""
        return self._read()["current"]

    @property
    def has_former(self) -> bool:
        """Whether the one before it is accepted too."""
        return bool(self._read().get("previous"))

    @property
    def age(self) -> timedelta:
        """How long ago it was written last."""
        created = self._client.get_secret_value(SecretId=self._arn)["CreatedDate"]
        return datetime.now(UTC) - created

    def change(self, secret: str) -> None:
        """Make a secret the present one; the one so far is accepted beside it."""
        self._write(current=secret, previous=self.current)

    def replace(self, secret: str) -> None:
        """Make a secret the only one."""
        self._write(current=secret, previous="")

    def forget_former(self) -> None:
        """Accept the present secret only."""
        self._write(current=self.current, previous="")

    def _write(self, *, current: str, previous: str) -> None:
        pair = json.dumps({"current": current, "previous": previous})
        self._client.put_secret_value(SecretId=self._arn, SecretString=pair)

    def _read(self) -> dict[str, str]:
        pair: dict[str, str] = json.loads(self._client.get_secret_value(SecretId=self._arn)["SecretString"])
        return pair
