"""The widget in step: with other tabs, other devices and GitHub."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.blocked_requests import BlockedRequests
from tests.browser.conftest import Complaints, NewWidget
from tests.browser.widget import OFFLINE, REPO, Widget
from tests.e2e.conftest import Site, eventually, payload
from tests.support.fake_github import FakeGitHub
from tests.support.fake_github.model import Account

ISSUE = {"github_repo": REPO, "github_issue_number": 7}


def assigned(account: Account, at: datetime, number: int = 7) -> dict[str, Any]:
    """Return GitHub's event of an issue that was assigned to somebody."""
    event = copy.deepcopy(payload("issues.assigned", REPO, number))
    event["issue"]["updated_at"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    event["issue"]["html_url"] = f"https://github.com/{REPO}/issues/{number}"
    for person in (event["assignee"], event["issue"]["assignee"], *event["issue"]["assignees"]):
        person |= {"id": account.id, "login": account.login}
    return event


def test_two_tabs_agree_at_once(ann_widget: Widget, complaints: Complaints) -> None:
    complaints.provoke(OFFLINE)
    other = ann_widget.another_tab()
    ann_widget.start(f"{REPO}#7")
    other.expect_state("Running")
    ann_widget.expect_sent()
    # Neither by asking the server, nor by waiting for its answer.
    other.page.route("**/api/timelogs/**", lambda route: route.abort())
    held = BlockedRequests(ann_widget.page, "**/pause/")
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
    held = BlockedRequests(ann_widget.page, "**/stop/")
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


@pytest.fixture
def bob(github: FakeGitHub) -> Account:
    return github.new_user(f"bob-{len(github.accounts)}")


@pytest.fixture
def bob_widget(new_widget: NewWidget, github: FakeGitHub, bob: Account) -> Widget:
    """The widget with Bob signed in, in a browser of his own."""
    widget = new_widget()
    widget.open()
    widget.sign_in(github, bob)
    return widget


def say_who_is_here(page: Page, user: int) -> None:
    """Say it to the other tabs, as Issue Timer's own pages do."""
    page.evaluate(
        """(user) => {
            const tabs = new BroadcastChannel(`issue-timer:${location.origin}`);
            tabs.postMessage({ type: "here", user });
        }""",
        user,
    )


def test_what_is_done_before_a_tab_knows_who_is_there_now_waits_for_who_did_it(
    ann_widget: Widget, bob_widget: Widget, bob: Account
) -> None:
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    other = ann_widget.page.context.new_page()
    other.goto("/api/health/")
    sent: list[str] = []
    ann_widget.page.on("request", lambda request: sent.append(request.method))
    held = BlockedRequests(ann_widget.page, "**/api/timelogs/?*")
    ann_widget.become(bob_widget)
    say_who_is_here(other, bob.id)
    held.first()
    ann_widget.start(f"{REPO}#8")
    ann_widget.expect_state("Running", 8)
    ann_widget.page.wait_for_timeout(1000)
    assert "POST" not in sent
    held.first().continue_()
    expect(ann_widget.timers).to_have_count(0)
    ann_widget.page.wait_for_timeout(1000)
    assert "POST" not in sent
    assert [action["issue"]["github_issue_number"] for action in ann_widget.kept()] == [8]


def test_a_tab_that_is_signed_out_or_not_ready_hears_who_has_signed_in(
    ann_widget: Widget, new_widget: NewWidget, bob_widget: Widget, bob: Account
) -> None:
    bob_widget.start(f"{REPO}#9")
    bob_widget.expect_sent()
    widget = new_widget()
    widget.open()
    expect(widget.sign_in_button).to_be_visible()
    other = widget.page.context.new_page()
    other.goto("/api/health/")
    widget.become(bob_widget)
    say_who_is_here(other, bob.id)
    widget.expect_state("Running", 9)

    # What Ann's tab asked for when it was loaded is answered after Bob has come.
    widget.become(ann_widget)
    widget.page.evaluate("""() => {
        document.querySelector("issue-timer").remove();
        const real = window.fetch;
        window.fetch = async (...request) => {
            const answer = await real(...request);
            await new Promise((resolve) => { window.release = resolve; });
            window.fetch = real;
            return answer;
        };
        document.body.append(document.createElement("issue-timer"));
    }""")
    assert eventually(lambda: widget.page.evaluate("'release' in window"))
    widget.become(bob_widget)
    say_who_is_here(other, bob.id)
    widget.page.wait_for_timeout(300)
    widget.page.evaluate("release()")
    # Before it would ask again anyway.
    expect(widget.timers).to_have_count(1, timeout=10_000)


def test_tabs_that_are_signed_out_do_not_have_each_other_ask(new_widget: NewWidget) -> None:
    widget = new_widget()
    widget.page.context.clock.install()
    widget.open()
    other = Widget(widget.page.context.new_page())
    other.open()
    for one in (widget, other):
        expect(one.sign_in_button).to_be_visible()
    asked: list[str] = []
    for one in (widget, other):
        one.page.on("request", lambda request: asked.append(request.url))
    widget.ask()
    for _ in range(5):
        widget.page.wait_for_timeout(200)
        widget.page.context.clock.fast_forward(30_000)
    assert len(asked) == 1


def test_what_is_refused_because_somebody_else_is_there_is_kept_for_who_did_it(
    ann_widget: Widget,
    bob_widget: Widget,
    new_widget: NewWidget,
    github: FakeGitHub,
    ann: Account,
    site: Site,
    complaints: Complaints,
) -> None:
    complaints.provoke(r"status of 40[34] .*/pause/$")
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    ann_again = new_widget()
    ann_again.open()
    ann_again.sign_in(github, ann)
    # Nobody tells this tab.
    ann_widget.become(bob_widget)
    with ann_widget.page.expect_response("**/pause/") as refused:
        ann_widget.button("Pause").click()
    assert refused.value.status == 403
    expect(ann_widget.timers).to_have_count(0)
    assert [action["kind"] for action in ann_widget.kept()] == ["pause"]
    assert ann_widget.notice.inner_text() == f"Paused {REPO}#7."
    ann_widget.become(ann_again)
    ann_widget.ask()
    ann_widget.expect_state("Paused")
    ann_widget.expect_sent()
    (timer,) = site.timers(REPO, 7, site.stack.mint_token(ann.id, login=ann.login))
    assert timer["status"] == "paused"


def test_what_waits_is_not_sent_as_somebody_else_who_signed_in_in_another_tab(
    ann_widget: Widget, bob_widget: Widget, site: Site, bob: Account, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    ann_widget.page.route("**/start/", lambda route: route.abort())
    ann_widget.start(f"{REPO}#7")
    expect(ann_widget.banner).to_be_visible()
    # Neither of the two has timers.
    ann_widget.become(bob_widget)
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


def test_a_tab_that_is_duplicated_is_another_tab(ann_widget: Widget) -> None:
    with ann_widget.page.expect_popup() as opened:
        # As a duplicate does, it gets a copy of what the tab's sessionStorage has.
        ann_widget.page.evaluate("void open(location)")
    duplicate = Widget(opened.value)
    duplicate.expect_ready()
    duplicate.listen()
    ann_widget.listen()
    ann_widget.start(f"{REPO}#7")
    expect(duplicate.notice).to_have_text(f"{REPO}#7 was started.")
    ann_widget.expect_sent()
    assert [told["isOwn"] for widget in (ann_widget, duplicate) for told in widget.heard()] == [True, False]


def test_a_tab_that_comes_back_keeps_its_name_to_itself(ann_widget: Widget) -> None:
    # As a browser does that keeps a page for the way back.
    kept = ann_widget.page.evaluate("""() => ["pagehide", "pageshow"].map((name) => {
        dispatchEvent(new PageTransitionEvent(name, { persisted: true }));
        return "issue-timer:tab" in sessionStorage;
    })""")
    assert kept == [True, False]


def test_what_another_tab_hears_shows_that_there_is_a_connection(
    ann_widget: Widget, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    other = ann_widget.another_tab()
    other.page.route("**/api/**", lambda route: route.abort())
    other.ask()
    expect(other.banner).to_contain_text("No connection.")
    ann_widget.ask()
    expect(other.element.locator("[part=banner]")).to_be_hidden()


def test_a_tab_that_has_to_wait_does_not_once_another_has_sent_what_waited(
    ann_widget: Widget, complaints: Complaints
) -> None:
    complaints.provoke("status of 429")
    other = ann_widget.another_tab()

    def refuse(route: Route) -> None:
        route.fulfill(status=429, headers={"Retry-After": "60"}, body=json.dumps({"status": 429}))

    other.page.route("**/start/", refuse)
    other.start(f"{REPO}#7")
    expect(other.banner).to_contain_text("The server is busy. One change is waiting to be sent.")
    # It still is, for who was told to wait.
    ann_widget.page.route("**/start/", refuse)
    ann_widget.ask()
    expect(ann_widget.banner).to_contain_text("The server is busy.")
    other.page.wait_for_timeout(500)
    assert "The server is busy." in other.banner.inner_text()
    third = ann_widget.another_tab()
    third.expect_sent()
    for widget in (ann_widget, other):
        expect(widget.banner).to_be_hidden()
        assert widget.page.evaluate("document.querySelector('issue-timer').manager.state.waiting") == 0
    other.page.unroute("**/start/")
    other.start(f"{REPO}#8")
    other.expect_sent()


def test_a_timer_that_ones_own_start_paused_was_not_paused_elsewhere(
    ann_widget: Widget, ann_elsewhere: Callable[..., Any]
) -> None:
    first = ann_elsewhere("start/", ISSUE)
    ann_widget.ask()
    ann_widget.expect_state("Running")
    ann_widget.listen()

    held = BlockedRequests(ann_widget.page, "**/api/timelogs/?*")
    with ann_widget.page.expect_response("**/start/") as started:
        ann_widget.start(f"{REPO}#8")
    # As a stack does whose timers are exclusive.
    pressed = started.value.request.post_data_json
    assert pressed
    ann_elsewhere(f"{first['id']}/pause/", {"at": pressed["at"]})
    held.first().continue_()
    ann_widget.expect_state("Paused", 7)
    ann_widget.expect_state("Running", 8)
    assert ann_widget.notice.inner_text() == f"Started {REPO}#8."
    told = [(one["type"], one["timer"]["github_issue_number"], one["isOwn"]) for one in ann_widget.heard()]
    assert told == [("issue-timer:start", 8, True), ("issue-timer:pause", 7, True)]


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


def test_what_another_tab_heard_counts_also_where_the_clocks_of_both_differ(
    ann_widget: Widget, ann_elsewhere: Callable[..., Any]
) -> None:
    other = ann_widget.another_tab()
    ann_widget.page.wait_for_timeout(500)
    # By this tab's clock, it has heard of something later than all that the other one hears.
    ann_widget.page.evaluate("""async () => {
        const { ServerClock } = await import("/widget/clock.js");
        const now = ServerClock.prototype.now;
        ServerClock.prototype.now = function () { return now.call(this) + 5_000; };
        await document.querySelector("issue-timer").manager.refresh();
    }""")
    ann_elsewhere("start/", ISSUE)
    ann_widget.page.evaluate("document.querySelector('issue-timer').manager.refresh()")
    for widget in (ann_widget, other):
        widget.expect_state("Running")
    ann_elsewhere("start/", {**ISSUE, "github_issue_number": 8})
    other.ask()
    # Before it asks again by itself.
    expect(ann_widget.timers).to_have_count(2, timeout=8_000)


def test_of_two_tabs_one_asks_also_when_its_answer_takes_long(
    ann_widget_with_clock: Widget,
) -> None:
    widget = ann_widget_with_clock
    other = widget.another_tab()
    clock = other.page.clock
    other.stop_clock()
    with other.page.expect_response("**/api/timelogs/?*"):
        other.ask()
    other.page.wait_for_timeout(500)
    asked: list[str] = []
    widget.page.on("request", lambda request: asked.append(request.url))
    held = BlockedRequests(other.page, "**/api/timelogs/?*")
    clock.run_for(15_100)
    held.first()
    # After two seconds more it would be this tab's turn.
    widget.page.wait_for_timeout(500)
    clock.run_for(5_000)
    widget.page.wait_for_timeout(500)
    assert asked == []


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
    ann_widget_with_clock: Widget, site: Site, ann: Account
) -> None:
    widget = ann_widget_with_clock
    widget.listen()
    site.let_be_known(ann.id)
    site.deliver("issues", assigned(ann, datetime.now(UTC)))
    site.process_everything()
    widget.page.clock.fast_forward(15_000)
    expect(widget.timers).to_have_count(1)
    expect(widget.notice).to_have_text(f"{REPO}#7 was started.")
    (told,) = widget.heard()
    assert (told["type"], told["isOwn"]) == ("issue-timer:start", False)


def test_a_change_on_another_device_shows_within_fifteen_seconds(
    ann_widget_with_clock: Widget, ann_elsewhere: Callable[..., Any]
) -> None:
    widget = ann_widget_with_clock
    timer = ann_elsewhere("start/", ISSUE)
    widget.page.clock.fast_forward(15_000)
    expect(widget.timers).to_have_count(1)
    ann_elsewhere(f"{timer['id']}/pause/")
    widget.page.clock.fast_forward(15_000)
    expect(widget.timers).to_contain_text("Paused")
    expect(widget.notice).to_have_text(f"{REPO}#7 was paused elsewhere.")
    ann_elsewhere(f"{timer['id']}/stop/")
    widget.page.clock.fast_forward(15_000)
    expect(widget.timers).to_have_count(0)
    expect(widget.notice).to_have_text(f"{REPO}#7 was stopped elsewhere.")


def test_an_idle_minute_takes_four_requests_that_are_answered_without_a_body(
    ann_widget_with_clock: Widget,
) -> None:
    widget = ann_widget_with_clock
    widget.start(f"{REPO}#7")
    widget.expect_sent()
    other = widget.another_tab()
    other.expect_state("Running")
    widget.page.wait_for_timeout(1000)
    answers: list[tuple[str, int]] = []
    for one in (widget, other):
        one.page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    began = widget.page.evaluate("performance.now()")
    while widget.page.evaluate("performance.now()") - began < 60_000:
        widget.page.clock.fast_forward(1000)
        widget.page.wait_for_timeout(20)
    assert 3 <= len(answers) <= 4
    assert {status for _, status in answers} == {304}
