"""The health of the deployment and the specification: what these requests return."""

from functools import cache
from http import HTTPStatus
from pathlib import Path

from timelogs.shared import table
from timer_core import __version__
from timer_core.api.replies import Reply
from timer_core.api.requests import Request
from timer_core.store.health import Health, HealthStore

_HEALTH_CACHE_MS = 60_000

health_store = HealthStore(table)
_health_cache: list[tuple[int, Health]] = []


def get_health(request: Request) -> Reply:
    """Return counts without personal data, which are up to a minute old."""
    health = _health(request.now_ms)
    shown = {
        "status": "ok",
        "version": __version__,
        "open_timers": health.open_timers,
        "stale_timers": health.stale_timers,
        "webhook_success_rate": health.webhook_success_rate,
        "github": {"credential": health.github_credential, "cannot": [*health.github_cannot]},
    }
    return Reply(HTTPStatus.OK, shown)


def get_specification(_request: Request) -> Reply:
    """Return the description of the API."""
    return Reply(HTTPStatus.OK, specification(), {"Content-Type": "application/json"})


@cache
def specification() -> str:
    """Return docs/openapi.json, which `make openapi` generates; this folder has a link to it."""
    return Path(__file__).with_name("openapi.json").read_text()


def _health(now_ms: int) -> Health:
    if not _health_cache or _health_cache[0][0] <= now_ms:
        health = health_store.read(now_ms=now_ms)
        _health_cache[:] = [(now_ms + _HEALTH_CACHE_MS, health)]
    return _health_cache[0][1]
