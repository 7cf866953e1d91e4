"""A fake GitHub, written from GitHub's documentation; the product connects to it over HTTP.

Start reading at `FakeGitHub`.
"""

from fake_github import faults
from fake_github.fake import FakeGitHub
from fake_github.messages import Drop
from fake_github.webhooks import Delivery

__all__ = ["Delivery", "Drop", "FakeGitHub", "faults"]
