"""docs/architecture.md agrees with the modules, imports, items and indexes of the product."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynamodb.models import Model

from tests.support.table import table_properties

ROOT = Path(__file__).parents[2]
FUNCTIONS, CORE = ROOT / "functions", ROOT / "layers/timer_core/timer_core"
PAGE = (ROOT / "docs/architecture.md").read_text()


def rows(first_heading: str) -> list[list[str]]:
    """Return the rows, as lists of cells, of the page's table whose first column has this heading."""
    table = PAGE.split(f"\n| {first_heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


IMPORTS = {quoted(package)[0]: set(quoted(imports)) for package, imports, _ in rows("package")}
MODULES = {path.stem for path in CORE.glob("*.py")} - {"__init__"}


def modules(root: Path) -> list[Path]:
    return [path for path in root.rglob("*.py") if path.name != "__init__.py"]


def sources() -> dict[str, str]:
    """Return the text of each module of the store."""
    return {path.stem: path.read_text() for path in modules(CORE / "store")}


def test_every_module_is_on_the_page_and_every_module_on_the_page_exists() -> None:
    existing = [f"timer_core/{path.relative_to(CORE).with_suffix('').as_posix()}" for path in modules(CORE)]
    existing += [path.relative_to(FUNCTIONS).with_suffix("").as_posix() for path in modules(FUNCTIONS)]
    assert sorted(quoted(row[0])[0] for row in rows("module")) == sorted(existing)


def test_every_package_is_on_the_page() -> None:
    packages = {path.parent.relative_to(CORE).as_posix() for path in modules(CORE)} - {"."}
    assert IMPORTS.keys() == packages


def test_every_path_in_the_text_exists() -> None:
    for path in re.findall(r"`((?:functions|layers|timer_core|tests)/[\w/]+(?:\.py|/))`", PAGE):
        assert (ROOT / path).exists() or (CORE.parent / path).exists(), path


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a module imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "timer_core":
            yield from (f"timer_core.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def package_of(name: str) -> str:
    """Return the package that contains a module of timer_core, or the name of a module outside packages."""
    parts = name.split(".")[1:]
    return next((found for found in ("/".join(parts[:2]), parts[0]) if found in IMPORTS), parts[0])


@pytest.mark.parametrize("package", IMPORTS)
def test_a_package_imports_only_the_packages_that_the_page_names(package: str) -> None:
    row = next(row for row in rows("package") if quoted(row[0]) == [package])
    allowed = {package, *IMPORTS[package], *(MODULES if "the modules" in row[1] else ())}
    for path in (CORE / package).glob("*.py"):
        for name in imported(path):
            if name.startswith("timer_core."):
                assert package_of(name) in allowed, f"{path.name} imports {name}"
            else:
                assert name.split(".")[0] not in {"timelogs", "auth", "webhook", "stale_sweeper"}, path


def test_the_webhooks_package_imports_no_package_that_slows_down_cold_starts() -> None:
    for path in (CORE / "github/webhooks").glob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & {"boto3", "pydantic", "pynamodb"}


def items() -> set[str]:
    for name in sources():
        importlib.import_module(f"timer_core.store.{name}")
    return {
        model.__name__ for model in Model.__subclasses__() if model.__module__.startswith("timer_core.store")
    }


def test_every_item_is_in_the_table() -> None:
    assert sorted(quoted(row[0])[0] for row in rows("item")) == sorted(items())


def key_texts() -> set[str]:
    """Return every string in the store's code except docstrings; these include all keys and key prefixes."""
    texts = set()
    for source in sources().values():
        tree = ast.parse(source)
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            if isinstance(node.body[0], ast.Expr)
        }
        texts |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        }
    return texts


def test_the_keys_on_the_page_are_those_of_the_code() -> None:
    keys = {key.partition("<")[0] for row in rows("item") for cell in row[1:3] for key in quoted(cell)}
    texts = key_texts()
    assert {key for key in keys if key not in texts and key.rstrip("#") not in texts} == set()
    # "open#" is the prefix of an index's shard keys, not of items' keys.
    assert {text for text in texts if re.fullmatch(r"[a-z-]+#", text)} - keys == {"open#"}


def test_every_index_of_the_template_is_in_the_table_with_its_keys() -> None:
    table = table_properties()
    indexes = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in [*table["LocalSecondaryIndexes"], *table["GlobalSecondaryIndexes"]]
    }
    assert {quoted(name)[0]: quoted(keys) for name, keys, _ in rows("index")} == indexes
