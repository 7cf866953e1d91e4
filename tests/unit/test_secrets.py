"""Values that are fetched, cached and refreshed."""

from dataclasses import dataclass

import pytest

from timer_core.secrets import CachedValue


class Unreachable(Exception):
    pass


@dataclass
class Source:
    """The source of the value, and the clock."""

    value: str = "first"
    is_reachable: bool = True
    fetches: int = 0
    now_s: float = 1_000.0

    def fetch(self) -> str:
        self.fetches += 1
        if not self.is_reachable:
            raise Unreachable
        return self.value

    def cached(self, *, caches_first_failure: bool = False) -> CachedValue[str]:
        return CachedValue(
            self.fetch,
            (Unreachable,),
            caches_first_failure=caches_first_failure,
            now_s=lambda: self.now_s,
        )


@pytest.fixture
def source() -> Source:
    return Source()


def test_a_value_is_fetched_when_it_is_first_needed_and_then_cached(source: Source) -> None:
    cached = source.cached()
    assert source.fetches == 0
    assert [cached.get(), cached.get()] == ["first", "first"]
    assert source.fetches == 1


def test_a_value_is_fetched_again_after_five_minutes(source: Source) -> None:
    cached = source.cached()
    cached.get()
    source.value = "second"
    source.now_s += 299
    assert cached.get() == "first"
    source.now_s += 1
    assert cached.get() == "second"


def test_the_previous_value_is_used_while_the_source_is_unreachable(source: Source) -> None:
    cached = source.cached()
    cached.get()
    source.is_reachable = False
    source.now_s += 300
    assert [cached.get(), cached.get()] == ["first", "first"]
    # After a failed attempt, the source is not read again for ten seconds.
    assert source.fetches == 2


def test_a_refresh_says_whether_the_value_has_changed(source: Source) -> None:
    cached = source.cached()
    cached.get()
    assert not cached.refresh()
    source.value = "second"
    source.now_s += 10
    assert cached.refresh()
    assert cached.get() == "second"


def test_a_value_is_refreshed_at_most_once_in_ten_seconds(source: Source) -> None:
    cached = source.cached()
    cached.get()
    cached.refresh()
    source.value = "second"
    assert not cached.refresh()
    assert source.fetches == 2


def test_a_failed_refresh_fails_for_ten_seconds(source: Source) -> None:
    cached = source.cached()
    cached.get()
    source.is_reachable = False
    for _ in range(2):
        with pytest.raises(Unreachable):
            cached.refresh()
    assert source.fetches == 2
    assert cached.get() == "first"
    source.is_reachable = True
    source.now_s += 10
    assert not cached.refresh()


def test_without_a_value_every_call_tries_again(source: Source) -> None:
    cached = source.cached()
    source.is_reachable = False
    for _ in range(2):
        with pytest.raises(Unreachable):
            cached.get()
    source.is_reachable = True
    assert cached.get() == "first"
    assert source.fetches == 3


def test_the_first_failure_can_be_cached_for_ten_seconds(source: Source) -> None:
    cached = source.cached(caches_first_failure=True)
    source.is_reachable = False
    for _ in range(2):
        with pytest.raises(Unreachable):
            cached.get()
    assert (source.fetches, cached.expires_in_s) == (1, 10)
    source.is_reachable = True
    source.now_s += 10
    assert cached.get() == "first"
