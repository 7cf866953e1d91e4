"""Keeping the members of the lead teams as GitHub has them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus

from aws_lambda_powertools import Logger

from timer_core.github.api.client import GitHub
from timer_core.github.api.errors import GitHubError, NoCredential, Refused, Unavailable
from timer_core.github.api.teams import list_members
from timer_core.github.messages import LeadTeamEvent
from timer_core.store.lead_teams import LeadTeam, LeadTeamStore
from timer_core.store.table import retry_on_conflict


@dataclass(slots=True)
class LeadTeamRepair:
    """The result of listing the members of lead teams.

    Attributes
    ----------
    listed
        The teams whose members GitHub has listed.
    complete
        Whether there was time for all teams.
    error
        The last error of GitHub's API; empty if there was none.
    """

    listed: int = 0
    complete: bool = True
    error: str = ""


class LeadTeams:
    """Keeps the members of the lead teams.

    A person whom GitHub removes from a team loses the role at once, from the delivery alone. A person gets
    the role only if GitHub's API lists them; without a credential, if a delivery says so.

    Parameters
    ----------
    names
        The teams whose members are leads, such as ``octo-org/leads``, in lower case.
    """

    def __init__(self, github: GitHub, store: LeadTeamStore, names: frozenset[str], logger: Logger) -> None:
        self.github = github
        self._store = store
        self._names = names
        self._logger = logger

    def withdraw(self, event: LeadTeamEvent) -> None:
        """Remove the people who are no longer members according to an event."""
        self._change(event, lambda team: _without_removed(team, event))

    def admit(self, event: LeadTeamEvent) -> None:
        """Add the person who is a member according to an event, without a credential for GitHub's API.

        GitHub's payloads have no time, so the event that is received last holds. Members of child teams are
        unknown.
        """
        self._change(event, lambda team: _with_added(team, event))

    def list_members(self, organization: str) -> None:
        """Replace the members of an organization's lead teams by those that GitHub lists.

        If GitHub refuses to list a team, nobody is a lead because of it. A credential that has expired says
        nothing about a team, so its members stay as they are.

        Raises
        ------
        GitHubError
            If GitHub does not respond, or refuses. The teams after this one have been listed too.
        """
        errors = [error for name in self._of(organization) if (error := self._list(name))]
        if errors:
            raise next((error for error in errors if isinstance(error, Unavailable)), errors[-1])

    def repair(self, *, all_teams: bool, has_time: Callable[[], bool]) -> LeadTeamRepair:
        """List the members of all lead teams, or only of those that are not stored yet."""
        result = LeadTeamRepair()
        for name in sorted(self._names if all_teams else self._names - self._store.teams().keys()):
            if not has_time():
                result.complete = False
                break
            if error := self._list(name):
                result.error = str(error)
            else:
                result.listed += 1
        return result

    def forget_former(self) -> None:
        """Delete the teams that are not lead teams any more."""
        for name in self._store.teams().keys() - self._names:
            self._store.forget(name)

    def _list(self, name: str) -> GitHubError | None:
        """Store the members that GitHub lists, and return the error if GitHub does not list them."""

        def attempt() -> GitHubError | None:
            # Read the team first. So a change that is written while GitHub responds makes the write fail.
            team, refusal = self._store.teams().get(name, LeadTeam(name)), None
            try:
                members = list_members(self.github, name)
            except (NoCredential, Refused) as error:
                if isinstance(error, Refused) and error.status == HTTPStatus.UNAUTHORIZED:
                    raise
                members, refusal = frozenset[int](), error
            self._store.write(replace(team, members=members))
            return refusal

        try:
            error = retry_on_conflict(attempt, "The members of a lead team kept changing.")
        except GitHubError as unavailable:
            error = unavailable
        if error:
            self._logger.warning("A lead team is not listed", extra={"team": name, "reason": str(error)})
        return error

    def _change(self, event: LeadTeamEvent, change: Callable[[LeadTeam], LeadTeam]) -> None:
        """Change the lead teams of an event's organization."""

        def attempt() -> None:
            stored = self._store.teams()
            for name in self._of(event.organization):
                team = stored.get(name, LeadTeam(name))
                # Write a team that stays the same too, so that a listing from before the event fails.
                self._store.write(change(team))

        retry_on_conflict(attempt, "The members of a lead team kept changing.")

    def _of(self, organization: str) -> list[str]:
        return sorted(name for name in self._names if name.startswith(f"{organization}/"))


def _without_removed(team: LeadTeam, event: LeadTeamEvent) -> LeadTeam:
    if event.change == "removed" and (event.is_of_organization or _is_named(team, event)):
        return replace(team, members=team.members - {event.member})
    is_gone = event.change == "deleted" and _is_named(team, event)
    is_renamed = event.team_id == team.team_id and event.slug and not _has_slug(team, event)
    if is_gone or is_renamed:
        return replace(team, members=frozenset(), team_id=None)
    return team


def _with_added(team: LeadTeam, event: LeadTeamEvent) -> LeadTeam:
    if not _has_slug(team, event) or event.change == "deleted":
        return team
    if team.team_id not in (None, event.team_id):
        # Another team has taken the slug.
        team = replace(team, members=frozenset())
    added = {event.member} if event.change == "added" and event.member else frozenset[int]()
    return replace(team, members=team.members | added, team_id=event.team_id)


def _is_named(team: LeadTeam, event: LeadTeamEvent) -> bool:
    """Whether an event concerns a team. The delivery about a member of a deleted team has only its id."""
    return _has_slug(team, event) or event.team_id == team.team_id


def _has_slug(team: LeadTeam, event: LeadTeamEvent) -> bool:
    return team.name == f"{event.organization}/{event.slug}"
