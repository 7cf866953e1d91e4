"""`make lint` reports lock files that do not match requirements/*.in."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.requirements import check_requirements

ROOT = Path(__file__).parents[2]


def pin(text: str, *sources: str, digest: str = "--hash=sha256:0") -> str:
    """Return an entry of a lock file, as uv writes it."""
    via = "".join(f"\n    #   -r {source}" for source in sources) or " something"
    return f"{text} \\\n    {digest}\n    # via{via}\n"


def write(root: Path, **files: str) -> None:
    (root / "layers" / "timer_core").mkdir(parents=True)
    (root / "requirements").mkdir()
    for name, text in files.items():
        if name == "layer_txt":
            (root / "layers" / "timer_core" / "requirements.txt").write_text(text)
        else:
            (root / "requirements" / name.replace("_", ".")).write_text(text)


def test_the_lock_files_of_this_tree_are_up_to_date() -> None:
    assert list(check_requirements(ROOT)) == []


def test_each_package_that_the_tools_import_is_required_directly() -> None:
    requirements = [
        Requirement(line)
        for path in (ROOT / "requirements").glob("*.in")
        for line in path.read_text().splitlines()
        if line and not line.startswith(("#", "-"))
    ]
    wanted: set[str] = {canonicalize_name(one.name) for one in requirements}
    # The stubs of each service are a package of their own, which an extra names.
    wanted |= {
        f"mypy-boto3-{extra}" for one in requirements if one.name == "boto3-stubs" for extra in one.extras
    }
    # MiniStack has an environment of its own.
    own = {"ministack", "timer_core"}
    own |= {path.stem for folder in (ROOT / "scripts", ROOT / "functions", ROOT) for path in folder.iterdir()}
    imported = {name for path in (ROOT / "scripts").rglob("*.py") for name in imports(path)}
    providers = packages_distributions()
    missing = {
        name
        for name in imported - own - sys.stdlib_module_names
        if not wanted & {canonicalize_name(package) for package in providers.get(name, [])}
    }
    assert {"yaml", "httpcore", "starlette"} <= imported
    assert missing == set()


def imports(path: Path) -> set[str]:
    """Return the top-level packages that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize(
    ("wanted", "locked", "complaint"),
    [
        ("pydantic", pin("pydantic==2.1", "layer.in") + pin("typing-extensions==4"), None),
        ("pydantic", "# by uv\n" + pin("pydantic==2.1 ; python_version < '4'", "layer.in"), None),
        ("# why\nmoto[sqs]\n", pin("moto[sqs, ssm]==5", "layer.in"), None),
        ("Python_ULID", pin("python-ulid==2", "layer.in"), None),
        ("boto3", "# The following packages were excluded from the output:\n# boto3", None),
        ("pydantic\nboto3", pin("pydantic==2.1", "layer.in"), "does not have boto3"),
        ("pydantic==2.2", pin("pydantic==2.1", "layer.in"), "does not have pydantic==2.2"),
        ("pydantic>=3", pin("pydantic==2.1", "layer.in"), "does not have pydantic>=3"),
        ("moto[sqs]", pin("moto==5", "layer.in"), "does not have moto[sqs]"),
        ("a", pin("a==1", "layer.in") + pin("b==1", "layer.in"), "has b, which layer.in does not ask for"),
        ("a", pin("a==1", "layer.in", digest=""), "has no hash of a"),
        ("a", pin("a==1", "layer.in") + pin("b==1", digest=""), "has no hash of b"),
    ],
)
def test_a_lock_file_is_compared_with_its_source(
    tmp_path: Path, wanted: str, locked: str, complaint: str | None
) -> None:
    write(tmp_path, layer_in=wanted, layer_txt=locked)
    found = [f"layers/timer_core/requirements.txt {complaint}: make requirements"] if complaint else []
    assert list(check_requirements(tmp_path)) == found


def test_a_package_that_is_pinned_only_as_a_dependency_is_reported(tmp_path: Path) -> None:
    write(tmp_path, layer_in="a\nb", layer_txt=pin("a==1", "layer.in") + pin("b==1"))
    assert list(check_requirements(tmp_path)) == [
        "layers/timer_core/requirements.txt does not have b: make requirements"
    ]


def test_a_file_that_is_not_compiled_is_reported(tmp_path: Path) -> None:
    write(tmp_path, tool_in="a")
    assert list(check_requirements(tmp_path)) == ["tool.in is not compiled: make requirements"]


def test_packages_of_included_files_are_required_too(tmp_path: Path) -> None:
    layer = pin("a==1", "layer.in")
    write(tmp_path, layer_in="a", layer_txt=layer, dev_in="-r layer.in\nb", dev_txt=pin("b==1", "dev.in"))
    assert list(check_requirements(tmp_path)) == ["requirements/dev.txt does not have a: make requirements"]


def test_a_pin_that_differs_from_its_constraint_is_reported(tmp_path: Path) -> None:
    write(
        tmp_path,
        layer_in="a",
        layer_txt=pin("a==1", "layer.in"),
        dev_in="-c ../layers/timer_core/requirements.txt\nb",
        dev_txt=pin("a==2") + pin("b==1", "dev.in"),
    )
    assert list(check_requirements(tmp_path)) == [
        "requirements/dev.txt has a==2, and its constraint is a==1: make requirements"
    ]
