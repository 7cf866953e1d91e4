"""What is served of a script does what the script does: nothing but comments and white space is left out."""

import re
from pathlib import Path

import pytest
import tree_sitter_javascript
from tree_sitter import Language, Parser

from deployed_stack.paths import ROOT
from deployed_stack.web import served

PARSER = Parser(Language(tree_sitter_javascript.language()))
# In them every character counts.
WHOLE = {"string", "template_string", "regex"}
# A browser's test compares what it says (tests/browser/test_widget_looks.py).
STYLE_SHEET = re.compile(rb"(?<=replaceSync\(`)[^`]*")
SCRIPTS = sorted((ROOT / "web").rglob("*.js"))


def tokens(script: bytes) -> list[bytes | None]:
    tree = PARSER.parse(script)
    assert not tree.root_node.has_error
    found, nodes = [], [tree.root_node]
    while nodes:
        node = nodes.pop()
        if node.type in WHOLE or not node.children:
            found.append(node.text)
        else:
            nodes += [child for child in reversed(node.children) if child.type != "comment"]
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_served_is_what_was_written(script: Path) -> None:
    before, after = (STYLE_SHEET.sub(b"", text) for text in (script.read_bytes(), served(script)))
    assert tokens(after) == tokens(before)
