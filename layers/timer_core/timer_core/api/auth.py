"""Authentication by the ``Authorization`` header (RFC 9110, section 11.6.2) or the session's cookie."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from timer_core.api.digests import digest
from timer_core.api.sessions import SESSION_COOKIE, Session, Sessions, cookie_values, is_session
from timer_core.domain.errors import Forbidden, Unauthorized
from timer_core.store.people import Person
from timer_core.store.sessions import SessionStore
from timer_core.store.tokens import TokenStore

# The time for which a warm function may still accept a revoked token or an ended session.
CACHE_MS = 60_000
_CACHED_PEOPLE = 1000
_SCHEMES = {"token", "bearer"}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class Caller(NamedTuple):
    """The person who makes a request, and their credentials.

    Attributes
    ----------
    is_admin
        Whether the person may see and stop everybody's timers.
    session
        The session; None if the request has a token.
    by_cookie
        Whether the session was sent in a cookie.
    """

    person: Person
    is_admin: bool = False
    session: Session | None = None
    by_cookie: bool = False

    @property
    def user_id(self) -> int:
        """The numeric id of the GitHub account."""
        return self.person.user_id

    @property
    def is_embedded(self) -> bool:
        """Whether the session was issued to a web site that embeds the widget."""
        return self.session is not None and bool(self.session.origin)

    def require_admin(self) -> None:
        """Refuse a request that only an admin may make.

        Raises
        ------
        Forbidden
            If the caller is not an admin.
        """
        if not self.is_admin:
            raise Forbidden("Only an admin may do this.")


class Authenticator:
    """Authenticates requests. A request reads the table once, or not at all if its credentials are cached.

    Parameters
    ----------
    sessions
        A function that returns the sessions. The function is called only for a request with a session,
        because tokens do not need the session keys.
    admins
        The people who may see and stop everybody's timers: logins in lower case, and numeric ids after a
        ``#``.
    """

    def __init__(
        self,
        token_store: TokenStore,
        session_store: SessionStore,
        sessions: Callable[[], Sessions],
        admins: frozenset[str],
    ) -> None:
        self._token_store = token_store
        self._session_store = session_store
        self._sessions = sessions
        self._admins = admins
        self._cache: OrderedDict[str, tuple[int, Caller]] = OrderedDict()

    def authenticate(
        self,
        headers: Mapping[str, str],
        *,
        now_ms: int,
        method: str = "GET",
        is_change: bool = True,
        cookies: Sequence[str] = (),
        own_origin: str = "",
    ) -> Caller:
        """Return the caller of a request.

        Parameters
        ----------
        headers
            With names in lower case.
        is_change
            Whether a request whose method is not safe needs credentials that allow changes.
        cookies
            The values of the browser's ``Cookie`` headers.
        own_origin
            The scheme and host to which the request was sent.

        Raises
        ------
        Unauthorized
            If there are no valid credentials.
        Forbidden
            If the credentials do not permit the request.
        """
        text, by_cookie = _credentials(headers, cookies)
        if by_cookie and method not in SAFE_METHODS:
            _refuse_forgery(headers, own_origin)
        caller = self._caller_of(text, now_ms)
        if by_cookie and (caller.session is None or caller.session.origin):
            raise Unauthorized("The cookie is not a session of Issue Timer's own page.")
        if caller.session and caller.session.origin not in {"", headers.get("origin", "")}:
            raise Unauthorized("The session was issued to another web site.")
        if method not in SAFE_METHODS and is_change and not caller.person.can_write:
            raise Forbidden("This token is read-only.")
        return caller._replace(by_cookie=by_cookie)

    def forget(self) -> None:
        """Clear the cache, after sessions were ended or tokens revoked."""
        self._cache.clear()

    def _caller_of(self, text: str, now_ms: int) -> Caller:
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
        person = self._token_store.authenticate(text, now_ms=now_ms)
        return Caller(person, self._is_admin(person)), person.expires_at

    def _by_session(self, text: str, now_ms: int) -> tuple[Caller, int]:
        session = self._sessions().read(text, now_s=now_ms // 1000)
        person = self._session_store.person_of(session.user_id, session.session_id, session.signed_in_ms)
        # Web sites that embed the widget get no admin rights.
        is_admin = not session.origin and self._is_admin(person)
        return Caller(person, is_admin, session), session.expires_s

    def _is_admin(self, person: Person) -> bool:
        return not self._admins.isdisjoint({person.login.lower(), f"#{person.user_id}"})


def _credentials(headers: Mapping[str, str], cookies: Sequence[str]) -> tuple[str, bool]:
    """Return the credentials of a request, and whether they come from a cookie."""
    scheme, _, text = headers.get("authorization", "").strip().partition(" ")
    if scheme:
        if scheme.lower() not in _SCHEMES:
            raise Unauthorized("The authorization scheme must be Token or Bearer.")
        return text.strip(), False
    values = cookie_values(cookies, SESSION_COOKIE)
    if len(values) > 1:
        # One of the cookies may have been set by an attacker.
        raise Unauthorized("The request has more than one session cookie: sign in again.")
    if not values:
        raise Unauthorized("Sign in, or send an API token as Authorization: Token <token>.")
    return values[0], True


def _refuse_forgery(headers: Mapping[str, str], own_origin: str) -> None:
    """Refuse a request that the browser sent for a page of another site (cross-site request forgery).

    Browsers report the source of a request in ``Sec-Fetch-Site`` (W3C, "Fetch Metadata Request Headers")
    and, for every request that may change something, in ``Origin`` (RFC 6454, section 7).
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        raise Forbidden("The session cookie is valid only for Issue Timer's own page: Origin is missing.")
    if site not in {None, "same-origin"} or origin not in {None, own_origin}:
        raise Forbidden("The session cookie is valid only for Issue Timer's own page.")
