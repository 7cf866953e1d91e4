"""A stack that is deployed, in AWS or in the local emulator, and what its operators do with it."""

from deployed_stack.stack import DeployedStack

__all__ = ["DeployedStack"]
