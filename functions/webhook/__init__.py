"""Receive, queue and process GitHub's deliveries."""

from timer_core import startup

startup.begin()
