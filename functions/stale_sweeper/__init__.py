"""Ends the timers that were forgotten."""
