"""A deployed stack, in AWS or in the local emulator, and its operators' actions."""

from deployed_stack.stack import DeployedStack

__all__ = ["DeployedStack"]
