"""Sessions of people who signed in: short-lived signed tokens (JWT, RFC 7519) that renew themselves."""

import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from timer_core.domain.errors import Unauthorized
from timer_core.secrets import RotatingSecret

# The lifetime of a session (seconds): without renewal, and with renewals.
LIFE_S = 3_600
LONGEST_S = 30 * 86_400
_RENEWED_AFTER_S = 900
_ISSUER = "issue-timer"
_SESSION, _SIGN_IN, _LIVE = "session", "sign-in", "live"
_ALGORITHM = "HS256"
# The maximum duration of a sign-in (seconds).
SIGN_IN_S = 600
# The time within which a ticket has to open its connection (seconds).
TICKET_S = 60

# Browsers accept a cookie with this prefix only if the cookie has the Secure attribute and was set by this
# host. Browsers send the cookie only to this host (RFC 6265bis, section 4.1.3.2).
SESSION_COOKIE = "__Host-issue-timer"
SIGN_IN_COOKIE = "__Host-issue-timer-sign-in"


class Session(NamedTuple):
    """The content of a session's token.

    Attributes
    ----------
    session_id
        The id, which is the same in all renewals of a session.
    signed_in_ms
        When the person signed in (milliseconds since the epoch). Whole seconds would not suffice: signing out
        everywhere would also end a session that begins later in the same second.
    issued_s, expires_s
        When this token of the session was issued and expires (seconds since the epoch).
    origin
        The web site that the session was issued to; empty for our own page.
    """

    user_id: int
    login: str
    session_id: str
    signed_in_ms: int
    issued_s: int
    expires_s: int
    origin: str = ""

    def is_due(self, now_s: int) -> bool:
        """Whether the session should be renewed now, and may still be renewed."""
        return now_s - self.issued_s >= _RENEWED_AFTER_S and self.expires_s < self.ends_s

    @property
    def ends_s(self) -> int:
        """The time at which the session ends in spite of renewals (seconds since the epoch)."""
        return self.signed_in_ms // 1000 + LONGEST_S


class SealedSignIn(NamedTuple):
    """The data of a sign-in, and its expiry (seconds since the epoch)."""

    content: Mapping[str, str]
    expires_s: int


class Ticket(NamedTuple):
    """The permission to open one live connection, which a browser can only send in an address.

    Attributes
    ----------
    ticket_id
        A random id, by which a ticket is used only once.
    token_id
        The id of the API token with which the ticket was requested; None if it was a session.
    session_id, signed_in_ms
        The session with which the ticket was requested (see `Session`).
    end_s
        When the session or token expires (seconds since the epoch); None if it never does.
    """

    user_id: int
    ticket_id: str
    token_id: str | None
    session_id: str
    signed_in_ms: int
    end_s: int | None


class Sessions:
    """Issues and verifies sessions, and what else the session key signs.

    Parameters
    ----------
    keys
        The keys. Sessions signed with the previous key stay valid, so that a rotation signs nobody out.
    """

    def __init__(self, keys: RotatingSecret) -> None:
        self._keys = keys

    def begin(self, user_id: int, login: str, *, now_ms: int, origin: str = "") -> tuple[Session, str]:
        """Return a new session of a person who has signed in, and its token."""
        session_id, now_s = secrets.token_urlsafe(12), now_ms // 1000
        return self._issue(Session(user_id, login, session_id, now_ms, now_s, now_s + LIFE_S, origin))

    def renew(self, session: Session, *, now_s: int) -> tuple[Session, str]:
        """Return the renewed session and its token; the token expires at most 30 days after the sign-in."""
        expires_s = min(now_s + LIFE_S, session.ends_s)
        return self._issue(session._replace(issued_s=now_s, expires_s=expires_s))

    def read(self, token: str, *, now_s: int) -> Session:
        """Return the session of a token.

        Raises
        ------
        Unauthorized
            If the token was not issued here, was changed, or has expired.
        """
        claims = self._decode(token, _SESSION)
        if claims["exp"] <= now_s:
            raise Unauthorized("The session has expired: sign in again.")
        return Session(
            user_id=int(claims["sub"]),
            login=claims["login"],
            session_id=claims["sid"],
            signed_in_ms=round(claims["auth_time"] * 1000),
            issued_s=claims["iat"],
            expires_s=claims["exp"],
            origin=claims["origin"],
        )

    def seal(self, content: Mapping[str, str], *, now_s: int) -> str:
        """Return a token with the data of a sign-in, which must be completed within ten minutes."""
        claims = {"sub": "", "content": dict(content), "iat": now_s, "exp": now_s + SIGN_IN_S}
        return self._encode(claims, _SIGN_IN)

    def unseal(self, token: str) -> SealedSignIn:
        """Return the data of a sign-in that a token contains.

        Raises
        ------
        Unauthorized
            If the token was not issued here, or was changed.
        """
        claims = self._decode(token, _SIGN_IN)
        return SealedSignIn(claims["content"], claims["exp"])

    def issue_ticket(
        self, user_id: int, *, session: Session | None, token_id: str | None, end_s: int | None, now_s: int
    ) -> str:
        """Return a ticket for a connection of a caller whose credentials expire at ``end_s``."""
        claims = {
            "sub": str(user_id),
            "jti": secrets.token_urlsafe(12),
            "tid": token_id,
            "sid": session.session_id if session else "",
            "auth_time": session.signed_in_ms / 1000 if session else 0,
            "end": end_s,
            "iat": now_s,
            "exp": now_s + TICKET_S,
        }
        return self._encode(claims, _LIVE)

    def read_ticket(self, text: str, *, now_s: int) -> Ticket:
        """Return the content of a ticket.

        Raises
        ------
        Unauthorized
            If the ticket was not issued here, was changed, or has expired.
        """
        claims = self._decode(text, _LIVE)
        if claims["exp"] <= now_s:
            raise Unauthorized("The ticket has expired.")
        return Ticket(
            user_id=int(claims["sub"]),
            ticket_id=claims["jti"],
            token_id=claims["tid"],
            session_id=claims["sid"],
            signed_in_ms=round(claims["auth_time"] * 1000),
            end_s=claims["end"],
        )

    def _issue(self, session: Session) -> tuple[Session, str]:
        claims = {
            "sub": str(session.user_id),
            "login": session.login,
            "sid": session.session_id,
            # A NumericDate may have a fraction (RFC 7519, section 2).
            "auth_time": session.signed_in_ms / 1000,
            "iat": session.issued_s,
            "exp": session.expires_s,
            "origin": session.origin,
        }
        return session, self._encode(claims, _SESSION)

    def _encode(self, claims: Mapping[str, Any], audience: str) -> str:
        # Import PyJWT on first use, because requests with tokens do not need the library.
        import jwt

        key = self._keys.signing(claims["iat"])
        claims = {**claims, "iss": _ISSUER, "aud": audience}
        return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": _key_id(key)})

    def _decode(self, token: str, audience: str) -> dict[str, Any]:
        import jwt

        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                audience=audience,
                issuer=_ISSUER,
                # Callers compare the expiry with their own time.
                options={"require": ["exp", "iat", "sub"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            raise Unauthorized("The session is not valid.") from None
        return claims

    def _key(self, key_id: object) -> str:
        for _ in range(2):
            for key in self._keys.get():
                if key and _key_id(key) == key_id:
                    return key
            # The keys may have been rotated since the last fetch.
            if not self._keys.refresh():
                break
        raise Unauthorized("The session is not valid.")


def is_session(text: str) -> bool:
    """Whether a text has the form of a session's token (JWS compact serialization, RFC 7515)."""
    return text.count(".") == 2


def cookie(name: str, value: str, *, max_age_s: int) -> str:
    """Return the value of a ``Set-Cookie`` header: for this host, over HTTPS, not readable by scripts."""
    return f"{name}={value}; Path=/; Max-Age={max_age_s}; Secure; HttpOnly; SameSite=Lax"


def cookie_values(headers: Sequence[str], name: str) -> list[str]:
    """Return the values of all cookies of a name in ``Cookie`` headers."""
    values = []
    for header in headers:
        for pair in header.split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                values.append(value)
    return values


def _key_id(key: str) -> str:
    """Return the id of a key, which reveals nothing about the key."""
    return sha256(f"issue-timer session key {key}".encode()).hexdigest()[:16]
