"""Weeks of working hours are stored as the page shows them: both use the cases of weeks.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from timer_core.domain.errors import InvalidInput
from timer_core.domain.weeks import WEEKDAYS, format_week, parse_week

# The page's test of the same cases is tests/javascript/week.test.js.
CASES = json.loads((Path(__file__).parents[1] / "support" / "weeks.json").read_text())
STORED = [case for case in CASES if "stored" in case]
MISTAKES = [case for case in CASES if "mistake" in case]


def name_of(case: dict[str, Any]) -> str:
    return str(case["name"])


def test_each_case_says_what_is_stored_or_what_is_wrong() -> None:
    assert len(STORED) + len(MISTAKES) == len(CASES)


@pytest.mark.parametrize("case", STORED, ids=name_of)
def test_a_week_is_stored_as_the_page_shows_it(case: dict[str, Any]) -> None:
    stored = format_week(parse_week("UTC", case["week"]))
    assert stored == {day: case["stored"].get(day, []) for day in WEEKDAYS}


@pytest.mark.parametrize("case", MISTAKES, ids=name_of)
def test_a_mistake_is_found_at_the_weekday_at_which_the_page_shows_it(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_week("UTC", case["week"])
    assert refused.value.field == f"week.{case['mistake']}"
