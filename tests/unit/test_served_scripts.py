"""Served scripts lack comments, white space, and the last semicolons of blocks and commas of lists.

Bundles lack static imports, and have shorter private names. Nothing else is changed.
"""

import re
from pathlib import Path

import pytest
import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

from deployed_stack.javascript import BUNDLES
from deployed_stack.paths import ROOT
from deployed_stack.web import served

WEB = ROOT / "web"
PARSER = Parser(Language(tree_sitter_javascript.language()))
# These nodes are compared as a whole, because their white space matters.
WHOLE = {"string", "template_string", "regex"}
# The style sheet is not compared here; tests/browser/test_widget_looks.py compares its rules.
STYLE_SHEET = re.compile(rb"(?<=replaceSync\(`)[^`]*")
# A private name as a token, or in the expression of a template string.
PRIVATE_NAME = re.compile(rb"(?:\A|(?<=\.))#[A-Za-z_]\w*")
SCRIPTS = sorted(script for script in WEB.rglob("*.js") if script.name not in BUNDLES)


def statements(script: bytes) -> list[Node]:
    tree = PARSER.parse(STYLE_SHEET.sub(b"", script))
    assert not tree.root_node.has_error
    return [node for node in tree.root_node.children if node.type != "comment"]


def tokens(nodes: list[Node]) -> list[bytes | None]:
    found, remaining = [], nodes[::-1]
    while remaining:
        node = remaining.pop()
        if node.type in WHOLE or not node.children:
            found.append(node.text)
        else:
            remaining += [child for child in reversed(node.children) if child.type != "comment"]
    return found


def needed(tokens: list[bytes | None]) -> list[bytes | None]:
    """Return the tokens without the semicolons and commas before a bracket that have no meaning."""

    def is_spare(token: bytes | None, following: bytes | None) -> bool:
        return (token, following) in {(b";", b"}"), (b",", b"}"), (b",", b"]"), (b",", b")")}

    pairs = zip(tokens, [*tokens[1:], None], strict=True)
    return [token for token, following in pairs if not is_spare(token, following)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_served_script_has_all_needed_tokens_of_the_original(script: Path) -> None:
    assert tokens(statements(served(script))) == needed(tokens(statements(script.read_bytes())))


def imported(module: Path) -> list[Path]:
    """Return the modules that a module imports statically."""
    sources = [node.child_by_field_name("source") for node in statements(module.read_bytes())]
    names = [source.text.decode().strip('"') for source in sources if source and source.text]
    return [(module.parent / name).resolve() for name in names]


def modules(entry: Path) -> list[Path]:
    """Return a module and all its imports, in the order in which a browser evaluates them."""
    found: list[Path] = []

    def visit(module: Path) -> None:
        if module not in visited:
            visited.add(module)
            for other in imported(module):
                visit(other)
            found.append(module)

    visited: set[Path] = set()
    visit(entry)
    return found


def bundled_tokens(entry: Path, module: Path) -> list[bytes | None]:
    """Return the tokens of a module that a bundle should contain."""
    found: list[bytes | None] = []
    for node in statements(module.read_bytes()):
        if node.type == "import_statement":
            continue
        is_export = node.type == "export_statement"
        found += tokens([node])[1:] if is_export and module != entry else tokens([node])
    folder = module.parent.relative_to(WEB).as_posix()
    prefix = b"" if folder == "." else folder.encode() + b"/"
    return [
        token.replace(b'"./', b'"./' + prefix) if before == [b"import", b"("] and token else token
        for *before, token in zip([None, None, *found], [None, *found], found, strict=False)
    ]


def numbered(tokens: list[bytes | None]) -> list[bytes | None]:
    """Replace each private name with its position among the different private names of its class."""
    positions: dict[bytes, bytes] = {}

    def position(name: re.Match[bytes]) -> bytes:
        return positions.setdefault(name[0], b"#%d" % len(positions))

    found = []
    for token in tokens:
        if token == b"class":
            positions.clear()
        found.append(PRIVATE_NAME.sub(position, token) if token else token)
    return found


@pytest.mark.parametrize("name", sorted(BUNDLES))
def test_a_bundle_has_all_needed_tokens_of_its_modules(name: str) -> None:
    entry = WEB / name
    expected = [token for module in modules(entry) for token in bundled_tokens(entry, module)]
    assert numbered(tokens(statements(served(entry)))) == numbered(needed(expected))


@pytest.mark.parametrize("name", sorted(BUNDLES))
def test_the_modules_of_a_bundle_have_different_top_level_names(name: str) -> None:
    names = []
    for statement in statements(served(WEB / name)):
        declaration = statement.child_by_field_name("declaration") or statement
        parts = [part for part in declaration.children if part.type == "variable_declarator"] or [declaration]
        found = [part.child_by_field_name("name") for part in parts]
        names += [name.text for name in found if name and name.text]
    assert len(names) > 20
    assert sorted(names) == sorted(set(names))
