"""The OAuth web application flow with PKCE (GitHub's documentation, "Authorizing OAuth apps"; RFC 7636)."""

import base64
import json
import time
from hashlib import sha256
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, urlencode

import urllib3

from timer_core.github.api.credentials import OAuthClient
from timer_core.github.api.errors import Refused, Unavailable
from timer_core.github.api.transport import Transport

_TIMEOUT = urllib3.Timeout(connect=2, read=5)


class SignInRefused(Exception):
    """GitHub refused the code, which was used before, has expired, or belongs to another sign-in."""


class Account(NamedTuple):
    """The GitHub account of a person who has signed in."""

    user_id: int
    login: str
    name: str
    avatar_url: str


class GitHubSignIn:
    """The requests of a sign-in to GitHub.

    Parameters
    ----------
    url
        The base URL of GitHub's pages.
    api_url
        The base URL of GitHub's API.
    """

    def __init__(self, url: str, api_url: str) -> None:
        self._url = url
        self._api = Transport(api_url, time.time)
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)

    def authorize_url(
        self, client: OAuthClient, *, redirect_uri: str, state: str, verifier: str, scope: str
    ) -> str:
        """Return the URL of GitHub's page that asks the person for their consent."""
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
        """Exchange a code, which GitHub accepts once, for an access token.

        Raises
        ------
        SignInRefused
            If GitHub refuses the code.
        Unavailable
            If GitHub does not respond.
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
            # A connection may be closed while Lambda freezes the function between two invocations.
            self._pool.clear()
            response = self._pool.request("POST", address, body=body, headers=headers, redirect=False)
            content = json.loads(response.data) if response.status == HTTPStatus.OK else {}
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise Unavailable("GitHub does not respond.") from error
        if response.status != HTTPStatus.OK:
            raise Unavailable(f"GitHub responded with status {response.status}.")
        # GitHub reports some errors with status 200.
        if not isinstance(content, dict) or not isinstance(content.get("access_token"), str):
            raise SignInRefused(str(content.get("error", "no token")) if isinstance(content, dict) else "")
        token: str = content["access_token"]
        return token

    def account(self, token: str) -> Account:
        """Return the account of an access token.

        Raises
        ------
        GitHubError
            If GitHub refuses or does not respond.
        """
        data = self._api.send("GET", "/user", token).data
        user = data if isinstance(data, dict) else {}
        user_id, texts = user.get("id"), [user.get(name) or "" for name in ("login", "name", "avatar_url")]
        is_valid = texts[0] and all(isinstance(text, str) for text in texts)
        if type(user_id) is not int or user_id < 1 or not is_valid:
            raise Unavailable("GitHub's response does not name the user.")
        return Account(user_id, *texts)

    def is_member(self, token: str, organization: str) -> bool:
        """Whether the person is a member of an organization. A pending invitation does not count.

        Raises
        ------
        Unavailable
            If GitHub does not respond.
        """
        try:
            membership = self._api.send("GET", f"/user/memberships/orgs/{quote(organization)}", token).data
        except Refused:
            return False
        return isinstance(membership, dict) and membership.get("state") == "active"
