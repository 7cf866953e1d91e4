"""The function that writes the total time of issues to GitHub."""

from timer_core import startup

startup.begin()
