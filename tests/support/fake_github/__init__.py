"""A fake GitHub, written from GitHub's documentation; the product connects to it over HTTP.

Start reading at `FakeGitHub`.
"""

from tests.support.fake_github import faults
from tests.support.fake_github.fake import FakeGitHub
from tests.support.fake_github.messages import Drop
from tests.support.fake_github.webhooks import Delivery

__all__ = ["Delivery", "Drop", "FakeGitHub", "faults"]
