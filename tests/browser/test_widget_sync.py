"""The widget is synchronized with other tabs, other devices and GitHub."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import expect

from fake_github import FakeGitHub
from fake_github.model import Account
from tests.browser.blocked_requests import BlockedRequests
from tests.browser.conftest import BrowserErrors, NewWidget
from tests.browser.widget import OFFLINE, REPO, Widget
from tests.e2e.conftest import Site, eventually, payload

ISSUE = {"github_repo": REPO, "github_issue_number": 7}

# The number of the assigned issue. The event contains a title of the issue, which would appear in other tests
# if they used the same issue.
ASSIGNED = 12


def assigned(account: Account, at: datetime) -> dict[str, Any]:
    """Return GitHub's webhook payload for an issue that was assigned to an account."""
    event = copy.deepcopy(payload("issues.assigned", REPO, ASSIGNED))
    event["issue"]["updated_at"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    event["issue"]["html_url"] = f"https://github.com/{REPO}/issues/{ASSIGNED}"
    for person in (event["assignee"], event["issue"]["assignee"], *event["issue"]["assignees"]):
        person |= {"id": account.id, "login": account.login}
    return event


def test_two_tabs_agree_immediately(ann_widget: Widget, browser_errors: BrowserErrors) -> None:
    browser_errors.allow(OFFLINE)
    other = ann_widget.another_tab()
    ann_widget.start(f"{REPO}#7")
    other.expect_state("Counting")
    ann_widget.expect_sent()
    # The other tab shows the pause before the server has responded. The other tab sends no request of its
    # own.
    other.page.route("**/api/timelogs/**", lambda route: route.abort())
    blocked = BlockedRequests(ann_widget.page, "**/pause/")
    ann_widget.button("Pause").click()
    other.expect_state("Paused")
    assert "Paused" in ann_widget.timers.inner_text()
    blocked.release_first()
    ann_widget.expect_sent()
    other.expect_sent()
    assert other.seconds() == ann_widget.seconds()
    other.page.unroute("**/api/timelogs/**")

    other.button("Resume").click()
    ann_widget.expect_state("Counting")
    other.expect_sent()
    for _ in range(3):
        assert eventually(lambda: abs(ann_widget.seconds() - other.seconds()) <= 1)
        ann_widget.page.wait_for_timeout(700)
    other.button("Stop").click()
    expect(ann_widget.timers).to_have_count(0)
    other.expect_sent()


def test_users_see_only_their_own_timers(
    ann_widget: Widget, new_widget: NewWidget, github: FakeGitHub
) -> None:
    bob_widget = new_widget()
    bob_widget.open()
    bob_widget.sign_in(github, github.new_user(f"bob-{len(github.accounts)}"))
    ann_widget.start(f"{REPO}#7")
    bob_widget.start(f"{REPO}#8")
    for widget, number in ((ann_widget, 7), (bob_widget, 8)):
        widget.expect_sent()
        widget.page.reload()
        widget.expect_state("Counting", number)
        expect(widget.timers).to_have_count(1)


def test_an_action_made_before_a_reload_is_reported_as_own(
    ann_widget: Widget, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(OFFLINE)
    ann_widget.page.route("**/start/", lambda route: route.abort())
    ann_widget.start(f"{REPO}#7")
    expect(ann_widget.banner).to_be_visible()
    ann_widget.page.unroute("**/start/")
    ann_widget.page.reload()
    ann_widget.expect_state("Counting")
    ann_widget.expect_sent()
    # There is no notice that the timer was started elsewhere.
    assert ann_widget.notice.inner_text() == ""


def test_a_duplicated_tab_is_another_tab(ann_widget: Widget) -> None:
    with ann_widget.page.expect_popup() as opened:
        # Like a duplicated tab, the new tab gets a copy of this tab's sessionStorage.
        ann_widget.page.evaluate("void open(location)")
    duplicate = Widget(opened.value)
    duplicate.expect_ready()
    duplicate.record_events()
    ann_widget.record_events()
    ann_widget.start(f"{REPO}#7")
    expect(duplicate.notice).to_have_text(f"{REPO}#7 was started.")
    ann_widget.expect_sent()
    assert [event["isOwn"] for widget in (ann_widget, duplicate) for event in widget.events()] == [
        True,
        False,
    ]


def test_a_tab_stores_its_name_only_while_its_page_is_hidden(ann_widget: Widget) -> None:
    # Simulate a browser that keeps pages in its back/forward cache.
    kept = ann_widget.page.evaluate("""() => ["pagehide", "pageshow"].map((name) => {
        dispatchEvent(new PageTransitionEvent(name, { persisted: true }));
        return "issue-timer:tab" in sessionStorage;
    })""")
    assert kept == [True, False]


def test_a_timer_started_by_an_assignment_shows_with_its_time(
    ann_widget: Widget, site: Site, ann: Account
) -> None:
    site.backdate_registration(ann.id)
    site.deliver("issues", assigned(ann, datetime.now(UTC) - timedelta(minutes=12)))
    site.process_everything()
    ann_widget.page.reload()
    ann_widget.expect_state("Counting", ASSIGNED)
    expect(ann_widget.timers).to_contain_text("assigned to you")
    assert 12 * 60 <= ann_widget.seconds(ASSIGNED) < 12 * 60 + 60


def test_a_change_on_github_shows_with_a_notice(ann_widget: Widget, site: Site, ann: Account) -> None:
    widget = ann_widget
    widget.record_events()
    site.backdate_registration(ann.id)
    site.deliver("issues", assigned(ann, datetime.now(UTC)))
    expect(widget.timers).to_have_count(1)
    expect(widget.notice).to_have_text(f"{REPO}#{ASSIGNED} was started.")
    (event,) = widget.events()
    assert (event["type"], event["isOwn"]) == ("issue-timer:start", False)


def test_a_change_on_another_device_shows_with_a_notice(
    ann_widget: Widget, ann_elsewhere: Callable[..., Any]
) -> None:
    widget = ann_widget
    timer = ann_elsewhere("start/", ISSUE)
    expect(widget.timers).to_have_count(1)
    ann_elsewhere(f"{timer['id']}/pause/")
    expect(widget.timers).to_contain_text("Paused")
    expect(widget.notice).to_have_text(f"{REPO}#7 was paused elsewhere.")
    ann_elsewhere(f"{timer['id']}/stop/")
    expect(widget.timers).to_have_count(0)
    expect(widget.notice).to_have_text(f"{REPO}#7 was stopped (elsewhere).")
