"""Who sees whose time: what the requests about it do."""

from http import HTTPStatus

from auth.account import NO_STORE, current_session, not_embedded
from auth.shared import people, table
from timer_core.api.replies import Reply
from timer_core.api.requests import Request
from timer_core.domain.visibility import Visibility
from timer_core.services.team import Team
from timer_core.settings import settings

team = Team(
    table,
    lead_teams=settings().triggers.lead_teams,
    admins=settings().admins,
    default=settings().team_visibility,
)


def get_visibility(request: Request) -> Reply:
    """Return the caller's choice, the default, and the people who see the caller's time."""
    return _visibility_reply(not_embedded(request).user_id)


def put_visibility(request: Request, choice: Visibility | None) -> Reply:
    """Store the caller's choice; None for the default."""
    user_id = current_session(request).user_id
    people.choose_visibility(user_id, choice)
    return _visibility_reply(user_id)


def list_team(request: Request) -> Reply:
    """Return the people whose time the caller sees."""
    results = [
        {
            "id": person.id,
            "login": person.login,
            "name": person.name,
            "avatar_url": person.avatar_url,
            "why": person.why,
        }
        for person in team.visible_to(not_embedded(request))
    ]
    return Reply(HTTPStatus.OK, {"results": results}, NO_STORE)


def _visibility_reply(user_id: int) -> Reply:
    audience = team.audience(user_id)
    shown = {
        "visibility": audience.choice,
        "default": settings().team_visibility,
        "lead_teams": sorted(settings().triggers.lead_teams),
        "organizations": [*settings().allowed_orgs],
        "seen_by": {
            "everyone": audience.visibility is Visibility.EVERYONE,
            "leads": [
                {"login": lead.login, "name": lead.name, "teams": [*lead.teams], "is_admin": lead.is_admin}
                for lead in audience.leads
            ],
        },
    }
    return Reply(HTTPStatus.OK, shown, NO_STORE)
