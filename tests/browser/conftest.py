"""A real browser, the deployed template, and a fake GitHub for signing in.

These fixtures end after the tests of this package, because other tests cannot run an event loop while
Playwright's event loop runs.
"""

from __future__ import annotations

import json
import re
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from deployed_stack.http_client import request
from deployed_stack.sign_in import CALLBACK_PATH, LOGIN_PATH
from fake_github import FakeGitHub
from local_stack import LocalStack, free_port
from tests.browser.seed import finished_timer, put_timers
from tests.browser.timesheet import Timesheet, open_timesheet
from tests.browser.widget import OFFLINE, Widget, install_clock, noon_zone
from tests.e2e.conftest import Site
from tests.support.install_chromium import FLAGS, chromium
from tests.support.page_server import PageServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fake_github.model import Account

# The logins of the stack's admins, one for each test that needs an admin.
_ADMINS = [f"boss-{number}" for number in range(60)]
LEAD_TEAM = "octocoders/github"
_WIDGET_PAGE = Path(__file__).with_name("widget_page.html")
# Cold starts are slow when several functions start at once on few cores.
_TIMEOUT_MS = 60_000


class OtherSites(PageServer):
    """Other web sites on this machine, with pages that embed Issue Timer.

    Attributes
    ----------
    wiki
        An origin listed in the stack's `AllowedOrigins`.
    stranger
        An origin that is not listed.
    """

    _PAGES: ClassVar = {"/": "embedding_page.html", "/widget": "embedding_widget_page.html"}

    def __init__(self) -> None:
        super().__init__()
        self.wiki = self.origin("wiki")
        self.stranger = self.origin("stranger")
        self.pages = {path: Path(__file__).with_name(name).read_bytes() for path, name in self._PAGES.items()}


@pytest.fixture(scope="package")
def other_sites() -> Iterator[OtherSites]:
    with OtherSites() as sites:
        yield sites


@pytest.fixture(scope="package")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


@pytest.fixture(scope="package")
def site(
    github: FakeGitHub, other_sites: OtherSites, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    parameters = {
        "GitHubUrl": github.url,
        "GitHubApiUrl": github.url,
        "AllowedOrigins": other_sites.wiki,
        "AdminLogins": ",".join(_ADMINS),
        "LeadTeams": LEAD_TEAM,
    }
    with LocalStack(free_port(), tmp_path_factory.mktemp("stack"), parameters=parameters) as stack:
        client = github.new_oauth_app(stack.url + CALLBACK_PATH)
        credentials = {"client_id": client.client_id, "client_secret": client.client_secret}
        stack.aws.client("ssm").put_parameter(
            Name=stack.outputs["OAuthCredentialName"], Value=json.dumps(credentials), Type="SecureString"
        )
        stack.aws.client("s3").put_object(
            Bucket=stack.outputs["WebBucketName"],
            Key="widget.html",
            Body=_WIDGET_PAGE.read_bytes(),
            ContentType="text/html; charset=utf-8",
        )
        yield Site(stack)


@pytest.fixture(scope="package")
def demo_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The stack of `make run`, with the demo GitHub."""
    with LocalStack(free_port(), tmp_path_factory.mktemp("demo"), with_demo_github=True) as stack:
        yield stack


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium()
    assert path, "Chromium is missing: run python -m tests.support.install_chromium"
    with sync_playwright() as playwright:
        expect.set_options(timeout=_TIMEOUT_MS)
        with playwright.chromium.launch(executable_path=path, args=FLAGS) as browser:
            yield browser


class BrowserErrors:
    """The errors that browsers report: on the console, in scripts, and by the content security policy."""

    def __init__(self) -> None:
        self._reported: list[str] = []
        self._allowed: list[str] = []

    def record(self, context: BrowserContext) -> None:
        context.on("console", self._record_message)
        context.on("weberror", lambda error: self._reported.append(str(error.error)))

    def _record_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._reported.append(f"{message.text} {message.location['url']}")

    def allow(self, pattern: str) -> None:
        """Allow errors that match a regular expression, because the test provokes them."""
        self._allowed.append(pattern)

    @property
    def unexpected(self) -> list[str]:
        return [
            error
            for error in self._reported
            if not any(re.search(pattern, error) for pattern in self._allowed)
        ]


@pytest.fixture
def browser_errors(github: FakeGitHub) -> BrowserErrors:
    browser_errors = BrowserErrors()
    browser_errors.allow(f" {re.escape(github.url)}/favicon.ico$")
    # Pages and widgets send these requests when they load; a 401 means that nobody is signed in.
    requests = r"auth/me/|live/ticket/|timelogs/\?end_time__isnull=true&page_size=100"
    browser_errors.allow(rf"status of 401 .*/api/({requests})$")
    return browser_errors


class NewContext(Protocol):
    def __call__(self, **options: Any) -> BrowserContext: ...


@pytest.fixture
def aborted_urls() -> list[str]:
    """The patterns of the addresses whose requests fail in new browsers."""
    return []


@pytest.fixture
def without_hints(aborted_urls: list[str], browser_errors: BrowserErrors) -> None:
    """Let pages get no hints of changes elsewhere, so that what they show becomes out of date."""
    aborted_urls.append("**/api/live/ticket/")
    browser_errors.allow(rf"{OFFLINE} .*/api/live/ticket/$")


@pytest.fixture
def new_context(
    browser: Browser, site: Site, browser_errors: BrowserErrors, aborted_urls: list[str]
) -> Iterator[NewContext]:
    """Create separate browsers without cookies; fail the test if they report unexpected errors."""
    contexts = []

    def new_context(**options: Any) -> BrowserContext:
        context = browser.new_context(base_url=site.url, **options)
        contexts.append(context)
        context.set_default_timeout(_TIMEOUT_MS)
        browser_errors.record(context)
        for url in aborted_urls:
            context.route(url, lambda route: route.abort())
        return context

    yield new_context
    for context in contexts:
        context.close()
    assert browser_errors.unexpected == []


class OpenPage(Protocol):
    def __call__(self, **options: Any) -> Page: ...


@pytest.fixture
def open_page(new_context: NewContext) -> OpenPage:
    """Open the Time page in a new browser."""

    def open_page(**options: Any) -> Page:
        page = new_context(**options).new_page()
        page.goto("/")
        return page

    return open_page


class OpenAs(Protocol):
    def __call__(self, account: Account, address: str = "/", **options: Any) -> Page: ...


@pytest.fixture
def open_as(new_context: NewContext, site: Site, github: FakeGitHub) -> OpenAs:
    """Open a page in a new browser, as a user who signed in over HTTP."""

    def open_as(account: Account, address: str = "/", **options: Any) -> Page:
        page = new_context(**options).new_page()
        add_session(page.context, site, github, account)
        page.goto(address)
        expect(page.locator("#user").get_by_text(account.name or account.login)).to_be_visible()
        return page

    return open_as


class SignIn(Protocol):
    def __call__(self, page: Page, account: Account) -> Page: ...


@pytest.fixture
def sign_in(site: Site, github: FakeGitHub) -> SignIn:
    """Sign a user in over HTTP, without the sign-in pages; other tests cover those pages."""

    def sign_in(page: Page, account: Account) -> Page:
        add_session(page.context, site, github, account)
        page.reload()
        expect(page.locator("#user").get_by_text(account.name or account.login)).to_be_visible()
        return page

    return sign_in


def add_session(context: BrowserContext, site: Site, github: FakeGitHub, account: Account) -> None:
    """Sign a user in over HTTP, and add the session's cookie to a browser."""
    github.signed_in = account
    login = request("GET", f"{site.url}{LOGIN_PATH}?next=/")
    agent = {"User-Agent": "a browser"}
    form = request("GET", login.headers["Location"], headers=agent).body.decode()
    fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form))
    authorized = request(
        "POST",
        f"{github.url}/login/oauth/authorize",
        body=urlencode(
            {name: unescape(value) for name, value in fields.items()} | {"authorize": "1"}
        ).encode(),
        headers=agent | {"Content-Type": "application/x-www-form-urlencoded"},
    )
    cookies: SimpleCookie = SimpleCookie()
    for header in login.headers.get_all("Set-Cookie", []):
        cookies.load(header)
    cookie_header = "; ".join(f"{name}={cookie.value}" for name, cookie in cookies.items())
    callback = request("GET", authorized.headers["Location"], headers={"Cookie": cookie_header})
    session: SimpleCookie = SimpleCookie()
    for header in callback.headers.get_all("Set-Cookie", []):
        session.load(header)
    context.add_cookies(
        [
            {"name": name, "value": cookie.value, "url": site.url, "httpOnly": True, "sameSite": "Lax"}
            for name, cookie in session.items()
            if cookie.value
        ]
    )


@pytest.fixture
def sign_in_with_buttons(github: FakeGitHub) -> SignIn:
    """Sign a user in with the page's link and GitHub's button."""

    def sign_in(page: Page, account: Account) -> Page:
        github.signed_in = account
        page.get_by_role("link", name="Sign in with GitHub").click()
        page.get_by_role("button", name="Authorize").click()
        expect(page.get_by_text(f"Signed in as {account.login}")).to_be_visible()
        return page

    return sign_in


@pytest.fixture
def ann(github: FakeGitHub) -> Account:
    """A new user."""
    return github.new_user(f"ann-{len(github.accounts)}")


@pytest.fixture
def admin(github: FakeGitHub) -> Account:
    """A new user who is an admin."""
    return github.new_user(next(login for login in _ADMINS if login not in github.accounts))


@pytest.fixture
def ann_page(open_as: OpenAs, ann: Account) -> Page:
    """The Time page with Ann signed in."""
    return open_as(ann)


@pytest.fixture
def sheet(open_as: OpenAs, ann: Account, site: Site) -> Timesheet:
    """Ann's Time page, with entries on three days."""
    put_timers(
        site,
        [
            finished_timer(ann, 1, "09:00", 90, 7, description="Say hello"),
            finished_timer(ann, 1, "14:00", 20, 8),
            finished_timer(ann, 2, "10:00", 45, None, description="Planning"),
            finished_timer(ann, 40, "10:00", 30, 7, repo="octocat/spoon-knife"),
        ],
    )
    return open_timesheet(open_as, ann)


class NewWidget(Protocol):
    def __call__(self, **options: Any) -> Widget: ...


@pytest.fixture
def new_widget(new_context: NewContext) -> NewWidget:
    """Create a new browser for a page of the stack that contains only the widget."""

    def new_widget(**options: Any) -> Widget:
        return Widget(new_context(**options).new_page())

    return new_widget


@pytest.fixture
def ann_widget(new_widget: NewWidget, site: Site, github: FakeGitHub, ann: Account) -> Widget:
    """The widget with Ann signed in."""
    return signed_in(new_widget(), site, github, ann)


def signed_in(widget: Widget, site: Site, github: FakeGitHub, account: Account) -> Widget:
    """Open the widget as a signed-in user."""
    add_session(widget.page.context, site, github, account)
    widget.open()
    widget.expect_ready()
    return widget


@pytest.fixture
def ann_widget_with_clock(new_widget: NewWidget, site: Site, github: FakeGitHub, ann: Account) -> Widget:
    """The widget with Ann signed in, and with a clock that tests can set and advance."""
    widget = new_widget(timezone_id=noon_zone())
    install_clock(widget.page)
    return signed_in(widget, site, github, ann)


@pytest.fixture
def ann_elsewhere(site: Site, ann: Account) -> Callable[..., Any]:
    """Send a request as Ann from outside the browser, and return the body of the response."""
    token = site.stack.mint_token(ann.id, login=ann.login)

    def act(path: str, body: Any = None) -> Any:
        response = site.send("POST", f"/api/timelogs/{path}", body, token=token)
        assert response.status in {200, 201}, response
        return json.loads(response.body)

    return act
