"""The members of teams."""

from timer_core.github.api.client import GitHub


def list_members(github: GitHub, team: str) -> frozenset[int]:
    """Return the ids of the members of a team and of its child teams.

    https://docs.github.com/en/rest/teams/members#list-team-members, which needs the organization permission
    "Members" (read), or the scope ``read:org``.

    Parameters
    ----------
    team
        The organization and the team's slug, such as ``octo-org/leads``.

    Raises
    ------
    GitHubError
        If GitHub does not respond, or refuses; 404 if the team has another slug, is deleted, or is not
        visible to the credential.
    """
    organization, _, slug = team.partition("/")
    found: set[int] = set()
    page: str | None = f"/orgs/{organization}/teams/{slug}/members?per_page=100"
    while page is not None:
        response = github.rest("GET", page, owner=organization)
        found.update(int(member["id"]) for member in response.data)
        page = response.next_page
    return frozenset(found)
