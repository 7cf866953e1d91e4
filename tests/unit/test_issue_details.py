"""The details of an issue: any order and repetition of observations ends the same."""

import json
from dataclasses import replace
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.issue_details import (
    MAX_ESTIMATE_MS,
    IssueDetails,
    ProjectStatus,
    Register,
    card_content,
    details_of,
    estimate_of_hours,
    issue_content,
    merged,
)
from timer_core.domain.issues import Issue

ISSUE = Issue.of("octo-org/hello-world", 7, repo_id=77)
HOUR_MS = 3_600_000
CONTENTS = st.none() | st.text(max_size=3) | st.integers(0, 3) | st.lists(st.text(max_size=2), max_size=2)
REGISTERS = st.dictionaries(
    st.sampled_from(["title", "labels", "parent", "project:a"]),
    st.builds(Register, st.integers(0, 2), st.integers(0, 2), CONTENTS),
)


def at(second: int, content: object, order: int = 0) -> Register:
    return Register(second * 1000, order, content)


@given(st.lists(REGISTERS, max_size=4), st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_observations_ends_the_same(
    observed: list[dict[str, Register]], random: Random
) -> None:
    expected = merged(*observed)
    again = [*observed, *observed]
    random.shuffle(again)
    assert merged(*again) == expected
    step: dict[str, Register] = {}
    for one in again:
        step = merged(step, one)
    assert step == expected


def test_the_later_observation_counts() -> None:
    before, after = {"title": at(1, "Z")}, {"title": at(2, "A")}
    assert merged(after, before) == after


def test_observations_of_the_same_second_are_decided_by_the_time_of_the_delivery() -> None:
    before, after = {"title": at(1, "Z", order=5)}, {"title": at(1, "A", order=6)}
    assert merged(after, before) == after


def test_an_observation_tells_nothing_about_the_details_that_it_lacks() -> None:
    assert merged({"title": at(1, "A")}, {"state": at(2, "open")}).keys() == {"title", "state"}


def test_details_without_observations_are_empty() -> None:
    assert details_of(ISSUE, {}) == IssueDetails(ISSUE)


def test_registers_become_details() -> None:
    parent, closed = Issue.of("octo-org/other", 3, repo_id=78), Issue.of("octo-org/other", 4, repo_id=78)
    registers = {
        "title": at(1, "It is slow"),
        "state": at(1, "closed"),
        "labels": at(1, ["ui", "bug"]),
        "milestone": at(1, "v1"),
        "type": at(1, "Bug"),
        "parent": at(1, issue_content(parent)),
        "project:b": at(1, card_content("Board", "Done", None)),
        "project:a": at(1, card_content("A board", "", None)),
        "estimate": at(1, 2 * HOUR_MS),
        "is_pull_request": at(1, True),
        "closes": at(1, [issue_content(closed)]),
    }
    stored = {name: Register(*one) for name, one in json.loads(json.dumps(registers)).items()}
    found = details_of(ISSUE, stored)
    assert found.issue == replace(ISSUE, title="It is slow", is_pull=True)
    assert (found.title, found.state, found.labels) == ("It is slow", "closed", ("bug", "ui"))
    assert (found.milestone, found.type, found.parent) == ("v1", "Bug", parent)
    assert found.projects == (ProjectStatus("A board", ""), ProjectStatus("Board", "Done"))
    assert found.estimate_ms == 2 * HOUR_MS
    assert found.is_pull_request
    assert found.closes == (closed,)


@pytest.mark.parametrize("order", list(permutations(["command", "field", "project"])))
def test_the_estimate_of_a_command_counts_before_a_field_and_a_field_before_a_project(
    order: tuple[str, ...],
) -> None:
    registers = {
        "command": {"command": at(order.index("command"), 4 * HOUR_MS)},
        "field": {"estimate": at(order.index("field"), 3 * HOUR_MS)},
        "project": {"project:a": at(order.index("project"), card_content("Board", "", 2 * HOUR_MS))},
    }
    known = merged(*(registers[name] for name in order))
    assert details_of(ISSUE, known).estimate_ms == 4 * HOUR_MS
    taken_back = merged(known, {"command": at(9, None)})
    assert details_of(ISSUE, taken_back).estimate_ms == 3 * HOUR_MS
    cleared = merged(taken_back, {"estimate": at(9, None)})
    assert details_of(ISSUE, cleared).estimate_ms == 2 * HOUR_MS


def test_of_several_projects_the_first_by_title_gives_the_estimate() -> None:
    registers = {
        "project:1": at(1, card_content("Backlog", "", 5 * HOUR_MS)),
        "project:2": at(1, card_content("A board without an estimate", "", None)),
    }
    assert details_of(ISSUE, registers).estimate_ms == 5 * HOUR_MS


class TestProjects:
    def test_a_deleted_card_leaves_its_project(self) -> None:
        registers = merged(
            {"project:a": at(1, card_content("Board", "Done", None))}, {"project:a": at(2, None)}
        )
        assert details_of(ISSUE, registers).projects == ()

    def test_a_project_that_the_repair_does_not_find_is_left(self) -> None:
        card = {"project:a": at(1, card_content("Board", "Done", None))}
        assert details_of(ISSUE, merged(card, {"projects": at(2, [])})).projects == ()
        assert details_of(ISSUE, merged(card, {"projects": at(2, ["a"])})).projects == (("Board", "Done"),)

    def test_a_card_that_is_added_after_the_repair_counts(self) -> None:
        card = {"project:a": at(3, card_content("Board", "Done", None))}
        assert details_of(ISSUE, merged({"projects": at(2, [])}, card)).projects == (("Board", "Done"),)


@pytest.mark.parametrize(
    ("hours", "estimate_ms"),
    [
        (4, 4 * HOUR_MS),
        (0.25, HOUR_MS // 4),
        (None, None),
        (0, None),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (MAX_ESTIMATE_MS // HOUR_MS + 1, None),
    ],
)
def test_a_number_of_hours_is_an_estimate(hours: float | None, estimate_ms: int | None) -> None:
    assert estimate_of_hours(hours) == estimate_ms


def test_time_on_a_pull_request_that_closes_several_issues_counts_for_none_of_them() -> None:
    one, other = Issue.of("octo-org/other", 3, repo_id=78), Issue.of("octo-org/other", 4, repo_id=78)
    counted = [IssueDetails(ISSUE, closes=closes).counts_for for closes in ((), (one,), (one, other))]
    assert counted == [None, one, None]
