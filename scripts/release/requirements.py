"""Check that the lock files match requirements/*.in.

The check only reads files. `make requirements` resolves the versions with uv, for which it needs the network.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# The lock files of layers are where `sam build` expects them.
_LAYERS = {"layer": "timer_core", "background": "background", "holidays": "holidays", "reports": "reports"}
_SOURCE = re.compile(r"-r (?P<file>\S+)")
_EXCLUDED = re.compile(r"^# (?P<name>[a-z0-9-]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Pin:
    """A pinned version in a lock file.

    Attributes
    ----------
    sources
        The files of requirements/ that name the package, according to uv's comment "via".
    """

    requirement: Requirement
    sources: frozenset[str]
    has_hash: bool

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    def satisfies(self, source: str, wanted: Requirement) -> bool:
        """Whether the file ``source`` names this package, and the pin fulfils the file's requirement."""
        (version,) = (specifier.version for specifier in self.requirement.specifier)
        return (
            source in self.sources
            and self.name == canonicalize_name(wanted.name)
            and version in wanted.specifier
            and wanted.extras <= self.requirement.extras
        )


def check_requirements(root: Path) -> Iterator[str]:
    """Check that each requirements file has a lock file with hashes and exactly the packages it requires."""
    for wanted in sorted((root / "requirements").glob("*.in")):
        locked = _locked(wanted)
        if locked.exists():
            complaints = _compare(wanted, locked.read_text())
            yield from (
                f"{locked.relative_to(root)} {complaint}: make requirements" for complaint in complaints
            )
        else:
            yield f"{wanted.name} is not compiled: make requirements"


def _compare(path: Path, locked: str) -> Iterator[str]:
    pins = _pins(locked)
    # A comment at the end lists the packages that another layer contains and that are therefore not locked.
    excluded = set(_EXCLUDED.findall(locked))
    wanted = list(_wanted(path))
    for source, requirement in wanted:
        is_locked = any(pin.satisfies(source, requirement) for pin in pins)
        if not is_locked and canonicalize_name(requirement.name) not in excluded:
            yield f"does not have {requirement}"
    asked_for = {(file, canonicalize_name(requirement.name)) for file, requirement in wanted}
    constraints = {pin.name: pin for file in _named(path, "-c") for pin in _pins(file.read_text())}
    for pin in pins:
        for source in sorted(pin.sources):
            if (source, pin.name) not in asked_for:
                yield f"has {pin.name}, which {source} does not ask for"
        constraint = constraints.get(pin.name, pin)
        if pin.requirement.specifier != constraint.requirement.specifier:
            yield f"has {pin.requirement}, and its constraint is {constraint.requirement}"
        if not pin.has_hash:
            yield f"has no hash of {pin.name}"


def _pins(locked: str) -> list[_Pin]:
    """Read a lock file. Indented lines after each pin contain its hashes and the comment "via"."""
    entries = [entry for entry in re.split(r"\n(?=\S)", locked.strip()) if entry[:1] not in {"", "#"}]
    return [
        _Pin(
            Requirement(re.split(r" --hash=| \\|\n", entry)[0]),
            frozenset(_SOURCE.findall(entry)),
            "--hash=" in entry,
        )
        for entry in entries
    ]


def _wanted(path: Path) -> Iterator[tuple[str, Requirement]]:
    """Yield the requirements in a file and in the files that it includes, each with its file's name."""
    for line in path.read_text().splitlines():
        if line and line[0] not in "#-":
            yield path.name, Requirement(line)
    for included in _named(path, "-r"):
        yield from _wanted(included)


def _named(path: Path, option: str) -> Iterator[Path]:
    """Yield the files that a file names with `-r` (includes) or `-c` (constraints)."""
    for line in path.read_text().splitlines():
        if line.startswith(f"{option} "):
            yield path.parent / line.removeprefix(f"{option} ")


def _locked(wanted: Path) -> Path:
    if wanted.stem in _LAYERS:
        return wanted.parents[1] / "layers" / _LAYERS[wanted.stem] / "requirements.txt"
    return wanted.with_suffix(".txt")


if __name__ == "__main__":
    complaints = list(check_requirements(Path(__file__).parents[2]))
    print(*complaints, sep="\n", end="\n" if complaints else "")
    sys.exit(bool(complaints))
