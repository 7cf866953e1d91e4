"""The size and number of the scripts that an embedding page loads."""

import re

import brotli

from deployed_stack.paths import ROOT
from deployed_stack.web import served

WIDGET = ROOT / "web/issue-timer.js"
MAX_BYTES = 13_600
# This pattern matches only static imports. `import()` loads other modules when they are needed.
IMPORT = re.compile(rb"\bimport\b(?!\(|\.)")


def test_an_embedding_page_loads_13600_bytes_at_most() -> None:
    assert len(brotli.compress(served(WIDGET), quality=11)) <= MAX_BYTES


def test_an_embedding_page_loads_one_script() -> None:
    assert not IMPORT.search(served(WIDGET))


def test_the_connection_is_one_more_script() -> None:
    assert not IMPORT.search(served(ROOT / "web/widget/live.js"))
