"""The marks in our own comments, which are not shown: an HTML comment as the last line."""

_BEGIN = "<!-- issue-timer "


def mark_of(name: str) -> str:
    """Return the mark of a comment, given its name among our comments on the issue."""
    return f"{_BEGIN}{name} -->"


def is_marked(body: str) -> bool:
    """Whether a comment ends with one of our marks, which others can copy."""
    return body.rstrip().rpartition("\n")[2].startswith(_BEGIN)
