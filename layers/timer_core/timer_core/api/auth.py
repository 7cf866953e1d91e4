"""Who makes a request: by its ``Authorization`` header (RFC 9110, section 11.6.2) or the session's cookie."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from timer_core.api.sessions import SESSION_COOKIE, Session, Sessions, cookie_values, is_session
from timer_core.domain.errors import Forbidden, Unauthorized
from timer_core.store.items import digest
from timer_core.store.people import PeopleStore, Person

# How long a revoked token, or a session that was ended, may still work on a warm function.
CACHE_MS = 60_000
_CACHED_PEOPLE = 1000
_SCHEMES = {"token", "bearer"}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, and what with.

    Attributes
    ----------
    is_admin
        Whether the person may see and stop everybody's timers.
    session
        The session, if it is one; None for a token.
    by_cookie
        Whether a browser sent the session by itself.
    """

    person: Person
    is_admin: bool = False
    session: Session | None = None
    by_cookie: bool = False

    @property
    def user_id(self) -> int:
        """The numeric id of the GitHub account."""
        return self.person.user_id


class Authenticator:
    """Authenticates requests, with at most one read each and none while warm.

    Parameters
    ----------
    sessions
        Made when the first session comes, because tokens need none.
    admins
        Who may see and stop everybody's timers: logins in lower case, and numeric ids after a ``#``.
    """

    def __init__(
        self,
        people: PeopleStore,
        sessions: Callable[[], Sessions],
        admins: frozenset[str],
    ) -> None:
        self._people = people
        self._sessions = sessions
        self._admins = admins
        self._cache: OrderedDict[str, tuple[int, Caller]] = OrderedDict()

    def authenticate(
        self,
        headers: Mapping[str, str],
        *,
        now_ms: int,
        method: str = "GET",
        cookies: Sequence[str] = (),
        own_origin: str = "",
    ) -> Caller:
        """Return who sent a request.

        Parameters
        ----------
        headers
            With names in lower case.
        cookies
            The cookies, as the browser sent them.
        own_origin
            Scheme and host that the request was sent to.

        Raises
        ------
        Unauthorized
            If there are no credentials, or none that are valid.
        Forbidden
            If they may not be used for this.
        """
        text, by_cookie = _credentials(headers, cookies)
        if by_cookie and method not in SAFE_METHODS:
            _refuse_forgery(headers, own_origin)
        caller = self._known(text, now_ms)
        if by_cookie and (caller.session is None or caller.session.origin):
            raise Unauthorized("The cookie is no session of our own page.")
        if caller.session and caller.session.origin not in {"", headers.get("origin", "")}:
            raise Unauthorized("The session was given to another web site.")
        if method not in SAFE_METHODS and not caller.person.can_write:
            raise Forbidden("This token may only read.")
        return replace(caller, by_cookie=by_cookie)

    def forget(self) -> None:
        """Look everything up again: somebody has ended sessions or revoked tokens."""
        self._cache.clear()

    def _known(self, text: str, now_ms: int) -> Caller:
        name = digest(text)
        cached = self._cache.get(name)
        if cached is not None and now_ms < cached[0]:
            return cached[1]
        self._cache.pop(name, None)
        look_up = self._by_session if is_session(text) else self._by_token
        caller, expires_at = look_up(text, now_ms)
        until_ms = now_ms + CACHE_MS
        if expires_at is not None:
            until_ms = min(until_ms, expires_at * 1000)
        self._cache[name] = (until_ms, caller)
        if len(self._cache) > _CACHED_PEOPLE:
            self._cache.popitem(last=False)
        return caller

    def _by_token(self, text: str, now_ms: int) -> tuple[Caller, int | None]:
        person = self._people.authenticate(text, now_ms=now_ms)
        return Caller(person, self._is_admin(person)), person.expires_at

    def _by_session(self, text: str, now_ms: int) -> tuple[Caller, int]:
        session = self._sessions().read(text, now_s=now_ms // 1000)
        person = self._people.signed_in(session.user_id, session.session_id, session.signed_in_ms)
        # What an admin may do is not for the sites that embed us.
        is_admin = not session.origin and self._is_admin(person)
        return Caller(person, is_admin, session), session.expires_s

    def _is_admin(self, person: Person) -> bool:
        return not self._admins.isdisjoint({person.login.lower(), f"#{person.user_id}"})


def _credentials(headers: Mapping[str, str], cookies: Sequence[str]) -> tuple[str, bool]:
    """Return the credentials of a request, and whether they are a cookie's."""
    scheme, _, text = headers.get("authorization", "").strip().partition(" ")
    if scheme:
        if scheme.lower() not in _SCHEMES:
            raise Unauthorized("The scheme must be Token or Bearer.")
        return text.strip(), False
    values = cookie_values(cookies, SESSION_COOKIE)
    if len(values) > 1:
        # One of them was put there by somebody else.
        raise Unauthorized("There are two sessions: sign in again.")
    if not values:
        raise Unauthorized("Credentials are needed: Authorization: Token <token>, or a session.")
    return values[0], True


def _refuse_forgery(headers: Mapping[str, str], own_origin: str) -> None:
    """Refuse what another site's page made a browser send (cross-site request forgery).

    Browsers say where a request comes from in ``Sec-Fetch-Site`` (W3C, "Fetch Metadata Request Headers")
    and, for every request that may change something, in ``Origin`` (RFC 6454, section 7).
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        raise Forbidden("A session's cookie is good for our own page only: Origin is missing.")
    if site not in {None, "same-origin"} or origin not in {None, own_origin}:
        raise Forbidden("A session's cookie is good for our own page only.")
