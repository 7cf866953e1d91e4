"""The validation of requests, and the representation of timers."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from timer_core.api.models import (
    AddRequest,
    PatchRequest,
    StartRequest,
)
from timer_core.api.replies import to_json
from timer_core.api.representations import timer_facts
from timer_core.api.times import format_time, to_ms, to_time
from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import MAX_ISSUE_NUMBER, Issue
from timer_core.domain.state import Action, Transition
from timer_core.domain.timers import Timer
from timer_core.settings import settings

ISSUE = Issue("octocat", "Hello-World", 7)
URL = "https://github.com/octocat/Hello-World/issues/7"
T0 = 1_763_900_000_123
ULID = "01JD3K5W9GZ8Q4T1M6V7X0Y2BC"


@pytest.fixture(autouse=True)
def github(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the GitHub that the deployment is connected to."""
    url: str = getattr(request, "param", "https://github.com")
    monkeypatch.setenv("TABLE_NAME", "timers")
    monkeypatch.setenv("GITHUB_URL", url)
    settings.cache_clear()
    yield url
    settings.cache_clear()


on_each_server = pytest.mark.parametrize(
    "github", ["https://github.com", "https://octo.ghe.com", "http://localhost:4570/demo"], indirect=True
)


def started() -> Timer:
    issue = replace(ISSUE, title="It is broken")
    return Timer.start(user_id=583231, ulid=ULID, at_ms=T0, now_ms=T0 + 1, by="assigned", issue=issue)


def shown(timer: Timer, now_ms: int) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(to_json(timer_facts(timer, now_ms)))
    return parsed


class TestTimerFacts:
    def test_shows_a_running_timer(self) -> None:
        assert shown(started(), T0 + 1_234) == {
            "id": f"583231-{ULID}",
            "user": 583231,
            "organization": "octocat",
            "status": "running",
            "start_time": "2025-11-23T12:13:20.123Z",
            "end_time": None,
            "duration": None,
            "active_duration": 1.234,
            "is_paused": False,
            "paused_duration": 0,
            "last_pause_time": None,
            "pauses": [],
            "github_issue_url": URL,
            "github_issue_number": 7,
            "github_repo": "octocat/Hello-World",
            "github_issue_title": "It is broken",
            "description": "",
            "source": "assigned",
            "stopped_by": None,
            "last_sign_at": "2025-11-23T12:13:20.123Z",
            "created": "2025-11-23T12:13:20.124Z",
            "details_deleted": False,
        }

    @on_each_server
    def test_links_to_the_issue_on_the_configured_github(self, github: str) -> None:
        assert shown(started(), T0)["github_issue_url"] == f"{github}/octocat/Hello-World/issues/7"

    def test_shows_the_start_of_the_current_pause(self) -> None:
        timer = shown(started().pause(T0 + 1_000, "manual"), T0 + 9_000)
        assert (timer["status"], timer["is_paused"]) == ("paused", True)
        assert (timer["last_pause_time"], timer["active_duration"]) == ("2025-11-23T12:13:21.123Z", 1)

    def test_shows_the_active_time_of_a_stopped_timer_as_its_duration(self) -> None:
        timer = (
            started()
            .pause(T0 + 1_000, "manual")
            .apply(Transition(T0 + 3_500, Action.RESUME, "manual"))
            .stop(T0 + 4_001, "closed")
        )
        found = shown(timer, T0 + 10**9)
        assert found["duration"] == found["active_duration"] == 1.501
        assert (found["paused_duration"], found["stopped_by"]) == (2.5, "closed")
        assert found["end_time"] == "2025-11-23T12:13:24.124Z"

    def test_without_an_issue_the_issue_fields_are_null(self) -> None:
        timer = Timer.start(user_id=1, ulid=ULID, at_ms=T0, now_ms=T0, by="manual")
        found = shown(timer, T0)
        parts = ("github_issue_url", "github_issue_number", "github_repo", "github_issue_title")
        assert [found[name] for name in parts] == [None] * 4


class TestTime:
    @given(st.integers(0, 253_402_300_799_999))
    def test_a_formatted_time_is_parsed_to_the_same_time(self, ms: int) -> None:
        text = format_time(to_time(ms))
        assert len(text) == len("2026-01-31T09:00:00.000Z")
        assert to_ms(AddRequest(start_time=text).start_time) == ms

    @pytest.mark.parametrize(
        ("text", "ms"),
        [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:00z", 0),
            ("1970-01-01 00:00:00+00:00", 0),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1969-12-31T23:00:00-01:00", 0),
            ("2025-11-23T12:13:20.123Z", T0),
            ("2025-11-23T12:13:20.1239Z", T0),
            ("2025-11-23T12:13:20.123999Z", T0),
        ],
    )
    def test_times_of_rfc_3339_are_parsed_to_the_millisecond(self, text: str, ms: int) -> None:
        assert to_ms(AddRequest(start_time=text).start_time) == ms

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "now",
            "2026-01-31",
            "2026-01-31T09:00:00",
            "2026-01-31T09:00Z",
            "2026-02-30T09:00:00Z",
            "2026-01-31T25:00:00Z",
            "2026-01-31T09:00:00+25:00",
            "20260131T090000Z",
            "2026-W05-6T09:00:00Z",
            "1769850000",
            "１９７０-01-01T00:00:00Z",
            "2026-01-31T09:00:00Z\n",
            "1969-12-31T23:59:59Z",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59.1234567890Z",
            "9999-12-31T23:59:59-23:59",
            1_769_850_000,
            1_769_850_000.5,
            True,
            None,
            [],
            {},
        ],
    )
    def test_other_values_are_refused(self, value: object) -> None:
        with pytest.raises(ValidationError):
            AddRequest.model_validate({"start_time": value})

    def test_midnight_is_shown_with_its_zeros(self) -> None:
        assert format_time(datetime(2026, 1, 31, tzinfo=UTC)) == "2026-01-31T00:00:00.000Z"


class TestIssue:
    @pytest.mark.parametrize(
        "body",
        [
            {"github_issue_url": URL},
            {"github_repo": "octocat/Hello-World", "github_issue_number": 7},
            {"github_issue_url": URL, "github_repo": "OCTOCAT/hello-world"},
            {"github_issue_url": URL, "github_issue_number": 7},
            {"github_issue_url": URL, "github_repo": "octocat/Hello-World", "github_issue_number": 7},
        ],
    )
    def test_is_identified_by_url_or_by_repository_and_number(self, body: dict[str, Any]) -> None:
        assert StartRequest.model_validate(body).issue == ISSUE

    @on_each_server
    def test_is_identified_by_its_url_on_the_configured_github(self, github: str) -> None:
        url = f"{github}/octocat/Hello-World/issues/7"
        assert StartRequest(github_issue_url=url).issue == ISSUE

    def test_is_optional(self) -> None:
        assert StartRequest().issue is None

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"github_repo": "octocat/Hello-World"}, "github_issue_number"),
            ({"github_issue_number": 7}, "github_repo"),
            ({"github_issue_url": URL, "github_repo": "octocat/other"}, "github_repo"),
            ({"github_issue_url": URL, "github_issue_number": 8}, "github_issue_number"),
            ({"github_issue_url": "https://github.com/octocat"}, "github_issue_url"),
            ({"github_repo": "octocat", "github_issue_number": 7}, "github_repo"),
        ],
    )
    def test_incomplete_and_contradictory_fields_are_refused(self, body: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            _ = StartRequest.model_validate(body).issue
        assert refused.value.field == field

    @pytest.mark.parametrize("number", [0, -1, MAX_ISSUE_NUMBER + 1, 10**12, "7", 7.0, 7.5, True, [7]])
    def test_invalid_numbers_are_refused(self, number: object) -> None:
        with pytest.raises(ValidationError):
            StartRequest.model_validate({"github_repo": "o/r", "github_issue_number": number})


class TestRequests:
    @pytest.mark.parametrize(
        "body",
        [
            {"unknown": 1},
            {"user": 583231},
            {"start_time": "2026-01-31T09:00:00Z"},
            {"description": None},
            {"description": 5},
            {"description": "x" * 2001},
            {"description": "bell \a"},
            {"description": "nul \0"},
            {"description": "delete \x7f"},
            {"github_issue_url": 5},
            {"github_issue_url": ""},
            {"github_repo": ["o", "r"]},
            {"organization_url": {}},
        ],
    )
    def test_a_start_refuses_unknown_and_invalid_fields(self, body: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            StartRequest.model_validate(body)

    @pytest.mark.parametrize(
        "text", ["", "x" * 2000, "é ☕ 漢字 🎉", "a\tb\r\nc", "<script>alert(1)</script>"]
    )
    def test_a_description_is_any_printable_text(self, text: str) -> None:
        assert StartRequest(description=text).description == text

    @on_each_server
    def test_an_organization_is_identified_by_its_url(self, github: str) -> None:
        assert StartRequest(organization_url=f"{github}/acme").organization == "acme"
        assert StartRequest().organization is None

    def test_an_addition_ends_at_its_end_or_after_its_duration(self) -> None:
        start = "2025-11-23T12:13:20.123Z"
        by_end = AddRequest.model_validate({"start_time": start, "end_time": "2025-11-23T12:13:21Z"})
        by_duration = AddRequest.model_validate({"start_time": start, "duration": 0.877})
        assert by_end.span_ms == by_duration.span_ms == (T0, T0 + 877)

    @pytest.mark.parametrize("extra", [{}, {"end_time": "2026-01-31T10:00:00Z", "duration": 1}])
    def test_an_addition_needs_exactly_one_of_end_and_duration(self, extra: dict[str, Any]) -> None:
        request = AddRequest.model_validate({"start_time": "2026-01-31T09:00:00Z", **extra})
        with pytest.raises(InvalidInput, match="Exactly one"):
            _ = request.span_ms

    @pytest.mark.parametrize(
        "duration", [-1, -0.001, float("nan"), float("inf"), float("-inf"), 1e300, "60", True, []]
    )
    def test_a_duration_is_a_number_of_seconds_within_ten_years(self, duration: object) -> None:
        with pytest.raises(ValidationError):
            AddRequest.model_validate({"start_time": "2026-01-31T09:00:00Z", "duration": duration})

    def test_a_correction_distinguishes_a_null_url_from_a_missing_one(self) -> None:
        assert PatchRequest.model_validate({"github_issue_url": None}).model_fields_set == {
            "github_issue_url"
        }
        assert PatchRequest.model_validate({}).model_fields_set == set()
