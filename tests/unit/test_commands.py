"""The recognition of commands in comments."""

import sys
from types import FrameType
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timer_core.github.webhooks.commands import MAX_LOG_MS, Command, parse

if TYPE_CHECKING:
    from _typeshed import TraceFunction

MINUTE = 60_000


@pytest.mark.parametrize("action", ["start", "pause", "resume", "stop"])
@pytest.mark.parametrize(
    "line",
    ["/timer {}", "   /timer   {}  ", "/Timer {}", "hello\n/timer {}\nworld", "/timer\t{}\t", "/timer {}\r"],
)
def test_a_command_stands_on_a_line_of_its_own(line: str, action: str) -> None:
    assert parse(line.format(action), "/timer") == ([Command(action)], [])


def test_a_time_is_logged() -> None:
    assert parse("/timer log 1:30\n/timer log 1,5 h", "/timer") == ([Command("log", 90 * MINUTE)] * 2, [])


@pytest.mark.parametrize("written", ["", "0m", "0h0m", "25h", "-1h", "one hour"])
def test_a_text_that_is_no_time_to_log_is_a_mistake(written: str) -> None:
    commands, mistakes = parse(f"/timer log {written}", "/timer")
    assert (commands, len(mistakes)) == ([], 1)
    assert "?" not in mistakes[0]


@pytest.mark.parametrize(
    ("written", "question"),
    [
        ("90", "Does `90` mean `90m` or `90h`? Nothing was logged; write it that way."),
        ("1,500h", "Does `1,500h` mean `1,5h` or `1500h`? Nothing was logged; write it that way."),
        ("1.30", "Does `1.30` mean `1:30` or `1.30h`? Nothing was logged; write it that way."),
        ("1h30", "Does `1h30` mean `1h 30m`? Nothing was logged; write it that way."),
    ],
)
def test_an_ambiguous_duration_is_answered_with_a_question(written: str, question: str) -> None:
    assert parse(f"/timer log {written}", "/timer") == ([], [question])


@pytest.mark.parametrize(
    ("written", "estimate_ms"),
    [("4h", 240 * MINUTE), ("1:30", 90 * MINUTE), ("10000h", 600_000 * MINUTE), ("none", 0), ("NONE", 0)],
)
def test_an_estimate_is_stated_or_taken_back(written: str, estimate_ms: int) -> None:
    assert parse(f"/timer estimate {written}", "/timer") == ([Command("estimate", estimate_ms)], [])


@pytest.mark.parametrize("written", ["", "0h", "10001h", "-1h", "soon"])
def test_a_text_that_is_no_estimate_is_a_mistake(written: str) -> None:
    commands, mistakes = parse(f"/timer estimate {written}", "/timer")
    assert (commands, len(mistakes)) == ([], 1)
    assert "?" not in mistakes[0]


def test_an_ambiguous_estimate_is_answered_with_a_question() -> None:
    question = "Does `1d` mean `8h` or `24h`? Nothing was estimated; write it that way."
    assert parse("/timer estimate 1d", "/timer") == ([], [question])


@pytest.mark.parametrize(("estimate_ms", "text"), [(240 * MINUTE, "estimate 4h"), (0, "estimate none")])
def test_an_estimate_is_shown_as_it_can_be_written(estimate_ms: int, text: str) -> None:
    assert str(Command("estimate", estimate_ms)) == text


@pytest.mark.parametrize("line", ["/timer", "/timer stop now", "/timer dance", "/timer start stop"])
def test_an_invalid_line_with_the_prefix_is_a_mistake(line: str) -> None:
    commands, mistakes = parse(line, "/timer")
    assert (commands, len(mistakes)) == ([], 1)


@pytest.mark.parametrize(
    "text",
    [
        "Use /timer start to begin.",
        "/timers start",
        r"\/timer start",
        "&#47;timer start",
        "# /timer start",
        "- /timer start",
        "1. /timer start",
        "- [ ] /timer start",
        "/timer start | b\n--- | ---\n/timer stop | d",
        # quotations
        "> /timer start",
        "> a\n> /timer start",
        "> a\n/timer start",
        "> - a\n>\n>   /timer start",
        "> [!NOTE]\n> /timer start",
        "<blockquote>\n\n/timer start\n\n</blockquote>",
        # fences
        "```\n/timer start\n```",
        "```sh\n/timer start\n",
        "````\n```\n/timer start\n```\n/timer stop\n````",
        "~~~\n```\n/timer start\n```\n/timer stop\n~~~",
        "~~~\n/timer start\n```\n/timer stop\n~~~",
        "- a\n  ```\n  /timer start\n  ```",
        "> ```\n> /timer start\n> ```",
        # indented code
        "    /timer start",
        "\t/timer start",
        "  \t/timer start",
        "- a\n\n      /timer start",
        # inline code
        "`/timer start`",
        "a `b\n/timer start\nc` d",
        "a ``b `\n/timer start\n`` d",
        "a <code>b\n/timer start\n</code>",
        "<code>\n\n/timer start\n\n</code>",
        "> a <code>\n\n/timer start",
        # preformatted text
        "<pre>\n/timer start\n</pre>",
        "<pre>\n\n/timer start\n\n</pre>",
        "<PRE class='a'>\n\n/timer start",
        "a <pre>\n/timer start\n</pre>",
        "<details><summary>Log</summary><pre>\n\n/timer start\n\n</pre></details>",
        # HTML comments
        "<!-- /timer start -->",
        "<!--\n/timer start\n-->",
        "<!-- How to:\n\n/timer start\n--> /timer stop",
        "<!--\n```\n-->\n<!--\n/timer start",
        "a <!-- b\n/timer start\n--> c",
        "a <!--\n/timer start\n--->\nc",
        "<div><!--\n\n/timer start\n\n</div>",
        # other HTML and Markdown that is not text
        "<div>\n/timer start\n</div>",
        "<style>\n\n/timer start\n\n</style>",
        "a <b title='\n/timer start\n'>c</b>",
        "[a]: b '\n/timer start\n'",
    ],
)
def test_a_line_that_is_not_text_is_no_command(text: str) -> None:
    assert parse(text, "/timer") == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        "```\n/timer stop\n```\n/timer start",
        "````\n```\n````\n/timer start",
        "```\n<!--\n```\n/timer start",
        "```\n<pre>\n```\n/timer start",
        "`a`\n/timer start",
        "```a``` b\n/timer start",
        "``` `\n/timer start",
        "`a\n\n/timer start",
        "It isn`t done\n/timer start",
        "`<pre>` and `<!--`\n/timer start",
        "\\<pre> and \\<!--\n/timer start",
        "<!-- about\n/timer stop -->\n/timer start",
        "a <!-- b -->\n/timer start",
        "a <!--> b\n/timer start",
        "a <!-- b\n\n/timer start",
        "/timer start <!-- as I said -->",
        "<pre>a</pre>\n/timer start",
        "a <code>b</code>\n/timer start",
        "a <code-block> b\n/timer start",
        "> <pre>a\n\n/timer start",
        "- a <pre>b\n- c\n\n/timer start",
        "> <blockquote>a\n\n/timer start",
        "</pre></code></blockquote>\n\n/timer start",
        "<details><summary>a</summary>\n\n/timer start\n\n</details>",
        "> a\n\n/timer start",
        "- a\n- b\n/timer start",
        "- a\n\n  /timer start",
        "- a\n\n/timer start",
        "- [x] a\n/timer start",
        "a | b\n--- | ---\nc | d\n\n/timer start",
        "a **b\n/timer start\nc**",
        "<https://example.com>\n/timer start",
        "/timer start\n---\nsent by mail",
        "/timer start\n===",
        "# Done\n/timer start",
        "a  \n/timer start",
        "a\\\n/timer start",
        "a\r\n/timer start\r\nb",
        "a\r/timer start",
    ],
)
def test_a_line_of_text_is_a_command(text: str) -> None:
    assert parse(text, "/timer") == ([Command("start")], [])


def test_a_tab_may_precede_a_duration() -> None:
    assert parse("/timer\tlog\t5m", "/timer") == ([Command("log", 5 * MINUTE)], [])


def test_the_deployment_chooses_the_prefix() -> None:
    assert parse("!clock start\n/timer stop", "!clock") == ([Command("start")], [])


def test_the_first_ten_commands_are_carried_out_and_the_others_are_named() -> None:
    commands, mistakes = parse("/timer pause\n/timer resume\n" * 5 + "/timer log 1:30\n/TIMER Stop", "/timer")
    assert commands == [Command("pause"), Command("resume")] * 5
    assert len(mistakes) == 1
    assert mistakes[0].startswith("Only the first 10 commands of a comment are carried out.")
    assert mistakes[0].endswith(" Not done: `/timer log 1h 30m`, `/timer stop`.")


def test_a_reply_names_at_most_ten_of_very_many_commands() -> None:
    commands, mistakes = parse("/timer start\n" * 30, "/timer")
    assert commands == [Command("start")] * 10
    assert mistakes[0].count("`/timer start`") == 10
    assert mistakes[0].endswith(" and 10 more.")


def test_a_repeated_mistake_is_reported_once() -> None:
    assert len(parse("/timer dance\n" * 30, "/timer")[1]) == 1


# The beginnings and ends of everything that the parser of comments distinguishes.
PIECES = st.sampled_from(
    [
        *"\n\n\t >-+*_=#`~[]()<>!\\|:&;'\"/?1a\r\0\u2028\ud800",
        *("> ", "- ", "1. ", "    ", "```", "~~~", "``", "---\n", "a|b\n-|-\n", "[a]: b", "](", "\n\n"),
        *("<!--", "-->", "--->", "<?", "?>", "<![CDATA[", "]]>", "<!A", "<a b='", "<div>", "</div>"),
        *("<pre>", "</pre>", "<code>", "</code>", "<blockquote>", "</blockquote>", "http:", "@"),
        *("/timer ", "log 1", "\n/timer start\n"),
    ]
)


@given(st.text(max_size=300) | st.lists(PIECES, max_size=60).map("".join))
@example("> - <pre>a\n> ")
def test_any_text_can_be_parsed(text: str) -> None:
    commands, _ = parse(text + "\n/timer log " + text, "/timer")
    assert all(0 <= command.duration_ms <= MAX_LOG_MS for command in commands)


@given(st.lists(PIECES, min_size=1, max_size=6).map("".join))
@example(">-\n/timer start\n")
@example("\n-\n+")
@example("> > - a\nb\n")
@example("- > a\n")
@example("> a\n\nb\n\n")
def test_a_repeated_text_is_parsed_in_linear_time(text: str) -> None:
    size = 400
    once, four_times = (_lines_run(text * (1 + size * times // len(text))) for times in (1, 4))
    # Quadratic time would be 16 times as long. Four times is exceeded in steps, because quotations are read
    # in growing parts.
    assert four_times < 8 * once + 2_000


@given(st.lists(PIECES, min_size=1, max_size=4).map("".join))
@settings(max_examples=5)
def test_a_comment_of_the_greatest_length_is_parsed(text: str) -> None:
    # GitHub accepts at most 65,536 characters.
    parse(("/timer start\n\n" + text * 65_536)[:65_536], "/timer")


def _lines_run(text: str) -> int:
    """Return the number of lines of Python that run while a text is parsed."""
    count = 0

    def trace(_: FrameType, event: str, __: object) -> "TraceFunction":
        nonlocal count
        count += event == "line"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        parse("/timer start\n\n" + text, "/timer")
    finally:
        sys.settrace(previous)
    return count
