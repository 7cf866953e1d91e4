"""The REST API over timers."""

from timer_core import startup

startup.begin()
