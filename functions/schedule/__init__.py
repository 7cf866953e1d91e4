"""The API of working hours, exceptions and settings."""

from timer_core import startup

startup.begin()
