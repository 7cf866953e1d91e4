"""Commands in comments: ``/timer start``, ``pause``, ``resume``, ``stop``, ``log 1h30m``.

Each command is on a separate line. Quotations and code blocks are ignored, because they only mention
commands; HTML comments are ignored, because GitHub does not show them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ACTIONS = {"start", "pause", "resume", "stop"}
_FENCE = re.compile(r" {0,3}(```|~~~)")
_INDENTED = re.compile(r" {4}| {0,3}\t")
# An HTML block that begins like this ends with the line that contains ``-->`` (CommonMark, "HTML blocks").
_COMMENT = re.compile(r" {0,3}<!--")
_COMMENT_END = "-->"
_DURATION = re.compile(
    r"(?:(?P<hours>[0-9]{1,3}(?:\.[0-9]{1,3})?)\s*h)?\s*"
    r"(?:(?P<minutes>[0-9]{1,4}(?:\.[0-9]{1,3})?)\s*m)?",
    re.IGNORECASE,
)
MAX_LOG_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes
    ----------
    action
        ``start``, ``pause``, ``resume``, ``stop`` or ``log``.
    duration_ms
        The time to log; 0 for every other action.
    """

    action: str
    duration_ms: int = 0


def parse(body: str, prefix: str) -> tuple[list[Command], list[str]]:
    """Read the commands of a comment (Markdown).

    Parameters
    ----------
    prefix
        The first word of a command, such as ``/timer``.

    Returns
    -------
    tuple[list[Command], list[str]]
        The commands in their order, and a sentence about each invalid line that begins like a command.
    """
    commands: list[Command] = []
    mistakes: list[str] = []
    for line in _plain_lines(body):
        word, *rest = line.split(maxsplit=1) or [""]
        if word.lower() != prefix.lower():
            continue
        try:
            commands.append(_command(rest[0] if rest else ""))
        except ValueError as mistake:
            mistakes.append(str(mistake))
    return commands, mistakes


def _plain_lines(body: str) -> Iterator[str]:
    """Yield the lines outside of code blocks and HTML comments."""
    fence, is_comment = "", False
    for line in body.splitlines():
        if is_comment or (not fence and _COMMENT.match(line)):
            is_comment = _COMMENT_END not in line
        elif (mark := _FENCE.match(line)) and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        elif not fence and not _INDENTED.match(line):
            yield line


def _command(text: str) -> Command:
    action, *rest = text.split(maxsplit=1) or [""]
    action, argument = action.lower(), rest[0].strip() if rest else ""
    if action in _ACTIONS and not argument:
        return Command(action)
    if action == "log":
        return Command(action, _duration_ms(argument))
    raise ValueError("The commands are start, pause, resume, stop, and log with a duration such as 1h30m.")


def _duration_ms(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError("Write a duration as 1h30m, 45m or 1.5h.")
    duration_ms = round(float(match["hours"] or 0) * 3_600_000 + float(match["minutes"] or 0) * 60_000)
    if not 0 < duration_ms <= MAX_LOG_MS:
        raise ValueError("Log more than 0 and at most 24 hours in one command.")
    return duration_ms
