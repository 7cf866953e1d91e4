"""The function that stores days of working time."""
