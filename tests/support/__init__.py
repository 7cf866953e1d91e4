"""Helpers that the tests share: back ends, the handlers in this process, and a fake GitHub."""
