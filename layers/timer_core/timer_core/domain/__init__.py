"""Timers, issues and their rules. Nothing is read or written, and callers pass the current time."""
