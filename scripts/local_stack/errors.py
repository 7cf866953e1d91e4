"""What can go wrong in a way that the person at the terminal can put right."""


class LocalStackError(Exception):
    """A reason not to go on, worded for the terminal."""
