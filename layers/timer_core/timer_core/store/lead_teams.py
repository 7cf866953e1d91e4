"""The GitHub teams whose members are leads, with their members."""

from dataclasses import dataclass

from timer_core.store.items import LeadTeamItem, as_read
from timer_core.store.keys import LEADS_PK, TEAMS, name_of, team_sk
from timer_core.store.table import RawItem, Table, Write


@dataclass(frozen=True, slots=True)
class LeadTeam:
    """The members of a lead team, as GitHub last named them.

    Attributes
    ----------
    name
        The organization and the team's slug, such as ``octo-org/leads``, in lower case.
    members
        The ids of the members' accounts, also of people who never signed in.
    team_id
        GitHub's id of the team; None if no delivery has named it.
    version
        The number of writes; 0 if the team was never written.
    """

    name: str
    members: frozenset[int] = frozenset()
    team_id: int | None = None
    version: int = 0


class LeadTeamStore:
    """The lead teams in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def teams(self) -> dict[str, LeadTeam]:
        """Return all stored teams by their names; the read is strongly consistent."""
        items = self._table.query_all(LEADS_PK, LeadTeamItem.sk.startswith(TEAMS))
        return {team.name: team for team in map(_to_team, map(LeadTeamItem.from_raw_data, items))}

    def teams_of(self, user_id: int) -> list[str]:
        """Return the names of the stored teams that a person belongs to."""
        return [name for name, team in self.teams().items() if user_id in team.members]

    def write(self, team: LeadTeam) -> None:
        """Store a team, on the condition that it has not changed since it was read.

        Raises
        ------
        ConditionFailed
            If somebody else has written the team.
        """
        item: RawItem = {"version": {"N": str(team.version + 1)}}
        if team.members:
            # DynamoDB has no empty sets.
            item["members"] = {"NS": [str(member) for member in sorted(team.members)]}
        if team.team_id is not None:
            item["team_id"] = {"N": str(team.team_id)}
        unchanged = as_read(LeadTeamItem.version, team.version or None)
        self._table.write(Write("Put", LEADS_PK, team_sk(team.name), unchanged, item=item))

    def forget(self, name: str) -> None:
        """Delete a team whose members are no longer leads."""
        self._table.write(Write("Delete", LEADS_PK, team_sk(name)))


def _to_team(item: LeadTeamItem) -> LeadTeam:
    return LeadTeam(
        name=name_of(item.sk),
        members=frozenset(map(int, item.members or ())),
        team_id=None if item.team_id is None else int(item.team_id),
        version=int(item.version),
    )
