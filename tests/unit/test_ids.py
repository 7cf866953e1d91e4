"""Ids contain their owner, are ordered by time, and are equal if their causes are equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.ids import derived_ulid, new_ulid, parse_timer_id, timer_id, ulid_at, ulid_ms

T0 = 1_763_900_000_000
ULID = "01JD3K5W9GZ8Q4T1M6V7X0Y2BC"
TIMES = st.integers(0, 2**48 - 1)


@given(st.integers(1, 10**19 - 1), TIMES)
def test_parsing_an_id_returns_its_owner_and_ulid(user_id: int, at_ms: int) -> None:
    ulid = new_ulid(at_ms)
    assert parse_timer_id(timer_id(user_id, ulid)) == (user_id, ulid)


@given(TIMES, TIMES)
def test_ulids_sort_by_time(first: int, second: int) -> None:
    if first != second:
        assert (new_ulid(first) < new_ulid(second)) == (first < second)
        assert (derived_ulid(first, "a") < derived_ulid(second, "b")) == (first < second)


@given(TIMES, TIMES)
def test_a_ulid_with_another_time_differs_in_nothing_else(at_ms: int, other_ms: int) -> None:
    ulid = new_ulid(at_ms)
    assert ulid_ms(ulid) == at_ms
    moved = ulid_at(other_ms, ulid)
    assert (ulid_ms(moved), len(moved), ulid_at(at_ms, moved)) == (other_ms, len(ulid), ulid)


def test_two_new_ulids_of_one_millisecond_differ() -> None:
    assert len({new_ulid(T0) for _ in range(1000)}) == 1000


def test_a_derived_ulid_is_the_same_for_the_same_names() -> None:
    assert derived_ulid(T0, "octocat/hello-world#7", "1", "guid") == derived_ulid(
        T0, "octocat/hello-world#7", "1", "guid"
    )


@given(st.integers())
def test_a_ulid_has_the_nearest_time_that_it_can_contain(at_ms: int) -> None:
    nearest = min(max(at_ms, 0), 2**48 - 1)
    assert ulid_ms(derived_ulid(at_ms, "a")) == ulid_ms(ulid_at(at_ms, ULID)) == nearest


@pytest.mark.parametrize("names", [("ab", "c"), ("a", "bc"), ("abc",), ("c", "ab")])
def test_derived_ulids_of_other_names_differ(names: tuple[str, ...]) -> None:
    assert derived_ulid(T0, *names) != derived_ulid(T0, "a", "b", "c")


@given(TIMES, st.lists(st.text(st.characters(codec="utf-8"))))
def test_a_derived_ulid_makes_a_valid_id(at_ms: int, names: list[str]) -> None:
    ulid = derived_ulid(at_ms, *names)
    assert parse_timer_id(timer_id(1, ulid)) == (1, ulid)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "-",
        ULID,
        f"-{ULID}",
        f"0-{ULID}",
        f"01-{ULID}",
        f"-1-{ULID}",
        f"1.5-{ULID}",
        f"x-{ULID}",
        f"１-{ULID}",
        f"{10**19}-{ULID}",
        f"1-{ULID[:-1]}",
        f"1-{ULID}0",
        f"1-8{ULID[1:]}",
        f"1-{ULID.lower()}",
        f"1-{ULID[:-1]}I",
        f"1-{ULID[:-1]}U",
        f"1-{ULID}\n",
        f" 1-{ULID}",
        f"1_{ULID}",
        "1-" + "0" * 10_000,
        "../profile",
        "1#profile",
    ],
)
def test_a_text_that_is_no_timer_id_is_refused(text: str) -> None:
    assert parse_timer_id(text) is None
