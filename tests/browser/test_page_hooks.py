"""The page with the outgoing webhooks, which is for admins, with a receiver on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.axe import violations
from tests.support.receiver import LocalReceiver
from timer_core.github.webhooks.signature import sign
from timer_core.store.keys import OUTGOING_PK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, OpenAs
    from tests.e2e.conftest import Site

SECRET = "a secret of the receiver"


@pytest.fixture
def receiver() -> Iterator[LocalReceiver]:
    with LocalReceiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _no_hooks(site: Site) -> Iterator[None]:
    """Remove the webhooks of a test, which are those of the whole stack."""
    yield
    dynamodb, table = site.stack.aws.client("dynamodb"), site.stack.table_name
    found = dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": OUTGOING_PK}},
    )
    for item in found["Items"]:
        dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("pk", "sk")})


@pytest.fixture
def page(open_as: OpenAs, admin: Account) -> Page:
    page = open_as(admin, "/hooks.html")
    expect(page.get_by_text("No address is told anything yet.")).to_be_visible()
    return page


def add(page: Page, url: str, **options: Any) -> None:
    page.get_by_label("Address", exact=True).fill(url)
    page.get_by_label("Secret for the signature").fill(options.get("secret", SECRET))
    for event in options.get("events", ["Timer started", "Timer stopped"]):
        page.get_by_label(event).check()
    page.get_by_role("button", name="Save").click()


def test_an_admin_adds_tests_and_removes_a_webhook(page: Page, receiver: LocalReceiver) -> None:
    add(page, receiver.url)
    hooks = page.locator("#hooks > li")
    expect(hooks).to_have_count(1)
    expect(hooks).to_contain_text("Timer started, Timer stopped · JSON, for programs · signed")
    button = hooks.get_by_role("button", name="Test: ")
    button.click()
    expect(hooks.locator(".state")).to_have_text("accepted", timeout=20_000)
    expect(button).to_have_attribute("aria-busy", "false")
    expect(hooks.locator(".rows small")).to_contain_text("204")
    (ping,) = receiver.requests
    assert json.loads(ping.body)["event"] == "ping"
    assert ping.headers["x-issue-timer-signature-256"] == sign(SECRET, ping.body)
    assert violations(page) == []
    hooks.get_by_role("button", name="Send again").click()
    expect(hooks.locator(".rows small")).to_have_count(2, timeout=20_000)
    assert [one.body for one in receiver.requests] == [ping.body] * 2
    hooks.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No address is told anything yet.")).to_be_visible()


def test_the_page_shows_why_a_notification_was_not_accepted(page: Page, receiver: LocalReceiver) -> None:
    receiver.status = 500
    add(page, receiver.url)
    page.get_by_role("button", name="Test").click()
    expect(page.locator("#hooks .state")).to_have_text("not accepted, is repeated", timeout=20_000)
    expect(page.locator("#hooks .rows small")).to_contain_text("500")


def test_a_webhook_is_changed_without_its_secret(page: Page, receiver: LocalReceiver) -> None:
    add(page, receiver.url)
    page.locator("#hooks").get_by_role("button", name="Change").click()
    expect(page.get_by_role("heading", name="Change the outgoing webhook")).to_be_focused()
    expect(page.get_by_label("Address", exact=True)).to_have_value(receiver.url)
    expect(page.get_by_label("Secret for the signature")).to_have_value("")
    page.get_by_label("Timer stopped").uncheck()
    page.get_by_label("Format").select_option("slack")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#hooks > li")).to_contain_text("Timer started · Text, for Slack")
    expect(page.locator("#hooks > li")).to_contain_text("· signed")
    expect(page.get_by_role("heading", name="Add an outgoing webhook")).to_be_visible()


@pytest.mark.parametrize(
    ("url", "events", "field"),
    [("https://169.254.169.254/", ["Timer started"], "url"), ("https://example.com/", [], "events")],
)
def test_an_error_is_shown_at_its_field(
    page: Page, browser_errors: BrowserErrors, url: str, events: list[str], field: str
) -> None:
    browser_errors.allow(r"status of 400 .*/api/admin/hooks/")
    add(page, url, events=events)
    expect(page.locator(f"#hook-{field}-error")).not_to_be_empty()
    assert violations(page) == []


def test_other_people_do_not_see_the_page(open_as: OpenAs, ann: Account) -> None:
    page = open_as(ann, "/hooks.html")
    expect(page.get_by_text("Only admins see this page")).to_be_visible()
    expect(page.get_by_label("Address", exact=True)).to_be_hidden()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_at_every_width(
    open_as: OpenAs, admin: Account, receiver: LocalReceiver, width: int, scheme: str
) -> None:
    page = open_as(
        admin, "/hooks.html", color_scheme=scheme, viewport={"width": width, "height": 800}, locale="de-DE"
    )
    hook = {"url": f"{receiver.url}/{'a-long-path-' * 12}", "events": ["timer.started"]}
    origin = {"sec-fetch-site": "same-origin"}
    assert page.request.post("/api/admin/hooks/", data=hook, headers=origin).ok
    page.reload()
    button = page.get_by_role("button", name="Testen")
    button.click()
    expect(page.locator("#hooks .state")).to_have_text("angenommen", timeout=20_000)
    expect(button).to_have_attribute("aria-busy", "false")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
