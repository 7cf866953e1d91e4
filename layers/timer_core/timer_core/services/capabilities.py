"""Recording which requests GitHub's API accepts, for the health report."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from aws_lambda_powertools import Logger

from timer_core.github.api.client import GitHub
from timer_core.github.api.errors import GitHubError, InvalidCredential, NoCredential, Refused
from timer_core.store.health import Capability, HealthStore

# GitHub's responses if the object of a request no longer exists.
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNPROCESSABLE_ENTITY}
# What GitHub's messages say about an issue or a repository that nobody can change.
_READ_ONLY = ("locked", "archived")


class RefusedForGood(Exception):
    """GitHub refused a request, and would refuse a retry, too."""


@contextmanager
def noting(
    capability: Capability, github: GitHub, health: HealthStore, logger: Logger, *, now_ms: int
) -> Iterator[None]:
    """Send requests to GitHub's API, and record whether it accepts them.

    Raises
    ------
    RefusedForGood
        If a request was refused, or there is no usable credential.
    Unavailable, Refused
        If GitHub does not answer now, or the credential has expired; a retry may succeed.
    """
    try:
        yield
    except (NoCredential, InvalidCredential, Refused) as error:
        if not _concerns_one_object(error):
            _record(capability, github, health, logger, is_able=False, now_ms=now_ms)
        if isinstance(error, Refused) and error.status == HTTPStatus.UNAUTHORIZED:
            raise
        raise RefusedForGood(str(error)) from error
    _record(capability, github, health, logger, is_able=True, now_ms=now_ms)


def _record(
    capability: Capability,
    github: GitHub,
    health: HealthStore,
    logger: Logger,
    *,
    is_able: bool,
    now_ms: int,
) -> None:
    try:
        health.note_github(github.credential_kind(), {capability: is_able}, now_ms=now_ms)
    except Exception:
        logger.exception("GitHub's capabilities could not be recorded")


def _concerns_one_object(error: GitHubError) -> bool:
    """Whether a refusal is due to one object that is gone or read-only; other requests may still succeed."""
    return isinstance(error, Refused) and (
        error.status in _GONE or any(word in error.reason.lower() for word in _READ_ONLY)
    )
