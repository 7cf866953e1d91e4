"""The process of MiniStack, run by the interpreter of MiniStack's own environment."""
