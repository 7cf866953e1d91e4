"""Live connections of people's open pages."""

from timer_core import startup

startup.begin()
