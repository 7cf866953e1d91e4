"""A GitHub for the tests: what it knows and does is made from GitHub's documentation.

The product speaks to it over HTTP and does not know. `FakeGitHub` is where to begin.
"""

from tests.support.fake_github import faults
from tests.support.fake_github.fake import FakeGitHub
from tests.support.fake_github.messages import Drop
from tests.support.fake_github.webhooks import Delivery

__all__ = ["Delivery", "Drop", "FakeGitHub", "faults"]
