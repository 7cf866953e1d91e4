"""The pages and endpoints by which people sign in to other sites, and register Apps.

"Authorizing OAuth apps", "Generating a user access token for a GitHub App", "Troubleshooting authorization
request errors", "Registering a GitHub App from a manifest".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.support.fake_github import payloads
from tests.support.fake_github.accounts import new_private_key
from tests.support.fake_github.messages import Answer, ApiError
from tests.support.fake_github.model import App
from tests.support.fake_github.rest import Call, Routes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.fake_github.model import Account, OAuthApp

GRANT_LASTS = timedelta(minutes=10)
MANIFEST_LASTS = timedelta(hours=1)
# A user access token of a GitHub App, and what it is refreshed with (seconds).
TOKEN_LASTS_S, REFRESH_TOKEN_LASTS_S = 28_800, 15_897_600

_PAGE = """<!doctype html>
<html lang="en"><title>Authorize {name}</title>
<h1>Authorize {name}</h1><p>Signed in as {login}.</p>
<form method="post" action="/login/oauth/authorize">{hidden}
<button name="authorize" value="1">Authorize</button> <button name="authorize" value="0">Cancel</button>
</form></html>
"""

routes = Routes()


@dataclass(frozen=True)
class Grant:
    """What a person allowed an App, until it is redeemed with its code."""

    client: OAuthApp | App
    user: Account
    redirect_uri: str
    scopes: frozenset[str]
    challenge: str
    at: datetime


@dataclass(frozen=True)
class Manifest:
    """An App to be, until its code is redeemed."""

    members: Mapping[str, Any]
    owner: Account
    at: datetime


# ---------------------------------------------------------------------- signing in


@routes.endpoint("GET", "/login/oauth/authorize")
def ask_person(call: Call) -> Answer:
    asked = call.request.query
    client = _client(call, asked)
    if mistake := _mistake(client, asked):
        return _back(client.callback_urls[0], asked, error=mistake)
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in asked.items()
    )
    page = _PAGE.format(name=escape(client.name), login=escape(call.github.signed_in.login), hidden=hidden)
    return Answer(200, page)


@routes.endpoint("POST", "/login/oauth/authorize")
def hear_person(call: Call) -> Answer:
    asked = call.request.members
    client = _client(call, asked)
    if mistake := _mistake(client, asked):
        return _back(client.callback_urls[0], asked, error=mistake)
    redirect_uri = asked.get("redirect_uri") or client.callback_urls[0]
    if asked.get("authorize") != "1":
        return _back(redirect_uri, asked, error="access_denied")
    # A GitHub App has permissions instead of scopes.
    scopes = [] if isinstance(client, App) else re.split(r"[ ,]+", asked.get("scope", ""))
    code = secrets.token_hex(10)
    call.github.grants[code] = Grant(
        client,
        call.github.signed_in,
        redirect_uri,
        frozenset(filter(None, scopes)),
        asked.get("code_challenge", ""),
        call.github.now,
    )
    return _back(redirect_uri, asked, code=code)


@routes.endpoint("POST", "/login/oauth/access_token")
def redeem_code(call: Call) -> Answer:
    asked = call.request.members | call.request.query
    client = _find_client(call, asked)
    if client is None or not _same(asked.get("client_secret", ""), client.client_secret):
        return _token_answer(call, error="incorrect_client_credentials")
    grant = call.github.grants.pop(asked.get("code", ""), None)
    if grant is None or grant.client is not client or call.github.now - grant.at > GRANT_LASTS:
        return _token_answer(call, error="bad_verification_code")
    if asked.get("redirect_uri", grant.redirect_uri) != grant.redirect_uri:
        return _token_answer(call, error="redirect_uri_mismatch")
    if grant.challenge and not _same(_challenge(asked.get("code_verifier", "")), grant.challenge):
        return _token_answer(call, error="bad_verification_code")
    if isinstance(client, App):
        return _token_answer(
            call,
            access_token=call.github.new_token(
                grant.user, owners=[one.account.login for one in client.installations], prefix="ghu_"
            ),
            expires_in=TOKEN_LASTS_S,
            refresh_token=f"ghr_{secrets.token_hex(38)}",
            refresh_token_expires_in=REFRESH_TOKEN_LASTS_S,
            scope="",
            token_type="bearer",
        )
    return _token_answer(
        call,
        access_token=call.github.new_token(grant.user, scopes=grant.scopes, prefix="gho_"),
        scope=",".join(sorted(grant.scopes)),
        token_type="bearer",
    )


def _find_client(call: Call, asked: Mapping[str, str]) -> OAuthApp | App | None:
    clients: list[OAuthApp | App] = [*call.github.oauth_apps, *call.github.apps]
    return next((one for one in clients if one.client_id == asked.get("client_id")), None)


def _client(call: Call, asked: Mapping[str, str]) -> OAuthApp | App:
    client = _find_client(call, asked)
    if client is None or not client.callback_urls:
        raise ApiError(404, "Not Found")
    return client


def _mistake(client: OAuthApp | App, asked: Mapping[str, str]) -> str:
    """Return what is wrong with a request for authorization, as the error for the redirect."""
    redirect_uri = asked.get("redirect_uri")
    if redirect_uri and not any(_leads_to(redirect_uri, url, client) for url in client.callback_urls):
        return "redirect_uri_mismatch"
    challenge, method = asked.get("code_challenge"), asked.get("code_challenge_method")
    if (challenge or method) and (method != "S256" or len(challenge or "") != 43):
        return "invalid_request"
    return ""


def _leads_to(redirect_uri: str, callback_url: str, client: OAuthApp | App) -> bool:
    """Whether a redirection is allowed: below the callback URL, for a GitHub App to nothing else."""
    if isinstance(client, App):
        return redirect_uri == callback_url
    asked, registered = urlsplit(redirect_uri), urlsplit(callback_url)
    folder = registered.path.rstrip("/")
    # The port of a loopback address is free (RFC 8252, section 7.3).
    is_loopback = registered.hostname in ("127.0.0.1", "::1")
    return (
        asked.scheme == registered.scheme
        and asked.hostname == registered.hostname
        and (is_loopback or asked.port == registered.port)
        and (asked.path.rstrip("/") == folder or asked.path.startswith(f"{folder}/"))
    )


def _back(redirect_uri: str, asked: Mapping[str, str], **members: str) -> Answer:
    if "state" in asked:
        members["state"] = asked["state"]
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return Answer(302, headers={"Location": f"{redirect_uri}{joint}{urlencode(members)}"})


def _token_answer(call: Call, **members: Any) -> Answer:
    if "error" in members:
        members["error_description"] = members["error"].replace("_", " ").capitalize()
    if "json" in call.request.headers.get("accept", ""):
        return Answer(200, members)
    return Answer(200, urlencode(members))


def _challenge(verifier: str) -> str:
    """Return the challenge that a verifier answers (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


# ---------------------------------------------------------------------- registering an App


@routes.endpoint("POST", "/settings/apps/new", "/organizations/{org}/settings/apps/new")
def take_manifest(call: Call) -> Answer:
    """Go back at once, as if the person had said yes."""
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
    code = secrets.token_hex(20)
    call.github.manifests[code] = Manifest(manifest, owner, call.github.now)
    return _back(manifest["redirect_url"], call.request.query, code=code)


@routes.endpoint("POST", "/app-manifests/{code}/conversions")
def register_app(call: Call) -> Answer:
    github = call.github
    manifest = github.manifests.pop(call.variables["code"], None)
    if manifest is None or github.now - manifest.at > MANIFEST_LASTS:
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
