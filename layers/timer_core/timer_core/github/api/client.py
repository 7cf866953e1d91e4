"""Asking GitHub, over REST or GraphQL, with whatever credential there is."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from timer_core.github.api.circuit_breaker import CircuitBreaker
from timer_core.github.api.credentials import App, CredentialParameter, Token
from timer_core.github.api.errors import InvalidCredential, NoCredential, Refused
from timer_core.github.api.graphql import Answer, read_answer
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

# A transferred issue's address leads to the next one, which may have been transferred in turn.
_MOST_REQUESTS = 5

T = TypeVar("T")


class GitHub:
    """GitHub's API, for any number of threads.

    Nothing is tried again here: who is told Unavailable comes back later. Until then every further call
    fails at once, so that a batch does not spend its time on waiting, and because "continuing to make
    requests while you are rate limited may result in the banning of your integration".

    Parameters
    ----------
    credential
        Where the credential is kept. A changed one is used as soon as it is read.
    api_url
        The API's base URL; that of GitHub Enterprise Cloud with data residency is
        ``https://api.SUBDOMAIN.ghe.com``.
    now_s
        The clock, in seconds since the epoch.
    read_s
        How long GitHub may take to answer. It ends a request itself after ten seconds.

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
        """Return what kind of credential there is; ``invalid`` is something else in its place.

        Raises
        ------
        Unavailable
            It cannot be read.
        """
        try:
            credential = self._credential.get()
        except InvalidCredential:
            return "invalid"
        if credential is None:
            return "none"
        return "app" if isinstance(credential, App) else "token"

    def graphql(self, query: str, variables: Mapping[str, Any], *, owner: str) -> Answer:
        """Return the answer to a GraphQL query.

        Parameters
        ----------
        owner
            The login of the account whose repositories or projects are asked about.

        Raises
        ------
        NoCredential
            There is no credential, or the App is not installed for `owner`.
        InvalidCredential
            The credential cannot be used.
        Refused
            The query is wrong, or GitHub does not take the credential.
        Unavailable
            GitHub gave no answer, or only a part of one for a reason that may pass.
        """
        body = {"query": query, "variables": variables}

        def ask(token: str) -> Answer:
            return read_answer(self._transport.send("POST", "/graphql", token, body=body), self._now_s())

        return self._ask(ask, owner)

    def rest(
        self,
        method: str,
        path: str,
        *,
        owner: str | None,
        body: Mapping[str, Any] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Response:
        """Return the answer of a REST endpoint, or of where it leads: what was renamed or transferred.

        Redirects are followed with the same request ("Best practices for using the REST API"), but the
        credential goes nowhere but to the API.

        Parameters
        ----------
        path
            From the API's base URL on, such as ``/app/hook/deliveries``, with its query string.
        owner
            The login of the account whose things are asked about; None to ask as the App itself. A token
            asks in the same way for all.
        body
            Sent as JSON.
        accept
            Statuses that are answers too, such as 404.

        Raises
        ------
        NoCredential
            There is no credential, or the App is not installed for `owner`.
        InvalidCredential
            The credential cannot be used.
        Refused
            GitHub answered with another status from 300 to 499.
        Unavailable
            GitHub gave no answer, or a rate limit is reached.
        """
        accepted = accept | _REDIRECTS
        for _ in range(_MOST_REQUESTS):
            answer = self._ask(partial(self._transport.send, method, path, body=body, accept=accepted), owner)
            if answer.status not in _REDIRECTS:
                return answer
            location = answer.headers.get("location", "")
            if not location.startswith(f"{self._api_url}/"):
                break
            path = location.removeprefix(self._api_url)
        raise Refused(HTTPStatus.MOVED_PERMANENTLY, "GitHub leads away from its API.")

    def _ask(self, ask: Callable[[str], T], owner: str | None) -> T:
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
        return access.ask(ask, owner)


class _TokenAccess:
    """Asks with one token, which has one rate limit."""

    def __init__(self, credential: Token, now_s: Callable[[], float]) -> None:
        self.credential = credential
        self._pauses = CircuitBreaker(now_s)

    def ask(self, ask: Callable[[str], T], _owner: str | None) -> T:
        with self._pauses.kept(""):
            return ask(self.credential.text)


class _AppAccess:
    """Asks with the token of an installation, each of which has a rate limit, or as the App itself."""

    def __init__(self, credential: App, transport: Transport, now_s: Callable[[], float]) -> None:
        self.credential = credential
        self._installations = Installations(credential, transport, now_s)
        self._pauses = CircuitBreaker(now_s)

    def ask(self, ask: Callable[[str], T], owner: str | None) -> T:
        if owner is None:
            with self._pauses.kept(""):
                return ask(self._installations.jwt())
        with self._pauses.kept(owner.lower()):
            token = self._installations.token(owner)
            try:
                return ask(token)
            except Refused as refused:
                if refused.status != HTTPStatus.UNAUTHORIZED:
                    raise
            # A token may be revoked before it expires.
            self._installations.forget(token)
            return ask(self._installations.token(owner))
