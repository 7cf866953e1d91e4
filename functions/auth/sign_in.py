"""Signing in: to GitHub, back from it, and into a session."""

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
from timer_core.store.people import PeopleStore

# A path of our own page: no scheme, no host, nothing that browsers take for a slash or leave out, and
# nothing that a header cannot hold.
_NEXT = re.compile(r"/(?!/)[!-\[\]-~]{0,500}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A page or a redirect, and the cookies that go with it."""

    response: Response[str]
    cookies: Sequence[str] = ()


class SignIn:
    """The two steps of a sign-in, before GitHub and after it.

    Parameters
    ----------
    allowed_orgs
        The organizations whose members may sign in; everybody may if there are none.
    allowed_origins
        The web sites whose pages may be handed a session.
    """

    def __init__(
        self,
        github: GitHubSignIn,
        credentials: OAuthParameter,
        sessions: Callable[[], Sessions],
        people: PeopleStore,
        logger: Logger,
        *,
        allowed_orgs: Sequence[str],
        allowed_origins: Sequence[str],
    ) -> None:
        self._github = github
        self._credentials = credentials
        self._sessions = sessions
        self._people = people
        self._logger = logger
        self._allowed_orgs = allowed_orgs
        self._allowed_origins = allowed_origins

    def begin(self, own_origin: str, *, next_path: str, origin: str, now_ms: int) -> Reply:
        """Lead to GitHub.

        Parameters
        ----------
        next_path
            Where to go on our own page afterwards.
        origin
            The web site whose page opened this as a popup; empty if it is our own page.
        """
        if origin and origin not in self._allowed_origins:
            return Reply(
                pages.message(
                    HTTPStatus.FORBIDDEN,
                    "Not from this web site",
                    f"Issue Timer does not sign people in for {origin}.",
                )
            )
        client = self._client()
        if client is None:
            return Reply(
                pages.message(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "Signing in is not possible yet",
                    "Whoever runs this Issue Timer has not connected it with GitHub so far.",
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
        return Reply(pages.redirect(address), [cookie(SIGN_IN_COOKIE, sealed, max_age_s=SIGN_IN_S)])

    def finish(
        self, own_origin: str, query: Mapping[str, str], cookies: Sequence[str], *, now_ms: int
    ) -> Reply:
        """Sign in whoever comes back from GitHub."""
        try:
            begun = self._begun(query, cookies, now_ms)
        except Unauthorized as error:
            self._logger.warning("A sign-in was refused", extra={"reason": str(error)})
            # What is in the cookie may belong to a sign-in that was begun since, and goes on.
            return Reply(pages.message(HTTPStatus.BAD_REQUEST, "That did not work", str(error)))
        done = cookie(SIGN_IN_COOKIE, "", max_age_s=0)
        if "code" not in query:
            text = "GitHub did not sign you in, perhaps because you said no."
            return Reply(pages.message(HTTPStatus.FORBIDDEN, "Not signed in", text), [done])
        client = self._client()
        try:
            if client is None:
                raise SignInRefused("The credentials were taken away meanwhile.")
            token = self._github.token(
                client,
                code=query["code"],
                redirect_uri=_callback(own_origin),
                verifier=begun["verifier"],
            )
            account = self._github.account(token)
            is_welcome = self._is_welcome(token)
        except SignInRefused as refused:
            self._logger.warning("GitHub refused a sign-in", extra={"reason": str(refused)})
            text = "GitHub did not confirm it. Please try again."
            return Reply(pages.message(HTTPStatus.BAD_REQUEST, "That did not work", text), [done])
        except GitHubError as error:
            self._logger.warning("GitHub could not be asked who signed in", extra={"reason": str(error)})
            text = "GitHub does not answer. Please try again in a minute."
            return Reply(pages.message(HTTPStatus.BAD_GATEWAY, "GitHub does not answer", text), [done])
        if not is_welcome:
            return Reply(self._turn_away(account, now_ms), [done])
        return self._welcome(account, begun, done, now_ms)

    def _begun(self, query: Mapping[str, str], cookies: Sequence[str], now_ms: int) -> Mapping[str, str]:
        """Return what this browser began.

        Raises
        ------
        Unauthorized
            If it began nothing, something else, or this is not the first time that it comes back.
        """
        sealed = cookie_values(cookies, SIGN_IN_COOKIE)
        if len(sealed) != 1:
            raise Unauthorized("This sign-in was not begun in this browser, or too long ago.")
        begun = self._sessions().unseal(sealed[0], now_s=now_ms // 1000)
        state = query.get("state", "")
        if not hmac.compare_digest(state.encode(), begun["state"].encode()):
            raise Unauthorized("This sign-in was not begun in this browser.")
        if not self._people.use_state(state, now_ms=now_ms):
            raise Unauthorized("This sign-in has been used before.")
        return begun

    def _is_welcome(self, token: str) -> bool:
        return not self._allowed_orgs or any(
            self._github.is_member(token, organization) for organization in self._allowed_orgs
        )

    def _turn_away(self, account: Account, now_ms: int) -> Response[str]:
        """Show the door to who is in none of the organizations, also if they once were."""
        text = f"{account.login} is in none of the organizations that use this Issue Timer. "
        if self._people.profile(account.user_id) is None:
            self._logger.info("Somebody of no allowed organization was turned away")
            text += "Nothing was stored about you."
        else:
            self._people.shut_out(account.user_id, now_ms=now_ms)
            self._logger.info("A former member was turned away", extra={"user_id": account.user_id})
            text += (
                "You are signed out everywhere, and your API tokens are revoked. Your account and your "
                "timers are stored still: whoever runs this Issue Timer can delete them."
            )
        return pages.message(HTTPStatus.FORBIDDEN, "Not for this account", text)

    def _welcome(self, account: Account, begun: Mapping[str, str], done: str, now_ms: int) -> Reply:
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
            return Reply(pages.hand_over(token, session.expires_s, begun["origin"]), [done])
        return Reply(pages.redirect(begun["next"]), [done, cookie(SESSION_COOKIE, token, max_age_s=LIFE_S)])

    def _client(self) -> OAuthClient | None:
        try:
            return self._credentials.get()
        except GitHubError as error:
            self._logger.error("The OAuth credentials cannot be used", extra={"reason": str(error)})
            return None


def _callback(own_origin: str) -> str:
    return f"{own_origin}/api/auth/callback/"
