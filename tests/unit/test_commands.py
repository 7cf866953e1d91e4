"""The recognition of commands in comments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.github.webhooks.commands import MAX_LOG_MS, Command, parse

MINUTE = 60_000


@pytest.mark.parametrize("action", ["start", "pause", "resume", "stop"])
@pytest.mark.parametrize(
    "line",
    ["/timer {}", "   /timer   {}  ", "/Timer {}", "hello\n/timer {}\nworld", "/timer\t{}\t", "/timer {}\r"],
)
def test_a_command_stands_on_a_line_of_its_own(line: str, action: str) -> None:
    assert parse(line.format(action), "/timer") == ([Command(action)], [])


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        ("1h30m", 90),
        ("45m", 45),
        ("2h", 120),
        ("1.5h", 90),
        ("1h 30m", 90),
        ("1 h 5 m", 65),
        ("0.5m", 0.5),
        ("24H", 1440),
    ],
)
def test_a_duration_has_hours_and_minutes(written: str, minutes: float) -> None:
    assert parse(f"/timer log {written}", "/timer") == ([Command("log", round(minutes * MINUTE))], [])


@pytest.mark.parametrize(
    "written", ["", "0m", "0h0m", "25h", "-1h", "1", "90", "1h30", "h", "one hour", "1e3m", "٣h"]
)
def test_an_invalid_duration_is_a_mistake(written: str) -> None:
    commands, mistakes = parse(f"/timer log {written}", "/timer")
    assert (commands, len(mistakes)) == ([], 1)


@pytest.mark.parametrize("line", ["/timer", "/timer stop now", "/timer dance", "/timer start stop"])
def test_an_invalid_line_with_the_prefix_is_a_mistake(line: str) -> None:
    commands, mistakes = parse(line, "/timer")
    assert (commands, len(mistakes)) == ([], 1)


@pytest.mark.parametrize(
    "text",
    [
        "Use /timer start to begin.",
        "> /timer start",
        "```\n/timer start\n```",
        "~~~\n/timer start\n```\n/timer stop\n~~~",
        "/timers start",
        "`/timer start`",
        "    /timer start",
        "\t/timer start",
        "  \t/timer start",
        "<!-- /timer start -->",
        "<!--\n/timer start\n-->",
        "<!-- How to:\n\n/timer start\n--> /timer stop",
        "<!--\n```\n-->\n<!--\n/timer start",
    ],
)
def test_quoted_commands_are_ignored(text: str) -> None:
    assert parse(text, "/timer") == ([], [])


def test_commands_after_a_code_block_are_read() -> None:
    assert parse("```\n/timer stop\n```\n/timer start", "/timer") == ([Command("start")], [])


def test_commands_after_an_html_comment_are_read() -> None:
    assert parse("<!-- about\n/timer stop -->\n/timer start", "/timer") == ([Command("start")], [])


def test_an_html_comment_does_not_begin_in_a_code_block() -> None:
    assert parse("```\n<!--\n```\n/timer start", "/timer") == ([Command("start")], [])


def test_a_tab_may_precede_a_duration() -> None:
    assert parse("/timer\tlog\t5m", "/timer") == ([Command("log", 5 * MINUTE)], [])


def test_the_deployment_chooses_the_prefix() -> None:
    assert parse("!clock start\n/timer stop", "!clock") == ([Command("start")], [])


@given(st.text(max_size=300))
def test_any_text_can_be_parsed(text: str) -> None:
    commands, _ = parse(text + "\n/timer log " + text, "/timer")
    assert all(0 <= command.duration_ms <= MAX_LOG_MS for command in commands)
