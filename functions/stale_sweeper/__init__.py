"""The sweeper, which a schedule invokes."""

from timer_core import startup

startup.begin()
