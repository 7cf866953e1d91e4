"""The Time page asks people who come back about time that counted without a sign of life."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.present import Present
from tests.browser.seed import put_timers
from tests.browser.timesheet import Timesheet, open_timesheet
from tests.browser.widget import REPO, hide, noon_zone
from tests.e2e.conftest import payload
from tests.support.axe import violations
from timer_core.domain.ids import new_ulid
from timer_core.domain.timers import Timer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwright.sync_api import Locator, Page

    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, OpenAs
    from tests.e2e.conftest import Site

# The event contains a title of the issue, which would appear in other tests if they used the same issue.
COMMENTED = 12
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def ago(**duration: float) -> datetime:
    """Return the time that a duration has passed since."""
    return datetime.now(UTC) - timedelta(**duration)


def issue(number: int) -> dict[str, Any]:
    return {"github_repo": REPO, "github_issue_number": number}


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


class Question:
    """The card that asks, on the Time page of a person whose clocks show noon."""

    def __init__(self, sheet: Timesheet, zone: str) -> None:
        self.sheet = sheet
        self.page = sheet.page
        self.zone = ZoneInfo(zone)
        self.card = self.page.get_by_role("region", name="Is this time right?")
        self.status = sheet.status
        self.day_sum = self.page.locator("#day-sum")

    def open(self) -> None:
        """Open the page again."""
        self.page.reload()
        self.sheet.expect_ready()

    def expect(self, *texts: str) -> None:
        """Wait until the card contains texts."""
        for text in texts:
            expect(self.card).to_contain_text(re.compile(text))

    def expect_none(self) -> None:
        """Expect that the page has looked, and asks nothing."""
        self.page.wait_for_load_state("networkidle")
        expect(self.card).to_have_count(0)

    def button(self, name: str) -> Locator:
        return self.card.get_by_role("button", name=re.compile(f"^{name}"))

    def timers(self) -> dict[int | None, dict[str, Any]]:
        """Return the latest timer of each issue."""
        stored = self.sheet.stored_timers()
        return {timer["github_issue_number"]: timer for timer in reversed(stored)}

    def local(self, instant: datetime) -> str:
        """Return a time of day as the page shows it."""
        return f"{instant.astimezone(self.zone):%H:%M}"


class Requests:
    """The requests of a page from now on."""

    def __init__(self, page: Page) -> None:
        self._urls: list[str] = []
        page.on("request", lambda request: self._urls.append(request.url))

    def to(self, path: str) -> list[int]:
        """Return for how many days the requests to a path were."""
        found = []
        for url in self._urls:
            address = urlsplit(url)
            query = dict(parse_qsl(address.query))
            if address.path != path or not {"from", "since"} & query.keys():
                continue
            if "from" in query:
                days = (date.fromisoformat(query["to"]) - date.fromisoformat(query["from"])).days + 1
            else:
                until = datetime.fromisoformat(query.get("until") or datetime.now(UTC).isoformat())
                days = round((until - datetime.fromisoformat(query["since"])) / timedelta(days=1))
            found.append(days)
        return found


class Start(Protocol):
    def __call__(self, number: int, at: datetime) -> dict[str, Any]: ...


@pytest.fixture
def start(ann_elsewhere: Callable[..., Any]) -> Start:
    """Start a timer of Ann at a time of the past three days, as an action that was made offline."""

    def start(number: int, at: datetime) -> dict[str, Any]:
        timer: dict[str, Any] = ann_elsewhere("start/", issue(number) | {"at": at.isoformat()})
        return timer

    return start


class Ask(Protocol):
    def __call__(self, **options: Any) -> Question: ...


@pytest.fixture
def ask(open_as: OpenAs, ann: Account) -> Ask:
    """Open Ann's Time page at noon."""

    def ask(**options: Any) -> Question:
        zone = noon_zone()
        return Question(open_timesheet(open_as, ann, timezone_id=zone, **options), zone)

    return ask


@pytest.fixture
def work_from(site: Site, ann: Account) -> Callable[..., None]:
    """Set Ann's working hours of every day, in the zone in which it is noon."""

    def work_from(*hours: Sequence[str]) -> None:
        body = {"time_zone": noon_zone(), "week": dict.fromkeys(DAYS, hours), "valid_from": "2026-01-01"}
        token = site.stack.mint_token(ann.id, login=ann.login)
        response = site.send("PUT", "/api/schedule/", body, token=token)
        assert response.status == 200, response

    return work_from


def yesterday_at(time: str) -> datetime:
    """Return an instant of yesterday, in the zone in which it is noon."""
    hours, minutes = map(int, time.split(":"))
    now = datetime.now(ZoneInfo(noon_zone()))
    return (now - timedelta(days=1)).replace(hour=hours, minute=minutes, second=0, microsecond=0)


# ---------------------------------------------------------------------- a timer that counts


def test_forgotten_time_is_kept_by_one_press(ask: Ask, start: Start) -> None:
    began = ago(hours=5, minutes=10)
    start(7, began)
    question = ask()
    question.expect(
        rf"5h\s10m counted for {REPO}#7 since {question.local(began)}\.",
        f"Your last activity was at {question.local(began)}.",
    )
    with question.page.expect_response(re.compile("focus/")):
        question.button("Keep").click()
    expect(question.card).to_be_hidden()
    expect(question.status).to_have_text("Time kept.")
    expect(question.page.locator("#now-title")).to_be_focused()
    Present(question.page).expect_counting()
    timer = question.timers()[7]
    assert seconds_between(timer["start_time"], timer["last_sign_at"]) > 5 * 3600
    assert timer["working_duration"] > 5 * 3600
    question.open()
    question.expect_none()


def test_less_than_two_hours_are_not_asked_about(ask: Ask, start: Start) -> None:
    start(7, ago(hours=1, minutes=55))
    question = ask()
    Present(question.page).expect_counting()
    question.expect_none()


def test_the_end_at_the_last_sign_gives_the_time_to_no_other_timer_and_can_be_undone(
    ask: Ask, start: Start
) -> None:
    start(8, ago(hours=6))
    left = ago(hours=5)
    start(7, left)
    question = ask()
    question.button("End at ").press("Enter")
    undo = question.button("Undo")
    expect(undo).to_be_focused()
    expect(question.status).to_have_text(f"Ended at {question.local(left)}.")
    timers = question.timers()
    assert timers[7]["end_time"] == timers[7]["start_time"]
    assert round(timers[8]["working_duration"] / 60) == 60
    Present(question.page).expect_counting(8)
    expect(question.status).not_to_contain_text("elsewhere")
    undo.press("Enter")
    expect(question.card).to_be_hidden()
    Present(question.page).expect_counting()
    timers = question.timers()
    assert 300 <= timers[7]["working_duration"] / 60 < 310
    assert round(timers[8]["working_duration"] / 60) == 60
    assert timers[7]["status"] == "running"


def test_the_end_can_be_another_time(ask: Ask, start: Start) -> None:
    start(7, ago(hours=5))
    question = ask()
    question.button("End at…").click()
    dialog = question.page.get_by_role("dialog", name="End the timer at another time")
    field = dialog.get_by_label("Time", exact=True)
    field.fill(f"{ago(hours=6).astimezone(question.zone):%Y-%m-%dT%H:%M}")
    field.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("Must be within")
    field.fill(f"{ago(hours=4).astimezone(question.zone):%Y-%m-%dT%H:%M}")
    field.press("Enter")
    expect(question.button("Undo")).to_be_focused()
    assert round(question.timers()[7]["duration"] / 60) in {59, 60}


def test_an_end_that_was_too_long_ago_is_a_correction(ask: Ask, site: Site, ann: Account) -> None:
    began_ms = round(ago(days=5).timestamp() * 1000)
    timer = Timer.start(
        user_id=ann.id,
        ulid=new_ulid(began_ms),
        at_ms=began_ms,
        now_ms=began_ms,
        by="manual",
        description="Planning",
    )
    put_timers(site, [timer])
    question = ask()
    # Nothing counts for a timer that has become stale.
    question.expect(r"24h counted for Planning \(")
    before = question.timers()[None]
    question.button("End on ").click()
    undo = question.button("Undo")
    expect(undo).to_be_focused()
    stored = question.timers()[None]
    assert (stored["start_time"], stored["working_duration"]) == (stored["end_time"], 0)
    undo.click()
    expect(question.status).to_contain_text("Undone")
    stored = question.timers()[None]
    assert (stored["status"], stored["working_duration"]) == ("running", before["working_duration"])


def test_a_dismissed_question_is_not_repeated(ask: Ask, start: Start) -> None:
    start(7, ago(hours=5))
    question = ask()
    question.button("Not now").click()
    expect(question.card).to_be_hidden()
    expect(question.page.locator("#now-title")).to_be_focused()
    question.open()
    Present(question.page).expect_counting()
    question.expect_none()


def test_a_visit_without_an_open_timer_costs_one_request(
    ask: Ask, start: Start, ann_elsewhere: Callable[..., Any]
) -> None:
    timer = start(7, ago(hours=5))
    ann_elsewhere(f"{timer['id']}/stop/", {"at": ago(minutes=50).isoformat()})
    question = ask()
    question.expect_none()
    requests = Requests(question.page)
    question.open()
    question.expect_none()
    # The card of the day loads a timeline, and the card of the week loads timesheets.
    assert len(requests.to("/api/timeline/")) == 1
    assert requests.to("/api/timesheets/") == [7]
    assert requests.to("/api/timelogs/").count(4) == 1


def test_a_question_is_asked_when_the_page_is_visible_again(ask: Ask, start: Start) -> None:
    question = ask()
    question.expect_none()
    hide(question.page)
    start(7, ago(hours=3))
    hide(question.page, hidden=False)
    question.expect("3h counted for")


def test_a_sign_of_life_withdraws_the_question(
    ask: Ask, start: Start, ann_elsewhere: Callable[..., Any]
) -> None:
    timer = start(7, ago(hours=5))
    question = ask()
    question.expect("counted for")
    ann_elsewhere(f"{timer['id']}/focus/")
    Present(question.page).poll()
    expect(question.card).to_be_hidden()


def test_a_comment_is_a_sign_of_life(ask: Ask, start: Start, site: Site, ann: Account) -> None:
    start(COMMENTED, ago(hours=5))
    site.backdate_registration(ann.id)
    commented = ago(minutes=50)
    event = payload("issue_comment.created", REPO, COMMENTED)
    event["sender"] |= {"id": ann.id, "login": ann.login}
    event["comment"]["user"] |= {"id": ann.id, "login": ann.login}
    event["comment"] |= {"body": "Still on it.", "created_at": f"{commented:%Y-%m-%dT%H:%M:%SZ}"}
    assert site.deliver("issue_comment", event).status == 202
    site.process_everything()
    question = ask()
    Present(question.page).expect_counting(COMMENTED)
    question.expect_none()
    sign = datetime.fromisoformat(question.timers()[COMMENTED]["last_sign_at"])
    assert abs(sign - commented) < timedelta(seconds=2)


def test_an_answer_that_failed_can_be_repeated(ask: Ask, start: Start, browser_errors: BrowserErrors) -> None:
    browser_errors.allow(r"status of (503|404) .*/timelogs/")
    timer = start(7, ago(hours=5))
    question = ask()
    path = f"**/api/timelogs/{timer['id']}/"
    question.page.route(path, lambda route: route.fulfill(status=503))
    question.button("End at ").click()
    expect(question.status).to_contain_text("503")
    assert question.timers()[7]["status"] == "running"
    question.page.unroute(path)
    question.button("End at ").click()
    expect(question.button("Undo")).to_be_focused()
    assert question.timers()[7]["status"] == "stopped"


# ---------------------------------------------------------------------- overtime


@pytest.fixture
def evening(ask: Ask, start: Start, work_from: Callable[..., None]) -> Question:
    """Ann's page on the day after overtime that counted to its limit, soon after work has begun."""
    work_from(("11:45", "17:00"))
    start(7, yesterday_at("17:05"))
    return ask()


def test_overtime_of_yesterday_is_removed_and_today_stays(evening: Question) -> None:
    day = f"{yesterday_at('17:05'):%A}"
    evening.expect(
        rf"4h of overtime counted for {REPO}#7 \({day} 17:05\s?.\s?21:05\)\.",
        f"Your last activity was on {day} at 17:05.",
    )
    before = evening.timers()[7]["working_duration"]
    evening.button("Remove overtime").click()
    undo = evening.button("Undo")
    expect(undo).to_be_focused()
    expect(evening.status).to_have_text(re.compile(r"4h of overtime removed\."))
    timer = evening.timers()[7]
    assert timer["status"] == "running"
    assert abs(before - 4 * 3600 - timer["working_duration"]) < 60
    undo.click()
    expect(evening.status).to_contain_text("Undone")
    expect(evening.card).to_be_hidden()
    assert abs(before - evening.timers()[7]["working_duration"]) < 60
    evening.open()
    evening.expect_none()


def test_overtime_of_yesterday_is_removed_from_a_time_on(evening: Question) -> None:
    evening.button("Remove from…").press("Enter")
    dialog = evening.page.get_by_role("dialog", name="Remove overtime from a time on")
    dialog.get_by_label("Time", exact=True).fill(f"{yesterday_at('19:00'):%Y-%m-%dT%H:%M}")
    dialog.get_by_role("button", name="Save").press("Enter")
    expect(evening.status).to_have_text(re.compile(r"2h\s5m of overtime removed\."))
    (pause,) = evening.timers()[7]["pauses"]
    assert datetime.fromisoformat(pause["start"]) == yesterday_at("19:00")
    assert datetime.fromisoformat(pause["end"]) == yesterday_at("21:05")


def test_overtime_of_yesterday_is_kept(evening: Question) -> None:
    before = evening.timers()[7]["working_duration"]
    evening.button("Keep").press("Enter")
    expect(evening.card).to_be_hidden()
    evening.open()
    evening.expect_none()
    timer = evening.timers()[7]
    assert timer["working_duration"] - before < 60
    assert datetime.now(UTC) - datetime.fromisoformat(timer["last_sign_at"]) < timedelta(minutes=5)


def test_overtime_of_a_confirmed_day_is_not_asked_about(evening: Question, site: Site, ann: Account) -> None:
    evening.expect("of overtime counted")
    token = site.stack.mint_token(ann.id, login=ann.login)
    date = yesterday_at("12:00").date().isoformat()
    (day,) = site.get(f"/api/timesheets/?from={date}&to={date}", token)["days"]
    path = f"/api/timesheets/{date}/confirm/"
    assert site.send("POST", path, token=token, If_Match=day["etag"]).status == 200
    requests = Requests(evening.page)
    evening.open()
    Present(evening.page).expect_counting()
    evening.expect_none()
    # Requests for more than a week count toward the write limit.
    assert sorted(requests.to("/api/timesheets/")) == [3, 7]


def test_the_question_about_today_follows(ask: Ask, start: Start, work_from: Callable[..., None]) -> None:
    work_from(("08:00", "17:00"))
    start(7, yesterday_at("17:05"))
    question = ask()
    question.expect("of overtime counted")
    question.button("Remove overtime").click()
    question.expect(r"[45]h.* counted for .* since 08:00\.")
    expect(question.page.get_by_role("heading", name="Is this time right?")).to_be_focused()
    question.button("End at 08:00").click()
    expect(question.button("Undo")).to_be_focused()
    timer = question.timers()[7]
    assert timer["status"] == "stopped"
    assert timer["working_duration"] == 0


def test_time_before_the_end_of_work_is_kept_without_overtime(
    ask: Ask, start: Start, work_from: Callable[..., None]
) -> None:
    work_from(("08:00", "11:30"))
    began = datetime.now(ZoneInfo(noon_zone())).replace(hour=8, minute=10, second=0, microsecond=0)
    start(7, began)
    question = ask()
    question.expect(rf"3h\s20m counted for {REPO}#7 \(08:10\s?.\s?11:30\)\.")
    question.button("Keep").click()
    expect(question.card).to_be_hidden()
    timer = question.timers()[7]
    assert (timer["waiting_for"], timer["working_duration"]) == ("schedule", 200 * 60)
    assert timer["last_sign_at"].endswith(":29:59.999Z")


# ---------------------------------------------------------------------- looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_the_question_is_accessible_and_fits(
    ask: Ask, start: Start, scheme: str, width: int, locale: str
) -> None:
    start(7, ago(hours=5))
    question = ask(color_scheme=scheme, viewport={"width": width, "height": 900}, locale=locale)
    page: Page = question.page
    card = page.locator("#forgotten")
    expect(card).to_contain_text("gezählt" if locale == "de-DE" else "counted for")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    card.get_by_role("button").nth(1).click()
    expect(card.get_by_role("button")).to_have_count(1)
    assert violations(page) == []
