"""A test for each attack in docs/security.md."""

from __future__ import annotations

import base64
import hmac
import io
import json
import logging
import re
import sys
from contextlib import ExitStack, contextmanager
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import boto3
import jwt
import pytest
import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.app import ADMIN, EMBEDDER, KEY, NAMED, ROUTES, WRITES, App, open_app
from tests.support.browser import HOST, ORIGIN, Browser, redirect_target
from tests.support.gateway import Client
from tests.support.handlers import loaded
from tests.support.template import template
from timer_core.api import request_guard
from timer_core.api.sessions import LIFE_S, SESSION_COOKIE, SIGN_IN_COOKIE
from timer_core.clock import now_ms
from timer_core.github.webhooks.signature import sign
from timer_core.secrets import WEBHOOK_STAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aws_lambda_powertools import Logger

    from tests.support.gateway import Answer

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
LOGIN = "/api/auth/login/"
CALLBACK = "/api/auth/callback/"
ME = "/api/auth/me/"
TIMERS = "/api/timelogs/"
START = "/api/timelogs/start/"
EVIL = "https://evil.example"
WEBHOOK_SECRET = "It's a Secret to Everybody"
TIMER_ROUTES = [(method, path) for method, path in ROUTES if "{timer_id}" in path]


@pytest.fixture
def webhook(app: App) -> Iterator[Client]:
    """The function that receives GitHub's deliveries, with its queue."""
    secrets = boto3.client("secretsmanager")
    secret = secrets.create_secret(Name=f"keys-{now_ms()}", SecretString="{}")
    pair = json.dumps({"current": WEBHOOK_SECRET, "previous": ""})
    secrets.put_secret_value(SecretId=secret["ARN"], SecretString=pair, VersionStages=[WEBHOOK_STAGE])
    queue = boto3.client("sqs").create_queue(QueueName="deliveries.fifo", Attributes={"FifoQueue": "true"})
    own = {"WEBHOOK_SECRET_ARN": secret["ARN"], "DELIVERY_QUEUE_URL": queue["QueueUrl"]}
    with loaded("webhook.receive", app.table.name, **own) as receive:
        yield Client(receive.handler)


# ---------------------------------------------------------------------- sessions


def test_a_forged_session_is_refused(app: App) -> None:
    browser, _ = app.signed_in()
    header, claims = _read(browser.cookies[SESSION_COOKIE])
    name = header["kid"]
    for key, kid in (("f" * 64, name), ("f" * 64, "f" * 16), ("", name), (KEY[:-1], name), (KEY, "")):
        headers = {"kid": kid} if kid else None
        assert_invalid_session(app, _sign(claims, key.encode(), headers or {}))
    assert_valid_session(app, _sign(claims, KEY.encode(), {"kid": name}))


def test_an_expired_session_is_refused(app: App) -> None:
    browser, _ = app.signed_in()
    token = browser.cookies[SESSION_COOKIE]
    _, claims = _read(token)
    app.clock.ms = (claims["iat"] + LIFE_S) * 1000
    assert_invalid_session(app, token)
    claims["exp"] += LIFE_S
    payload = _encode(json.dumps(claims).encode())
    signature = token.rpartition(".")[2]
    assert_invalid_session(app, f"{token.partition('.')[0]}.{payload}.{signature}")


def test_a_session_with_another_algorithm_is_refused(app: App) -> None:
    browser, _ = app.signed_in()
    header, claims = _read(browser.cookies[SESSION_COOKIE])
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = rsa_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private = rsa_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    kid, payload = {"kid": header["kid"]}, _encode(json.dumps(claims).encode())
    forged = [
        jwt.encode(claims, private, algorithm="RS256", headers=kid),
        # These are HS256 signatures whose secret is the public key of RS256.
        _sign(claims, public, kid),
        _sign(claims, public, {**kid, "alg": "RS256"}),
        # These use the right key with another algorithm.
        jwt.encode(claims, KEY, algorithm="HS384", headers=kid),
        jwt.encode(claims, KEY, algorithm="HS512", headers=kid),
    ]
    signature = browser.cookies[SESSION_COOKIE].rpartition(".")[2]
    for algorithm in ("none", "None", "NONE", "nOnE", "", None, 0, ["HS256"]):
        unsigned = f"{_encode(json.dumps({'typ': 'JWT', 'alg': algorithm, **kid}).encode())}.{payload}."
        forged += [unsigned, unsigned + signature]
    without = _encode(json.dumps({"typ": "JWT", **kid}).encode())
    forged += [f"{without}.{payload}.", f"{without}.{payload}.{signature}"]
    for token in forged:
        assert_invalid_session(app, token)


def test_a_key_inside_a_session_is_ignored(app: App) -> None:
    browser, _ = app.signed_in()
    _, claims = _read(browser.cookies[SESSION_COOKIE])
    key = b"f" * 64
    jwk = {"kty": "oct", "k": _encode(key)}
    for header in (
        {"jwk": jwk},
        {"jku": f"{EVIL}/keys.json", "kid": "f" * 16},
        {"x5u": EVIL, "kid": "f" * 16},
        {"kid": "../../../dev/null"},
        {"kid": "' OR ''='"},
        {"kid": 0},
        {"kid": None},
        {"kid": ["f"]},
        {},
    ):
        assert_invalid_session(app, _sign(claims, key, header))


def test_a_truncated_session_is_refused(app: App) -> None:
    browser, _ = app.signed_in()
    token = browser.cookies[SESSION_COOKIE]
    header, payload, signature = token.split(".")
    for length in range(len(token)):
        assert_invalid_session(app, token[:length])
    for rest in (payload, signature, f"{header}.{payload}", f"{payload}.{signature}"):
        assert_invalid_session(app, rest)
        assert_invalid_session(app, f".{rest}")


def test_an_altered_session_is_refused(app: App) -> None:
    browser, ann = app.signed_in()
    _, bob = app.signed_in()
    token = browser.cookies[SESSION_COOKIE]
    _, claims = _read(token)
    header, payload, signature = token.split(".")
    changes: list[dict[str, Any]] = [
        {"sub": str(bob.id)},
        {"sub": ann.id},
        {"login": "boss"},
        {"sid": "another"},
        {"auth_time": claims["auth_time"] + 1},
        {"exp": claims["exp"] + 1},
        {"origin": EMBEDDER},
        {"aud": "sign-in"},
        {"iss": EVIL},
    ]
    for change in changes:
        altered = _encode(json.dumps(claims | change).encode())
        assert_invalid_session(app, f"{header}.{altered}.{signature}")
    raw = base64.urlsafe_b64decode(signature + "=")
    for position in range(len(raw)):
        flipped = bytearray(raw)
        flipped[position] ^= 1
        assert_invalid_session(app, f"{header}.{payload}.{_encode(bytes(flipped))}")


def test_many_unknown_keys_cause_one_read_of_the_keys(app: App) -> None:
    browser, _ = app.signed_in()
    _, claims = _read(browser.cookies[SESSION_COOKIE])
    asked: list[str] = []
    client = request_guard.sessions()._keys._client
    client.meta.events.register("before-call.secretsmanager", lambda model, **_: asked.append(model.name))
    for number in range(50):
        assert_invalid_session(app, _sign(claims, KEY.encode(), {"kid": f"{number:016}"}))
    assert asked == ["GetSecretValue"]
    # Valid sessions are still accepted.
    assert browser("GET", ME).status == 200


def test_an_ended_session_stays_ended(app: App) -> None:
    """No renewal, deletion or new sign-in makes the session valid again."""
    browser, ann = app.signed_in()
    stolen, _ = app.signed_in(ann)
    app.clock.advance(1_000)
    stolen("GET", ME)
    app.clock.advance(1)
    browser("POST", "/api/auth/logout/", {"everywhere": True})
    app.cold_start()
    assert stolen("GET", ME).status == 401
    app.clock.advance(1)
    again, _ = app.signed_in(ann)
    assert again("DELETE", ME).status == 204
    app.clock.advance(1)
    app.signed_in(ann)
    app.cold_start()
    assert stolen("GET", ME).status == 401


# ---------------------------------------------------------------------- signing in


def test_a_replayed_state_is_refused(app: App) -> None:
    browser, ann = app.browser(), app.new_person()
    back = app.authorize_at_github(browser, ann)
    begun = [f"{SIGN_IN_COOKIE}={browser.cookies[SIGN_IN_COOKIE]}"]
    assert browser("GET", back).status == 302
    browser.cookies.clear()
    assert_refused(browser("GET", back, cookies=begun), browser)
    # The same state is refused even with a new code.
    app.github.signed_in = ann
    code = _parameters(app.press_authorize(_authorize_url(app, state=_parameters(back)["state"])))["code"]
    target = f"{CALLBACK}?code={code}&state={quote(_parameters(back)['state'])}"
    assert_refused(browser("GET", target, cookies=begun), browser)


def test_the_state_of_another_browser_is_refused(app: App) -> None:
    """An attacker makes a victim complete the attacker's sign-in, so that they use the attacker's account."""
    attacker, victim = app.browser(), app.browser()
    back = app.authorize_at_github(attacker, app.new_person())
    victim("GET", LOGIN)
    assert_refused(victim("GET", back), victim)


@pytest.mark.parametrize("query", ["", "code=a", "state=", "code=a&state=", "code=a&state=b", "error=x"])
def test_a_callback_without_a_sign_in_is_refused(app: App, query: str) -> None:
    for browser in (app.browser(), app.browser()):
        assert_refused(browser("GET", f"{CALLBACK}?{query}"), browser)
        browser("GET", LOGIN)
        assert_refused(browser("GET", f"{CALLBACK}?{query}"), browser)


def test_a_callback_without_the_cookie_is_refused(app: App) -> None:
    browser = app.browser()
    back = app.authorize_at_github(browser, app.new_person())
    assert_refused(browser("GET", back, cookies=[]), browser)
    assert_refused(browser("GET", back, cookies=[f"{SIGN_IN_COOKIE}="]), browser)


def test_a_second_cookie_is_refused(app: App) -> None:
    """Another host of the same domain adds a cookie from its own sign-in."""
    attacker, browser = app.browser(), app.browser()
    planted = app.authorize_at_github(attacker, app.new_person())
    back = app.authorize_at_github(browser, app.new_person())
    both = [f"{SIGN_IN_COOKIE}={one.cookies[SIGN_IN_COOKIE]}" for one in (attacker, browser)]
    for target in (planted, back):
        for cookies in (both, both[::-1], ["; ".join(both)]):
            assert_refused(browser("GET", target, cookies=cookies), browser)


def test_an_expired_sign_in_is_refused(app: App) -> None:
    browser = app.browser()
    back = app.authorize_at_github(browser, app.new_person())
    app.clock.advance(601)
    assert_refused(browser("GET", back), browser)


def test_an_attackers_code_in_the_victims_callback_is_refused(app: App) -> None:
    """The state and the cookie are the victim's. Only PKCE's verifier reveals the attacker's code."""
    attacker, victim = app.browser(), app.browser()
    theirs = app.authorize_at_github(attacker, app.new_person())
    back = app.authorize_at_github(victim, app.new_person())
    code, state = _parameters(theirs)["code"], _parameters(back)["state"]
    page = victim("GET", f"{CALLBACK}?code={code}&state={quote(state)}")
    assert_refused(page, victim)
    assert "GitHub did not confirm the sign-in" in page.body


def test_a_stolen_code_is_useless_elsewhere(app: App) -> None:
    victim, attacker, ann = app.browser(), app.browser(), app.new_person()
    stolen = _parameters(app.authorize_at_github(victim, ann))["code"]
    mine = _parameters(app.authorize_at_github(attacker, app.new_person()))["state"]
    assert_refused(attacker("GET", f"{CALLBACK}?code={stolen}&state={quote(mine)}"), attacker)
    # A stolen client secret does not make the code usable.
    stolen = _parameters(app.authorize_at_github(victim, ann))["code"]
    form = {
        "client_id": app.client.client_id,
        "client_secret": app.client.client_secret,
        "code": stolen,
        "redirect_uri": ORIGIN + CALLBACK,
    }
    answer = urllib3.request(
        "POST",
        f"{app.github.url}/login/oauth/access_token",
        body=urlencode(form),
        headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.json()["error"] == "bad_verification_code"


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/\x00/evil.example",
        "/\x01/evil.example",
        "/\x7f/evil.example",
        "/a\u2028b",
        "/\u3000/evil.example",
        "/\uff0f/evil.example",
        "/\u00e9",
        "https://evil.example",
        "https:evil.example",
        "https:/evil.example",
        "http://evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.example",
        "@evil.example",
        ".evil.example",
        "?//evil.example",
        "%2f%2fevil.example",
        "%5cevil.example",
        "/" + "a" * 501,
        # A line break would begin another header.
        "/\r\nSet-Cookie: a=b",
        "/a\r\n\r\n<script>",
        "/a\nLocation: //evil.example",
    ],
)
def test_next_never_redirects_to_another_site(app: App, path: str) -> None:
    answer = app.sign_in(app.browser(), app.new_person(), f"?next={quote(path, safe='')}")
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "path",
    ["/%2f/evil.example", "/%5cevil.example", "/.//evil.example", "/@evil.example", "/a?next=//evil.example"],
)
def test_a_path_that_looks_like_another_site_stays_on_ours(app: App, path: str) -> None:
    answer = app.sign_in(app.browser(), app.new_person(), f"?next={quote(path, safe='')}")
    assert answer.headers["location"] == path
    assert urlsplit(redirect_target(answer)).netloc == HOST


@pytest.mark.parametrize(
    "origin",
    [
        EVIL,
        "null",
        "*",
        ",",
        f"{EMBEDDER}/",
        f"{EMBEDDER}.evil.example",
        f"{EMBEDDER}@evil.example",
        f"{EMBEDDER}:444",
        f"{EMBEDDER},{EVIL}",
        EMBEDDER.replace("https", "http"),
        EMBEDDER.upper(),
        EMBEDDER.replace("wiki", "*"),
        EMBEDDER.removeprefix("https://"),
        "https://example.org",
    ],
)
def test_a_popup_of_another_site_gets_no_session(app: App, origin: str) -> None:
    browser = app.browser()
    page = browser("GET", f"{LOGIN}?origin={quote(origin, safe='')}")
    assert (page.status, browser.set_cookies) == (403, [])


def test_pages_escape_all_markup(app: App) -> None:
    markup = "\"><script src=//evil.example></script><img onerror=alert(1) '&"
    shown = app.browser()("GET", f"{LOGIN}?origin={quote(markup, safe='')}")
    assert (shown.status, "&quot;&gt;&lt;script" in shown.body) == (403, True)
    with open_app(app.table, app.github, ALLOWED_ORGS="octo-org", ALLOWED_ORIGINS=markup) as club:
        turned_away = club.sign_in(club.browser(), club.new_person(markup))
        assert turned_away.status == 403
        ann = club.new_person()
        club.github.new_organization("octo-org", {ann: "member"})
        popup = club.sign_in(club.browser(), ann, f"?origin={quote(markup, safe='')}")
        assert unescape(re.findall('data-origin="([^"]*)"', popup.body)[0]) == markup
    for page in (shown, turned_away, popup):
        assert "<img" not in page.body
        assert "<script src=//" not in page.body
        assert "script-src 'self';" in page.headers["content-security-policy"]


def test_pages_cannot_be_framed(app: App) -> None:
    popup = app.sign_in(app.browser(), app.new_person(), f"?origin={EMBEDDER}")
    pages = [
        popup,
        app.browser()("GET", f"{LOGIN}?origin={EVIL}"),
        app.browser()("GET", f"{LOGIN}?origin={'a' * 600}"),
        app.browser()("GET", CALLBACK),
    ]
    assert [page.status for page in pages] == [200, 403, 400, 400]
    for page in pages:
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_a_forged_host_redirects_nobody(app: App) -> None:
    """A client that calls API Gateway directly can set the forwarded headers to any value."""
    app.github.signed_in = app.new_person()
    for host in ("evil.example", "timer.example.com.evil.example", "evil.example:443"):
        address = redirect_target(app.browser()("GET", LOGIN, x_viewer_host=host))
        answer = urllib3.request("GET", address, redirect=False)
        # GitHub redirects to the registered URL, without a code.
        location = answer.headers["location"]
        assert location.startswith(ORIGIN + CALLBACK)
        assert _parameters(location)["error"] == "redirect_uri_mismatch"
    # A malformed host is ignored.
    for host in ("evil.example/", "evil.example?", "a@evil.example", "evil.example, a", "a\r\nb", "é"):
        asked = _parameters(redirect_target(app.browser()("GET", LOGIN, x_viewer_host=host)))
        assert asked["redirect_uri"] == f"https://api.example.com{CALLBACK}"


# ---------------------------------------------------------------------- cross-site requests

_FORGERIES = {
    "cross-site": {"origin": EVIL, "sec_fetch_site": "cross-site"},
    "cross-site, no Sec-Fetch-Site": {"origin": EVIL, "sec_fetch_site": ""},
    "same-site sibling": {"origin": "https://other.example.com", "sec_fetch_site": "same-site"},
    "sibling, no Sec-Fetch-Site": {"origin": "https://other.example.com", "sec_fetch_site": ""},
    "no Origin, cross-site": {"origin": "", "sec_fetch_site": "cross-site"},
    "no Origin, same-site": {"origin": "", "sec_fetch_site": "same-site"},
    "neither": {"origin": "", "sec_fetch_site": ""},
    "null Origin": {"origin": "null", "sec_fetch_site": "cross-site"},
    "null Origin, no Sec-Fetch-Site": {"origin": "null", "sec_fetch_site": ""},
    "an embedding site": {"origin": EMBEDDER, "sec_fetch_site": "cross-site"},
    "over http": {"origin": f"http://{HOST}", "sec_fetch_site": ""},
    "another port": {"origin": f"{ORIGIN}:8443", "sec_fetch_site": ""},
    "typed by hand": {"origin": "", "sec_fetch_site": "none"},
    "two origins": {"origin": f"{ORIGIN}, {EVIL}", "sec_fetch_site": ""},
}


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_another_site_cannot_make_a_browser_write(app: App, method: str, path: str) -> None:
    browser, ann = app.signed_in()
    timer = browser("POST", START, {}).json()["id"]
    made = browser("POST", "/api/auth/tokens/", {"name": "kept"}).json()["id"]
    target = path.format(timer_id=timer, token_id=made, number=0, **NAMED)
    before = app.items(str(ann.id))
    for name, headers in _FORGERIES.items():
        answer = browser(method, target, cookies=None, context=None, **headers)
        assert answer.status == 403, (name, answer)
        # A form can send this request without a preflight.
        answer = browser(method, target, cookies=None, context=None, content_type="text/plain", **headers)
        assert answer.status in {403, 415}, (name, answer)
    assert app.items(str(ann.id)) == before
    assert browser("GET", ME).status == 200


def test_a_forged_host_does_not_make_another_origin_trusted(app: App) -> None:
    """The requests lack `Sec-Fetch-Site`, as from old browsers; that header alone would cause the refusal."""
    browser, ann = app.signed_in()

    def send(**headers: str) -> Answer:
        viewer = {"host": HOST, "sec-fetch-site": "", **headers}
        sent = _through_cloudfront({name.replace("_", "-"): value for name, value in viewer.items()})
        headers = {name.replace("-", "_"): value for name, value in sent.items()}
        return browser("POST", START, {}, cookies=None, context=None, **headers)

    # The cookie belongs to CloudFront's host, and CloudFront overwrites the forged header.
    assert send(x_viewer_host="evil.example", origin=EVIL).status == 403
    assert app.timers_of(ann) == []
    assert send(x_viewer_host="evil.example", origin=ORIGIN).status == 201
    # A page cannot make a browser send the header, because CORS allows neither the header nor cookies.
    _, cors, _ = template().resources["HttpApi"]["Properties"]["CorsConfiguration"]["!If"]
    assert not {"x-viewer-host", "x-forwarded-proto", "*"} & set(cors["AllowHeaders"])
    assert "AllowCredentials" not in cors


# ---------------------------------------------------------------------- other people's data


@pytest.mark.parametrize(("method", "path"), TIMER_ROUTES)
@pytest.mark.parametrize("credentials", ["cookie", "token", "embedded"])
def test_another_persons_timer_is_out_of_reach(app: App, method: str, path: str, credentials: str) -> None:
    browser, ann = app.signed_in()
    timer = browser("POST", START, {}).json()["id"]
    before = app.items(str(ann.id))
    ask = _as(app, credentials)
    time = "2026-01-31T09:00:00Z"
    pause = {"start": time, "end": time}
    bodies = {
        "PATCH": {"description": "mine"},
        "PUT": pause,
        "POST": pause if path.endswith("/pauses/") else {"at": time},
    }
    body = bodies.get(method) if method != "POST" or path.endswith(("/pauses/", "/split/")) else None
    answer = ask(method, path.format(timer_id=timer, number=0), body)
    assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")
    assert app.items(str(ann.id)) == before


@pytest.mark.parametrize("credentials", ["cookie", "token"])
def test_another_persons_token_is_out_of_reach(app: App, credentials: str) -> None:
    browser, ann = app.signed_in()
    token = app.token(browser, name="Ann's own")
    (kept,) = app.tokens.of(ann.id)
    ask = _as(app, credentials)
    assert "Ann's own" not in ask("GET", "/api/auth/tokens/").body
    assert ask("DELETE", f"/api/auth/tokens/{kept.token_id}/").status in {403, 404}
    assert app.caller(token)("GET", ME).json()["id"] == ann.id


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("credentials", ["token", "embedded"])
def test_tokens_and_embedding_sites_cannot_manage_the_account(
    app: App, method: str, path: str, credentials: str
) -> None:
    browser, ann = app.signed_in()
    ask = _as(app, credentials, ann)
    made = browser("POST", "/api/auth/tokens/", {"name": "kept"}).json()["id"]
    if not path.startswith("/api/auth/"):
        # These credentials may manage timers.
        assert ask("POST", START, {}).status == 201
        return
    body: dict[str, Any] | None = {"name": "x"} if path == "/api/auth/tokens/" else None
    if path == "/api/auth/logout/":
        body = {"everywhere": True}
    if path == "/api/auth/me/visibility/":
        body = {"visibility": "everyone"}
    answer = ask(method, path.format(token_id=made, number=0, **NAMED), body)
    may = path == "/api/auth/session/" and credentials == "embedded"
    assert answer.status == (200 if may else 403)
    assert made in {token.token_id for token in app.tokens.of(ann.id)}
    assert browser("GET", ME).status == 200


def test_a_token_of_a_former_admin_login_has_no_admin_rights(app: App) -> None:
    """Another GitHub account may take over the login. That account then belongs to the new admin."""
    former, account = app.signed_in(app.new_person(ADMIN))
    token = app.token(former)
    assert app.caller(token)("GET", "/api/admin/health/").status == 200
    account.login = f"former-{account.id}"
    app.signed_in(account)
    app.cold_start()
    boss, _ = app.signed_in(app.new_person(ADMIN))
    assert boss("GET", "/api/admin/health/").status == 200
    for ask in (app.caller(token), former):
        assert ask("GET", "/api/admin/health/").status == 403
        assert ask("GET", f"{TIMERS}?user={account.id + 1}").status == 403


# ---------------------------------------------------------------------- guessing


@pytest.mark.parametrize("verdict", [False, True])
def test_secrets_are_compared_in_constant_time(
    app: App, webhook: Client, monkeypatch: pytest.MonkeyPatch, verdict: bool
) -> None:
    """Inverting `hmac.compare_digest` inverts the response, so no other function compares secrets."""
    browser, _ = app.signed_in()
    right = browser.cookies[SESSION_COOKIE]
    header, claims = _read(right)
    wrong = _sign(claims, b"f" * 64, {"kid": header["kid"]})
    begun = app.browser()
    # If all secrets are equal, this browser can complete a sign-in that began in another one.
    back = app.authorize_at_github(app.browser() if verdict else begun, app.new_person())
    begun("GET", LOGIN)
    body = b'{"zen": "Keep it logically awesome."}'
    signature = "sha256=" + "0" * 64 if verdict else sign(WEBHOOK_SECRET, body)
    monkeypatch.setattr(hmac, "compare_digest", lambda _a, _b: verdict)
    app.cold_start()
    me = browser("GET", ME, cookies=[f"{SESSION_COOKIE}={wrong if verdict else right}"])
    assert (me.status == 200) is verdict
    delivered = webhook(
        "POST",
        "/api/github-timer-webhook/",
        body=body,
        x_github_event="ping",
        x_github_delivery="a",
        x_hub_signature_256=signature,
        content_type="application/json",
    )
    assert delivered.status == (200 if verdict else 401)
    page = begun("GET", back)
    assert (page.status == 302) is verdict


def test_a_token_is_looked_up_by_its_hash_and_never_compared(app: App) -> None:
    browser, _ = app.signed_in()
    text = app.token(browser)
    asked: list[str] = []
    client = app.timelogs.shared.table.connection.client

    def note(request: Any, **_: object) -> None:
        asked.append(request.body.decode())

    client.meta.events.register("before-send.dynamodb", note)
    try:
        app.caller(text)("GET", TIMERS)
    finally:
        client.meta.events.unregister("before-send.dynamodb", note)
    assert "token#" in asked[0]
    assert text.removeprefix("itt_")[:8] not in "".join(asked)


# ---------------------------------------------------------------------- smuggling


def test_two_authorizations_are_refused(app: App) -> None:
    """API Gateway joins the values of headers with the same name with commas."""
    browser, _ = app.signed_in()
    token, session = app.token(browser), browser.cookies[SESSION_COOKIE]
    for text in (
        f"Token {token},Token {token}",
        f"Token {token}, Bearer {session}",
        f"Bearer {session},Bearer {session}",
        f"Bearer {session}, Token {token}",
        f"Token {token} Token {token}",
        f",Token {token}",
    ):
        for cookies in ([], [f"{SESSION_COOKIE}={session}"]):
            assert browser("GET", TIMERS, authorization=text, cookies=cookies).status == 401, text


def test_two_session_cookies_are_refused(app: App) -> None:
    browser, _ = app.signed_in()
    attacker, _ = app.signed_in()
    own, planted = (f"{SESSION_COOKIE}={one.cookies[SESSION_COOKIE]}" for one in (browser, attacker))
    for cookies in (
        [own, planted],
        [planted, own],
        [own, own],
        [f"{planted}; {own}"],
        [own, f"{SESSION_COOKIE}="],
    ):
        assert browser("GET", ME, cookies=cookies).status == 401, cookies


def test_a_cookie_with_a_similar_name_is_ignored(app: App) -> None:
    browser, _ = app.signed_in()
    session = browser.cookies[SESSION_COOKIE]
    for name in ("issue-timer", "__Secure-issue-timer", SESSION_COOKIE.lower(), f" a{SESSION_COOKIE}"):
        assert browser("GET", ME, cookies=[f"{name}={session}"]).status == 401, name


def test_a_header_takes_precedence_over_the_cookie(app: App) -> None:
    browser, _ = app.signed_in()
    other, bob = app.signed_in()
    token = app.token(other)
    # Only programs send this header, so the request is no forgery. The header gives no access to the cookie's
    # account.
    assert browser("GET", ME, authorization=f"Token {token}").json()["id"] == bob.id
    assert browser("POST", START, {}, authorization=f"Token {token}", origin=EVIL).json()["user"] == bob.id
    for bad in ("Token nothing", "Bearer a.b.c", "Token", "Basic YTpi", "Token  ", "Negotiate"):
        assert browser("GET", ME, authorization=bad).status == 401, bad
        assert browser("POST", START, {}, authorization=bad, origin=EVIL).status == 401, bad


def test_an_empty_header_does_not_disable_the_check_of_the_origin(app: App) -> None:
    browser, ann = app.signed_in()
    for empty in (" ", "\t", "  "):
        forged = browser("POST", START, {}, authorization=empty, origin=EVIL, sec_fetch_site="cross-site")
        assert forged.status in {401, 403}
    assert app.timers_of(ann) == []


def test_a_token_in_a_cookie_is_refused(app: App) -> None:
    browser, _ = app.signed_in()
    token = app.token(browser)
    assert browser("GET", ME, cookies=[f"{SESSION_COOKIE}={token}"]).status == 401


def test_sign_in_cookies_and_sessions_are_not_interchangeable(app: App) -> None:
    browser, ann = app.signed_in()
    session = browser.cookies[SESSION_COOKIE]
    begun = app.browser()
    back = app.authorize_at_github(begun, ann)
    sealed = _parameters(back)["state"]
    assert_invalid_session(app, sealed)
    assert_refused(begun("GET", back.replace(sealed, session)), begun)
    assert_refused(begun("GET", back, cookies=[f"{SIGN_IN_COOKIE}={session}"]), begun)


@pytest.mark.parametrize("path", [ME, TIMERS])
def test_a_session_of_an_embedding_site_is_valid_only_there(app: App, path: str) -> None:
    session, ann = app.embedded()
    ask = app.caller(session, "Bearer")
    assert ask("GET", path, origin=EMBEDDER).status == 200
    for headers in (
        {},
        {"origin": ""},
        {"origin": "null"},
        {"origin": EVIL},
        {"origin": ORIGIN},
        # This origin is another allowed site.
        {"origin": "https://other.example.org"},
        {"origin": f"{EMBEDDER}, {EVIL}"},
        {"referer": EMBEDDER},
    ):
        assert ask("GET", path, **headers).status == 401, headers
    browser = app.browser()
    cookies = [f"{SESSION_COOKIE}={session}"]
    for headers in ({}, {"origin": EMBEDDER}, {"origin": ORIGIN, "sec_fetch_site": "same-origin"}):
        answer = browser("GET", path, cookies=cookies, context=None, **headers)
        assert answer.status == 401, headers
    assert browser.set_cookies == []
    assert app.timers_of(ann) == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/timelogs",
        "//api/timelogs/",
        "/api//timelogs/",
        "/api/timelogs//",
        "/api/timelogs/./",
        "/api/health/../timelogs/",
        "/api/timelogs/start/..",
        "/API/TIMELOGS/",
        "/api/timelogs/x.json",
        "/api/timelogs%2F",
        "/api/timelogs/;/",
        "/api/admin/timers",
        "/api/admin/health/x.json",
        "/api/auth/me",
        "/api/auth/me/x.json",
        "/api/auth//me/",
        "/api/auth/login/../me/",
        "/api/auth/callback/../tokens/",
        "/api/auth/login/%2e%2e/me/",
        "/api/auth/me/export",
        "/api/auth/ME/",
    ],
)
def test_no_spelling_of_a_path_bypasses_the_request_guard(app: App, path: str) -> None:
    browser, _ = app.signed_in()
    # The function has just responded to another caller.
    browser("GET", ME)
    browser("GET", TIMERS)
    for method in ("GET", "POST", "PATCH", "DELETE", "HEAD", "PUT"):
        answer = app.browser()(method, path)
        assert answer.status in {401, 404, 405}, (method, answer)


def test_the_webhook_refuses_sessions_and_tokens(app: App, webhook: Client) -> None:
    browser, _ = app.signed_in()
    token, session = app.token(browser), browser.cookies[SESSION_COOKIE]
    for headers in (
        {"authorization": f"Token {token}"},
        {"authorization": f"Bearer {session}"},
        {"cookie": f"{SESSION_COOKIE}={session}"},
        {"x_hub_signature_256": token},
        {"x_hub_signature_256": session},
        {"x_hub_signature_256": sign(KEY, b"{}")},
    ):
        sent = {"x_github_event": "ping", "x_github_delivery": "a", **headers}
        answer = webhook("POST", "/api/github-timer-webhook/", {}, body=None, **sent)
        assert answer.status == 401, headers


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_api_refuses_signatures_of_webhooks(app: App, method: str, path: str) -> None:
    target = path.format(timer_id="1-01BX5ZZKBKACTAV9WEVGEMMVRZ", token_id="a", number=0, **NAMED)
    signature = sign(WEBHOOK_SECRET, b"{}")
    for headers in (
        {"x_hub_signature_256": signature, "x_github_event": "ping", "x_github_delivery": "a"},
        {"x_hub_signature_256": signature, "authorization": f"Token {signature}"},
        {"authorization": f"Bearer {WEBHOOK_SECRET}"},
    ):
        answer = app.browser()(method, target, {}, cookies=None, context=None, **headers)
        assert answer.status == 401, headers


# ---------------------------------------------------------------------- secrets in logs and errors


def test_no_secret_is_logged(
    app: App, webhook: Client, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Logging is at the most verbose level and includes the libraries' logs, but not AWS's responses."""
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "boto3"):
        caplog.set_level(logging.INFO, logger=name)
    given: list[str] = []
    app.github.after_request = lambda request, answer: given.extend(
        [request.headers.get("authorization", ""), _member(answer.body, "access_token")]
    )
    written = io.StringIO()
    with ExitStack() as stack:
        stack.callback(setattr, app.github, "after_request", lambda *_: None)
        for name in ("auth.shared", "schedule.shared", "timelogs.shared", "webhook.receive"):
            stack.enter_context(_debugging(sys.modules[name].logger, written))
        known = _send_every_request(app)
        for signature in (sign(WEBHOOK_SECRET, b"{}"), "sha256=" + "0" * 64):
            webhook("POST", "/", {}, x_hub_signature_256=signature, x_github_event="ping")
    known |= {WEBHOOK_SECRET, sign(WEBHOOK_SECRET, b"{}"), KEY, app.client.client_secret}
    known |= {text.removeprefix("Bearer ") for text in given if text}
    assert any(text.startswith("gho_") for text in known)
    lines = written.getvalue()
    for message in ("Signed in", "Refused a sign-in", "GitHub refused a sign-in", "Delivery refused"):
        assert f'"message":"{message}"' in lines
    lines += "".join(capsys.readouterr()) + caplog.text + "".join(str(vars(one)) for one in caplog.records)
    assert [text for text in known if text in lines or quote(text, safe="") in lines] == []


def test_errors_contain_no_secret(app: App) -> None:
    browser, _ = app.signed_in()
    token, session = app.token(browser), browser.cookies[SESSION_COOKIE]
    (kept,) = app.tokens.of(app.session(browser).user_id)
    browser("DELETE", f"/api/auth/tokens/{kept.token_id}/")
    for text in (token, session[:-5], f"Basic {token}"):
        answer = app.caller(text)("GET", TIMERS)
        assert answer.status == 401
        assert text not in str(answer)


def test_the_table_of_attacks_lists_these_tests() -> None:
    rows = re.findall(r"\| `test_attacks\.py::(test_\w+)` \|$", SECURITY.read_text(), re.MULTILINE)
    here = {name for name in globals() if name.startswith("test_")}
    assert len(rows) == len(set(rows))
    assert set(rows) == here - {"test_the_table_of_attacks_lists_these_tests"}


# ---------------------------------------------------------------------- helpers


def _through_cloudfront(headers: dict[str, str]) -> dict[str, str]:
    """Return a viewer's headers as the distribution's function passes them to the API."""
    config = template().resources["WebDistribution"]["Properties"]["DistributionConfig"]
    (api,) = (one for one in config["CacheBehaviors"] if one["TargetOriginId"] == "api")
    (association,) = api["FunctionAssociations"]
    assert association["EventType"] == "viewer-request"
    name = association["FunctionARN"]["!GetAtt"].partition(".")[0]
    code = template().resources[name]["Properties"]["FunctionCode"]
    assigned = re.findall(r"headers\['([a-z-]+)'\] = \{ value: request\.headers\.(\w+)\.value \};", code)
    assert assigned
    return headers | {name: headers[source] for name, source in assigned}


def assert_invalid_session(app: App, session: str) -> None:
    """Check that both functions refuse a session, in a cookie and in a header."""
    browser = app.browser()
    for path in (ME, TIMERS):
        for answer in (
            browser("GET", path, cookies=[f"{SESSION_COOKIE}={session}"]),
            browser("GET", path, authorization=f"Bearer {session}"),
        ):
            assert answer.status == 401, session
            assert answer.headers["www-authenticate"] == "Bearer"


def assert_valid_session(app: App, session: str) -> None:
    assert app.browser()("GET", ME, cookies=[f"{SESSION_COOKIE}={session}"]).status == 200


def assert_refused(page: Answer, browser: Browser) -> None:
    """Check that a callback shows a page and signs nobody in."""
    assert (page.status, page.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert SESSION_COOKIE not in browser.cookies


def _as(app: App, credentials: str, who: Any = None) -> Callable[..., Answer]:
    """Return a client with the credentials of a person, by default a new person."""
    browser, who = app.signed_in(who)
    if credentials == "cookie":
        return browser
    if credentials == "token":
        return app.caller(app.token(browser))
    session, _ = app.embedded(who)
    ask = app.caller(session, "Bearer")
    return lambda method, target, body=None: ask(method, target, body, origin=EMBEDDER)


def _send_every_request(app: App) -> set[str]:
    """Send valid and invalid requests of every kind, and return the secrets in the requests."""
    known: set[str] = set()
    browser, ann = app.browser(), app.new_person()
    asked = _parameters(redirect_target(browser("GET", LOGIN)))
    known |= {browser.cookies[SIGN_IN_COOKIE], asked["state"]}
    back = app.authorize_at_github(browser, ann)
    secret = browser.cookies[SIGN_IN_COOKIE]
    known |= {secret, _parameters(back)["state"], _parameters(back)["code"]}
    browser("GET", back)
    known.add(browser.cookies[SESSION_COOKIE])
    # Four sign-ins are invalid: a replay, a sign-in from another browser, a cancelled sign-in, and a sign-in
    # that GitHub refuses.
    browser("GET", back, cookies=[f"{SIGN_IN_COOKIE}={secret}"])
    other = app.browser()
    other("GET", back)
    other("GET", app.authorize_at_github(other, ann, approve=False))
    wrong = app.authorize_at_github(other, ann).replace("code=", "code=f")
    known |= {_parameters(wrong)["code"], other.cookies[SIGN_IN_COOKIE]}
    other("GET", wrong)
    embedded, _ = app.embedded(ann)
    token = app.token(browser)
    known |= {embedded, token}
    for text in (token, embedded, token[:-1], embedded[:-1]):
        for scheme in ("Token", "Bearer", "Basic"):
            known.add(f"{scheme} {text}")
            app.caller(text, scheme)("GET", TIMERS, origin=EMBEDDER)
    renewed = app.caller(embedded, "Bearer")("POST", "/api/auth/session/", origin=EMBEDDER)
    known.add(renewed.json()["session"])
    app.clock.advance(1_000)
    browser("POST", START, {}, idempotency_key="a key")
    known.add(browser.cookies[SESSION_COOKIE])
    for method, path in ROUTES:
        target = path.format(timer_id="1-01BX5ZZKBKACTAV9WEVGEMMVRZ", token_id="a", number=0, **NAMED)
        if (method, path) != ("DELETE", ME):
            browser(method, target, {})
            browser(method, target, {}, origin=EVIL)
    app.sign_in(browser, ann)
    known.add(browser.cookies[SESSION_COOKIE])
    browser("DELETE", ME)
    return known


@contextmanager
def _debugging(logger: Logger, stream: io.StringIO) -> Iterator[None]:
    """Make a function's logger write all levels to a stream."""
    handler = logger.registered_handler
    level, before = logger.log_level, handler.setStream(stream)  # type: ignore[attr-defined]
    logger.setLevel("DEBUG")
    yield
    logger.setLevel(level)
    handler.setStream(before)  # type: ignore[attr-defined]


def _authorize_url(app: App, *, state: str) -> str:
    query = f"client_id={app.client.client_id}&redirect_uri={ORIGIN}{CALLBACK}&state={quote(state)}"
    return f"{app.github.url}/login/oauth/authorize?{query}"


def _parameters(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def _member(body: Any, name: str) -> str:
    return str(body.get(name, "")) if isinstance(body, dict) else ""


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a session, which are not encrypted."""
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def _sign(claims: dict[str, Any], key: bytes, header: dict[str, Any]) -> str:
    """Return a token signed with HMAC-SHA-256; a library would check the key and the header."""
    parts = ({"typ": "JWT", "alg": "HS256", **header}, claims)
    signed = ".".join(_encode(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{_encode(hmac.digest(key, signed.encode(), 'sha256'))}"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
