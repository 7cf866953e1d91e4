"""Timers, issues and their rules. The functions are pure: they neither read nor write anything."""
