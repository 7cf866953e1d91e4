"""Notifications as messages of Slack, and of chats that accept the same form."""

from collections.abc import Mapping
from typing import Any

# Slack's documentation, "Formatting text for app surfaces": only these characters have to be escaped.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# The vertical bar separates the address of a link from its text.
_IN_LINKS = str.maketrans({"|": "%7C", " ": "%20"})

_VERBS = {
    "timer.started": "started",
    "timer.paused": "paused",
    "timer.resumed": "resumed",
    "timer.stopped": "stopped",
    "timer.corrected": "corrected",
    "timer.deleted": "deleted the time on",
}


def message(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the message about a notification."""
    return {"text": _text(body)}


def _text(body: Mapping[str, Any]) -> str:
    if body["event"] == "ping":
        return "Issue Timer can send messages here."
    who = _escaped(body["person"]["login"])
    if body["event"] == "timesheet.confirmed":
        day = body["day"]
        return f"{who} confirmed {day['date']}: {_duration(day['working_duration'])}"
    timer = body["timer"]
    text = f"{who} {_VERBS[body['event']]} {_subject(timer)}"
    if timer["duration"] is None:
        return text
    return f"{text}: {_duration(timer['working_duration'])}"


def _subject(timer: Mapping[str, Any]) -> str:
    """Return a link to a timer's issue, or its description."""
    if timer["github_issue_url"] is None:
        return _escaped(timer["description"]) or "time without an issue"
    name = f"{timer['github_repo']}#{timer['github_issue_number']} {timer['github_issue_title'] or ''}"
    address = timer["github_issue_url"].translate(_ESCAPES).translate(_IN_LINKS)
    return f"<{address}|{_escaped(name)}>"


def _duration(seconds: float) -> str:
    """Return a duration in hours and minutes, as commands write it."""
    hours, minutes = divmod(int(seconds // 60), 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m"


def _escaped(text: str) -> str:
    # A line break would let a title look like a message of its own.
    return " ".join(text.split()).translate(_ESCAPES)
