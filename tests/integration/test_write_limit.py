"""The limit of changes per person and minute: exact up to the changes that instances have not counted yet."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.network import Network
from timer_core.domain.errors import TooManyRequests
from timer_core.store.limits import MINUTE_MS, WriteLimit

if TYPE_CHECKING:
    from timer_core.store.table import Table

LIMIT = 48
INSTANCES = 3
ANN, BOB = 1, 2
_numbers = count(70_000)


def accepts(limit: WriteLimit, user_id: int, now_ms: int) -> bool:
    """Whether an instance admits a change."""
    try:
        limit.count(user_id, now_ms=now_ms)
    except TooManyRequests:
        return False
    return True


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(
        st.tuples(
            st.integers(0, INSTANCES - 1), st.sampled_from([ANN, BOB]), st.booleans(), st.integers(1, 40)
        ),
        max_size=25,
    )
)
def test_changes_are_refused_between_the_limit_and_the_uncounted_changes(
    shared_table: Table, runs: list[tuple[int, int, bool, int]]
) -> None:
    """Each run is a number of changes of a person through an instance, in this minute or the next one."""
    limits = [WriteLimit(shared_table, LIMIT) for _ in range(INSTANCES)]
    step = limits[0].step
    assert step > 1
    example = next(_numbers) * 10
    accepted = Counter[tuple[int, int]]()
    minute = 0
    for instance, person, is_next_minute, changes in runs:
        minute += is_next_minute
        for _ in range(changes):
            made = accepted[person, minute]
            if accepts(limits[instance], example + person, minute * MINUTE_MS + 15_000):
                accepted[person, minute] += 1
            else:
                assert made >= LIMIT
            assert accepted[person, minute] <= LIMIT + INSTANCES * (step - 1)


def test_a_single_instance_admits_exactly_the_limit(shared_table: Table) -> None:
    limit, person = WriteLimit(shared_table, LIMIT), next(_numbers)
    assert [accepts(limit, person, 0) for _ in range(LIMIT + 3)] == [True] * LIMIT + [False] * 3
    assert accepts(limit, person, MINUTE_MS)


@pytest.mark.parametrize(("changes", "writes"), [(4, 0), (5, 1), (12, 2)])
def test_changes_are_written_in_steps(shared_table: Table, changes: int, writes: int) -> None:
    limit, person = WriteLimit(shared_table, 120), next(_numbers)
    network = Network(shared_table.connection)
    try:
        assert all(accepts(limit, person, 0) for _ in range(changes))
    finally:
        network.close()
    assert network.requests == ["UpdateItem"] * writes


def test_after_a_refusal_nothing_is_written(shared_table: Table) -> None:
    limit, person = WriteLimit(shared_table, LIMIT), next(_numbers)
    while accepts(limit, person, 0):
        pass
    network = Network(shared_table.connection)
    try:
        assert not any(accepts(limit, person, MINUTE_MS - 1) for _ in range(3))
    finally:
        network.close()
    assert network.requests == []
