"""Compose the reply to a comment with commands."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from timer_core.domain.durations import duration_text
from timer_core.domain.errors import TooManyTransitions
from timer_core.domain.events import EFFECTS
from timer_core.domain.state import Action
from timer_core.domain.timers import MAX_OF_EACH_KIND, Timer
from timer_core.github.messages import ESTIMATE, LOG, CommentEvent, IssueEvent, ReplyEvent

# The content of a reaction (GitHub's REST API, "Create reaction for an issue comment").
DONE, NOT_DONE = "+1", "confused"

_NOT_TRACKED = "Your time is tracked only after you have signed in to Issue Timer."
_NO_TIMER = {
    Action.PAUSE: "You had no running timer on this issue to pause.",
    Action.RESUME: "You had no paused timer on this issue to resume.",
    Action.STOP: "You had no open timer on this issue to stop.",
}


def reply_to(
    comment: CommentEvent,
    commands: Sequence[IssueEvent],
    timers: Sequence[Timer],
    *,
    is_tracked: bool,
    refused: Mapping[str, str] = MappingProxyType({}),
) -> ReplyEvent:
    """Return the reply: a reaction, and a text if there are mistakes, logged times or estimates.

    Parameters
    ----------
    commands
        The commands in the comment and, if it has none that change a timer, the comment itself; already
        handled.
    timers
        The author's timers on the issue since the comment; their histories show what a command did.
    is_tracked
        Whether the author's time is tracked.
    refused
        Why time was not logged on confirmed or locked days, by the delivery of the command.
    """
    if not is_tracked:
        return _reply(comment, NOT_DONE, [_NOT_TRACKED])
    effective = {transition.cause for timer in timers for transition in timer.history}
    mistakes = list(comment.mistakes)
    done = []
    for command in commands:
        if command.delivery in refused:
            duration = duration_text(command.duration_ms)
            mistakes.append(f"{duration} was not logged: {refused[command.delivery]}")
            continue
        if command.kind == LOG:
            done.append(f"Logged {duration_text(command.duration_ms)} on this issue, up to your comment.")
            continue
        if command.kind == ESTIMATE:
            done.append(_estimated(command))
            continue
        action = EFFECTS[command.kind].action
        if action is None or command.delivery in effective:
            continue
        if _is_beyond_limit(action, timers):
            mistakes.append(str(TooManyTransitions(action, f"{MAX_OF_EACH_KIND} transitions by events")))
        elif action in _NO_TIMER:
            mistakes.append(_NO_TIMER[action])
    return _reply(comment, NOT_DONE if mistakes else DONE, [*done, *dict.fromkeys(mistakes)])


def _estimated(command: IssueEvent) -> str:
    if not command.duration_ms:
        return "The estimate was taken back; the one in the field of the issue or its project counts."
    return f"Estimated {duration_text(command.duration_ms)} for this issue."


def _is_beyond_limit(action: Action, timers: Sequence[Timer]) -> bool:
    """Whether a command had no effect because a timer has reached the limit of transitions by events."""
    # A start command resumes a paused timer.
    action = Action.RESUME if action is Action.START else action
    return action is not Action.STOP and any(
        not timer.has_room(for_event=True) and timer.state.allows(action) for timer in timers
    )


def _reply(comment: CommentEvent, reaction: str, sentences: Sequence[str]) -> ReplyEvent:
    return ReplyEvent(
        delivery=comment.delivery,
        repo=comment.repo,
        number=comment.number,
        at_ms=comment.at_ms,
        comment=comment.comment,
        reaction=reaction,
        text=" ".join(sentences),
    )
