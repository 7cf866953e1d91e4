"""What can go wrong in a way that the person at the terminal can put right."""


class ToolError(Exception):
    """A reason not to go on, worded for the terminal."""
