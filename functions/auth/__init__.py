"""The sign-in with GitHub, and the routes of the caller's account."""

from timer_core import startup

startup.begin()
