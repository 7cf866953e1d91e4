"""The section of the Account page in which people choose who sees their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LEAD_TEAM
from tests.e2e.conftest import eventually, payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from fake_github import FakeGitHub
    from fake_github.model import Account
    from tests.browser.conftest import OpenAs
    from tests.e2e.conftest import Site

ACCOUNT = "/account.html"


@pytest.fixture
def mona(github: FakeGitHub) -> Account:
    """An account that becomes a member of the lead team in some tests."""
    return github.new_user(f"mona-{len(github.accounts)}", name="Mona Lead")


@pytest.fixture
def set_membership(site: Site, mona: Account) -> Callable[[str], None]:
    """Let GitHub announce that Mona was added to the lead team, or removed from it."""

    def set_membership(action: str) -> None:
        delivery = payload(f"membership.{action}")
        delivery["member"] |= {"id": mona.id, "login": mona.login}
        assert site.deliver("membership", delivery).status == 202

    return set_membership


def section(page: Page) -> Locator:
    """Open the Account page, and return its section."""
    page.goto(ACCOUNT)
    found = page.get_by_role("region", name="Who sees your time")
    expect(found.get_by_role("list").get_by_role("listitem").first).to_be_visible()
    return found


def team_of(page: Page) -> dict[int, str]:
    """Return why the person sees each person of the team."""
    team: dict[str, Any] = page.evaluate("() => fetch('/api/team/').then((response) => response.json())")
    return {person["id"]: person["why"] for person in team["results"]}


def test_without_a_choice_the_organizations_default_holds(open_as: OpenAs, ann: Account) -> None:
    own = section(open_as(ann))
    expect(own.get_by_label("As in the organization: Leads")).to_be_checked()
    expect(own.get_by_label(f"Members of {LEAD_TEAM}, and the admins.")).not_to_be_checked()
    # No organizations are set, so everybody with a GitHub account can sign in.
    expect(own).to_contain_text("All people with a GitHub account who sign in here.")


def test_a_lead_is_listed_and_sees_the_person_until_the_delivery_of_the_removal(
    open_as: OpenAs, ann: Account, mona: Account, set_membership: Callable[[str], None]
) -> None:
    ann_page, mona_page = open_as(ann), open_as(mona)
    set_membership("added")
    assert eventually(lambda: team_of(mona_page).get(ann.id) == "lead")
    lead = section(ann_page).get_by_role("listitem").filter(has_text="Mona Lead")
    expect(lead).to_contain_text(f"({mona.login})")
    expect(lead).to_contain_text(f"Lead, as a member of {LEAD_TEAM}")
    set_membership("removed")
    assert eventually(lambda: ann.id not in team_of(mona_page))
    expect(section(ann_page).get_by_role("listitem").filter(has_text="Mona Lead")).to_have_count(0)


def test_a_choice_counts_at_once_and_the_page_says_who_sees_the_time(
    open_as: OpenAs, ann: Account, mona: Account
) -> None:
    ann_page, mona_page = open_as(ann), open_as(mona)
    own = section(ann_page)
    own.get_by_role("radio", name="Everyone").check()
    own.get_by_role("button", name="Save").click()
    expect(ann_page.get_by_role("status")).to_have_text("Saved.")
    expect(own.get_by_role("list")).to_contain_text("All people with a GitHub account who sign in here")
    assert team_of(mona_page)[ann.id] == "everyone"
    own.get_by_role("radio", name="Nobody").check()
    own.get_by_role("button", name="Save").click()
    expect(own).to_contain_text("Nobody else sees your time.")
    expect(own.get_by_role("list")).to_contain_text("Only that you have an open timer, and since when.")
    assert ann.id not in team_of(mona_page)
    expect(section(ann_page).get_by_role("radio", name="Nobody")).to_be_checked()


def test_the_choice_is_usable_by_keyboard(open_as: OpenAs, ann: Account) -> None:
    page = open_as(ann)
    own = section(page)
    own.get_by_label("As in the organization: Leads").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(own.get_by_role("radio", name="Nobody")).to_be_checked()
