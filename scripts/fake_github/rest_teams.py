"""The REST API of teams ("REST API endpoints for team members")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_github import payloads
from fake_github.access import InstallationToken, Viewer
from fake_github.messages import Answer, ApiError
from fake_github.rest import Call, Routes, page

if TYPE_CHECKING:
    from fake_github.model import Account

routes = Routes()


@routes.endpoint("GET", "/orgs/{org}/teams/{team_slug}/members")
def list_team_members(call: Call) -> Answer:
    """List the members of a team, with those of its child teams.

    The endpoint works with GitHub App tokens that have the organization permission "Members" (read).
    """
    viewer = call.viewer
    organization = call.github.accounts.get(call.variables["org"].lower())
    if organization is None or not viewer.sees(organization):
        raise ApiError(404, "Not Found")
    _require_members_permission(viewer, organization)
    team = call.github.team(organization, call.variables["team_slug"])
    if team is None:
        raise ApiError(404, "Not Found")
    members = call.github.members_of(team)
    return page(call, [payloads.team_member(one, inherited=members[one]) for one in members])


def _require_members_permission(viewer: Viewer, organization: Account) -> None:
    token = viewer.token
    if isinstance(token, InstallationToken):
        if token.installation.app.permissions.get("members") not in {"read", "write"}:
            raise ApiError(403, "Resource not accessible by integration")
        return
    if token.scopes is not None and not token.scopes & {"read:org", "write:org", "admin:org"}:
        raise ApiError(403, "You need at least read:org scope to list the members of a team.")
    if viewer.account not in organization.members:
        raise ApiError(404, "Not Found")
