"""Tokens of sessions: their content, validity and keys."""

import base64
import hmac
import json
from dataclasses import dataclass
from hashlib import sha256

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.api.sessions import (
    LIFE_S,
    LONGEST_S,
    SESSION_COOKIE,
    Session,
    Sessions,
    cookie,
    cookie_values,
    is_session,
)
from timer_core.domain.errors import Unauthorized
from timer_core.secrets import RotatingSecret

NOW = 1_800_000_000
OLD, NEW = "o" * 64, "n" * 64
ANN = 21031067


@dataclass
class Keys(RotatingSecret):
    """A source of two keys; a refresh replaces the keys with `rotated`."""

    current: str = OLD
    previous: str = ""
    rotated: tuple[str, str] | None = None
    signs_from_s: int = 0

    def get(self) -> tuple[str, ...]:
        return self.current, self.previous

    def signing(self, now_s: int) -> str:
        return self.previous if self.previous and now_s < self.signs_from_s else self.current

    def refresh(self) -> bool:
        if self.rotated is None:
            return False
        (self.current, self.previous), self.rotated = self.rotated, None
        return True


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(Keys())


def test_a_session_contains_the_person_and_the_time_of_the_sign_in(sessions: Sessions) -> None:
    now_ms = NOW * 1000 + 123
    begun, token = sessions.begin(ANN, "ann", now_ms=now_ms, origin="https://wiki.example.org")
    assert is_session(token)
    assert sessions.read(token, now_s=NOW) == begun
    assert begun == Session(
        ANN, "ann", begun.session_id, now_ms, NOW, NOW + LIFE_S, origin="https://wiki.example.org"
    )


def test_every_session_has_its_own_id(sessions: Sessions) -> None:
    assert len({sessions.begin(ANN, "ann", now_ms=NOW * 1000)[0].session_id for _ in range(100)}) == 100


def test_a_session_is_valid_for_an_hour(sessions: Sessions) -> None:
    _, token = sessions.begin(ANN, "ann", now_ms=NOW * 1000)
    assert sessions.read(token, now_s=NOW + 3_599).user_id == ANN
    with pytest.raises(Unauthorized, match="expired"):
        sessions.read(token, now_s=NOW + 3_600)


def test_a_session_is_due_for_renewal_after_15_minutes(sessions: Sessions) -> None:
    session, _ = sessions.begin(ANN, "ann", now_ms=NOW * 1000)
    assert [session.is_due(NOW + seconds) for seconds in (0, 899, 900, 3_599)] == [False, False, True, True]


def test_a_renewal_extends_the_same_session_by_an_hour(sessions: Sessions) -> None:
    session, _ = sessions.begin(ANN, "ann", now_ms=NOW * 1000, origin="https://wiki.example.org")
    renewed, token = sessions.renew(session, now_s=NOW + 1_000)
    assert renewed == session._replace(issued_s=NOW + 1_000, expires_s=NOW + 1_000 + LIFE_S)
    assert sessions.read(token, now_s=NOW + 1_000) == renewed


def test_a_session_is_renewed_for_at_most_thirty_days(sessions: Sessions) -> None:
    session, _ = sessions.begin(ANN, "ann", now_ms=NOW * 1000)
    end = NOW + 30 * 86_400
    while session.is_due(now := session.issued_s + 900):
        session, token = sessions.renew(session, now_s=now)
    assert (session.expires_s, NOW + LONGEST_S) == (end, end)
    assert sessions.read(token, now_s=end - 1) == session
    with pytest.raises(Unauthorized, match="expired"):
        sessions.read(token, now_s=end)


def test_a_session_signed_with_the_previous_key_is_valid_until_that_is_removed() -> None:
    _, token = Sessions(Keys(OLD)).begin(ANN, "ann", now_ms=NOW * 1000)
    assert Sessions(Keys(NEW, OLD)).read(token, now_s=NOW).user_id == ANN
    with pytest.raises(Unauthorized, match="not valid"):
        Sessions(Keys(NEW, "")).read(token, now_s=NOW)


def test_a_session_is_signed_with_the_current_key() -> None:
    _, token = Sessions(Keys(NEW, OLD)).begin(ANN, "ann", now_ms=NOW * 1000)
    assert Sessions(Keys(NEW)).read(token, now_s=NOW).user_id == ANN


def test_a_new_key_signs_only_after_all_functions_accept_it() -> None:
    keys = Keys(NEW, OLD, signs_from_s=NOW + 1)
    tokens = [Sessions(keys).begin(ANN, "ann", now_ms=now_s * 1000)[1] for now_s in (NOW, NOW + 1)]
    kids = [jwt.get_unverified_header(token)["kid"] for token in tokens]
    assert kids == [
        jwt.get_unverified_header(Sessions(Keys(key)).begin(ANN, "ann", now_ms=0)[1])["kid"]
        for key in (OLD, NEW)
    ]


def test_an_unknown_key_causes_one_refresh() -> None:
    _, token = Sessions(Keys(NEW)).begin(ANN, "ann", now_ms=NOW * 1000)
    keys = Keys(OLD, rotated=(NEW, OLD))
    assert Sessions(keys).read(token, now_s=NOW).user_id == ANN
    assert keys.get() == (NEW, OLD)


def test_the_id_of_a_key_does_not_reveal_the_key(sessions: Sessions) -> None:
    _, token = sessions.begin(ANN, "ann", now_ms=NOW * 1000)
    header = jwt.get_unverified_header(token)
    assert header == {"alg": "HS256", "kid": header["kid"], "typ": "JWT"}
    assert len(header["kid"]) == 16
    assert OLD[:8] not in token


def test_a_session_signed_with_an_empty_key_is_refused(sessions: Sessions) -> None:
    _, token = sessions.begin(ANN, "ann", now_ms=NOW * 1000)
    key_id = sha256(b"issue-timer session key ").hexdigest()[:16]
    header = _encode(json.dumps({"alg": "HS256", "kid": key_id}).encode())
    signed = f"{header}.{token.split('.')[1]}"
    forged = f"{signed}.{_encode(hmac.digest(b'', signed.encode(), 'sha256'))}"
    with pytest.raises(Unauthorized):
        sessions.read(forged, now_s=NOW)


def test_a_sealed_sign_in_expires_after_ten_minutes(sessions: Sessions) -> None:
    sealed = sessions.seal({"id": "a", "next": "/"}, now_s=NOW)
    assert sessions.unseal(sealed) == ({"id": "a", "next": "/"}, NOW + 600)


def test_sealed_sign_ins_and_sessions_are_not_interchangeable(sessions: Sessions) -> None:
    _, token = sessions.begin(ANN, "ann", now_ms=NOW * 1000)
    sealed = sessions.seal({"state": "a"}, now_s=NOW)
    with pytest.raises(Unauthorized):
        sessions.read(sealed, now_s=NOW)
    with pytest.raises(Unauthorized):
        sessions.unseal(token)


@given(st.text())
def test_arbitrary_text_is_not_a_session(text: str) -> None:
    sessions = Sessions(Keys())
    for one in (text, f"{text}.{text}.{text}"):
        with pytest.raises(Unauthorized):
            sessions.read(one, now_s=NOW)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(_JSON | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), _JSON), _JSON)
def test_a_token_with_any_header_and_claims_raises_only_unauthorized(header: object, claims: object) -> None:
    token = ".".join(map(_encode, [json.dumps(header).encode(), json.dumps(claims).encode(), b"signature"]))
    with pytest.raises(Unauthorized):
        Sessions(Keys()).read(token, now_s=NOW)


def test_a_header_that_nests_too_deeply_is_refused(sessions: Sessions) -> None:
    with pytest.raises(Unauthorized):
        sessions.read(f"{_encode(b'[' * 7_000)}.e30.", now_s=NOW)


def test_a_cookie_is_for_this_host_over_https_and_hidden_from_scripts() -> None:
    header = cookie(SESSION_COOKIE, "text", max_age_s=60)
    assert header.split("; ") == [
        "__Host-issue-timer=text",
        "Path=/",
        "Max-Age=60",
        "Secure",
        "HttpOnly",
        "SameSite=Lax",
    ]


@pytest.mark.parametrize(
    ("headers", "values"),
    [
        ([], []),
        (["a=1"], ["1"]),
        (["b=1", "a=2"], ["2"]),
        (["b=1; a=2; c=3"], ["2"]),
        (["a=1", "a=2"], ["1", "2"]),
        (["a=1;a=1"], ["1", "1"]),
        (["a=x=y"], ["x=y"]),
        (["A=1; aa=2; a; =3; ;"], [""]),
    ],
)
def test_all_values_of_a_cookie_are_found(headers: list[str], values: list[str]) -> None:
    assert cookie_values(headers, "a") == values


def _encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
