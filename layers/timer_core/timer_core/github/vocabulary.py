"""The names that a deployment gives to things on GitHub, read from the environment (see template.yaml)."""

import os
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a deployment gives to things.

    Attributes
    ----------
    start_labels
        Labels that start a timer, in lower case: GitHub ignores the case of labels.
    command_prefix
        What a command in a comment begins with.
    status_field
        The field of a project that holds the status of its cards.
    start_statuses, stop_statuses
        Statuses that start and stop timers, in lower case. Any other pauses.
    """

    start_labels: frozenset[str] = frozenset()
    command_prefix: str = "/timer"
    status_field: str = "Status"
    start_statuses: frozenset[str] = frozenset({"in progress"})
    stop_statuses: frozenset[str] = frozenset({"done"})

    @classmethod
    def from_environment(cls) -> Self:
        """Read the variables."""
        return cls(
            start_labels=_names("START_LABELS", ""),
            command_prefix=os.environ.get("COMMAND_PREFIX", "/timer"),
            status_field=os.environ.get("STATUS_FIELD", "Status"),
            start_statuses=_names("START_STATUSES", "In Progress"),
            stop_statuses=_names("STOP_STATUSES", "Done"),
        )

    def kind_of_status(self, status: str) -> str:
        """Return the kind of fact that a card with this status makes."""
        if status.lower() in self.start_statuses:
            return "project.start"
        return "project.stop" if status.lower() in self.stop_statuses else "project.pause"


def _names(variable: str, default: str) -> frozenset[str]:
    names = os.environ.get(variable, default).split(",")
    return frozenset(name.strip().lower() for name in names if name.strip())
