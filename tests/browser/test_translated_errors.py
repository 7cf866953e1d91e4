"""The server's refusals, as German users see them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, OpenAs
    from tests.browser.widget import Widget


def test_the_page_shows_a_refusal_in_german(
    open_as: OpenAs, ann: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 400 .*/api/auth/tokens/$")
    page = open_as(ann, locale="de-DE")
    page.goto("/account.html")
    page.get_by_label("Name").fill("Bericht")
    page.get_by_label("Gültig bis").fill("2001-01-01")
    page.get_by_role("button", name="Token erstellen").click()
    expect(page.locator("#status")).to_have_text("Die Zeit muss in der Zukunft liegen.")
    assert page.locator("#status").get_attribute("lang") is None


@pytest.mark.parametrize(
    ("code", "message", "lang"),
    [
        ("timer_stopped", "Das geht nicht mehr, weil der Timer gestoppt ist.", "de"),
        ("of_a_later_release", "Not on a Sunday.", "en"),
    ],
)
def test_the_widget_shows_a_refusal_in_german_or_marks_it_as_english(
    ann_widget: Widget, browser_errors: BrowserErrors, code: str, message: str, lang: str
) -> None:
    browser_errors.allow(r"status of 400 .*/pause/$")

    def refuse(route: Route) -> None:
        problem: dict[str, Any] = {"status": 400, "detail": "Not on a Sunday.", "code": code}
        route.fulfill(status=400, body=json.dumps(problem), content_type="application/problem+json")

    ann_widget.start("octo-org/hello-world#7")
    ann_widget.expect_sent()
    ann_widget.element.evaluate("(element) => { element.lang = 'de' }")
    expect(ann_widget.element.get_by_role("region")).to_have_attribute("lang", "de")
    ann_widget.page.route("**/pause/", refuse)
    ann_widget.button("Pause").click()
    expect(ann_widget.notice).to_have_text(f"Rückgängig gemacht: {message}")
    expect(ann_widget.notice.locator("[lang]")).to_have_attribute("lang", lang)
