"""Giving a stack what it asks GitHub with: an App of its own, or a person's token."""
