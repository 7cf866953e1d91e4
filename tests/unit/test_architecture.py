"""docs/architecture.md and CONTRIBUTING.md agree with the product, and modules import only what they may."""

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynamodb.models import Model

from tests.support.table import table_properties
from tests.support.template import translated

ROOT = Path(__file__).parents[2]
FUNCTIONS, CORE = ROOT / "functions", ROOT / "layers/timer_core/timer_core"
PAGE = (ROOT / "docs/architecture.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def rows(first_heading: str) -> list[list[str]]:
    """Return the rows (lists of cells) of the table whose first column has this heading."""
    table = PAGE.split(f"\n| {first_heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


IMPORTS = {quoted(package)[0]: set(quoted(imports)) for package, imports, _ in rows("package")}
FUNCTION_FOLDERS = sorted(path.parent.name for path in FUNCTIONS.glob("*/__init__.py"))
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


# The defaults of the settings, the examples of the API, and the parsers, which accept addresses on github.com
# beside those on the configured GitHub.
MAY_NAME_GITHUB = {
    "layers/timer_core/timer_core/settings.py",
    "layers/timer_core/timer_core/api/models.py",
    "layers/timer_core/timer_core/domain/addresses.py",
    "web/widget/issue-link.js",
}
GITHUB_ADDRESS = re.compile(r"(?<![\w.])(www\.)?github\\*\.com")


def strings_of(path: Path) -> str:
    """Return the strings in a Python module except docstrings, or another file without lines of comments."""
    if path.suffix != ".py":
        return re.sub(r"/\*.*?\*/|^\s*//.*?$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    nodes = list(ast.walk(ast.parse(path.read_text())))
    texts = {one.value for one in nodes if isinstance(one, ast.Expr)}
    strings = [one for one in nodes if isinstance(one, ast.Constant) and one not in texts]
    return "\n".join(one.value for one in strings if isinstance(one.value, str))


def test_only_settings_examples_and_parsers_name_the_address_of_github() -> None:
    """A stack may be connected to another GitHub, so links are made from the setting ``github_url``."""
    files = [
        *(path for folder in ("layers", "functions") for path in (ROOT / folder).rglob("*.py")),
        *(path for kind in ("js", "html", "css", "ts") for path in (ROOT / "web").rglob(f"*.{kind}")),
    ]
    naming = {path.relative_to(ROOT).as_posix() for path in files if GITHUB_ADDRESS.search(strings_of(path))}
    assert naming == MAY_NAME_GITHUB


def test_every_package_is_on_the_page() -> None:
    packages = {path.parent.relative_to(CORE).as_posix() for path in modules(CORE)} - {"."}
    assert IMPORTS.keys() == packages


def path_of(name: str) -> Path:
    """Return the file or folder that a page names; pages omit the layer's folders from paths."""
    return (CORE.parent if name.startswith("timer_core/") else ROOT) / name


@pytest.mark.parametrize("page", [PAGE, CONTRIBUTING], ids=["architecture.md", "CONTRIBUTING.md"])
def test_every_path_in_the_text_exists(page: str) -> None:
    folders = "functions|layers|timer_core|tests|scripts|web|docs|requirements"
    names = re.findall(rf"`((?:{folders})(?:/[\w.-]+)*/?)`", page)
    assert names
    # The tables name modules without their suffix.
    missing = [name for name in names if not path_of(name).exists() and not path_of(f"{name}.py").exists()]
    assert missing == []


def test_every_identifier_in_contributing_is_defined_in_the_module_named_after_it() -> None:
    named = re.findall(r"`(\w+)` \(`([\w/]+\.py)`\)", CONTRIBUTING)
    assert ("EFFECTS", "timer_core/domain/events.py") in named
    for name, path in named:
        assert name in definitions(path_of(path)), f"{name} in {path}"


def test_a_module_defines_each_name_once() -> None:
    """Linters report a second function or class of a name, but not a second constant."""
    for folder in ("layers", "functions", "scripts", "bench", "github_action", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            repeated = {name for name, count in Counter(definitions(path)).items() if count > 1}
            assert not repeated, path


def definitions(path: Path) -> Iterator[str]:
    """Yield the names that a module defines."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a module imports, including imports within functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in {"timer_core", "aws_lambda_powertools"}:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
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
                assert name.split(".")[0] not in FUNCTION_FOLDERS, path


@pytest.mark.parametrize("folder", FUNCTION_FOLDERS)
def test_a_function_imports_no_other_function(folder: str) -> None:
    for path in modules(FUNCTIONS / folder):
        assert not {name.split(".")[0] for name in imported(path)} & {*FUNCTION_FOLDERS} - {folder}, path


def test_domain_and_services_import_no_aws_library_except_the_services_logger() -> None:
    libraries = ("boto3", "botocore", "aws_lambda_powertools")
    for package, allowed in {"domain": set[str](), "services": {"aws_lambda_powertools.Logger"}}.items():
        for path in modules(CORE / package):
            found = {name for name in imported(path) if name.split(".")[0] in libraries}
            assert found <= allowed, path


def test_the_webhooks_package_imports_no_package_that_slows_down_cold_starts() -> None:
    for path in (CORE / "github/webhooks").glob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & {"boto3", "pydantic", "pynamodb"}


def items() -> set[str]:
    for name in sources():
        importlib.import_module(f"timer_core.store.{name}")
    return {
        model.__name__ for model in Model.__subclasses__() if model.__module__.startswith("timer_core.store")
    }


def test_the_settings_alone_read_the_functions_environment_variables() -> None:
    """Two readers of a variable could differ in its default."""
    functions = translated().of_type("AWS::Lambda::Function").values()
    variables = {name for function in functions for name in function["Environment"]["Variables"]}
    readers = Counter(
        (node.value, path.stem)
        for path in (*modules(CORE), *modules(FUNCTIONS))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in variables
    )
    # Powertools reads its own variables.
    own = {name for name in variables if not name.startswith("POWERTOOLS_")}
    assert readers == Counter((name, "settings") for name in own)


def test_every_item_is_in_the_table() -> None:
    assert sorted(quoted(row[0])[0] for row in rows("item")) == sorted(items())


def key_texts() -> set[str]:
    """Return all strings in the store's code except docstrings; all keys and key prefixes are among them."""
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
    assert {key for key in keys if key not in texts} == set()
    # "open#" is the prefix of an index's shard keys, not of items' keys.
    assert {text for text in texts if re.fullmatch(r"[a-z-]+#", text)} - keys == {"open#"}


def test_every_index_of_the_template_is_in_the_table_with_its_keys() -> None:
    table = table_properties()
    indexes = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in [*table["LocalSecondaryIndexes"], *table["GlobalSecondaryIndexes"]]
    }
    assert {quoted(name)[0]: quoted(keys) for name, keys, _ in rows("index")} == indexes
