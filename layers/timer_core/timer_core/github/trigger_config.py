"""The names that a deployment gives to things on GitHub."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TriggerConfig:
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

    start_labels: frozenset[str]
    command_prefix: str
    status_field: str
    start_statuses: frozenset[str]
    stop_statuses: frozenset[str]

    def kind_of_status(self, status: str) -> str:
        """Return the kind of event that a card with this status makes."""
        if status.lower() in self.start_statuses:
            return "project.start"
        return "project.stop" if status.lower() in self.stop_statuses else "project.pause"
