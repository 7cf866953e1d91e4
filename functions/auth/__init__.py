"""Signing in with GitHub, and what people can do with their account."""
