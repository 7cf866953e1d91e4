"""The names on GitHub that a deployment chose: triggers of timers, fields of numbers, lead teams."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TriggerConfig:
    """The names in deliveries that a deployment acts on.

    Attributes
    ----------
    start_labels
        The labels that start a timer, in lower case: GitHub ignores the case of labels.
    command_prefix
        The first word of a command in a comment.
    status_field
        The name of the project field with the status of cards.
    start_statuses, stop_statuses
        The statuses that start and stop timers, in lower case. Any other status pauses them.
    estimate_field
        The name of the number field, of issues or of projects, with the estimate in hours.
    time_field
        The name of the number field, of issues or of projects, into which the time of issues is written;
        empty if it is not.
    lead_teams
        The teams whose members are leads, such as ``octo-org/leads``, in lower case.
    """

    start_labels: frozenset[str]
    command_prefix: str
    status_field: str
    start_statuses: frozenset[str]
    stop_statuses: frozenset[str]
    estimate_field: str = "Estimate"
    time_field: str = ""
    lead_teams: frozenset[str] = frozenset()

    def kind_of_status(self, status: str) -> str:
        """Return the kind of event for a card's new status."""
        if status.lower() in self.start_statuses:
            return "project.start"
        return "project.stop" if status.lower() in self.stop_statuses else "project.pause"
