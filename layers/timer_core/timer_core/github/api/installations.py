"""The tokens of a GitHub App: a JSON Web Token for the App itself, and one token for each installation.

GitHub's documentation: "Generating a JSON Web Token (JWT) for a GitHub App" and
"Generating an installation access token for a GitHub App".
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from threading import RLock

from timer_core.github.api.credentials import App
from timer_core.github.api.errors import InvalidCredential, NoCredential, Refused
from timer_core.github.api.transport import Transport

# GitHub refuses a JWT that expires more than ten minutes from now. GitHub's clock may differ from ours.
_JWT_BACKDATED_S = 60
_JWT_LIFE_S = 9 * 60
# A token is not used in the last minute of its lifetime, because the token may expire before the request
# arrives.
_MARGIN_S = 60
_LIST_MAX_AGE_S = 600
# A list older than this is fetched again if an account is not in the list, because the App may have been
# installed for the account since.
_LIST_MIN_AGE_S = 30


@dataclass(frozen=True, slots=True)
class _Expiring:
    text: str = field(repr=False)
    expires_s: float


class Installations:
    """The tokens of a GitHub App, cached until they expire; for any number of threads.

    Parameters
    ----------
    app
        The App.
    transport
        Sends the requests.
    now_s
        The clock, in seconds since the epoch.
    """

    def __init__(self, app: App, transport: Transport, now_s: Callable[[], float]) -> None:
        self._app = app
        self._transport = transport
        self._now_s = now_s
        self._jwt = _Expiring("", 0)
        self._tokens: dict[str, _Expiring] = {}
        self._ids: dict[str, int] = {}
        self._listed_at_s = float("-inf")
        # Threads that start together share one list and one token.
        self._lock = RLock()

    def jwt(self) -> str:
        """Return the token of the App itself.

        Raises
        ------
        InvalidCredential
            If the private key cannot be used.
        """
        with self._lock:
            now_s = self._now_s()
            if now_s >= self._jwt.expires_s - _MARGIN_S:
                self._jwt = _Expiring(self._signed(int(now_s)), int(now_s) + _JWT_LIFE_S)
            return self._jwt.text

    def token(self, owner: str) -> str:
        """Return a token for an account's repositories and projects.

        Parameters
        ----------
        owner
            The account's login, in upper or lower case.

        Raises
        ------
        NoCredential
            If the App is not installed for that account, according to a list that is at most 30 seconds old.
        GitHubError
            If GitHub returned no token.
        """
        account = owner.lower()
        with self._lock:
            token = self._tokens.get(account)
            if token is None or self._now_s() >= token.expires_s - _MARGIN_S:
                token = self._tokens[account] = self._new_token(account)
            return token.text

    def forget(self, token: str) -> None:
        """Discard a token that GitHub refuses."""
        with self._lock:
            self._tokens = {account: kept for account, kept in self._tokens.items() if kept.text != token}

    def _signed(self, now_s: int) -> str:
        # Import the library only here, because the library loads cryptography, which is slow.
        import jwt

        claims = {"iat": now_s - _JWT_BACKDATED_S, "exp": now_s + _JWT_LIFE_S, "iss": self._app.app_id}
        try:
            return jwt.encode(claims, self._app.private_key, algorithm="RS256")
        except (jwt.PyJWTError, AttributeError, TypeError, ValueError) as error:
            raise InvalidCredential("The GitHub credential's private_key is not an RSA key.") from error

    def _new_token(self, account: str) -> _Expiring:
        installation = self._installation(account)
        try:
            return self._request_token(installation)
        except Refused as refused:
            if refused.status != HTTPStatus.NOT_FOUND:
                raise
        # The App was uninstalled after the list was fetched, and may have been installed again with another
        # id.
        self._listed_at_s = float("-inf")
        return self._request_token(self._installation(account))

    def _request_token(self, installation: int) -> _Expiring:
        path = f"/app/installations/{installation}/access_tokens"
        token = self._transport.send("POST", path, self.jwt()).data
        return _Expiring(token["token"], datetime.fromisoformat(token["expires_at"]).timestamp())

    def _installation(self, account: str) -> int:
        age_s = self._now_s() - self._listed_at_s
        if age_s >= (_LIST_MAX_AGE_S if account in self._ids else _LIST_MIN_AGE_S):
            self._ids = self._list()
            self._listed_at_s = self._now_s()
        if account not in self._ids:
            raise NoCredential(f"The GitHub App is not installed for {account}.")
        return self._ids[account]

    def _list(self) -> dict[str, int]:
        ids: dict[str, int] = {}
        page: str | None = "/app/installations?per_page=100"
        while page is not None:
            response = self._transport.send("GET", page, self.jwt())
            for installation in response.data:
                # An enterprise has no login and owns no repositories.
                if login := (installation["account"] or {}).get("login"):
                    ids[login.lower()] = installation["id"]
            page = response.next_page
        return ids
