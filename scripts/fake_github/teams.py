"""Teams of organizations, and the members of organizations and teams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_github import payloads
from fake_github.accounts import Accounts
from fake_github.model import Team

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fake_github.model import Account
    from fake_github.payloads import JSON


class Teams(Accounts):
    """People's actions on teams. Each of them may also be an action of an organization's owner."""

    def new_team(
        self, organization: str, name: str, members: Iterable[Account] = (), *, parent: Team | None = None
    ) -> Team:
        """Return a new visible team; its members become members of the organization."""
        with self.acting():
            owner = self._owner(organization)
            team = self.nodes.new(Team, name=name, organization=owner, parent=parent)
            self._announce_team("created", team)
            for member in members:
                self.add_to_team(team, member)
            return team

    def team(self, organization: Account, slug: str) -> Team | None:
        """Return the team that has a slug now; GitHub keeps no former slugs."""
        return next((team for team in self._teams(organization) if team.slug == slug), None)

    def members_of(self, team: Team) -> dict[Account, bool]:
        """Return the members of a team and of its child teams, each with whether it is only of a child's."""
        children = [one for one in self._teams(team.organization) if one.parent is team]
        inherited = {member: True for child in children for member in self.members_of(child)}
        return inherited | dict.fromkeys(team.members, False)

    def add_to_team(self, team: Team, member: Account) -> None:
        with self.acting():
            if member not in team.members:
                team.organization.members.setdefault(member, "member")
                team.members.append(member)
                self._announce_membership("added", team, member)

    def remove_from_team(self, team: Team, member: Account) -> None:
        with self.acting():
            if member in team.members:
                team.members.remove(member)
                self._announce_membership("removed", team, member)

    def rename_team(self, team: Team, name: str) -> None:
        """Rename a team, which changes its slug."""
        with self.acting():
            old, team.name = team.name, name
            self._announce_team("edited", team, changes={"name": {"from": old}})

    def delete_team(self, team: Team) -> None:
        """Delete a team. Its child teams become those of its parent."""
        with self.acting():
            for child in self._teams(team.organization):
                if child.parent is team:
                    child.parent = team.parent
            del self.nodes[team.node_id]
            self._announce_team("deleted", team)

    def remove_member(self, organization: str, member: Account) -> None:
        """Remove a member of an organization, and thereby of its teams."""
        with self.acting():
            owner = self._owner(organization)
            role = owner.members.pop(member)
            for team in self._teams(owner):
                if member in team.members:
                    team.members.remove(member)
                    self._announce_membership("removed", team, member, scope="organization")
            url = f"{payloads.organization(owner)['url']}/memberships/{member.login}"
            membership = {
                "url": url,
                "state": "active",
                "role": role,
                "organization_url": payloads.organization(owner)["url"],
                "user": payloads.account(member),
            }
            self._announce(
                "organization",
                "member_removed",
                {"membership": membership},
                sender=self.maintainer,
                owner=owner,
            )

    def _teams(self, organization: Account) -> Iterator[Team]:
        found = [one for one in self.nodes.values() if isinstance(one, Team)]
        return (team for team in found if team.organization is organization)

    def _announce_membership(self, action: str, team: Team, member: Account, scope: str = "team") -> None:
        members = {"scope": scope, "member": payloads.account(member), "team": payloads.team(team)}
        self._announce("membership", action, members, sender=self.maintainer, owner=team.organization)

    def _announce_team(self, action: str, team: Team, **members: JSON) -> None:
        self._announce(
            "team",
            action,
            {**members, "team": payloads.team(team)},
            sender=self.maintainer,
            owner=team.organization,
        )
