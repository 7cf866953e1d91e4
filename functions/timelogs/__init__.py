"""The REST API over timers."""
