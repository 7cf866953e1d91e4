"""A rotating secret. During a rotation, the previous value is accepted in addition to the current value."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.type_defs import GetSecretValueResponseTypeDef


class SecretPair:
    """One use of a secret in Secrets Manager, as `timer_core.secrets.RotatingSecret` reads it.

    Parameters
    ----------
    aws
        Account and region, with credentials.
    arn
        The secret's ARN.
    stage
        The staging label of the use. A change creates a new version and moves the label to it; the versions
        of other uses stay ("PutSecretValue").
    """

    def __init__(self, aws: boto3.Session, arn: str, stage: str) -> None:
        self._client = aws.client("secretsmanager")
        self._arn = arn
        self._stage = stage

    @property
    def exists(self) -> bool:
        """Whether the use has a version. CloudFormation generates the version of one use only."""
        versions = self._client.describe_secret(SecretId=self._arn).get("VersionIdsToStages", {})
        return any(self._stage in stages for stages in versions.values())

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
        return datetime.now(UTC) - self._version()["CreatedDate"]

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
        self._client.put_secret_value(SecretId=self._arn, SecretString=pair, VersionStages=[self._stage])

    def _read(self) -> dict[str, str]:
        pair: dict[str, str] = json.loads(self._version()["SecretString"])
        return pair

    def _version(self) -> "GetSecretValueResponseTypeDef":
        return self._client.get_secret_value(SecretId=self._arn, VersionStage=self._stage)
