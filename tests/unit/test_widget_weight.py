"""How much an embedding page loads, and how often it has to wait for something to load the next."""

import re
from collections.abc import Iterator
from pathlib import Path

import brotli

from deployed_stack.paths import ROOT
from deployed_stack.web import served

WIDGET = ROOT / "web/issue-timer.js"
MOST_BYTES = 12_288
# Not `import()`, which loads other languages for those who read them.
IMPORT = re.compile(r'^import (?:[^"]* from )?"([^"]+)"', re.MULTILINE)


def imports(module: Path) -> list[Path]:
    return [(module.parent / name).resolve() for name in IMPORT.findall(module.read_text())]


def loaded(module: Path) -> Iterator[Path]:
    """Yield everything that a module loads, itself included, each once."""
    found = [module.resolve()]
    for one in found:
        yield one
        found += [other for other in imports(one) if other not in found]


def test_an_embedding_page_loads_12_kb_at_most() -> None:
    sizes = {
        path.relative_to(ROOT).as_posix(): len(brotli.compress(served(path), quality=11))
        for path in loaded(WIDGET)
    }
    assert sum(sizes.values()) <= MOST_BYTES, sizes


def test_the_first_module_names_all_others_so_that_they_load_at_once() -> None:
    assert set(loaded(WIDGET)) == {WIDGET, *imports(WIDGET)}
