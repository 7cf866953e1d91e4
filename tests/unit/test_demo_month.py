"""The demo's team and its month of acts."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo_github.team import ISSUES, LABELS, PEOPLE, REPOSITORIES, STATUSES, Issue, Person
from demo_month.acts import Act, Happened, Pressed
from demo_month.filling import alone
from demo_month.plan import DAYS, month
from deployed_stack.errors import ToolError
from deployed_stack.paths import ROOT
from timer_core.domain.weeks import parse_week

# Working days and weekends, days and nights, and months in which clocks change.
MOMENTS = [
    datetime(2026, 11, 27, 14, 20, tzinfo=UTC),
    datetime(2026, 11, 29, 3, 5, 40, tzinfo=UTC),
    datetime(2026, 11, 9, 23, 59, 59, tzinfo=UTC),
    datetime(2027, 4, 1, 8, 2, tzinfo=UTC),
]


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def of(person: Person, acts: list[Act]) -> list[Act]:
    return [act for act in acts if act.person == person]


def test_ids_and_numbers_are_unique() -> None:
    assert len({person.id for person in PEOPLE}) == len({person.login for person in PEOPLE}) == 8
    assert len({repository.id for repository in REPOSITORIES}) == 5
    assert len({issue.id for issue in ISSUES}) == len({issue.title for issue in ISSUES}) == len(ISSUES)


def test_issues_have_labels_statuses_and_assignees_that_exist() -> None:
    labels, logins = {label.name for label in LABELS}, {person.login for person in PEOPLE}
    for issue in ISSUES:
        assert set(issue.labels) <= labels
        assert set(issue.assignees) <= logins
        assert issue.status in STATUSES
        assert issue.assignees or issue.status == "Todo"


def test_working_hours_are_valid() -> None:
    for person in PEOPLE:
        assert parse_week(person.time_zone, person.working_hours).days


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_the_same_moment_has_the_same_month(now: datetime) -> None:
    assert month(ms(now)) == month(ms(now))


def test_later_on_the_same_day_the_month_goes_on() -> None:
    morning, evening = ms(datetime(2026, 11, 27, 8, tzinfo=UTC)), ms(datetime(2026, 11, 27, 13, tzinfo=UTC))
    # The first person's last hour is different, because they always have a timer that counts.
    for person in PEOPLE[1:]:
        before = of(person, month(morning))
        after = of(person, month(evening))
        assert len(before) <= len(after)
        assert before == after[: len(before)]


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_everybody_works_for_a_month_and_not_in_the_future(now: datetime) -> None:
    acts = month(ms(now))
    first_ms = ms(now - timedelta(days=DAYS + 2))
    assert all(first_ms < act.known_ms <= ms(now) for act in acts)
    assert [act.known_ms for act in acts] == sorted(act.known_ms for act in acts)
    for person in PEOPLE:
        days = {act.known_ms // 86_400_000 for act in of(person, acts) if isinstance(act, Pressed | Happened)}
        assert len(days) >= 14


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_each_act_fits_the_timer_before_it(now: datetime) -> None:
    for person in PEOPLE:
        running: dict[Issue, bool] = {}
        for act in of(person, month(ms(now))):
            if not isinstance(act, Pressed | Happened):
                continue
            name = act.button if isinstance(act, Pressed) else act.kind
            before = running.get(act.issue)
            if name in ("stop", "closed", "project.stop"):
                assert running.pop(act.issue, None) is not None
            elif name.endswith("pause"):
                assert before is True
                running[act.issue] = False
            elif name.endswith("resume"):
                assert before is False
                running[act.issue] = True
            elif name.endswith("start") or name in ("assigned", "reopened"):
                assert before is None
                running[act.issue] = True
            elif name != "comment.log":
                assert before is True


def test_timers_are_open_on_issues_that_are_not_done() -> None:
    running: set[Issue] = set()
    for act in month(ms(MOMENTS[0])):
        if isinstance(act, Pressed | Happened):
            name = act.button if isinstance(act, Pressed) else act.kind
            if name in ("stop", "closed", "project.stop"):
                running.discard(act.issue)
            elif name not in ("commented", "comment.log"):
                running.add(act.issue)
    assert running
    assert all(issue.status in ("In progress", "In review") for issue in running)


def test_a_stack_in_aws_is_refused() -> None:
    command = [sys.executable, str(ROOT / "scripts/fill_demo.py"), "--stack", "issue-timer-prod"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "The demo is for the local stack only, not for one in AWS: omit STACK.\n"


def test_a_second_run_at_the_same_time_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with alone(lock), pytest.raises(ToolError, match="running already"), alone(lock):
        pass
    with alone(lock):
        pass
