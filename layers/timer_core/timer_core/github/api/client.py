"""The client of GitHub's API, over REST and GraphQL, with a token or as an App."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from timer_core.github.api.circuit_breaker import CircuitBreaker
from timer_core.github.api.credentials import App, CredentialParameter, Token
from timer_core.github.api.errors import InvalidCredential, NoCredential, Refused
from timer_core.github.api.graphql import QueryResult, read_result
from timer_core.github.api.installations import Installations
from timer_core.github.api.transport import READ_S, Response, Transport

_REDIRECTS = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)

# GitHub redirects once for each transfer, and an issue may have been transferred several times.
_MAX_REDIRECTS = 4

T = TypeVar("T")


class GitHub:
    """A client of GitHub's API for any number of threads.

    The client does not retry; after `Unavailable`, the caller tries again later. Until then, every call fails
    immediately. So a batch does not spend its time waiting, and GitHub has no reason to ban us ("continuing
    to make requests while you are rate limited may result in the banning of your integration").

    Parameters
    ----------
    credential
        The stored credential. If it changes, the client uses the new one as soon as it is fetched.
    api_url
        The API's base URL; ``https://api.SUBDOMAIN.ghe.com`` for GitHub Enterprise Cloud with data residency.
    now_s
        The clock, in seconds since the epoch.
    read_s
        The time to wait for a response (seconds). GitHub aborts requests after ten seconds.

    Examples
    --------
    >>> github = GitHub(CredentialParameter("/issue-timer/github"))
    >>> github.rest("GET", "/repos/octocat/hello-world/issues/7", owner="octocat").data["state"]
    'open'
    """

    def __init__(
        self,
        credential: CredentialParameter,
        *,
        api_url: str = "https://api.github.com",
        now_s: Callable[[], float] = time.time,
        read_s: float = READ_S,
    ) -> None:
        self._credential = credential
        self._now_s = now_s
        self._api_url = api_url.rstrip("/")
        self._transport = Transport(self._api_url, now_s, read_s)
        self._access: _TokenAccess | _AppAccess | None = None

    def credential_kind(self) -> Literal["none", "invalid", "token", "app"]:
        """Return the kind of the stored credential; ``invalid`` if the credential has an unknown form.

        Raises
        ------
        Unavailable
            If the credential cannot be read.
        """
        try:
            credential = self._credential.get()
        except InvalidCredential:
            return "invalid"
        if credential is None:
            return "none"
        return "app" if isinstance(credential, App) else "token"

    def graphql(self, query: str, variables: Mapping[str, Any], *, owner: str) -> QueryResult:
        """Return the result of a GraphQL query.

        Parameters
        ----------
        owner
            The login of the account that owns the repositories or the project.

        Raises
        ------
        NoCredential
            If there is no credential, or the App is not installed for `owner`.
        InvalidCredential
            If the credential cannot be used.
        Refused
            If the query is wrong, or GitHub refuses the credential.
        Unavailable
            If GitHub did not respond, or returned only a part of the data for a possibly temporary reason.
        """
        body = {"query": query, "variables": variables}

        def send(token: str) -> QueryResult:
            return read_result(self._transport.send("POST", "/graphql", token, body=body), self._now_s())

        return self._with_token(send, owner)

    def rest(
        self,
        method: str,
        path: str,
        *,
        owner: str | None,
        body: Mapping[str, Any] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Response:
        """Return the response of a REST endpoint, following redirects.

        GitHub redirects requests for renamed and transferred objects. The same request is then sent to the
        new address ("Best practices for using the REST API"), but only within the API, because no other host
        may receive the credential.

        Parameters
        ----------
        path
            The path after the API's base URL, such as ``/app/hook/deliveries``, with its query string.
        owner
            The login of the account that owns the object; None to act as the App itself. A personal access
            token is used for every owner.
        body
            The content to send as JSON.
        accept
            Statuses to return instead of raising Refused, such as 404.

        Raises
        ------
        NoCredential
            If there is no credential, or the App is not installed for `owner`.
        InvalidCredential
            If the credential cannot be used.
        Refused
            If GitHub responds with another status from 300 to 499.
        Unavailable
            If GitHub does not respond, or a rate limit is reached.
        """
        accepted = accept | _REDIRECTS
        for _ in range(1 + _MAX_REDIRECTS):
            send = partial(self._transport.send, method, path, body=body, accept=accepted)
            response = self._with_token(send, owner)
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("location", "")
            if not location.startswith(f"{self._api_url}/"):
                break
            path = location.removeprefix(self._api_url)
        raise Refused(HTTPStatus.MOVED_PERMANENTLY, "GitHub redirects too often, or away from its API.")

    def _with_token(self, send: Callable[[str], T], owner: str | None) -> T:
        """Send a request with the token for an owner, or with the App's own token if the owner is None."""
        credential = self._credential.get()
        if credential is None:
            raise NoCredential("There is no GitHub credential.")
        access = self._access
        if access is None or access.credential != credential:
            if isinstance(credential, App):
                access = _AppAccess(credential, self._transport, self._now_s)
            else:
                access = _TokenAccess(credential, self._now_s)
            self._access = access
        return access.with_token(send, owner)


class _TokenAccess:
    """Access with a personal access token; one rate limit applies to all of its requests."""

    def __init__(self, credential: Token, now_s: Callable[[], float]) -> None:
        self.credential = credential
        self._breaker = CircuitBreaker(now_s)

    def with_token(self, send: Callable[[str], T], _owner: str | None) -> T:
        with self._breaker.guard(""):
            return send(self.credential.text)


class _AppAccess:
    """Access as an App or as one of its installations, each with its own token and rate limit."""

    def __init__(self, credential: App, transport: Transport, now_s: Callable[[], float]) -> None:
        self.credential = credential
        self._installations = Installations(credential, transport, now_s)
        self._breaker = CircuitBreaker(now_s)

    def with_token(self, send: Callable[[str], T], owner: str | None) -> T:
        if owner is None:
            with self._breaker.guard(""):
                return send(self._installations.jwt())
        with self._breaker.guard(owner.lower()):
            token = self._installations.token(owner)
            try:
                return send(token)
            except Refused as refused:
                if refused.status != HTTPStatus.UNAUTHORIZED:
                    raise
            # A token may be revoked before it expires.
            self._installations.forget(token)
            return send(self._installations.token(owner))
