"""The Embed page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import OpenPage
    from tests.e2e.conftest import Site


def snippet(page: Page) -> str:
    """Wait until the snippet is shown, and return its text."""
    shown = page.get_by_role("region", name="HTML")
    expect(shown).not_to_be_empty()
    return shown.inner_text()


def test_the_snippet_contains_the_selected_options(ann_page: Page, site: Site) -> None:
    ann_page.get_by_role("link", name="Embed").click()
    script = f'<script type="module" src="{site.url}/issue-timer.js"></script>\n'
    assert snippet(ann_page) == f"{script}<issue-timer></issue-timer>"
    ann_page.get_by_label("Colours").select_option("Dark")
    ann_page.get_by_label("Language").select_option("Deutsch")
    ann_page.get_by_label("Repository for numbers without one").fill('octo-org/"hello"')
    ann_page.get_by_label("Compact").check()
    options = 'theme="dark" lang="de" repo="octo-org/&quot;hello&quot;" compact'
    assert snippet(ann_page) == f"{script}<issue-timer {options}></issue-timer>"


def test_the_preview_is_the_widget_with_the_selected_options(ann_page: Page) -> None:
    ann_page.goto("/embed.html")
    preview = ann_page.get_by_role("region", name="Preview").locator("issue-timer")
    expect(preview.get_by_role("button", name="Start")).to_be_visible()
    ann_page.get_by_label("Language").select_option("Deutsch")
    expect(preview.get_by_role("button", name="Starten")).to_be_visible()
    ann_page.get_by_label("Initial issue").fill("octo-org/hello-world#7")
    expect(preview.get_by_label("Issue", exact=True)).to_have_value("octo-org/hello-world#7")
    ann_page.get_by_label("Language").select_option("Same as the page")
    expect(preview.get_by_role("button", name="Start", exact=True)).to_be_visible()
    ann_page.get_by_label("Colours").select_option("Dark")
    assert preview.evaluate("element => getComputedStyle(element).colorScheme") == "dark"


def test_the_snippet_can_be_copied(ann_page: Page) -> None:
    ann_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ann_page.goto("/embed.html")
    ann_page.get_by_role("button", name="Copy").click()
    expect(ann_page.locator("#status")).to_have_text("Copied.")
    assert ann_page.evaluate("navigator.clipboard.readText()") == snippet(ann_page)


def test_the_snippet_is_shown_to_signed_out_visitors(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.goto("/embed.html")
    expect(page.get_by_role("region", name="Preview")).to_contain_text("Sign in to see the widget")
    assert f"{site.url}/issue-timer.js" in snippet(page)
