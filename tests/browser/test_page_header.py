"""The header of the pages, which is part of the first paint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.blocked_requests import BlockedRequests

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage


@pytest.mark.parametrize(
    ("address", "current"),
    [
        ("/", "Time"),
        ("/team.html", "Team"),
        ("/account.html", "Account"),
        ("/embed.html", "Embed"),
        ("/github.html", "GitHub"),
        ("/hooks.html", "Webhooks"),
    ],
)
def test_the_header_does_not_wait_for_the_modules(open_page: OpenPage, address: str, current: str) -> None:
    page = open_page()
    modules = BlockedRequests(page, re.compile(r"/(?!page-header)[^/]*\.js$"))
    page.goto(address, wait_until="commit")
    header = page.get_by_role("banner")
    # Only admins see the links to the pages for admins elsewhere.
    for_admins = [current] if current in {"GitHub", "Webhooks"} else []
    links = ["Issue Timer", "Time", "Team", "Account", "Embed", *for_admins]
    expect(header.get_by_role("link")).to_have_text(links)
    expect(header.get_by_role("link", name=current, exact=True)).to_have_attribute("aria-current", "page")
    before = header.bounding_box()
    modules.first()
    modules.release()
    expect(page.get_by_role("link", name="Sign in with GitHub")).to_be_visible()
    assert header.bounding_box() == before
