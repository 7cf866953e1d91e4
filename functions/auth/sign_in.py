"""The sign-in with GitHub, from the redirect to GitHub to the new session."""

import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response

from auth import pages
from auth.github_sign_in import Account, GitHubSignIn, SignInRefused, new_verifier
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
from timer_core.store.people import PeopleStore
from timer_core.store.sessions import SessionStore
from timer_core.store.tokens import TokenStore

# A path on our own page, without scheme and host. The path has no characters that browsers ignore or treat as
# a slash, and only characters that are allowed in a header.
_NEXT = re.compile(r"/(?!/)[!-\[\]-~]{0,500}")


@dataclass(frozen=True, slots=True)
class SignInResponse:
    """A page or a redirect, and the cookies to set."""

    response: Response[str]
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
        self._logger = logger
        self._allowed_orgs = allowed_orgs
        self._allowed_origins = allowed_origins

    def begin(self, own_origin: str, *, next_path: str, origin: str, now_ms: int) -> SignInResponse:
        """Redirect to GitHub.

        Parameters
        ----------
        next_path
            The path on our own page to redirect to after the sign-in.
        origin
            The web site whose page opened the popup; empty for our own page.
        """
        if origin and origin not in self._allowed_origins:
            return SignInResponse(
                pages.message(
                    HTTPStatus.FORBIDDEN,
                    "Web site not allowed",
                    f"The operator of this Issue Timer has not allowed sign-ins for {origin}.",
                )
            )
        client = self._client()
        if client is None:
            return SignInResponse(
                pages.message(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "Signing in is not possible yet",
                    "The operator of this Issue Timer has not connected it to GitHub yet.",
                )
            )
        state, verifier = secrets.token_urlsafe(32), new_verifier()
        sealed = self._sessions().seal(
            {
                "state": state,
                "verifier": verifier,
                "next": next_path if _NEXT.fullmatch(next_path) else "/",
                "origin": origin,
            },
            now_s=now_ms // 1000,
        )
        address = self._github.authorize_url(
            client,
            redirect_uri=_callback(own_origin),
            state=state,
            verifier=verifier,
            scope="read:org" if self._allowed_orgs else "",
        )
        return SignInResponse(pages.redirect(address), [cookie(SIGN_IN_COOKIE, sealed, max_age_s=SIGN_IN_S)])

    def finish(
        self, own_origin: str, query: Mapping[str, str], cookies: Sequence[str], *, now_ms: int
    ) -> SignInResponse:
        """Complete the sign-in of a person whom GitHub redirected back."""
        try:
            begun = self._begun(query, cookies, now_ms)
        except Unauthorized as error:
            self._logger.warning("Refused a sign-in", extra={"reason": str(error)})
            # Keep the cookie, because the cookie may belong to a newer sign-in of the same browser.
            return SignInResponse(pages.message(HTTPStatus.BAD_REQUEST, "Sign-in failed", str(error)))
        done = cookie(SIGN_IN_COOKIE, "", max_age_s=0)
        if "code" not in query:
            text = "GitHub did not sign you in, perhaps because you cancelled."
            return SignInResponse(pages.message(HTTPStatus.FORBIDDEN, "Not signed in", text), [done])
        client = self._client()
        try:
            if client is None:
                raise SignInRefused("The OAuth credentials were removed during the sign-in.")
            token = self._github.token(
                client,
                code=query["code"],
                redirect_uri=_callback(own_origin),
                verifier=begun["verifier"],
            )
            account = self._github.account(token)
            is_allowed = self._is_allowed(token)
        except SignInRefused as refused:
            self._logger.warning("GitHub refused a sign-in", extra={"reason": str(refused)})
            text = "GitHub did not confirm the sign-in. Please try again."
            return SignInResponse(pages.message(HTTPStatus.BAD_REQUEST, "Sign-in failed", text), [done])
        except GitHubError as error:
            self._logger.warning("A sign-in failed at GitHub", extra={"reason": str(error)})
            text = "GitHub does not respond. Please try again in a minute."
            return SignInResponse(
                pages.message(HTTPStatus.BAD_GATEWAY, "GitHub does not respond", text), [done]
            )
        if not is_allowed:
            return SignInResponse(self._refuse(account, now_ms), [done])
        return self._sign_in(account, begun, done, now_ms)

    def _begun(self, query: Mapping[str, str], cookies: Sequence[str], now_ms: int) -> Mapping[str, str]:
        """Return the sealed data of the sign-in that this browser began.

        Raises
        ------
        Unauthorized
            If this browser did not begin the sign-in, or the sign-in has expired or was already completed.
        """
        sealed = cookie_values(cookies, SIGN_IN_COOKIE)
        if len(sealed) != 1:
            raise Unauthorized("This sign-in did not begin in this browser, or has expired.")
        begun = self._sessions().unseal(sealed[0], now_s=now_ms // 1000)
        state = query.get("state", "")
        if not hmac.compare_digest(state.encode(), begun["state"].encode()):
            raise Unauthorized("This sign-in did not begin in this browser.")
        if not self._session_store.use_state(state, now_ms=now_ms):
            raise Unauthorized("This sign-in was already completed.")
        return begun

    def _is_allowed(self, token: str) -> bool:
        return not self._allowed_orgs or any(
            self._github.is_member(token, organization) for organization in self._allowed_orgs
        )

    def _refuse(self, account: Account, now_ms: int) -> Response[str]:
        """Refuse a person who is in no allowed organization, and revoke the access that the person had."""
        text = f"{account.login} is not a member of an organization that uses this Issue Timer. "
        if self._people.profile(account.user_id) is None:
            self._logger.info("Refused an account of no allowed organization")
            text += "Nothing was stored about you."
        else:
            revoke_access(self._session_store, self._token_store, account.user_id, now_ms=now_ms)
            self._logger.info("Refused a former member", extra={"user_id": account.user_id})
            text += (
                "You are signed out everywhere, and your API tokens are revoked. Your account and your "
                "timers are still stored; the operator of this Issue Timer can delete them."
            )
        return pages.message(HTTPStatus.FORBIDDEN, "Account not allowed", text)

    def _sign_in(self, account: Account, begun: Mapping[str, str], done: str, now_ms: int) -> SignInResponse:
        self._people.register(
            account.user_id,
            account.login,
            now_ms=now_ms,
            name=account.name,
            avatar_url=account.avatar_url,
        )
        session, token = self._sessions().begin(
            account.user_id, account.login, now_ms=now_ms, origin=begun["origin"]
        )
        self._logger.info("Signed in", extra={"user_id": account.user_id})
        if begun["origin"]:
            return SignInResponse(pages.hand_over(token, session.expires_s, begun["origin"]), [done])
        return SignInResponse(
            pages.redirect(begun["next"]), [done, cookie(SESSION_COOKIE, token, max_age_s=LIFE_S)]
        )

    def _client(self) -> OAuthClient | None:
        try:
            return self._credentials.get()
        except GitHubError as error:
            self._logger.error("The OAuth credentials are not usable", extra={"reason": str(error)})
            return None


def _callback(own_origin: str) -> str:
    return f"{own_origin}/api/auth/callback/"
