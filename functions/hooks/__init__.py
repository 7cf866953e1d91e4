"""The function that sends notifications to outgoing webhooks."""

from timer_core import startup

startup.begin()
