"""The provider's side of OAuth's authorization code flow with PKCE, as GitHub implements it.

It follows GitHub's documentation:
"Authorizing OAuth apps", "Generating a user access token for a GitHub App", "Troubleshooting authorization
request errors".
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

CODE_LIFETIME = timedelta(minutes=10)

UserT = TypeVar("UserT")


class Client(Protocol):
    """An App that people authorize."""

    @property
    def client_id(self) -> str:
        """The public identifier."""
        ...

    @property
    def client_secret(self) -> str:
        """The password of the App's server."""
        ...

    @property
    def callback_urls(self) -> Sequence[str]:
        """The addresses to which browsers may be redirected."""
        ...

    @property
    def allows_any_path_below(self) -> bool:
        """Whether addresses below a callback URL are allowed: True for OAuth Apps, False for GitHub Apps."""
        ...


class OAuthError(Exception):
    """A request was refused; the message is the error code of GitHub's documentation."""


@dataclass(frozen=True, slots=True)
class Grant(Generic[UserT]):
    """A person's authorization, until its code is redeemed."""

    client_id: str
    user: UserT
    redirect_uri: str
    scope: str
    challenge: str
    at: datetime


class OAuthFlow(Generic[UserT]):
    """Issues codes, and redeems each of them once.

    Parameters
    ----------
    now
        The clock.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._grants: dict[str, Grant[UserT]] = {}

    def check(self, client: Client, query: Mapping[str, str]) -> None:
        """Check the query of a request for authorization.

        Raises
        ------
        OAuthError
            If the redirect is not allowed, or the challenge does not have the method S256.
        """
        redirect_uri = query.get("redirect_uri")
        if redirect_uri and not any(_is_allowed(redirect_uri, url, client) for url in client.callback_urls):
            raise OAuthError("redirect_uri_mismatch")
        challenge, method = query.get("code_challenge"), query.get("code_challenge_method")
        # 43 is the length of a SHA-256 digest in base64url (RFC 7636, section 4.2).
        if (challenge or method) and (method != "S256" or len(challenge or "") != 43):
            raise OAuthError("invalid_request")

    def authorize(self, client: Client, user: UserT | None, query: Mapping[str, str]) -> str:
        """Return the redirect to the App: with a code for the user, or with an error if there is no user."""
        redirect_uri = query.get("redirect_uri") or client.callback_urls[0]
        if user is None:
            return redirect(redirect_uri, query, error="access_denied")
        code = secrets.token_hex(10)
        scope, challenge = query.get("scope", ""), query.get("code_challenge", "")
        self._grants[code] = Grant(client.client_id, user, redirect_uri, scope, challenge, self._now())
        return redirect(redirect_uri, query, code=code)

    def redeem(self, client: Client | None, form: Mapping[str, str]) -> Grant[UserT]:
        """Return the authorization for a code.

        Raises
        ------
        OAuthError
            If the client or its secret is wrong (the code then stays valid); if the code is unknown, used or
            expired, or belongs to another client; if the redirect or the verifier is wrong.
        """
        if client is None or not is_same(form.get("client_secret", ""), client.client_secret):
            raise OAuthError("incorrect_client_credentials")
        grant = self._grants.pop(form.get("code", ""), None)
        if grant is None or grant.client_id != client.client_id or self._now() - grant.at > CODE_LIFETIME:
            raise OAuthError("bad_verification_code")
        if form.get("redirect_uri", grant.redirect_uri) != grant.redirect_uri:
            raise OAuthError("redirect_uri_mismatch")
        if grant.challenge and not is_same(_challenge(form.get("code_verifier", "")), grant.challenge):
            raise OAuthError("bad_verification_code")
        return grant


def redirect(redirect_uri: str, query: Mapping[str, str], **members: str) -> str:
    """Return the redirect address; its query has these members and the request's ``state``."""
    if "state" in query:
        members["state"] = query["state"]
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return f"{redirect_uri}{joint}{urlencode(members)}"


def hidden_inputs(query: Mapping[str, str]) -> str:
    """Return the HTML of hidden inputs, with which a form sends this query again."""
    return "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in query.items()
    )


def is_same(given: str, expected: str) -> bool:
    """Whether two texts are equal; the comparison takes constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _is_allowed(redirect_uri: str, callback_url: str, client: Client) -> bool:
    if not client.allows_any_path_below:
        return redirect_uri == callback_url
    given, registered = urlsplit(redirect_uri), urlsplit(callback_url)
    folder = registered.path.rstrip("/")
    # A loopback address may have any port (RFC 8252, section 7.3).
    is_loopback = registered.hostname in ("127.0.0.1", "::1")
    return (
        given.scheme == registered.scheme
        and given.hostname == registered.hostname
        and (is_loopback or given.port == registered.port)
        and (given.path.rstrip("/") == folder or given.path.startswith(f"{folder}/"))
    )


def _challenge(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
