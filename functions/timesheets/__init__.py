"""The function that stores days of working time."""

from timer_core import startup

startup.begin()
