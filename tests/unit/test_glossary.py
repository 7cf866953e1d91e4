"""docs/glossary.md names identifiers that exist, and the code uses no former name."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/glossary.md").read_text()
# Code whose classes have GitHub's names, and therefore some of the product's, such as Issue.
OTHERS = ("tests/", "scripts/demo_github/", "scripts/fake_github/")
PYTHON = ("bench", "functions", "github_action", "layers", "scripts", "tests")

# Former names of concepts, and their present names. A former name that is also an ordinary word,
# such as "place", is listed only as the name of a class or private method.
FORMER = {
    "Door": "RequestGuard",
    "EventsMadeUpFor": "EventsBackfilled",
    "Intake": "EventHandler",
    "LeavingStore": "AccountDeletionStore",
    "Pauses": "CircuitBreaker",
    "Place": "slot, ListCheckpoint or OpenTimersCursor",
    "TIMER_SHAPE": "TIMER_SCHEMA_VERSION",
    "Taken": "Handled",
    "Whereabouts": "IssueLocation",
    "bring_in_line": "rederive",
    "crowd": "threads",
    "desk": "slot",
    "fact": "event",
    "heard_ms": "received_ms",
    "house": "app",
    "leaver": "pending deletion",
    "leaving_ms": "deletion_requested_ms",
    "made_up": "backfilled",
    "read_ms": "fetched_ms",
    "settled": "locked",
    "settled_ms": "locked_until_ms",
    "told_ms": "commented_ms",
    "vocabulary": "triggers",
    "#complain": "#showError",
    "#doubt": "#invalidate",
    "#hear": "#syncClock",
    "#look": "#onVisible",
    "#speak": "#localize",
    "#tell": "#broadcast",
}


def cells(column: int) -> list[str]:
    """Return the texts in backticks in one column of all tables."""
    rows = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    return [quoted for row in rows for quoted in re.findall(r"`([^`]+)`", row[column])]


def test_each_word_has_one_row() -> None:
    rows = [line.strip("| ").split(" | ")[0] for line in PAGE.splitlines() if line.startswith("| ")]
    words = [word for row in rows if row not in {"word", "---"} for word in row.split(", ")]
    assert sorted(words) == sorted(set(words))


@cache
def modules() -> dict[str, ast.Module]:
    """Map the path of each Python file to the parsed file."""
    paths = (path for folder in PYTHON for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in paths}


def names_in(tree: ast.AST) -> Iterator[str]:
    """Yield every identifier that a module defines or uses."""
    for node in ast.walk(tree):
        for field in ("name", "id", "attr", "arg"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield name


@cache
def python_names() -> dict[str, str]:
    """Return every identifier of the Python code, with a file that contains it."""
    return {name: path for path, tree in modules().items() for name in names_in(tree)}


@cache
def javascript_names() -> dict[str, str]:
    """Return every identifier of the JavaScript code, with a file that contains it."""
    names: dict[str, str] = {}
    for path in (ROOT / "web").rglob("*.js"):
        # Remove comments and strings.
        code = re.sub(
            r"""/\*.*?\*/|(?<!:)//[^\n]*|"[^"\n]*"|`[^`]*`""", "", path.read_text(), flags=re.DOTALL
        )
        names |= dict.fromkeys(re.findall(r"#?[A-Za-z_$][\w$]*", code), path.relative_to(ROOT).as_posix())
    return names


@cache
def members() -> dict[str, set[str]]:
    """Map the name of each class of the product's Python code to the identifiers in classes of this name."""
    found = defaultdict[str, set[str]](set)
    for path, tree in modules().items():
        for node in [] if path.startswith(OTHERS) else ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name] |= set(names_in(node))
    return found


@pytest.mark.parametrize("identifier", cells(2))
def test_every_identifier_of_the_glossary_exists(identifier: str) -> None:
    if "." in identifier:
        owner, member = identifier.split(".")
        assert member in members()[owner]
    else:
        # Some identifiers are not names in code, but stored values (such as `manual`) or resources of the
        # template.
        text = "".join((ROOT / file).read_text() for file in ("template.yaml", "docs/openapi.json"))
        known = identifier in python_names() or identifier in javascript_names()
        assert known or re.search(rf"\b{identifier}\b", text)


def test_every_api_word_of_the_glossary_exists() -> None:
    sources = [ROOT / "docs/openapi.json", *(ROOT / "functions").rglob("*.py")]
    sources += (ROOT / "layers/timer_core/timer_core").rglob("*.py")
    text = "".join(path.read_text() for path in sources)
    words = {re.sub(r"^[A-Z]+ |: .*", "", cell) for cell in cells(3)}
    assert {word for word in words if word.lower() not in text.lower()} == set()


def test_no_former_name_is_in_use() -> None:
    names = python_names() | javascript_names()
    words = {name for name in FORMER if name.islower()}
    former = FORMER.keys() | {word.upper() for word in words} | {word.capitalize() for word in words}
    found = {name: file for name, file in names.items() if name.strip("_") in former}
    assert found == {}
