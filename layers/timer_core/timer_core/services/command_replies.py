"""What to answer to a comment with commands."""

from collections.abc import Sequence

from timer_core.domain.errors import TooManyTransitions
from timer_core.domain.events import EFFECTS
from timer_core.domain.state import Action
from timer_core.domain.timers import MAX_TRANSITIONS, Timer
from timer_core.github.messages import LOG, CommentEvent, IssueEvent, ReplyEvent

# Contents of a reaction (GitHub's REST API, "Create reaction for an issue comment").
DONE, NOT_DONE = "+1", "confused"

_NOT_REGISTERED = "Only people who have signed in to Issue Timer are timed."
_IN_VAIN = {
    Action.PAUSE: "There was no running timer of yours on this issue to pause.",
    Action.RESUME: "There was no paused timer of yours on this issue to resume.",
    Action.STOP: "There was no open timer of yours on this issue to stop.",
}


def answer_to(
    comment: CommentEvent, commands: Sequence[IssueEvent], timers: Sequence[Timer], *, is_registered: bool
) -> ReplyEvent:
    """Return the answer to a comment: a reaction, and a text only about mistakes and time that was logged.

    Parameters
    ----------
    commands
        The commands in the comment, which have been taken in.
    timers
        The author's timers on the issue since then: what a command did is in their histories.
    """
    if not is_registered:
        return _answer(comment, NOT_DONE, [_NOT_REGISTERED])
    done = {transition.cause for timer in timers for transition in timer.history}
    trouble = list(dict.fromkeys(comment.mistakes))
    logged = []
    for command in commands:
        if command.kind == LOG:
            logged.append(f"Logged {_duration(command.duration_ms)}.")
            continue
        action = EFFECTS[command.kind].action
        if command.delivery in done:
            continue
        if _is_beyond_limit(action, timers):
            trouble.append(str(TooManyTransitions(action, MAX_TRANSITIONS)))
        elif action in _IN_VAIN:
            trouble.append(_IN_VAIN[action])
    return _answer(comment, NOT_DONE if trouble else DONE, [*logged, *trouble])


def _is_beyond_limit(action: Action, timers: Sequence[Timer]) -> bool:
    """Whether a command had no effect because a timer can only be stopped."""
    # A start command resumes a paused timer.
    action = Action.RESUME if action is Action.START else action
    return action is not Action.STOP and any(timer.is_full and timer.state.allows(action) for timer in timers)


def _answer(comment: CommentEvent, reaction: str, sentences: Sequence[str]) -> ReplyEvent:
    return ReplyEvent(
        delivery=comment.delivery,
        repo=comment.repo,
        number=comment.number,
        at_ms=comment.at_ms,
        comment=comment.comment,
        reaction=reaction,
        text=" ".join(sentences),
    )


def _duration(ms: int) -> str:
    hours, minutes = divmod(max(1, round(ms / 60_000)), 60)
    return " ".join(part for part in (f"{hours}h" if hours else "", f"{minutes}m" if minutes else "") if part)
