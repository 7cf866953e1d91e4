"""Commands in comments: ``/timer start``, ``pause``, ``resume``, ``stop``, ``log 1h30m``, ``estimate 4h``.

A CommonMark parser decides which lines of a comment are text, because code, quotations and HTML comments only
mention commands, or are not shown at all. The parser is imported when a comment contains the prefix: most
comments do not, and the receiver starts faster without it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from timer_core.domain.durations import InvalidDuration, duration_ms, duration_text
from timer_core.domain.issue_details import MAX_ESTIMATE_MS

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_ACTIONS = {"start", "pause", "resume", "stop"}
# The estimate that takes an estimate back.
_NONE = "none"
MAX_COMMANDS = 10
MAX_LOG_MS = 24 * 3_600_000
# The parser reads a line once for each level of lists and quotations that may contain it, so the limit bounds
# its time. A list has two levels. Text in deeper lists is not read.
_MAX_NESTING = 12
# Stands for text that is shown as code or as a quotation.
_NOT_TEXT = "\N{OBJECT REPLACEMENT CHARACTER}"
_HTML = re.compile(r"(?P<comment><!--)|<(?P<end>/?)(?P<element>pre|code|blockquote)(?![\w-])", re.IGNORECASE)
_COMMENT_END = "-->"
# The first characters of all blocks that end a quotation, which saves trying their rules on every line.
_BEGINS_BLOCK = frozenset("`~-+*_#<0123456789")


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes
    ----------
    action
        ``start``, ``pause``, ``resume``, ``stop``, ``log`` or ``estimate``.
    duration_ms
        The time to log, or the estimate; 0 if it is taken back, and for every other action.
    """

    action: str
    duration_ms: int = 0

    def __str__(self) -> str:
        if self.action == "estimate" and not self.duration_ms:
            return f"{self.action} {_NONE}"
        return f"{self.action} {duration_text(self.duration_ms)}" if self.duration_ms else self.action


def parse(body: str, prefix: str) -> tuple[list[Command], list[str]]:
    """Read the commands of a comment (Markdown).

    Parameters
    ----------
    prefix
        The first word of a command, such as ``/timer``.

    Returns
    -------
    tuple[list[Command], list[str]]
        The first commands in their order, at most `MAX_COMMANDS`; and sentences about lines that begin like
        a command and are not carried out, also at most `MAX_COMMANDS` and one.
    """
    if prefix.lower() not in body.lower():
        return [], []
    commands: list[Command] = []
    mistakes: list[str] = []
    for line in _lines_of_text(body):
        word, *rest = line.split(maxsplit=1) or [""]
        if word.lower() != prefix.lower():
            continue
        try:
            commands.append(_command(rest[0] if rest else ""))
        except ValueError as mistake:
            mistakes.append(str(mistake))
    mistakes = list(dict.fromkeys(mistakes))[:MAX_COMMANDS]
    if further := commands[MAX_COMMANDS:]:
        mistakes.append(_not_done(further, prefix))
    return commands[:MAX_COMMANDS], mistakes


def _not_done(commands: Sequence[Command], prefix: str) -> str:
    named = ", ".join(f"`{prefix} {command}`" for command in commands[:MAX_COMMANDS])
    unnamed = len(commands) - MAX_COMMANDS
    more = f" and {unnamed} more" if unnamed > 0 else ""
    return f"Only the first {MAX_COMMANDS} commands of a comment are carried out. Not done: {named}{more}."


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    # The rules of CommonMark for blocks, and the table of GitHub's dialect (GFM). Of the inline rules, only
    # those that decide what is text; emphasis, links and entities do not.
    blocks = ["blockquote", "code", "fence", "heading", "hr", "html_block", "lheading", "list", "reference"]
    inline = ["autolink", "backticks", "escape", "html_inline", "newline"]
    parser = MarkdownIt("zero", {"html": True, "maxNesting": _MAX_NESTING})
    parser.inline.ruler.before("html_inline", "html_comment", _html_comment)
    parser.block.ruler.at("blockquote", _quotation, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    return parser.enable([*blocks, "table", *inline]).disable("text_join")


def _quotation(state: "StateBlock", start: int, end: int, silent: bool) -> bool:
    """Read a quotation with the parser's own rule, in linear time.

    That rule visits all lines until the next empty one, even if the quotation ends after the first. Therefore
    the rule gets few lines at first, and more only if the quotation continues behind them.
    """
    from markdown_it.rules_block import blockquote

    if silent or not _is_quoted(state, start):
        return blockquote(state, start, end, silent)
    before = len(state.tokens)
    changes = 1
    while True:
        limit = _before_quoted_line(state, start, end, changes)
        if not blockquote(state, start, limit, silent):
            return False
        if limit == end or state.line < limit:
            return True
        del state.tokens[before:]
        state.line = start
        # Quotations may be nested. With a factor of 2, each level would double the time.
        changes *= 16


def _before_quoted_line(state: "StateBlock", start: int, end: int, changes: int) -> int:
    """Return the line of the nth change from lines without ``>`` to lines with it.

    Return ``end`` if there are fewer changes before a line that ends the quotation.
    """
    ending_rules = state.md.block.ruler.getRules("blockquote")
    was_quoted = True
    for line in range(start, end):
        is_quoted = _is_quoted(state, line)
        if is_quoted and not was_quoted:
            changes -= 1
            if not changes:
                return line
        elif state.isEmpty(line) or (
            _first_character(state, line) in _BEGINS_BLOCK
            and any(rule(state, line, end, True) for rule in ending_rules)
        ):
            return end
        was_quoted = is_quoted
    return end


def _is_quoted(state: "StateBlock", line: int) -> bool:
    return _first_character(state, line) == ">"


def _first_character(state: "StateBlock", line: int) -> str:
    first = state.bMarks[line] + state.tShift[line]
    return state.src[first : first + 1]


def _html_comment(state: "StateInline", silent: bool) -> bool:
    """Read an HTML comment within a line (CommonMark 0.31, "HTML comment").

    The parser's own rule does not end a comment with ``--->``, and its time is quadratic for such comments.
    """
    opening = state.pos
    if not state.src.startswith("<!--", opening) or state.html_terminator_last(_COMMENT_END) < opening + 2:
        return False
    state.pos = state.src.index(_COMMENT_END, opening + 2) + len(_COMMENT_END)
    if not silent:
        state.push("html_inline", "", 0).content = state.src[opening : state.pos]
    return True


def _lines_of_text(body: str) -> Iterator[str]:
    """Yield the lines that GitHub shows as text outside of code and quotations.

    A line that continues the text of a list's item is a line, but the line with the item's marker is not.
    """
    # Without the line break, the parser reads beyond a text that ends with HTML in a list in a quotation.
    tokens = _markdown().parse(f"{body}\n")
    html = _HtmlElements()
    quotes = 0
    for index, token in enumerate(tokens):
        if token.tag == "blockquote":
            quotes += token.nesting
        if token.type in {"blockquote_open", "list_item_open"}:
            html.enter()
        elif token.type in {"blockquote_close", "list_item_close"}:
            html.leave()
        elif token.type == "html_block":
            html.read(token.content)
        elif token.type == "inline":
            opening = tokens[index - 1]
            lines = list(_lines_of_inline(token.children or (), html))
            is_shown_as_lines = opening.type == "paragraph_open" or opening.markup in {"=", "-"}
            if quotes or not is_shown_as_lines:
                continue
            has_marker = index > 1 and tokens[index - 2].type == "list_item_open"
            yield from lines[1:] if has_marker else lines


def _lines_of_inline(children: Sequence["Token"], html: "_HtmlElements") -> Iterator[str]:
    line: list[str] = []
    for child in children:
        if child.type in {"softbreak", "hardbreak"}:
            yield "".join(line)
            line = []
        elif child.type == "html_inline":
            html.read(child.content)
            line.append("" if child.content.startswith("<!--") else child.content)
        elif child.type == "code_inline" or not html.is_text:
            line.append(_NOT_TEXT)
        else:
            # An escaped character is not part of a command: "\/timer" shows how to write one.
            line.append(child.markup if child.type == "text_special" else child.content)
    yield "".join(line)


class _HtmlElements:
    """The open HTML elements whose contents are code or a quotation, and whether an HTML comment is open."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._is_comment = False
        self._outer: list[Counter[str]] = []

    @property
    def is_text(self) -> bool:
        return not self._is_comment and not self._open.total()

    def enter(self) -> None:
        """Enter a quotation or a list's item."""
        self._outer.append(self._open.copy())

    def leave(self) -> None:
        """Leave a quotation or a list's item.

        Its end also ends the elements in it; only ``<code>`` is opened again ("the list of active formatting
        elements" in the HTML standard).
        """
        self._open = self._outer.pop() | Counter(code=self._open["code"])

    def read(self, html: str) -> None:
        """Read the next piece of HTML of the document."""
        position = 0
        while True:
            if self._is_comment:
                position = html.find(_COMMENT_END, position)
                if position < 0:
                    return
                self._is_comment = False
            found = _HTML.search(html, position)
            if found is None:
                return
            position = found.end()
            if found["comment"]:
                self._is_comment = True
                # A comment can end with the hyphens that begin it (HTML, "Comments").
                position -= 2
            else:
                element = found["element"].lower()
                self._open[element] = max(0, self._open[element] + (-1 if found["end"] else 1))


def _command(text: str) -> Command:
    action, *rest = text.split(maxsplit=1) or [""]
    action, argument = action.lower(), rest[0].strip() if rest else ""
    if action in _ACTIONS and not argument:
        return Command(action)
    if action == "log":
        length_ms = _length_ms(argument, "logged")
        if not 0 < length_ms <= MAX_LOG_MS:
            raise ValueError("Log more than 0 and at most 24 hours in one command.")
        return Command(action, length_ms)
    if action == "estimate":
        return Command(action, 0 if argument.lower() == _NONE else _estimate_ms(argument))
    raise ValueError(
        "The commands are start, pause, resume, stop, and log or estimate with a duration such as 1h30m."
    )


def _estimate_ms(text: str) -> int:
    length_ms = _length_ms(text, "estimated")
    if not 0 < length_ms <= MAX_ESTIMATE_MS:
        hours = MAX_ESTIMATE_MS // 3_600_000
        raise ValueError(f"Estimate more than 0 and at most {hours:,} hours, or `{_NONE}` to take it back.")
    return length_ms


def _length_ms(text: str, done: str) -> int:
    try:
        return duration_ms(text)
    except InvalidDuration as invalid:
        if not invalid.meanings:
            raise ValueError("Write a duration as 1:30, 1h30m, 90m or 1.5h.") from None
        # Only digits, separators and letters of units are ambiguous, so the text cannot contain Markdown.
        meanings = " or ".join(f"`{meaning}`" for meaning in invalid.meanings)
        raise ValueError(f"Does `{text}` mean {meanings}? Nothing was {done}; write it that way.") from None
