"""The replies to comments that contain commands."""

from dataclasses import replace

import pytest

from timer_core.domain import timers as timers_module
from timer_core.domain.timers import Timer
from timer_core.github.messages import CommentEvent, IssueEvent
from timer_core.services.command_replies import reply_to

T0 = 1_763_900_000_000
COMMENT = CommentEvent("d", 1296269, "octocat/Hello-World", 7, T0, comment=5, author=1)


def reply(kind: str, timer: Timer) -> tuple[str, str]:
    """Return the reaction and the reply to a command that had no effect on a timer."""
    command = IssueEvent("comment-5.1", kind, 1, "octocat/Hello-World", 7, T0, (1,))
    answer = reply_to(COMMENT, [command], [timer], is_tracked=True)
    return answer.reaction, answer.text


@pytest.fixture
def running() -> Timer:
    return Timer.start(user_id=1, ulid="01X", at_ms=T0, now_ms=T0, by="assigned")


@pytest.mark.parametrize(
    ("kind", "action"), [("comment.pause", "pause"), ("comment.resume", "resume"), ("comment.start", "start")]
)
def test_a_command_beyond_the_limit_of_a_timer_says_what_to_do(
    running: Timer, monkeypatch: pytest.MonkeyPatch, kind: str, action: str
) -> None:
    monkeypatch.setattr(timers_module, "MAX_OF_EACH_KIND", 1)
    timer = running if action == "pause" else running.pause(T0, "manual")
    reaction, text = reply(kind, timer)
    assert reaction == "confused"
    assert text.startswith(f"Cannot {action} a timer that has ")
    assert text.endswith("which is the limit. Stop it and start another one.")


def test_a_start_command_that_finds_a_full_timer_running_is_fine(
    running: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers_module, "MAX_OF_EACH_KIND", 1)
    assert reply("comment.start", running) == ("+1", "")


def test_below_the_limit_a_command_without_effect_names_the_reason(running: Timer) -> None:
    assert reply("comment.resume", running) == (
        "confused",
        "You had no paused timer on this issue to resume.",
    )


def test_a_reply_says_what_was_logged_and_what_was_not(running: Timer) -> None:
    comment = replace(COMMENT, mistakes=("Does `90` mean `90m` or `90h`?",))
    commands = [
        IssueEvent("comment-5", "comment.log", 1, "octocat/Hello-World", 7, T0, (1,), duration_ms=5_430_000),
        IssueEvent("comment-5.1", "comment.resume", 1, "octocat/Hello-World", 7, T0, (1,)),
        IssueEvent("comment-5.2", "comment.resume", 1, "octocat/Hello-World", 7, T0, (1,)),
    ]
    answer = reply_to(comment, commands, [running], is_tracked=True)
    assert (answer.reaction, answer.text) == (
        "confused",
        (
            "Logged 1h 30m 30s on this issue, up to your comment. Does `90` mean `90m` or `90h`? "
            "You had no paused timer on this issue to resume."
        ),
    )
