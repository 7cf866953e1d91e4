"""The API of reports."""

from timer_core import startup

startup.begin()
