"""Credentials, and the access that each one grants."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from graphql import GraphQLError

from fake_github.messages import ApiError
from fake_github.oauth_flow import OAuthFlow
from fake_github.projects import Projects

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fake_github.messages import Request
    from fake_github.model import Account, App, Installation
    from fake_github.sign_in import Manifest

INSTALLATION_TOKEN_LIFETIME_S = 3600
MAX_JWT_LIFETIME_S = 600


@dataclass(frozen=True)
class Token:
    """The access of a person's token.

    Attributes
    ----------
    owners
        The accounts whose repositories the token gives access to; None for all accounts.
    scopes
        The token's scopes; None for a fine-grained token, and for a token that was issued to a GitHub App.
    """

    user: Account
    owners: frozenset[Account] | None = None
    scopes: frozenset[str] | None = None


@dataclass(frozen=True)
class InstallationToken:
    """The access of an App's token, and its expiry (seconds since the epoch, by the real clock)."""

    installation: Installation
    expires_at: float


@dataclass(frozen=True)
class Viewer:
    """The sender of a request. If an App sent the request, ``account`` is the App's bot."""

    account: Account
    token: Token | InstallationToken

    @property
    def app(self) -> App | None:
        return self.token.installation.app if isinstance(self.token, InstallationToken) else None

    def sees(self, owner: Account) -> bool:
        if isinstance(self.token, InstallationToken):
            return self.token.installation.account is owner
        return self.token.owners is None or owner in self.token.owners

    def check_projects(self) -> None:
        """Check that the sender may read projects.

        Raises
        ------
        GraphQLError
            If the App lacks the permission, or the token the scope.
        """
        if self.app is not None and "organization_projects" not in self.app.permissions:
            raise GraphQLError("Resource not accessible by integration", extensions={"type": "FORBIDDEN"})
        scopes = self.token.scopes if isinstance(self.token, Token) else None
        if scopes is not None and scopes.isdisjoint({"project", "read:project"}):
            raise GraphQLError(
                "Your token has not been granted the required scopes to execute this query. The "
                "'projectItems' field requires one of the following scopes: ['read:project'].",
                extensions={"type": "INSUFFICIENT_SCOPES"},
            )

    def check_write(self, permission: str) -> None:
        """Check that an App may write; a person's token may, because people have write access.

        Raises
        ------
        ApiError
            403 if the App lacks the permission.
        """
        if self.app is not None and self.app.permissions.get(permission) != "write":
            raise ApiError(403, "Resource not accessible by integration")

    def check_projects_write(self) -> None:
        """Check that the sender may change projects.

        Raises
        ------
        GraphQLError
            If the App lacks the permission, or the token the scope.
        """
        if self.app is not None and self.app.permissions.get("organization_projects") != "write":
            raise GraphQLError("Resource not accessible by integration", extensions={"type": "FORBIDDEN"})
        scopes = self.token.scopes if isinstance(self.token, Token) else None
        if scopes is not None and "project" not in scopes:
            raise GraphQLError(
                "Your token has not been granted the required scopes to execute this query. The "
                "'updateProjectV2ItemFieldValue' field requires one of the following scopes: ['project'].",
                extensions={"type": "INSUFFICIENT_SCOPES"},
            )


class Access(Projects):
    """The credentials that GitHub accepts.

    Attributes
    ----------
    tokens
        The access that each person's token grants, by token.
    installation_tokens
        The access that each installation's token grants, by token; removing a token here revokes it.
    signed_in
        The user who is signed in at GitHub's pages.
    oauth
        The OAuth flow, with the codes of people who authorized an App.
    manifests
        The manifests of the Apps to register, by their codes.
    has_issue_fields
        Whether the GraphQL API knows the types and the number fields of issues.
    """

    def reset(self) -> None:
        with self.lock:
            super().reset()
            self.tokens: dict[str, Token] = {}
            self.installation_tokens: dict[str, InstallationToken] = {}
            self.signed_in = self.maintainer
            self.oauth: OAuthFlow[Account] = OAuthFlow(lambda: self.now)
            self.manifests: dict[str, Manifest] = {}
            self.has_issue_fields = True

    def new_token(
        self,
        user: Account | None = None,
        *,
        owners: Iterable[str] | None = None,
        scopes: Iterable[str] | None = None,
        prefix: str = "github_pat_",
    ) -> str:
        """Return a new token of a person, by default of the maintainer.

        Parameters
        ----------
        owners
            The logins of the accounts that the token gives access to; None for all accounts.
        """
        with self.lock:
            text = prefix + secrets.token_hex(20)
            seen = None if owners is None else frozenset(map(self._owner, owners))
            self.tokens[text] = Token(
                user or self.maintainer, seen, None if scopes is None else frozenset(scopes)
            )
            return text

    def new_installation_token(self, installation: Installation) -> tuple[str, float]:
        """Return a token and its expiry (seconds since the epoch)."""
        # Like GitHub's tokens, this token contains the App's id and dots, and it has the same length.
        parts = [secrets.token_urlsafe(size) for size in (30, 150, 60)]
        text = f"ghs_{installation.app.id}_{'.'.join(parts)}"
        expires_at = time.time() + INSTALLATION_TOKEN_LIFETIME_S
        self.installation_tokens[text] = InstallationToken(installation, expires_at)
        return text, expires_at

    def viewer(self, request: Request) -> Viewer | None:
        """Return the sender of a request, or None if the request has no credential.

        Raises
        ------
        ApiError
            401 if the credential is unknown or has expired.
        """
        if "authorization" not in request.headers:
            return None
        text = _credential(request)
        if token := self.tokens.get(text):
            return Viewer(token.user, token)
        installation_token = self.installation_tokens.get(text)
        if installation_token is None or installation_token.expires_at <= time.time():
            raise ApiError(401, "Bad credentials")
        return Viewer(installation_token.installation.app.bot, installation_token)

    def calling_app(self, request: Request) -> App:
        """Return the App that sent a request ("Generating a JSON Web Token (JWT) for a GitHub App").

        Raises
        ------
        ApiError
            401 if the JWT is invalid, 404 if the App is unknown.
        """
        text = _credential(request)
        try:
            claims = jwt.decode(text, options={"verify_signature": False})
            app = self._app(str(claims.get("iss")))
            jwt.PyJWS().decode(text, _public_key(app.private_key), algorithms=["RS256"])
        except jwt.InvalidTokenError as error:
            raise ApiError(401, "A JSON web token could not be decoded") from error
        now = time.time()
        if not _is_time(claims.get("exp")) or claims["exp"] <= now:
            raise ApiError(401, "'Expiration time' claim ('exp') must be in the future")
        if claims["exp"] > now + MAX_JWT_LIFETIME_S:
            raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")
        if not _is_time(claims.get("iat")) or claims["iat"] > now:
            raise ApiError(401, "'Issued at' claim ('iat') must be in the past")
        return app

    def _app(self, issuer: str) -> App:
        for app in self.apps:
            if issuer in (str(app.id), app.client_id):
                return app
        raise ApiError(404, "Integration not found")


@cache
def _public_key(private_key: str) -> RSAPublicKey:
    loaded = load_pem_private_key(private_key.encode(), None)
    if not isinstance(loaded, RSAPrivateKey):
        raise TypeError("Not an RSA key.")
    return loaded.public_key()


def _credential(request: Request) -> str:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() in ("bearer", "token") else ""


def _is_time(claim: Any) -> bool:
    return isinstance(claim, int | float) and not isinstance(claim, bool)
