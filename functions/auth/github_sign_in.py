"""GitHub's side of a sign-in: the OAuth web flow with PKCE.

As in GitHub's documentation, "Authorizing OAuth apps", and RFC 7636.
"""

import base64
import json
import secrets
import time
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote, urlencode

import urllib3
from pydantic import BaseModel, Field, PositiveInt, ValidationError

from timer_core.github.api.credentials import OAuthClient
from timer_core.github.api.errors import Refused, Unavailable
from timer_core.github.api.transport import Transport

_TIMEOUT = urllib3.Timeout(connect=2, read=5)


class SignInRefused(Exception):
    """GitHub does not take the code: it was used before, is too old, or somebody else's."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who has signed in, as GitHub knows them."""

    user_id: int
    login: str
    name: str
    avatar_url: str


class _User(BaseModel):
    """GitHub's answer to "Get the authenticated user", as far as it is used."""

    id: PositiveInt
    login: Annotated[str, Field(min_length=1)]
    name: str | None = None
    avatar_url: str | None = None


def new_verifier() -> str:
    """Return a code verifier (RFC 7636, section 4.1)."""
    return secrets.token_urlsafe(48)


class GitHubSignIn:
    """Leads people to GitHub and asks who came back.

    Parameters
    ----------
    url
        Where GitHub's pages are.
    api_url
        Where its API is.
    """

    def __init__(self, url: str, api_url: str) -> None:
        self._url = url
        self._api = Transport(api_url, time.time)
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)

    def authorize_url(
        self, client: OAuthClient, *, redirect_uri: str, state: str, verifier: str, scope: str
    ) -> str:
        """Return the address of GitHub's page that asks the person."""
        challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": client.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "scope": scope,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._url}/login/oauth/authorize?{urlencode(query)}"

    def token(self, client: OAuthClient, *, code: str, redirect_uri: str, verifier: str) -> str:
        """Return the access token that a code is good for, once.

        Raises
        ------
        SignInRefused
            If GitHub does not take the code.
        Unavailable
            If GitHub does not answer.
        """
        form = {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "issue-timer",
        }
        try:
            address, body = f"{self._url}/login/oauth/access_token", urlencode(form)
            # Lambda freezes a function between its invocations, and a connection may not live as long.
            self._pool.clear()
            answer = self._pool.request("POST", address, body=body, headers=headers, redirect=False)
            content = json.loads(answer.data) if answer.status == HTTPStatus.OK else {}
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise Unavailable("GitHub does not answer.") from error
        if answer.status != HTTPStatus.OK:
            raise Unavailable(f"GitHub failed ({answer.status}).")
        # An error is a 200 too.
        if not isinstance(content, dict) or not isinstance(content.get("access_token"), str):
            raise SignInRefused(str(content.get("error", "no token")) if isinstance(content, dict) else "")
        token: str = content["access_token"]
        return token

    def account(self, token: str) -> Account:
        """Return whose token it is.

        Raises
        ------
        GitHubError
            If GitHub does not tell.
        """
        user = self._api.send("GET", "/user", token).data
        try:
            known = _User.model_validate(user, strict=True)
        except ValidationError as error:
            # Without what was wrong: it may be anything.
            raise Unavailable("GitHub's answer does not say who it is.") from error
        return Account(known.id, known.login, known.name or "", known.avatar_url or "")

    def is_member(self, token: str, organization: str) -> bool:
        """Whether the person belongs to an organization, and has accepted its invitation.

        Raises
        ------
        Unavailable
            If GitHub does not answer.
        """
        try:
            membership = self._api.send("GET", f"/user/memberships/orgs/{quote(organization)}", token).data
        except Refused:
            return False
        return isinstance(membership, dict) and membership.get("state") == "active"
