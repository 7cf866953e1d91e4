"""The pages and endpoints for signing in to other sites, and for registering Apps.

`fake_github.oauth_flow` implements the OAuth flow. Apps are registered as in GitHub's documentation,
"Registering a GitHub App from a manifest".
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fake_github import payloads
from fake_github.accounts import new_private_key
from fake_github.messages import Answer, ApiError
from fake_github.model import App
from fake_github.oauth_flow import OAuthError, hidden_inputs, redirect
from fake_github.rest import Call, Routes
from fake_github.webhooks import MEMBERS_EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_github.access import Access
    from fake_github.model import Account, OAuthApp

MANIFEST_LIFETIME = timedelta(hours=1)
# The lifetimes of a GitHub App's user access token and of its refresh token (seconds).
TOKEN_LIFETIME_S, REFRESH_TOKEN_LIFETIME_S = 28_800, 15_897_600

_PAGE = """<!doctype html>
<html lang="en"><title>Authorize {name}</title>
<h1>Authorize {name}</h1><p>Signed in as {login}.</p>
<form method="post" action="/login/oauth/authorize">{hidden}
<button name="authorize" value="1">Authorize</button> <button name="authorize" value="0">Cancel</button>
</form></html>
"""

routes = Routes()


@dataclass(frozen=True)
class Manifest:
    """The manifest of an App to register, kept until its code is redeemed."""

    members: Mapping[str, Any]
    owner: Account
    at: datetime


# ---------------------------------------------------------------------- signing in


@routes.endpoint("GET", "/login/oauth/authorize")
def show_authorization(call: Call) -> Answer:
    query = call.request.query
    client = client_of(call.github, query)
    if refused := refusal(call.github, client, query):
        return _redirect(refused)
    name, login = escape(client.name), escape(call.github.signed_in.login)
    return Answer(200, _PAGE.format(name=name, login=login, hidden=hidden_inputs(query)))


@routes.endpoint("POST", "/login/oauth/authorize")
def authorize(call: Call) -> Answer:
    form = call.request.members
    client = client_of(call.github, form)
    if refused := refusal(call.github, client, form):
        return _redirect(refused)
    user = call.github.signed_in if form.get("authorize") == "1" else None
    return _redirect(call.github.oauth.authorize(client, user, form))


@routes.endpoint("POST", "/login/oauth/access_token")
def redeem_code(call: Call) -> Answer:
    form = call.request.members | call.request.query
    client = _find_client(call.github, form)
    try:
        grant = call.github.oauth.redeem(client, form)
    except OAuthError as error:
        return _token_answer(call, error=str(error))
    if isinstance(client, App):
        # A GitHub App has permissions instead of scopes.
        return _token_answer(
            call,
            access_token=call.github.new_token(
                grant.user, owners=[one.account.login for one in client.installations], prefix="ghu_"
            ),
            expires_in=TOKEN_LIFETIME_S,
            refresh_token=f"ghr_{secrets.token_hex(38)}",
            refresh_token_expires_in=REFRESH_TOKEN_LIFETIME_S,
            scope="",
            token_type="bearer",
        )
    scopes = frozenset(filter(None, re.split(r"[ ,]+", grant.scope)))
    return _token_answer(
        call,
        access_token=call.github.new_token(grant.user, scopes=scopes, prefix="gho_"),
        scope=",".join(sorted(scopes)),
        token_type="bearer",
    )


def client_of(github: Access, query: Mapping[str, str]) -> OAuthApp | App:
    """Return the App that requests a person's authorization.

    Raises
    ------
    ApiError
        404 if there is no such App, or if it does not sign people in.
    """
    client = _find_client(github, query)
    if client is None or not client.callback_urls:
        raise ApiError(404, "Not Found")
    return client


def refusal(github: Access, client: OAuthApp | App, query: Mapping[str, str]) -> str:
    """Return the redirect with which a wrong request for authorization is refused; empty if it is correct."""
    try:
        github.oauth.check(client, query)
    except OAuthError as error:
        return redirect(client.callback_urls[0], query, error=str(error))
    return ""


def _find_client(github: Access, members: Mapping[str, str]) -> OAuthApp | App | None:
    clients: list[OAuthApp | App] = [*github.oauth_apps, *github.apps]
    return next((one for one in clients if one.client_id == members.get("client_id")), None)


def _redirect(location: str) -> Answer:
    return Answer(302, headers={"Location": location})


def _token_answer(call: Call, **members: Any) -> Answer:
    if "error" in members:
        members["error_description"] = members["error"].replace("_", " ").capitalize()
    if "json" in call.request.headers.get("accept", ""):
        return Answer(200, members)
    return Answer(200, urlencode(members))


# ---------------------------------------------------------------------- registering an App


@routes.endpoint("POST", "/settings/apps/new", "/organizations/{org}/settings/apps/new")
def accept_manifest(call: Call) -> Answer:
    """Redirect immediately, as if the person had confirmed the page."""
    owner = call.github.signed_in
    if login := call.variables.get("org"):
        found = call.github.accounts.get(login.lower())
        if found is None or found.members.get(owner) != "admin":
            raise ApiError(404, "Not Found")
        owner = found
    manifest = json.loads(call.request.members["manifest"])
    hook = manifest.get("hook_attributes")
    if not (manifest.get("url") and manifest.get("redirect_url")) or (hook and not hook.get("url")):
        raise ApiError(422, "Validation Failed")
    permissions, events = manifest.get("default_permissions", {}), manifest.get("default_events", [])
    if "members" not in permissions and (unsupported := MEMBERS_EVENTS.intersection(events)):
        raise ApiError(422, f"Default events unsupported: {', '.join(sorted(unsupported))}")
    code = secrets.token_hex(20)
    call.github.manifests[code] = Manifest(manifest, owner, call.github.now)
    return _redirect(redirect(manifest["redirect_url"], call.request.query, code=code))


@routes.endpoint("POST", "/app-manifests/{code}/conversions")
def register_app(call: Call) -> Answer:
    github = call.github
    manifest = github.manifests.pop(call.variables["code"], None)
    if manifest is None or github.now - manifest.at > MANIFEST_LIFETIME:
        raise ApiError(404, "Not Found")
    members = manifest.members
    app = github.new_app(
        re.sub(r"[^a-z0-9]+", "-", members.get("name", "app").lower()).strip("-"),
        private_key=new_private_key(),
        owner=manifest.owner,
        permissions=members.get("default_permissions", {}),
        events=members.get("default_events", []),
        callback_urls=members.get("callback_urls", []),
    )
    secret = None
    if hook := members.get("hook_attributes"):
        secret = secrets.token_hex(20)
        github.add_hook(app, hook["url"], secret, events=app.events)
    return Answer(
        201,
        {
            **payloads.app(app),
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "webhook_secret": secret,
            "pem": app.private_key,
        },
    )
