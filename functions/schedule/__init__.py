"""The API of working hours, exceptions and settings."""
