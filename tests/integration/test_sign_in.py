"""Signing in, on a fake GitHub that checks codes, PKCE and credentials."""

from __future__ import annotations

import io
import re
import threading
import time
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import boto3
import jwt
import pytest

from deployed_stack import DeployedStack, session_key
from deployed_stack.errors import ToolError
from deployed_stack.secret_pair import SecretPair
from fake_github import FakeGitHub, faults
from tests.support.app import EMBEDDER, KEY, App, forget_callers, open_app
from tests.support.browser import ORIGIN, redirect_target
from tests.support.network import Network, refusal
from timer_core.api import german, pages, request_guard
from timer_core.api.sessions import SESSION_COOKIE, SIGN_IN_COOKIE
from timer_core.github.api.credentials import OAuthParameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fake_github.messages import Answer as GitHubAnswer
    from fake_github.messages import Request
    from tests.support.browser import Browser
    from tests.support.gateway import Answer
    from tests.support.network import Send
    from timer_core.store.table import Table

LOGIN = "/api/auth/login/"
ME = "/api/auth/me/"
TIMERS = "/api/timelogs/"
# A request that reads the table once.
OPEN_TIMERS = f"{TIMERS}?end_time__isnull=true"
DAY = 86_400


@pytest.fixture(scope="module", autouse=True)
def _every_text_is_translated() -> Iterator[None]:
    """Check at the end that there is a German text for every text that these tests have shown."""
    shown: set[str] = set()
    translated = pages.translated

    def recorded(language: str, *texts: str) -> tuple[str, tuple[str, ...]]:
        shown.update(texts)
        return translated(language, *texts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "translated", recorded)
        yield
    assert shown - german.TEXTS.keys() == set()


class TestFlow:
    def test_signing_in_registers_a_person_and_begins_a_session(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        answer = app.sign_in(browser, ann, "?next=/history")
        assert redirect_target(answer) == f"{ORIGIN}/history"
        me = browser("GET", ME).json()
        assert (me["id"], me["login"], me["scope"], me["is_admin"]) == (ann.id, ann.login, "write", False)
        assert browser("POST", "/api/timelogs/start/", {}).status == 201
        assert [timer["user"] for timer in browser("GET", TIMERS).json()["results"]] == [ann.id]

    def test_github_is_asked_only_for_the_account(self, app: App) -> None:
        address = urlsplit(redirect_target(app.browser()("GET", LOGIN)))
        asked = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        assert (
            f"{address.scheme}://{address.netloc}{address.path}" == f"{app.github.url}/login/oauth/authorize"
        )
        assert asked.keys() == {
            "client_id",
            "redirect_uri",
            "state",
            "scope",
            "code_challenge",
            "code_challenge_method",
        }
        assert (asked["client_id"], asked["scope"]) == (app.client.client_id, "")
        assert asked["redirect_uri"] == f"{ORIGIN}/api/auth/callback/"
        assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)

    def test_no_two_sign_ins_have_the_same_state_or_challenge(self, app: App) -> None:
        browser = app.browser()
        queries = [parse_qs(urlsplit(redirect_target(browser("GET", LOGIN))).query) for _ in range(20)]
        for name in ("state", "code_challenge"):
            assert len({query[name][0] for query in queries}) == 20

    @pytest.mark.parametrize(
        ("query", "path"), [("", "/"), ("?next=/a/b%3Fc=d%26e%23f", "/a/b?c=d&e#f"), ("?next=", "/")]
    )
    def test_a_sign_in_redirects_back_to_where_it_began(self, app: App, query: str, path: str) -> None:
        answer = app.sign_in(app.browser(), app.new_person(), query)
        assert redirect_target(answer) == ORIGIN + path

    def test_the_session_cookie_is_for_this_host_and_hidden_from_scripts(self, app: App) -> None:
        browser, _ = app.signed_in()
        session = next(header for header in browser.set_cookies if header.startswith(SESSION_COOKIE + "="))
        assert session.split("; ")[1:] == ["Path=/", "Max-Age=3600", "Secure", "HttpOnly", "SameSite=Lax"]
        assert browser.cookies.keys() == {SESSION_COOKIE, SIGN_IN_COOKIE}

    def test_the_sign_in_cookie_is_for_this_host_and_hidden_from_scripts(self, app: App) -> None:
        browser = app.browser()
        browser("GET", LOGIN)
        (header,) = browser.set_cookies
        assert header.startswith(SIGN_IN_COOKIE + "=")
        assert header.split("; ")[1:] == ["Path=/", "Max-Age=600", "Secure", "HttpOnly", "SameSite=Lax"]

    def test_responses_are_not_cached(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        for answer in (browser("GET", LOGIN), app.sign_in(browser, ann), browser("GET", ME)):
            assert answer.headers["cache-control"] == "no-store"

    def test_the_paths_work_without_their_slashes(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        app.github.signed_in = ann
        back = urlsplit(app.press_authorize(redirect_target(browser("GET", "/api/auth/login"))))
        assert browser("GET", f"/api/auth/callback?{back.query}").status == 302
        assert browser("GET", "/api/auth/me").json()["id"] == ann.id


class TestAgain:
    """Each way through a sign-in ends signed in, or on a page that repeats the sign-in."""

    NEXT = "/?view=week&of=ann#tokens"
    QUERY = f"?next={quote(NEXT, safe='')}"

    def test_two_tabs_can_both_complete_their_sign_ins(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        tabs = [app.authorize_at_github(browser, ann, f"?next=/{name}") for name in ("a", "b", "c")]
        # The tabs complete their sign-ins in another order.
        for name, back in zip("bca", (tabs[1], tabs[2], tabs[0]), strict=True):
            assert redirect_target(browser("GET", back)) == f"{ORIGIN}/{name}"
        assert browser("GET", ME).json()["id"] == ann.id

    def test_a_page_and_a_popup_can_both_complete_their_sign_ins(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        page = app.authorize_at_github(browser, ann, self.QUERY)
        popup = app.authorize_at_github(browser, ann, f"?origin={EMBEDDER}")
        assert redirect_target(browser("GET", page)) == ORIGIN + self.NEXT
        assert 'id="signed-in"' in browser("GET", popup).body

    def test_going_back_after_cancelling_and_authorizing_signs_in(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        address = redirect_target(browser("GET", LOGIN + self.QUERY))
        app.github.signed_in = ann
        assert browser("GET", _path(app.press_authorize(address, approve=False))).status == 403
        back = _path(app.press_authorize(address))
        assert redirect_target(browser("GET", back)) == ORIGIN + self.NEXT
        assert browser("GET", ME).json()["id"] == ann.id

    def test_going_back_after_signing_in_and_authorizing_again_stays_signed_in(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        address = redirect_target(browser("GET", LOGIN + self.QUERY))
        app.github.signed_in = ann
        assert browser("GET", _path(app.press_authorize(address))).status == 302
        session = browser.cookies[SESSION_COOKIE]
        for approve in (True, False):
            again = browser("GET", _path(app.press_authorize(address, approve=approve)))
            assert redirect_target(again) == ORIGIN + self.NEXT
        assert browser.cookies[SESSION_COOKIE] == session

    def test_reloading_the_callback_stays_signed_in(self, app: App) -> None:
        browser = app.browser()
        back = app.authorize_at_github(browser, app.new_person(), self.QUERY)
        for _ in range(2):
            assert redirect_target(browser("GET", back)) == ORIGIN + self.NEXT

    def test_a_late_tab_of_a_person_who_has_signed_in_meanwhile_shows_its_page(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        late = app.authorize_at_github(browser, ann, self.QUERY)
        app.clock.advance(601)
        app.sign_in(browser, ann)
        assert redirect_target(browser("GET", late)) == ORIGIN + self.NEXT

    def test_a_used_sign_in_of_a_person_who_has_signed_out_can_be_repeated(self, app: App) -> None:
        browser = app.browser()
        back = app.authorize_at_github(browser, app.new_person(), self.QUERY)
        browser("GET", back)
        browser("POST", "/api/auth/logout/")
        assert_can_be_repeated(browser("GET", back), 400, "works only once", self.NEXT)

    def test_a_popup_can_be_repeated_although_our_own_page_is_signed_in(self, app: App) -> None:
        browser, ann = app.signed_in()
        back = app.authorize_at_github(browser, ann, f"?origin={EMBEDDER}")
        browser("GET", back)
        page = browser("GET", back)
        assert (page.status, SIGN_IN_AGAIN.search(page.body)[1]) == (  # type: ignore[index]
            400,
            f"{LOGIN}?next=%2F&amp;origin=https%3A%2F%2Fwiki.example.org",
        )

    def test_a_cancelled_sign_in_can_be_repeated(self, app: App) -> None:
        browser = app.browser()
        back = app.authorize_at_github(browser, app.new_person(), self.QUERY, approve=False)
        for _ in range(2):
            assert_can_be_repeated(browser("GET", back), 403, "You did not authorize", self.NEXT)

    def test_an_expired_sign_in_can_be_repeated(self, app: App) -> None:
        browser = app.browser()
        back = app.authorize_at_github(browser, app.new_person(), self.QUERY)
        app.clock.advance(601)
        assert_can_be_repeated(browser("GET", back), 400, "took longer than 10 minutes", self.NEXT)
        # Browsers delete the cookie when the sign-in expires.
        browser.cookies.clear()
        assert_can_be_repeated(browser("GET", back), 400, "took longer than 10 minutes", self.NEXT)

    def test_a_sign_in_without_its_cookie_can_be_repeated(self, app: App) -> None:
        browser = app.browser()
        back = app.authorize_at_github(browser, app.new_person(), self.QUERY)
        browser.cookies.clear()
        assert_can_be_repeated(browser("GET", back), 400, "has not kept its cookie", self.NEXT)

    def test_a_sign_in_of_another_browser_does_not_change_the_session(self, app: App) -> None:
        victim, ann = app.signed_in()
        back = app.authorize_at_github(app.browser(), app.new_person(), self.QUERY)
        assert_can_be_repeated(victim("GET", back), 400, "began in another browser", self.NEXT)
        assert victim("GET", ME).json()["id"] == ann.id

    @pytest.mark.parametrize("state", ["", "x", "a.b.c"])
    def test_an_unknown_state_offers_a_new_sign_in(self, app: App, state: str) -> None:
        page = app.browser()("GET", f"/api/auth/callback/?code=a&state={state}")
        assert_can_be_repeated(page, 400, "does not continue a sign-in", "/")

    @pytest.mark.parametrize("error", ["application_suspended", "redirect_uri_mismatch"])
    def test_another_error_of_github_is_named(self, app: App, error: str) -> None:
        browser = app.browser()
        back = app.authorize_at_github(browser, app.new_person(), self.QUERY, approve=False)
        page = browser("GET", back.replace("access_denied", error))
        assert_can_be_repeated(page, 502, f"GitHub refused the sign-in ({error})", self.NEXT)
        assert "You did not" not in page.body

    def test_an_error_that_github_does_not_document_is_not_quoted(self, app: App) -> None:
        browser = app.browser()
        back = app.authorize_at_github(browser, app.new_person(), self.QUERY, approve=False)
        page = browser("GET", back.replace("access_denied", "Call+555-0100"))
        assert_can_be_repeated(page, 502, "(unknown_error)", self.NEXT)

    def test_an_outage_an_unexpected_error_and_a_refused_code_can_be_repeated(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        back = app.authorize_at_github(browser, ann, self.QUERY)
        app.github.faults.append(faults.status(502, path="GET /user"))
        assert_can_be_repeated(browser("GET", back), 502, "did not answer as expected", self.NEXT)
        back = app.authorize_at_github(browser, ann, self.QUERY).replace("code=", "code=f")
        assert_can_be_repeated(browser("GET", back), 400, "did not confirm", self.NEXT)
        back = app.authorize_at_github(browser, ann, self.QUERY)
        network = Network(app.auth.shared.table.connection)
        network.every_write = refusal("AccessDeniedException")
        try:
            page = browser("GET", back)
        finally:
            network.close()
        assert_can_be_repeated(page, 500, "An internal error occurred", self.NEXT)

    def test_repeating_a_sign_in_signs_in_and_returns_to_the_page(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        page = browser("GET", app.authorize_at_github(browser, ann, self.QUERY, approve=False))
        again = unescape(SIGN_IN_AGAIN.search(page.body)[1])  # type: ignore[index]
        back = _path(app.press_authorize(redirect_target(browser("GET", again))))
        assert redirect_target(browser("GET", back)) == ORIGIN + self.NEXT

    def test_removed_credentials_are_not_blamed_on_github(
        self, shared_table: Table, github: FakeGitHub
    ) -> None:
        with open_app(shared_table, github) as app:
            browser = app.browser()
            back = app.authorize_at_github(browser, app.new_person(), self.QUERY)
            boto3.client("ssm").delete_parameter(Name=app.oauth_parameter)
            # Another instance of the function completes the sign-in.
            app.auth.shared.sign_in._credentials = OAuthParameter(app.oauth_parameter)
            page = browser("GET", back)
            assert_can_be_repeated(page, 503, "no working connection to GitHub", self.NEXT)


class TestLanguage:
    @pytest.mark.parametrize(
        ("accepted", "language"),
        [
            ("de", "de"),
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("fr-FR, fr;q=0.9, de;q=0.7, en;q=0.3", "de"),
            ("en;q=0.5, DE-ch", "de"),
            ("en-US,en;q=0.9,de;q=0.8", "en"),
            ("fr", "en"),
            ("*", "en"),
            ("de;q=x, ;;,", "en"),
            ("de;q=0, fr", "en"),
            ("de;q=0, en;q=0.1", "en"),
            ("en;q=0, de;q=0.1", "de"),
            ("de;Q=0.5, en;q=0.4", "de"),
            ("de ; q=0.2, en ; q=0.3", "en"),
            ("de;q=2, en;q=0.1", "en"),
            ("de;q=nan", "en"),
            ("", "en"),
        ],
    )
    def test_a_page_has_the_first_language_of_the_browser_that_it_knows(
        self, app: App, accepted: str, language: str
    ) -> None:
        browser = app.browser()
        back = app.authorize_at_github(browser, app.new_person(), approve=False)
        page = browser("GET", back, accept_language=accepted)
        assert f'<html lang="{language}">' in page.body
        assert ("Erneut versuchen" in page.body) == (language == "de")

    def test_a_value_in_a_page_is_escaped(self, app: App) -> None:
        page = app.browser()("GET", f"{LOGIN}?origin=%3Cb%3E%7Bx%7D", accept_language="de")
        assert "Anmeldungen für &lt;b&gt;{x} nicht zugelassen" in page.body


class TestAccount:
    def test_a_new_login_keeps_the_account(self, app: App) -> None:
        browser, ann = app.signed_in()
        timer = browser("POST", "/api/timelogs/start/", {}).json()["id"]
        created = browser("GET", ME).json()["created"]
        ann.login = f"renamed-{ann.id}"
        app.clock.advance(DAY)
        again, _ = app.signed_in(ann)
        me = again("GET", ME).json()
        assert (me["id"], me["login"], me["created"]) == (ann.id, ann.login, created)
        assert [one["id"] for one in again("GET", TIMERS).json()["results"]] == [timer]

    def test_a_reused_login_is_a_different_account(self, app: App) -> None:
        browser, ann = app.signed_in()
        browser("POST", "/api/timelogs/start/", {})
        login, ann.login = ann.login, f"renamed-{ann.id}"
        other, bob = app.signed_in(app.new_person(login))
        me = other("GET", ME).json()
        assert (me["id"], me["login"]) == (bob.id, login)
        assert other("GET", TIMERS).json()["results"] == []

    def test_name_and_picture_are_those_of_the_last_sign_in(self, app: App) -> None:
        ann = app.new_person()
        seen = []
        for profile in (
            {"name": "Ann", "avatar_url": "https://a.example/1"},
            {"name": None, "avatar_url": ""},
        ):
            app.github.faults.append(_changed("GET /user", **profile))
            browser, _ = app.signed_in(ann)
            me = browser("GET", ME).json()
            seen.append((me["name"], me["avatar_url"]))
        assert seen == [("Ann", "https://a.example/1"), ("", "")]

    def test_only_public_attributes_of_the_account_are_stored(self, app: App) -> None:
        _, ann = app.signed_in()
        profile, _ = sorted(app.items(str(ann.id)), key=lambda item: item["sk"]["S"])
        assert profile.keys() == {"pk", "sk", "login", "name", "avatar_url", "created_ms"}


class TestRefused:
    def test_cancelling_at_github_signs_nobody_in(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        page = browser("GET", app.authorize_at_github(browser, ann, approve=False))
        assert (page.status, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
        assert "You did not authorize Issue Timer at GitHub" in page.body
        assert SESSION_COOKIE not in browser.cookies
        assert app.items(str(ann.id)) == []

    @pytest.mark.parametrize("parameters", ["", "&code=", "&error=", "&code=&error="])
    def test_a_redirect_without_code_and_error_is_incomplete(self, app: App, parameters: str) -> None:
        browser = app.browser()
        back = urlsplit(app.authorize_at_github(browser, app.new_person(), "?next=/history"))
        (state,) = parse_qs(back.query)["state"]
        page = browser("GET", f"{back.path}?state={state}{parameters}")
        text = "GitHub&#x27;s redirect was incomplete: it has neither a code nor an error."
        assert_can_be_repeated(page, 400, text, "/history")
        # The sign-in can still be completed.
        assert browser("GET", _path(back.geturl())).status == 302

    @pytest.mark.parametrize("path", ["POST /login/oauth/access_token", "GET /user"])
    @pytest.mark.parametrize("fault", [faults.lost_response, lambda path: faults.status(502, path=path)])
    def test_an_outage_of_github_is_shown_on_a_page(
        self, app: App, path: str, fault: Callable[..., faults.Fault]
    ) -> None:
        browser, ann = app.browser(), app.new_person()
        back = app.authorize_at_github(browser, ann)
        app.github.faults.append(fault(path=path))
        page = browser("GET", back)
        assert (page.status, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
        assert "GitHub did not answer as expected" in page.body
        assert SESSION_COOKIE not in browser.cookies
        assert app.sign_in(browser, ann).status == 302

    @pytest.mark.parametrize(
        "members",
        [
            {"id": None},
            {"id": "21031067"},
            {"id": 0},
            {"id": -1},
            {"id": True},
            {"id": 1.5},
            {"login": None},
            {"login": ""},
            {"login": 7},
            {"login": ["ann"]},
            {"name": {"first": "Ann"}},
            {"avatar_url": 7},
        ],
    )
    def test_an_incomplete_account_is_refused_with_a_page(self, app: App, members: dict[str, object]) -> None:
        browser, ann = app.browser(), app.new_person()
        back = app.authorize_at_github(browser, ann)
        app.github.faults.append(_changed("GET /user", **members))
        page = browser("GET", back)
        assert (page.status, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
        assert SESSION_COOKIE not in browser.cookies
        assert app.items(str(ann.id)) == []

    @pytest.mark.parametrize("body", [None, [], [1], "ann", 7, {}])
    def test_a_response_without_an_account_is_refused_with_a_page(self, app: App, body: Any) -> None:
        browser = app.browser()
        back = app.authorize_at_github(browser, app.new_person())
        app.github.faults.append(_answered("GET /user", body))
        assert browser("GET", back).status == 502
        assert SESSION_COOKIE not in browser.cookies

    def test_an_internal_error_is_shown_on_a_page(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        back = app.authorize_at_github(browser, ann)
        network = Network(app.auth.shared.table.connection)
        network.every_write = refusal("AccessDeniedException")
        try:
            page = browser("GET", back)
        finally:
            network.close()
        assert (page.status, page.headers["content-type"]) == (500, "text/html; charset=utf-8")
        assert re.search(
            r"An internal error occurred\. The log has the details under [0-9a-f-]{36}\.", page.body
        )
        assert "AccessDenied" not in page.body
        assert_is_locked_down(page)

    def test_an_invalid_sign_in_url_is_refused_with_a_page(self, app: App) -> None:
        page = app.browser()("GET", f"{LOGIN}?origin={'a' * 301}")
        assert (page.status, page.headers["content-type"]) == (400, "text/html; charset=utf-8")
        assert_is_locked_down(page)

    def test_a_long_next_ends_on_the_home_page(self, app: App) -> None:
        assert redirect_target(app.sign_in(app.browser(), app.new_person(), f"?next=/{'a' * 600}")) == (
            f"{ORIGIN}/"
        )

    def test_a_rate_limit_of_github_is_shown_on_a_page(self, app: App) -> None:
        browser = app.browser()
        back = app.authorize_at_github(browser, app.new_person())
        app.github.faults.append(faults.secondary_limit(60, path="GET /user"))
        assert browser("GET", back).status == 502

    def test_missing_oauth_credentials_are_shown_on_a_page(
        self, shared_table: Table, github: FakeGitHub
    ) -> None:
        with open_app(shared_table, github) as app:
            boto3.client("ssm").delete_parameter(Name=app.oauth_parameter)
            browser, asked = app.browser(), len(github.requests)
            page = browser("GET", LOGIN)
            assert (page.status, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
            assert "no working connection to GitHub" in page.body
            assert browser.cookies == {}
            assert len(github.requests) == asked

    def test_oauth_credentials_that_github_refuses_sign_nobody_in(
        self, shared_table: Table, github: FakeGitHub
    ) -> None:
        with open_app(shared_table, github) as app:
            github.oauth_apps.remove(app.client)
            github.oauth_apps.append(replace(app.client, client_secret="another"))
            browser = app.browser()
            page = app.sign_in(browser, app.new_person())
            assert page.status == 400
            assert SESSION_COOKIE not in browser.cookies


@pytest.fixture
def club(shared_table: Table, github: FakeGitHub) -> Iterator[App]:
    """An app that allows two organizations; the first has no members."""
    with open_app(shared_table, github, ALLOWED_ORGS="first-org, octo-org") as app:
        yield app


class TestOrganizations:
    def test_a_member_of_an_allowed_organization_signs_in(self, club: App) -> None:
        ann = club.new_person()
        club.github.new_organization("octo-org", {ann: "member"})
        browser, _ = club.signed_in(ann)
        assert browser("GET", ME).json()["id"] == ann.id

    def test_other_people_are_refused_and_not_stored(self, club: App) -> None:
        browser, bob = club.browser(), club.new_person()
        club.github.new_organization("other-org", {bob: "admin"})
        assert_refused_account(club, browser, club.sign_in(browser, bob), bob.id)

    def test_a_pending_invitation_is_not_a_membership(self, club: App) -> None:
        browser, bob = club.browser(), club.new_person()
        club.github.new_organization("octo-org", {bob: "member"})
        club.github.faults.append(_changed("GET /user/memberships/orgs/octo-org", state="pending"))
        assert_refused_account(club, browser, club.sign_in(browser, bob), bob.id)

    def test_a_former_member_is_refused_and_loses_all_access(self, club: App) -> None:
        ann = club.new_person()
        members = club.github.new_organization("octo-org", {ann: "member"}).members
        browser, _ = club.signed_in(ann)
        token = club.token(browser)
        embedded, _ = club.embedded(ann)
        browser("POST", "/api/timelogs/start/", {})
        del members[ann]
        club.clock.advance(1)
        page = club.sign_in(club.browser(), ann)
        assert page.status == 403
        assert "Nothing was stored" not in page.body
        assert "Your account and your timers are still stored" in page.body
        club.cold_start()
        assert browser("GET", ME).status == 401
        assert club.caller(token)("GET", TIMERS).status == 401
        assert club.caller(embedded, "Bearer")("GET", TIMERS, origin=EMBEDDER).status == 401
        assert len(club.timers_of(ann)) == 1

    def test_nobody_signs_in_if_github_does_not_report_the_membership(self, club: App) -> None:
        browser, bob = club.browser(), club.new_person()
        back = club.authorize_at_github(browser, bob)
        club.github.faults.append(faults.status(502, path="GET /user/memberships/orgs/"))
        assert browser("GET", back).status == 502
        assert SESSION_COOKIE not in browser.cookies
        assert club.items(str(bob.id)) == []

    def test_the_only_requested_scope_is_read_org(self, club: App) -> None:
        address = urlsplit(redirect_target(club.browser()("GET", LOGIN)))
        assert parse_qs(address.query)["scope"] == ["read:org"]


class TestPopup:
    def test_a_popup_gets_a_page_that_passes_the_session_on(self, app: App) -> None:
        browser, ann = app.browser(), app.new_person()
        page = app.sign_in(browser, ann, f"?origin={EMBEDDER}")
        assert page.status == 200
        data = dict(re.findall(r'data-(\w+)="([^"]*)"', page.body))
        expires_s = app.clock.ms // 1000 + 3_600
        assert (data["origin"], data["expires"]) == (EMBEDDER, str(expires_s))
        assert '<script src="/signed-in.js"></script>' in page.body
        # There is no cookie, because the session is for the page that opened the popup.
        assert SESSION_COOKIE not in browser.cookies
        me = app.caller(unescape(data["session"]), "Bearer")("GET", ME, origin=EMBEDDER).json()
        assert (me["id"], me["session"]["origin"]) == (ann.id, EMBEDDER)

    def test_the_page_of_the_popup_runs_only_our_own_script(self, app: App) -> None:
        page = app.sign_in(app.browser(), app.new_person(), f"?origin={EMBEDDER}")
        assert_is_locked_down(page)

    def test_a_popup_of_a_site_that_is_not_allowed_is_refused(self, app: App) -> None:
        browser = app.browser()
        page = browser("GET", f"{LOGIN}?origin=https://evil.example")
        assert (page.status, browser.cookies) == (403, {})
        assert_is_locked_down(page)

    def test_both_functions_accept_the_session_of_a_popup(self, app: App) -> None:
        session, ann = app.embedded()
        caller = app.caller(session, "Bearer")
        assert caller("POST", "/api/timelogs/start/", {}, origin=EMBEDDER).json()["user"] == ann.id

    def test_the_session_of_a_popup_is_renewed_on_request(self, app: App) -> None:
        session, ann = app.embedded()
        app.clock.advance(3_000)
        answer = app.caller(session, "Bearer")("POST", "/api/auth/session/", origin=EMBEDDER)
        assert answer.status == 200, answer
        app.clock.advance(3_000)
        assert app.caller(session, "Bearer")("GET", ME, origin=EMBEDDER).status == 401
        renewed = app.caller(answer.json()["session"], "Bearer")
        assert renewed("GET", ME, origin=EMBEDDER).json()["id"] == ann.id

    def test_the_session_of_a_popup_is_not_renewed_automatically(self, app: App) -> None:
        session, _ = app.embedded()
        app.clock.advance(3_000)
        browser = app.browser()
        browser("GET", ME, authorization=f"Bearer {session}", origin=EMBEDDER)
        assert browser.set_cookies == []


class TestRenewal:
    @pytest.mark.parametrize("path", [ME, TIMERS])
    def test_a_session_is_renewed_after_15_minutes_and_not_before(self, app: App, path: str) -> None:
        browser, _ = app.signed_in()
        app.clock.advance(899)
        browser("GET", path)
        assert browser.set_cookies == []
        before = app.session(browser)
        app.clock.advance(1)
        browser("GET", path)
        (header,) = browser.set_cookies
        assert header.split("; ")[1:] == ["Path=/", "Max-Age=3600", "Secure", "HttpOnly", "SameSite=Lax"]
        after = app.session(browser)
        assert after.session_id == before.session_id
        assert after.expires_s == before.expires_s + 900

    def test_a_renewed_session_ends_thirty_days_after_the_sign_in(self, app: App) -> None:
        browser, _ = app.signed_in()
        session = app.session(browser)
        end_s = session.ends_s
        assert end_s == app.clock.ms // 1000 + 30 * DAY
        _, browser.cookies[SESSION_COOKIE] = request_guard.sessions().renew(session, now_s=end_s - 4_000)
        app.clock.ms = (end_s - 1_000) * 1000
        browser("GET", ME)
        assert "Max-Age=1000" in browser.set_cookies[0]
        app.clock.ms = end_s * 1000 - 1
        assert browser("GET", ME).status == 200
        assert browser.set_cookies == []
        app.clock.ms = end_s * 1000
        assert browser("GET", ME).status == 401

    def test_a_session_without_requests_expires_after_an_hour(self, app: App) -> None:
        browser, _ = app.signed_in()
        app.clock.ms = app.clock.ms // 1000 * 1000 + 3_599_999
        assert app.session(browser)
        app.clock.advance(0.001)
        assert browser("GET", ME).status == 401

    def test_scripts_cannot_renew_a_session_in_a_cookie(self, app: App) -> None:
        browser, _ = app.signed_in()
        assert browser("POST", "/api/auth/session/").status == 403

    def test_a_token_cannot_be_renewed(self, app: App) -> None:
        browser, _ = app.signed_in()
        assert app.caller(app.token(browser))("POST", "/api/auth/session/").status == 403


class TestSigningOut:
    def test_signing_out_ends_the_session(self, app: App) -> None:
        browser, _ = app.signed_in()
        kept = [f"{SESSION_COOKIE}={browser.cookies[SESSION_COOKIE]}"]
        assert browser("POST", "/api/auth/logout/").status == 204
        assert SESSION_COOKIE not in browser.cookies
        assert browser("GET", ME, cookies=kept).status == 401

    def test_signing_out_keeps_the_sessions_of_other_browsers(self, app: App) -> None:
        browser, ann = app.signed_in()
        other, _ = app.signed_in(ann)
        browser("POST", "/api/auth/logout/")
        assert other("GET", ME).status == 200

    def test_signing_out_ends_earlier_tokens_of_a_renewed_session(self, app: App) -> None:
        browser, _ = app.signed_in()
        first = [f"{SESSION_COOKIE}={browser.cookies[SESSION_COOKIE]}"]
        app.clock.advance(1_000)
        browser("GET", ME)
        browser("POST", "/api/auth/logout/")
        assert browser("GET", ME, cookies=first).status == 401

    def test_signing_out_does_not_renew_the_session(self, app: App) -> None:
        browser, _ = app.signed_in()
        app.clock.advance(1_000)
        browser("POST", "/api/auth/logout/")
        (header,) = browser.set_cookies
        assert header.startswith(f"{SESSION_COOKIE}=; ")

    def test_signing_out_everywhere_ends_every_session(self, app: App) -> None:
        browser, ann = app.signed_in()
        other, _ = app.signed_in(ann)
        embedded, _ = app.embedded(ann)
        app.clock.advance(1)
        assert browser("POST", "/api/auth/logout/", {"everywhere": True}).status == 204
        app.cold_start()
        assert other("GET", ME).status == 401
        assert other("GET", TIMERS).status == 401
        assert app.caller(embedded, "Bearer")("GET", ME, origin=EMBEDDER).status == 401

    def test_a_sign_in_just_after_signing_out_everywhere_is_valid(self, app: App) -> None:
        browser, ann = app.signed_in()
        app.clock.ms = app.clock.ms // 1000 * 1000 + 1_500
        browser("POST", "/api/auth/logout/", {"everywhere": True})
        app.clock.advance(0.001)
        again, _ = app.signed_in(ann)
        app.cold_start()
        assert [again("GET", path).status for path in (ME, TIMERS)] == [200, 200]

    @pytest.mark.parametrize("everywhere", [False, True])
    def test_a_warm_function_accepts_an_ended_session_for_at_most_a_minute(
        self, app: App, everywhere: bool
    ) -> None:
        browser, _ = app.signed_in()
        app.clock.advance(1)
        kept = [f"{SESSION_COOKIE}={browser.cookies[SESSION_COOKIE]}"]
        assert browser("GET", TIMERS).status == 200
        browser("POST", "/api/auth/logout/", {"everywhere": everywhere})
        # The function that ended the session has cleared its cache.
        assert browser("GET", ME, cookies=kept).status == 401
        app.clock.advance(59.999)
        assert browser("GET", TIMERS, cookies=kept).status == 200
        app.clock.advance(0.001)
        assert browser("GET", TIMERS, cookies=kept).status == 401

    def test_signing_out_everywhere_keeps_tokens(self, app: App) -> None:
        browser, _ = app.signed_in()
        token = app.token(browser)
        app.clock.advance(1)
        browser("POST", "/api/auth/logout/", {"everywhere": True})
        app.cold_start()
        assert app.caller(token)("GET", ME).status == 200

    def test_an_ended_session_is_stored_until_it_would_have_expired(self, app: App) -> None:
        ann = app.new_person()
        for _ in range(2):
            browser, _ = app.signed_in(ann)
            browser("POST", "/api/auth/logout/")
            app.clock.advance(30 * DAY)
        profile = app.table.get(f"user#{ann.id}", "profile") or {}
        assert len(profile["ended"]["SS"]) == 1


class TestKeys:
    def test_rotating_the_key_signs_nobody_out(self, app: App) -> None:
        browser, _ = app.signed_in()
        app.sign_with("n" * 64, previous=KEY)
        app.cold_start()
        assert browser("GET", ME).status == 200
        assert browser("GET", TIMERS).status == 200

    def test_a_renewal_signs_a_session_with_the_new_key(self, app: App) -> None:
        browser, _ = app.signed_in()
        app.sign_with("n" * 64, previous=KEY)
        app.cold_start()
        app.clock.advance(1_000)
        browser("GET", ME)
        app.sign_with("n" * 64)
        app.cold_start()
        assert browser("GET", ME).status == 200

    def test_removing_the_previous_key_ends_its_sessions(self, app: App) -> None:
        browser, _ = app.signed_in()
        app.sign_with("n" * 64)
        app.cold_start()
        assert browser("GET", ME).status == 401

    def test_a_new_key_signs_nothing_before_every_function_accepts_it(self, app: App) -> None:
        """Forged sessions may already have used up the attempts to refresh the keys."""
        old, ann = app.signed_in()
        old("GET", TIMERS)
        read_before = request_guard.sessions()
        app.sign_with("n" * 64, previous=KEY)
        app.cold_start()
        new, _ = app.signed_in(ann)
        assert _key_id(new) == _key_id(old)
        with pytest.MonkeyPatch.context() as patch:
            # Only one of the two functions has a cold start.
            patch.setattr(request_guard, "sessions", lambda: read_before)
            forget_callers(app.timelogs.shared)
            junk = jwt.encode({}, "f" * 64, headers={"kid": "f" * 16})
            assert app.caller(junk, "Bearer")("GET", TIMERS).status == 401
            assert new("GET", TIMERS).status == 200
        # By the time the cold function signs with the new key, the warm one has fetched that key.
        app.clock.advance(361)
        app.seconds.now += 361
        later, _ = app.signed_in(ann)
        assert _key_id(later) != _key_id(old)
        assert later("GET", TIMERS).status == 200

    def test_unreadable_keys_are_an_internal_error_and_not_a_401(self, app: App) -> None:
        """The widget discards its session when it receives a 401."""
        browser, _ = app.signed_in()
        unknown = jwt.encode({}, "f" * 64, headers={"kid": "f" * 16})
        client = boto3.client("secretsmanager")
        client.delete_secret(SecretId=app.secret_arn, RecoveryWindowInDays=7)
        try:
            ask = app.caller(unknown, "Bearer")
            assert [ask("GET", TIMERS).status for _ in range(3)] == [500] * 3
            assert browser("GET", TIMERS).status == 200
        finally:
            client.restore_secret(SecretId=app.secret_arn)
        app.seconds.now += 10
        assert [ask("GET", TIMERS).status for _ in range(3)] == [401] * 3

    def test_a_key_that_replaces_a_leaked_one_is_valid_immediately(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old, ann = app.signed_in()
        assert old("GET", TIMERS).status == 200
        read_before = request_guard.sessions()
        app.sign_with("n" * 64)
        app.cold_start()
        new, _ = app.signed_in(ann)
        # Only one of the two functions has a cold start.
        monkeypatch.setattr(request_guard, "sessions", lambda: read_before)
        forget_callers(app.timelogs.shared)
        assert new("GET", TIMERS).status == 200
        assert old("GET", TIMERS).status == 401


class TestRotation:
    """Rotations of the key with `make rotate-session-key`."""

    @pytest.fixture
    def stack(self, app: App) -> DeployedStack:
        stack = DeployedStack(boto3.Session(), "issue-timer-test")
        # This replaces the stack's outputs, which CloudFormation would return.
        stack.outputs = {"SigningKeysArn": app.secret_arn}
        return stack

    def test_a_rotation_signs_nobody_out(
        self, app: App, stack: DeployedStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser, _ = app.signed_in()
        key_id = _key_id(browser)
        session_key.rotate(stack)
        app.cold_start()
        assert browser("GET", ME).status == 200
        app.clock.advance(1_000)
        browser("GET", ME)
        assert _key_id(browser) != key_id
        monkeypatch.setattr(SecretPair, "age", timedelta(hours=2))
        session_key.finish(stack)
        app.cold_start()
        assert browser("GET", ME).status == 200

    def test_finishing_a_rotation_ends_sessions_of_the_previous_key(
        self, app: App, stack: DeployedStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser, _ = app.signed_in()
        session_key.rotate(stack)
        monkeypatch.setattr(SecretPair, "age", timedelta(hours=2))
        session_key.finish(stack)
        app.cold_start()
        assert browser("GET", ME).status == 401

    @pytest.mark.parametrize("again", [session_key.rotate, session_key.finish])
    def test_a_rotation_cannot_be_finished_within_two_hours(
        self,
        app: App,
        stack: DeployedStack,
        monkeypatch: pytest.MonkeyPatch,
        again: Callable[[DeployedStack], None],
    ) -> None:
        browser, _ = app.signed_in()
        session_key.rotate(stack)
        with pytest.raises(ToolError, match=r"try again in 120 minutes.*LEAKED=1"):
            again(stack)
        monkeypatch.setattr(SecretPair, "age", timedelta(hours=1, minutes=59, seconds=59))
        with pytest.raises(ToolError, match="try again in 1 minutes"):
            again(stack)
        app.cold_start()
        assert browser("GET", ME).status == 200
        monkeypatch.setattr(SecretPair, "age", timedelta(hours=2))
        again(stack)

    def test_replacing_a_leaked_key_ends_all_sessions(self, app: App, stack: DeployedStack) -> None:
        browser, ann = app.signed_in()
        session_key.rotate(stack)
        session_key.replace(stack)
        app.cold_start()
        assert browser("GET", ME).status == 401
        assert app.signed_in(ann)[0]("GET", ME).status == 200


class TestReads:
    """Authentication costs a request at most one additional read, and none if the credentials are cached."""

    @pytest.mark.parametrize("credentials", ["token", "cookie", "embedded"])
    def test_authenticating_is_one_read_when_cold_and_none_when_warm(
        self, app: App, credentials: str
    ) -> None:
        ask = self._ask(app, credentials)
        # This request records that the token was used today.
        ask()
        app.cold_start()
        network = Network(app.timelogs.shared.table.connection)
        try:
            assert ask().status == 200
            cold, network.requests = network.requests, []
            assert ask().status == 200
            warm = network.requests
        finally:
            network.close()
        assert (cold, warm) == (["GetItem", "Query"], ["Query"])

    def test_the_use_of_a_token_is_written_during_its_request(self, app: App) -> None:
        ask = self._ask(app, "token")
        network, is_answered = Network(app.timelogs.shared.table.connection), threading.Event()

        def hold_back(operation: str, send: Send) -> Any:
            if operation == "UpdateItem":
                assert is_answered.wait(20)
            elif operation == "Query":
                is_answered.set()
            return send()

        network.every_request = hold_back
        try:
            assert ask().status == 200
        finally:
            network.close()
        assert set(network.requests) == {"GetItem", "Query", "UpdateItem"}
        assert network.requests.count("UpdateItem") == 1

    def test_the_use_of_a_token_is_written_even_if_it_is_forbidden(self, app: App) -> None:
        browser, _ = app.signed_in()
        caller = app.caller(app.token(browser, scope="read"))
        network, noted = Network(app.timelogs.shared.table.connection), []

        def slowly(operation: str, send: Send) -> Any:
            if operation != "UpdateItem":
                return send()
            time.sleep(0.2)
            answer = send()
            noted.append(operation)
            return answer

        network.every_request = slowly
        try:
            assert caller("POST", "/api/timelogs/start/").status == 403
            assert noted == ["UpdateItem"]
        finally:
            network.close()

    def test_a_failed_write_of_the_use_is_logged_and_does_not_fail_the_request(self, app: App) -> None:
        ask, written = self._ask(app, "token"), io.StringIO()
        handler = app.timelogs.shared.logger.registered_handler
        before, network = handler.setStream(written), Network(app.timelogs.shared.table.connection)
        network.every_write = refusal("InternalServerError", 500)
        try:
            assert ask().status == 200
        finally:
            network.close()
            handler.setStream(before)
        assert "Failed to record the use of a token" in written.getvalue()
        # A function that has not cached the token tries again.
        app.cold_start()
        network = Network(app.timelogs.shared.table.connection)
        try:
            ask()
        finally:
            network.close()
        assert "UpdateItem" in network.requests

    def test_malformed_credentials_are_refused_without_a_read(self, app: App) -> None:
        network = Network(app.timelogs.shared.table.connection)
        try:
            for text in ("itt_" + "0" * 38, "a.b.c", "nothing"):
                assert app.caller(text)("GET", TIMERS).status == 401
        finally:
            network.close()
        assert network.requests == []

    def _ask(self, app: App, credentials: str) -> Callable[[], Answer]:
        browser, ann = app.signed_in()
        if credentials == "cookie":
            return lambda: browser("GET", OPEN_TIMERS)
        if credentials == "token":
            caller = app.caller(app.token(browser))
            return lambda: caller("GET", OPEN_TIMERS)
        embedded = app.caller(app.embedded(ann)[0], "Bearer")
        return lambda: embedded("GET", OPEN_TIMERS, origin=EMBEDDER)


def assert_refused_account(app: App, browser: Browser, page: Answer, user_id: int) -> None:
    assert (page.status, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "Nothing was stored about you" in page.body
    assert SESSION_COOKIE not in browser.cookies
    assert app.items(str(user_id)) == []


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", LOGIN, "GET, HEAD"),
        ("POST", "/api/auth/callback/", "GET, HEAD"),
        ("POST", ME, "DELETE, GET, HEAD"),
        ("GET", "/api/auth/logout/", "POST"),
        ("GET", "/api/auth/session/", "POST"),
        ("PUT", "/api/auth/tokens/", "GET, HEAD, POST"),
        ("GET", "/api/auth/tokens/1/", "DELETE"),
        ("DELETE", "/api/auth/me/export/", "GET, HEAD"),
    ],
)
def test_another_method_of_a_path_is_refused_with_the_allowed_ones(
    app: App, method: str, path: str, allowed: str
) -> None:
    browser, _ = app.signed_in()
    for caller in (browser, app.browser()):
        answer = caller(method, path)
        assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert browser("GET", ME).status == 200


@pytest.mark.parametrize(
    "path", [LOGIN, "/api/auth/callback/", ME, "/api/auth/me/export/", "/api/auth/tokens/"]
)
def test_head_is_answered_as_get_without_a_body(app: App, path: str) -> None:
    browser, _ = app.signed_in()
    for caller in (browser, app.browser()):
        got, head = caller("GET", path), caller("HEAD", path)
        assert (head.status, head.headers.keys(), head.body) == (got.status, got.headers.keys(), "")


@pytest.mark.parametrize("path", ["/api/auth/session/", "/api/auth/me/", "/api/timelogs/start/"])
def test_a_preflight_needs_no_credentials(app: App, path: str) -> None:
    """API Gateway forwards preflights on routes for any method or any path."""
    assert app.browser()("OPTIONS", path).status == 204


SIGN_IN_AGAIN = re.compile('<a href="([^"]+)">Try again</a>')


def assert_can_be_repeated(page: Answer, status: int, text: str, next_path: str) -> None:
    """Check that a page gives the reason, and has a link that begins the same sign-in again."""
    assert (page.status, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert text in page.body
    link = SIGN_IN_AGAIN.search(page.body)
    assert link, page.body
    address = urlsplit(unescape(link[1]))
    assert (address.path, parse_qs(address.query)) == (LOGIN, {"next": [next_path]})
    assert_is_locked_down(page)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def assert_is_locked_down(page: Answer) -> None:
    """Check that a page loads only our own files, and cannot be framed."""
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?! src=)|<style| style=| on\w+=|javascript:", page.body)


def _key_id(browser: Browser) -> str:
    kid: str = jwt.get_unverified_header(browser.cookies[SESSION_COOKIE])["kid"]
    return kid


def _answered(path: str, body: Any) -> faults.Fault:
    """Return a fault that replaces the body of GitHub's next response."""
    return faults.Fault(lambda _request, carry_out: replace(carry_out(), body=body), path)


def _changed(path: str, **members: object) -> faults.Fault:
    """Return a fault that changes members of GitHub's next response."""

    def answer(_request: Request, carry_out: Callable[[], GitHubAnswer]) -> GitHubAnswer:
        true = carry_out()
        return replace(true, body={**true.body, **members})

    return faults.Fault(answer, path)
