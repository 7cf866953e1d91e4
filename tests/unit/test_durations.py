"""The durations that people type."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.durations import InvalidDuration, duration_ms, duration_text

CASES = json.loads((Path(__file__).parents[1] / "support" / "durations.json").read_text())
WITH_VALUE = [(case["text"], case["seconds"]) for case in CASES if "seconds" in case]
INVALID = [(case["text"], case.get("meanings", [])) for case in CASES if "seconds" not in case]


@pytest.mark.parametrize(("text", "seconds"), WITH_VALUE)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert duration_ms(text) == round(seconds * 1000)


@pytest.mark.parametrize(("text", "meanings"), INVALID)
def test_an_ambiguous_text_has_meanings_and_another_text_has_none(text: str, meanings: list[str]) -> None:
    with pytest.raises(InvalidDuration) as invalid:
        duration_ms(text)
    assert list(invalid.value.meanings) == meanings


@given(st.text("0123456789.,: hmsdtag", max_size=12))
def test_each_meaning_of_an_ambiguous_text_is_another_duration(text: str) -> None:
    try:
        duration_ms(text)
    except InvalidDuration as invalid:
        meanings = [duration_ms(meaning) for meaning in invalid.meanings]
        assert len(set(meanings)) == len(meanings) or set(meanings) == {0}


@given(st.integers(0, 10**7))
def test_a_written_duration_is_read_as_the_same_duration(seconds: int) -> None:
    assert duration_ms(duration_text(seconds * 1000)) == seconds * 1000
