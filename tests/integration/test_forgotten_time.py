"""A forgotten timer is ended by the requests of the Time page (`endTimer` in `web/page/corrections.js`)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import time_of
from tests.integration.test_timesheets_api import day_of, get_day
from tests.integration.test_working_time import DAY, HOUR, monday, office
from tests.support.handlers import Clock
from tests.support.repositories import identified
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.services.issue_timers import IssueTimers

__all__ = ["monday", "office"]

COLLEAGUE = 99
A_MOMENT_AGO_MS = 1_000


class Absence:
    """Ann works on issue 7 on Monday; issue 8 waits. Colleagues have assigned both."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self.api = api
        self.clock = clock
        self.midnight_ms = clock.ms - 10 * HOUR * 1000
        self.deliver("assigned", 7)
        clock.advance(60)
        self.deliver("assigned", 8)
        self.days = [day_of(clock)]

    def at(self, day: int, hour: float) -> int:
        """Return an instant in milliseconds: the hour of Monday (0) or Tuesday (1) in Berlin."""
        return self.midnight_ms + round((day * DAY + hour * HOUR) * 1000)

    def go_to(self, day: int, hour: float) -> None:
        self.clock.ms = self.at(day, hour)
        if (today := day_of(self.clock)) not in self.days:
            self.days.append(today)

    def deliver(self, kind: str, issue: int, *, actor: int = COLLEAGUE) -> None:
        event = Event(
            f"{kind} {issue} {self.clock.ms} {self.api.ann_id}",
            kind,
            self.clock.ms,
            users=frozenset({self.api.ann_id}),
            actor=actor,
        )
        timers = IssueTimers(self.api.module.shared.table, self.api.module.shared.timers)
        timers.apply(event, identified(Issue("octocat", "Hello-World", issue)), now_ms=self.clock.ms)

    def timer(self, issue: int) -> dict[str, Any]:
        found = self.api.ann("GET", "/api/timelogs/?end_time__isnull=true").json()["results"]
        (timer,) = (one for one in found if one["github_issue_number"] == issue)
        return dict(timer)

    @property
    def figures(self) -> list[dict[int, float]]:
        """The hours of each issue on each day, to the second."""
        return [
            {
                issue["issue"]["github_issue_number"]: round(issue["working_duration"] / HOUR, 3)
                for issue in get_day(self.api, day)["issues"]
                if issue["working_duration"] > A_MOMENT_AGO_MS / 1000
            }
            for day in self.days
        ]

    def end(self, timer: dict[str, Any], at_ms: int) -> None:
        body = {"end_time": time_of(at_ms)}
        answer = self.api.ann("PATCH", f"/api/timelogs/{timer['id']}/", body, idempotency_key="end")
        assert answer.status == 200, answer.body

    def undo(self) -> None:
        answer = self.api.ann("POST", "/api/timelogs/undo/", {"idempotency_key": "end"})
        assert answer.status == 204, answer.body


@pytest.fixture
def absence(api: Api, office: Clock) -> Absence:
    return Absence(api, office)


@pytest.mark.parametrize("hour", [16, 19])
def test_time_since_a_sign_on_an_earlier_day_falls_to_no_other_timer(absence: Absence, hour: int) -> None:
    absence.go_to(0, hour)
    absence.deliver("commented", 7, actor=absence.api.ann_id)
    absence.go_to(1, 11)
    timer = absence.timer(7)
    sign_ms = absence.at(0, hour)
    assert datetime.fromisoformat(timer["last_sign_at"]) == datetime.fromtimestamp(sign_ms / 1000, UTC)
    before = absence.figures
    assert before == [{7: 7}, {7: 2}]
    absence.end(timer, sign_ms)
    assert absence.figures == [{7: 7 - max(0, 18 - hour)}, {}]
    absence.undo()
    assert absence.figures == before
    absence.go_to(1, 20)
    assert absence.figures == [{7: 7}, {7: 8}]


def test_undoing_an_end_after_working_hours_opens_no_overtime(absence: Absence) -> None:
    absence.go_to(0, 14)
    absence.deliver("commented", 7, actor=absence.api.ann_id)
    absence.go_to(0, 20)
    absence.end(absence.timer(7), absence.at(0, 14))
    assert absence.figures == [{7: 3}]
    absence.undo()
    assert absence.timer(7)["waiting_for"] == "schedule"
    absence.go_to(1, 11)
    assert absence.figures == [{7: 7}, {7: 2}]
