"""The widget in step: with other tabs, other devices and GitHub."""

import copy
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Complaints, NewWidget
from tests.browser.held import Held
from tests.browser.widget import OFFLINE, REPO, Widget
from tests.e2e.conftest import Site, payload
from tests.support.fake_github import FakeGitHub
from tests.support.fake_github.model import Account

ISSUE = {"github_repo": REPO, "github_issue_number": 7}
# What the widget promises, and what the request takes on a busy machine.
SEEN_WITHIN_MS = 15_000 + 5_000


def assigned(account: Account, at: datetime, number: int = 7) -> dict[str, Any]:
    """Return GitHub's event of an issue that was assigned to somebody."""
    event = copy.deepcopy(payload("issues.assigned", REPO, number))
    event["issue"]["updated_at"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    event["issue"]["html_url"] = f"https://github.com/{REPO}/issues/{number}"
    for person in (event["assignee"], event["issue"]["assignee"], *event["issue"]["assignees"]):
        person |= {"id": account.id, "login": account.login}
    return event


def test_two_tabs_agree_at_once(ann_widget: Widget) -> None:
    other = ann_widget.another_tab()
    ann_widget.start(f"{REPO}#7")
    other.expect_state("Running")
    ann_widget.expect_sent()
    # Neither by asking the server, nor by waiting for its answer.
    other.page.route("**/api/timelogs/**", lambda route: route.abort())
    held = Held(ann_widget.page, "**/pause/")
    ann_widget.button("Pause").click()
    other.expect_state("Paused")
    assert "Paused" in ann_widget.timers.inner_text()
    held.first().continue_()
    ann_widget.expect_sent()
    other.expect_sent()
    assert other.seconds() == ann_widget.seconds()
    other.page.unroute("**/api/timelogs/**")

    other.button("Resume").click()
    ann_widget.expect_state("Running")
    other.expect_sent()
    for _ in range(3):
        assert abs(ann_widget.seconds() - other.seconds()) <= 1
        ann_widget.page.wait_for_timeout(700)
    other.button("Stop").click()
    expect(ann_widget.timers).to_have_count(0)
    other.expect_sent()


def test_what_the_server_refuses_is_taken_back_in_all_tabs(
    ann_widget: Widget, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 400 .*/stop/$")
    other = ann_widget.another_tab()
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    held = Held(ann_widget.page, "**/stop/")
    ann_widget.button("Stop").click()
    expect(other.timers).to_have_count(0)
    held.first().fulfill(status=400, json={"detail": "Not on a Sunday."})
    other.expect_state("Running")
    ann_widget.expect_state("Running")


def test_two_people_see_their_own_timers_only(
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
        widget.expect_state("Running", number)
        expect(widget.timers).to_have_count(1)


def test_what_waits_is_not_sent_as_somebody_else_who_signed_in_in_another_tab(
    ann_widget: Widget, new_widget: NewWidget, site: Site, github: FakeGitHub, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    bob = github.new_user(f"bob-{len(github.accounts)}")
    bob_widget = new_widget()
    bob_widget.open()
    bob_widget.sign_in(github, bob)
    ann_widget.page.route("**/start/", lambda route: route.abort())
    ann_widget.start(f"{REPO}#7")
    expect(ann_widget.banner).to_be_visible()
    # Their cookie; neither of the two has timers.
    ann_widget.page.context.add_cookies(bob_widget.page.context.cookies())
    ann_widget.ask()
    ann_widget.page.unroute("**/start/")
    ann_widget.ask()
    expect(ann_widget.timers).to_have_count(0)
    ann_widget.page.wait_for_timeout(1000)
    assert site.timers(REPO, 7, site.stack.mint_token(bob.id, login=bob.login)) == []


def test_what_was_done_before_the_page_was_loaded_again_is_ones_own(
    ann_widget: Widget, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    ann_widget.page.route("**/start/", lambda route: route.abort())
    ann_widget.start(f"{REPO}#7")
    expect(ann_widget.banner).to_be_visible()
    ann_widget.page.unroute("**/start/")
    ann_widget.page.reload()
    ann_widget.expect_state("Running")
    ann_widget.expect_sent()
    # Not that it was started elsewhere.
    assert ann_widget.notice.inner_text() == ""


def test_a_timer_that_stopped_before_its_start_was_heard_of_is_not_shown(
    ann_widget: Widget, ann_elsewhere: Callable[..., Any], complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    ann_widget.page.route("**/api/timelogs/?*", lambda route: route.abort())
    with ann_widget.page.expect_response("**/start/") as started:
        ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    ann_elsewhere(f"{started.value.json()['id']}/stop/")
    ann_widget.page.unroute("**/api/timelogs/?*")
    ann_widget.ask()
    expect(ann_widget.timers).to_have_count(0)


def test_a_timer_that_an_assignment_started_minutes_ago_is_there(
    ann_widget: Widget, site: Site, ann: Account
) -> None:
    site.let_be_known(ann.id)
    site.deliver("issues", assigned(ann, datetime.now(UTC) - timedelta(minutes=12)))
    site.process_everything()
    ann_widget.page.reload()
    ann_widget.expect_state("Running")
    expect(ann_widget.timers).to_contain_text("assigned to you")
    assert 12 * 60 <= ann_widget.seconds() < 12 * 60 + 60


def test_a_change_on_github_shows_within_fifteen_seconds(
    ann_widget: Widget, site: Site, ann: Account
) -> None:
    ann_widget.listen()
    site.let_be_known(ann.id)
    site.deliver("issues", assigned(ann, datetime.now(UTC)))
    site.process_everything()
    expect(ann_widget.timers).to_have_count(1, timeout=SEEN_WITHIN_MS)
    expect(ann_widget.notice).to_have_text(f"{REPO}#7 was started.")
    (told,) = ann_widget.heard()
    assert (told["type"], told["isOwn"]) == ("issue-timer:start", False)


def test_a_change_on_another_device_shows_within_fifteen_seconds(
    ann_widget: Widget, ann_elsewhere: Callable[..., Any]
) -> None:
    timer = ann_elsewhere("start/", ISSUE)
    expect(ann_widget.timers).to_have_count(1, timeout=SEEN_WITHIN_MS)
    ann_elsewhere(f"{timer['id']}/pause/")
    expect(ann_widget.timers).to_contain_text("Paused", timeout=SEEN_WITHIN_MS)
    expect(ann_widget.notice).to_have_text(f"{REPO}#7 was paused elsewhere.")
    ann_elsewhere(f"{timer['id']}/stop/")
    expect(ann_widget.timers).to_have_count(0, timeout=SEEN_WITHIN_MS)
    expect(ann_widget.notice).to_have_text(f"{REPO}#7 was stopped elsewhere.")


def test_an_idle_minute_takes_four_requests_that_are_answered_without_a_body(ann_widget: Widget) -> None:
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    other = ann_widget.another_tab()
    other.expect_state("Running")
    ann_widget.page.wait_for_timeout(2000)
    answers: list[tuple[str, int]] = []
    for widget in (ann_widget, other):
        widget.page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    began = time.monotonic()
    while time.monotonic() - began < 60:
        ann_widget.page.wait_for_timeout(500)
    assert 3 <= len(answers) <= 4
    assert {status for _, status in answers} == {304}
