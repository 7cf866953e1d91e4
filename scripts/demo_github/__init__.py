"""The demo GitHub of `make run`: people sign in there without an account at GitHub."""

from demo_github.site import DemoSite, is_demo

__all__ = ["DemoSite", "is_demo"]
