"""Signing in with GitHub, and the routes of one's own account."""
