"""Errors that the person at the terminal can fix."""


class ToolError(Exception):
    """The tool cannot continue; the message is for the terminal."""
