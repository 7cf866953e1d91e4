"""What the deployment decides, read once from environment variables (see template.yaml)."""

import os
from dataclasses import dataclass
from functools import cache
from typing import Self

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of the functions that use the table.

    Attributes
    ----------
    exclusive
        Whether starting or resuming a timer pauses the person's other running ones.
    track_unregistered
        Whether GitHub's events time people who never signed in.
    stale_after_ms
        For how long a timer may be open.
    github_credential
        The name of the SSM parameter that may hold a credential for GitHub's API; empty if there is none.
    github_api_url
        The base URL of GitHub's API.
    """

    table_name: str
    exclusive: bool = False
    track_unregistered: bool = False
    stale_after_ms: int = 24 * _HOUR_MS
    github_credential: str = ""
    github_api_url: str = "https://api.github.com"

    @classmethod
    def from_environment(cls) -> Self:
        """Read the variables.

        Raises
        ------
        KeyError
            If TABLE_NAME is not set.
        """
        return cls(
            table_name=os.environ["TABLE_NAME"],
            exclusive=os.environ.get("CONCURRENT_TIMERS") == "exclusive",
            track_unregistered=os.environ.get("TRACK_UNREGISTERED") == "true",
            stale_after_ms=int(float(os.environ.get("STALE_AFTER_HOURS", "24")) * _HOUR_MS),
            github_credential=os.environ.get("GITHUB_CREDENTIAL", ""),
            github_api_url=os.environ.get("GITHUB_API_URL", "https://api.github.com"),
        )


def names(variable: str) -> list[str]:
    """Return the names that a variable holds, separated by commas."""
    return [name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()]


@cache
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings.from_environment()
