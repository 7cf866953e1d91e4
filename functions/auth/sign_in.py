"""The sign-in with GitHub, from the redirect to GitHub to the new session."""

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode

from aws_lambda_powertools import Logger

from auth import pages
from auth.github_sign_in import Account, GitHubSignIn, SignInRefused
from timer_core.api.pages import CALLBACK_PATH, LOGIN_PATH
from timer_core.api.sessions import (
    LIFE_S,
    SESSION_COOKIE,
    SIGN_IN_COOKIE,
    SIGN_IN_S,
    Sessions,
    cookie,
    cookie_values,
)
from timer_core.domain.errors import Unauthorized
from timer_core.github.api.credentials import OAuthClient, OAuthParameter
from timer_core.github.api.errors import GitHubError
from timer_core.services.access import revoke_access
from timer_core.services.live import LiveConnections
from timer_core.store.people import PeopleStore
from timer_core.store.sessions import SessionStore
from timer_core.store.tokens import TokenStore

# A path on our own page, without scheme and host. The path has no characters that browsers ignore or treat as
# a slash, and only characters that are allowed in a header.
_NEXT = re.compile(r"/(?!/)[!-\[\]-~]{0,500}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_ERROR = re.compile(r"[a-z_]{1,50}")
_HOME = {"next": "/", "origin": ""}


class SignInResponse(NamedTuple):
    """A page or a redirect, and the cookies to set."""

    response: pages.Message | pages.HandOver | pages.Redirect
    cookies: Sequence[str] = ()


class SignIn:
    """The two steps of a sign-in: the redirect to GitHub, and the return from GitHub.

    Parameters
    ----------
    allowed_orgs
        The organizations whose members may sign in; if empty, everybody may.
    allowed_origins
        The web sites that sessions may be issued to.
    """

    def __init__(
        self,
        github: GitHubSignIn,
        credentials: OAuthParameter,
        sessions: Callable[[], Sessions],
        people: PeopleStore,
        session_store: SessionStore,
        token_store: TokenStore,
        live: LiveConnections,
        logger: Logger,
        *,
        allowed_orgs: Sequence[str],
        allowed_origins: Sequence[str],
    ) -> None:
        self._github = github
        self._credentials = credentials
        self._sessions = sessions
        self._people = people
        self._session_store = session_store
        self._token_store = token_store
        self._live = live
        self._logger = logger
        self._allowed_orgs = allowed_orgs
        self._allowed_origins = allowed_origins

    def begin(
        self, own_origin: str, cookies: Sequence[str], *, next_path: str, origin: str, now_ms: int
    ) -> SignInResponse:
        """Redirect to GitHub.

        The state contains the data of the sign-in, and is bound to a secret in a cookie of the browser
        (RFC 6749, section 10.12). All of a browser's sign-ins have the same secret, so that people may begin
        a sign-in in several tabs.

        Parameters
        ----------
        next_path
            The path on our own page to redirect to after the sign-in.
        origin
            The web site whose page opened the popup; empty for our own page.
        """
        if origin and origin not in self._allowed_origins:
            return SignInResponse(
                pages.Message(
                    HTTPStatus.FORBIDDEN,
                    "Web site not allowed",
                    "The operator of this Issue Timer has not allowed sign-ins for {origin}.",
                    values={"origin": origin},
                )
            )
        request = {"next": next_path if _NEXT.fullmatch(next_path) else "/", "origin": origin}
        client = self._client()
        if client is None:
            return SignInResponse(_not_connected(request))
        secret = _secret_of(cookies) or secrets.token_urlsafe(32)
        request |= {"id": secrets.token_urlsafe(16), "browser": _digest(secret)}
        state = self._sessions().seal(request, now_s=now_ms // 1000)
        address = self._github.authorize_url(
            client,
            redirect_uri=_callback(own_origin),
            state=state,
            verifier=_verifier(secret, state),
            scope="read:org" if self._allowed_orgs else "",
        )
        return SignInResponse(pages.Redirect(address), [cookie(SIGN_IN_COOKIE, secret, max_age_s=SIGN_IN_S)])

    def finish(
        self,
        own_origin: str,
        query: Mapping[str, str],
        cookies: Sequence[str],
        *,
        is_signed_in: Callable[[], bool],
        now_ms: int,
    ) -> SignInResponse:
        """Complete the sign-in of a person whom GitHub redirected back.

        The cookie remains until it expires, because other tabs may not have completed their sign-ins yet.

        Parameters
        ----------
        is_signed_in
            Whether the browser already has a session of our own page. A sign-in that was completed, cancelled
            or not completed in time then ends at the page where it began.
        """
        state = query.get("state", "")
        try:
            request, expires_s = self._sessions().unseal(state)
        except Unauthorized:
            return self._fail("This address does not continue a sign-in of this Issue Timer.", _HOME)
        secret, failure = _secret_of(cookies), ""
        if expires_s <= now_ms // 1000:
            failure = "This sign-in took longer than {minutes} minutes."
        elif secret is None or not hmac.compare_digest(_digest(secret), request["browser"]):
            text = "This sign-in began in another browser, or this browser has not kept its cookie."
            return self._fail(text, request)
        elif query.get("code"):
            if self._session_store.use_state(state, now_ms=now_ms):
                verifier = _verifier(secret, state)
                return self._complete(own_origin, query["code"], verifier, request, now_ms)
            failure = "This sign-in was used before, and each one works only once."
        if not request["origin"] and is_signed_in():
            return SignInResponse(pages.Redirect(request["next"]))
        if failure:
            return self._fail(failure, request, minutes=str(SIGN_IN_S // 60))
        if not query.get("error"):
            return self._fail(
                "GitHub's redirect was incomplete: it has neither a code nor an error.", request
            )
        return self._refused_by_github(query["error"], request)

    def again(self, query: Mapping[str, str]) -> str:
        """Return the address that repeats the sign-in to which the query of one of the two steps belongs."""
        try:
            return _again(self._sessions().unseal(query["state"]).content if "state" in query else query)
        except Exception:
            # The session key may be the reason why the step failed.
            self._logger.warning("The state of a failed sign-in could not be read", exc_info=True)
            return _again(_HOME)

    def _complete(
        self, own_origin: str, code: str, verifier: str, request: Mapping[str, str], now_ms: int
    ) -> SignInResponse:
        """Exchange GitHub's code for a session of its person."""
        client = self._client()
        if client is None:
            return SignInResponse(_not_connected(request))
        try:
            token = self._github.token(
                client, code=code, redirect_uri=_callback(own_origin), verifier=verifier
            )
            account = self._github.account(token)
            is_allowed = self._is_allowed(token)
        except SignInRefused as refused:
            self._logger.warning("GitHub refused a sign-in", extra={"reason": str(refused)})
            return _failed(HTTPStatus.BAD_REQUEST, "GitHub did not confirm the sign-in.", request)
        except GitHubError as error:
            self._logger.warning("A sign-in failed at GitHub", extra={"reason": str(error)})
            text = "GitHub did not answer as expected. Please try again in a minute."
            return _failed(HTTPStatus.BAD_GATEWAY, text, request)
        if not is_allowed:
            return SignInResponse(self._refuse(account, request, now_ms))
        return self._sign_in(account, request, now_ms)

    def _fail(self, text: str, request: Mapping[str, str], **values: str) -> SignInResponse:
        self._logger.warning("Refused a sign-in", extra={"reason": text})
        return _failed(HTTPStatus.BAD_REQUEST, text, request, **values)

    def _refused_by_github(self, error: str, request: Mapping[str, str]) -> SignInResponse:
        """Return the page for an error in GitHub's redirect (GitHub's "Troubleshooting authorization...")."""
        if error == "access_denied":
            text = "You did not authorize Issue Timer at GitHub."
            page = pages.Message(HTTPStatus.FORBIDDEN, "Not signed in", text, again=_again(request))
            return SignInResponse(page)
        shown = error if _ERROR.fullmatch(error) else "unknown_error"
        self._logger.error("GitHub refused to authorize a sign-in", extra={"reason": shown})
        return _failed(
            HTTPStatus.BAD_GATEWAY,
            "GitHub refused the sign-in ({reason}). The operator of this Issue Timer may have to correct it.",
            request,
            reason=shown,
        )

    def _is_allowed(self, token: str) -> bool:
        return not self._allowed_orgs or any(
            self._github.is_member(token, organization) for organization in self._allowed_orgs
        )

    def _refuse(self, account: Account, request: Mapping[str, str], now_ms: int) -> pages.Message:
        """Refuse a person who is in no allowed organization, and revoke the access that the person had."""
        text = "GitHub lists {login} in no organization that uses this Issue Timer. "
        if self._people.profile(account.user_id) is None:
            self._logger.info("Refused an account of no allowed organization")
            text += "Nothing was stored about you."
        else:
            revoke_access(self._session_store, self._token_store, self._live, account.user_id, now_ms=now_ms)
            self._logger.info("Refused a former member", extra={"user_id": account.user_id})
            text += (
                "You are signed out everywhere, and your API tokens are revoked. Your account and your "
                "timers are still stored; the operator of this Issue Timer can delete them."
            )
        return pages.Message(
            HTTPStatus.FORBIDDEN, "Account not allowed", text, _again(request), {"login": account.login}
        )

    def _sign_in(self, account: Account, request: Mapping[str, str], now_ms: int) -> SignInResponse:
        self._people.register(
            account.user_id,
            account.login,
            now_ms=now_ms,
            name=account.name,
            avatar_url=account.avatar_url,
        )
        session, token = self._sessions().begin(
            account.user_id, account.login, now_ms=now_ms, origin=request["origin"]
        )
        self._logger.info("Signed in", extra={"user_id": account.user_id})
        if request["origin"]:
            return SignInResponse(pages.HandOver(token, session.expires_s, request["origin"]))
        return SignInResponse(
            pages.Redirect(request["next"]), [cookie(SESSION_COOKIE, token, max_age_s=LIFE_S)]
        )

    def _client(self) -> OAuthClient | None:
        try:
            return self._credentials.get()
        except GitHubError as error:
            self._logger.error("The OAuth credentials are not usable", extra={"reason": str(error)})
            return None


def _callback(own_origin: str) -> str:
    return f"{own_origin}{CALLBACK_PATH}"


def _secret_of(cookies: Sequence[str]) -> str | None:
    """Return the secret in the browser's cookie; None if there is no cookie, or more than one."""
    values = cookie_values(cookies, SIGN_IN_COOKIE)
    return values[0] if len(values) == 1 and _SECRET.fullmatch(values[0]) else None


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _verifier(secret: str, state: str) -> str:
    """Return the code verifier of a sign-in (RFC 7636, section 4.1), which only this browser can name."""
    mac = hmac.digest(secret.encode(), state.encode(), "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def _again(request: Mapping[str, str]) -> str:
    """Return the address that begins the same sign-in again."""
    query = {name: request[name] for name in ("next", "origin") if request.get(name)}
    return f"{LOGIN_PATH}?{urlencode(query)}" if query else LOGIN_PATH


def _failed(status: HTTPStatus, text: str, request: Mapping[str, str], **values: str) -> SignInResponse:
    return SignInResponse(pages.Message(status, "Sign-in failed", text, _again(request), values))


def _not_connected(request: Mapping[str, str]) -> pages.Message:
    return pages.Message(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Signing in is not possible",
        "This Issue Timer has no working connection to GitHub. Its operator can set one up.",
        again=_again(request),
    )
