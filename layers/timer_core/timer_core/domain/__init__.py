"""Timers, issues and the rules between them; pure: time is passed in, nothing is read or written."""
