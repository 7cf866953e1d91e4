"""The demo GitHub of `make run`: the fake GitHub with pages for people (docs/demo.md)."""

from demo_github.github import is_demo
from demo_github.site import DemoSite

__all__ = ["DemoSite", "is_demo"]
