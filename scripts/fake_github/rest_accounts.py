"""The REST API of Apps and people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fake_github import payloads
from fake_github.access import InstallationToken
from fake_github.messages import Answer, ApiError
from fake_github.rest import Call, Routes, page

if TYPE_CHECKING:
    from fake_github.access import Token
    from fake_github.model import Account

routes = Routes()


@routes.endpoint("GET", "/app")
def get_app(call: Call) -> Answer:
    return Answer(200, payloads.app(call.app))


@routes.endpoint("GET", "/app/installations")
def list_installations(call: Call) -> Answer:
    return page(call, [payloads.installation(one) for one in call.app.installations])


@routes.endpoint("POST", "/app/installations/{installation_id:d}/access_tokens")
def create_installation_token(call: Call) -> Answer:
    app, wanted = call.app, call.number("installation_id")
    installation = next((one for one in app.installations if one.id == wanted), None)
    if installation is None:
        raise ApiError(404, "Not Found")
    token, expires_at = call.github.new_installation_token(installation)
    return Answer(
        201,
        {
            "token": token,
            "expires_at": payloads.time(datetime.fromtimestamp(expires_at, UTC)),
            "permissions": app.permissions,
            "repository_selection": "all",
        },
    )


@routes.endpoint("GET", "/user")
def get_user(call: Call) -> Answer:
    user = _person(call).user
    return Answer(200, {**payloads.account(user), "name": user.name or None})


@routes.endpoint("GET", "/user/orgs")
def list_organizations(call: Call) -> Answer:
    token = _person(call)
    if token.scopes is not None and not token.scopes & {"user", "read:org"}:
        raise ApiError(403, "You need at least read:org scope or user scope to list your organizations.")
    # A fine-grained token lists no organizations.
    found = [] if token.scopes is None else _organizations_of(call, token.user)
    return page(call, [payloads.organization(one) for one in found])


@routes.endpoint("GET", "/user/memberships/orgs/{org}")
def get_membership(call: Call) -> Answer:
    user = _person(call).user
    found = next((one for one in _organizations_of(call, user) if one is _named(call)), None)
    if found is None:
        raise ApiError(404, "Not Found")
    organization = payloads.organization(found)
    return Answer(
        200,
        {
            "url": f"{organization['url']}/memberships/{user.login}",
            "state": "active",
            "role": found.members[user],
            "direct_membership": True,
            "organization_url": organization["url"],
            "organization": organization,
            "user": payloads.account(user),
        },
    )


@routes.endpoint("GET", "/rate_limit")
def get_rate_limit(call: Call) -> Answer:
    _ = call.viewer
    core = {"limit": 5000, "used": 1, "remaining": 4999, "reset": int(call.github.now.timestamp()) + 3600}
    return Answer(200, {"resources": {"core": core, "graphql": core}, "rate": core})


def _person(call: Call) -> Token:
    """Return the token of the person who sent the request.

    Raises
    ------
    ApiError
        403 if an App sent it.
    """
    token = call.viewer.token
    if isinstance(token, InstallationToken):
        raise ApiError(403, "Resource not accessible by integration")
    return token


def _named(call: Call) -> Account | None:
    return call.github.accounts.get(call.variables["org"].lower())


def _organizations_of(call: Call, user: Account) -> list[Account]:
    return [one for one in call.github.accounts.values() if user in one.members]
