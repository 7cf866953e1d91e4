"""The checks of a release. Each yields its complaints as sentences."""

import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from release.openapi_changes import breaking_changes
from release.openapi_document import openapi_document
from release.template_changes import upgrade_traps
from release.translation import translate

_RELEASE = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>.*))?$", re.MULTILINE)
# https://semver.org. A release has no suffix; between releases the version is the next one with ".dev0".
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<text>.*?) *$", re.MULTILINE)
_TARGET = re.compile(r"^(?P<name>[a-z][a-z0-9-]*):", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_MAKE = re.compile(r"(?:^|[\s`(;])make (?P<words>(?:[A-Z_]+=\S+ )*[a-z][a-z0-9-]*)")


@dataclass(frozen=True, slots=True)
class Release:
    """A section of the changelog."""

    version: str
    date: str | None
    text: str


def changelog(root: Path) -> list[Release]:
    """Return the sections of CHANGELOG.md, newest first, including `[Unreleased]`."""
    text = (root / "CHANGELOG.md").read_text()
    found = list(_RELEASE.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [
        Release(match["version"], match["date"], text[match.end() : end].strip())
        for match, end in zip(found, ends, strict=True)
    ]


def check_tree(root: Path) -> Iterator[str]:
    """Check that everything is committed."""
    changed = _git(root, "status", "--porcelain").splitlines()
    if changed:
        yield f"{len(changed)} files are not committed, among them {changed[0][3:]}."


def check_versions(root: Path) -> Iterator[str]:
    """Check that all files name the same version."""
    core = root / "layers" / "timer_core"
    init = (core / "timer_core" / "__init__.py").read_text()
    named = re.search(r'^__version__ = "(.*)"$', init, re.MULTILINE)
    template = yaml.load((root / "template.yaml").read_text(), Loader=_TemplateLoader)  # noqa: S506
    found = {
        "pyproject.toml": _version(root),
        "layers/timer_core/pyproject.toml": _toml(core / "pyproject.toml")["project"]["version"],
        "timer_core.__version__": named[1] if named else None,
        "template.yaml (Metadata)": template.get("Metadata", {}).get("IssueTimer", {}).get("Version"),
        "docs/openapi.json": json.loads((root / "docs" / "openapi.json").read_text())["info"]["version"],
    }
    if len(set(found.values())) > 1:
        yield "The versions differ: " + ", ".join(f"{place} {version}" for place, version in found.items())


def check_release(root: Path) -> Iterator[str]:
    """Compare the version with the newest release in the changelog."""
    version = _version(root)
    newest = next(iter(_released(root)), None)
    if not _VERSION.fullmatch(version):
        yield f"{version} is not the version of a release, such as 1.2.3."
    elif newest is None:
        yield f"CHANGELOG.md: there is no section for {version}."
    elif newest.version != version:
        yield f"The version is {version}, and the newest release in CHANGELOG.md is {newest.version}."


def check_changelog(root: Path, today: date) -> Iterator[str]:
    """Check that sections are in order, dated and not empty, and that [Unreleased] is empty."""
    unreleased, *releases = changelog(root)
    if unreleased.version != "Unreleased":
        yield "CHANGELOG.md: the first section is not [Unreleased]."
        return
    if unreleased.text:
        yield "CHANGELOG.md: the entries under [Unreleased] belong under a version."
    for release in releases:
        if not re.search(r"^- .", release.text, re.MULTILINE):
            yield f"CHANGELOG.md: {release.version} has no entries."
        try:
            if date.fromisoformat(release.date or "") > today:
                yield f"CHANGELOG.md: {release.version} is dated in the future."
        except ValueError:
            yield f"CHANGELOG.md: {release.version} has no date of the form 2026-12-31."
    for newer, older in pairwise(releases):
        if _number(newer.version) <= _number(older.version):
            yield f"CHANGELOG.md: {newer.version} does not come after {older.version}."


def check_openapi(root: Path) -> Iterator[str]:
    """Check that docs/openapi.json matches the routes, and that only a new major version breaks clients."""
    written = (root / "docs" / "openapi.json").read_text()
    if openapi_document() != written:
        yield "docs/openapi.json does not match the routes: make openapi"
    former, before = _former_release(root, "docs/openapi.json")
    if former and before is None:
        yield f"There is no tag v{former} to compare docs/openapi.json with."
    elif before is not None and not _is_major(root):
        for change in breaking_changes(json.loads(before), json.loads(written)):
            yield f"Since {former}, and not allowed in {_released(root)[0].version}: {change}"


def check_template(root: Path) -> Iterator[str]:
    """Check that a stack of the former release can be upgraded, unless the major version changes."""
    former, before = _former_release(root, "template.yaml")
    if former and before is None:
        yield f"There is no tag v{former} to compare template.yaml with."
    elif before is not None and not _is_major(root):
        present = (root / "template.yaml").read_text()
        for trap in upgrade_traps(translate(before), translate(present)):
            yield f"template.yaml, since {former}: {trap}"


def check_licence(root: Path) -> Iterator[str]:
    """Check that LICENSE contains the licence that pyproject.toml names."""
    named = _toml(root / "pyproject.toml")["project"]["license"]
    licence = root / "LICENSE"
    if named != "Apache-2.0":
        yield f"pyproject.toml names the licence {named}."
    if not licence.exists() or "Apache License\n" not in licence.read_text():
        yield "LICENSE is not the Apache License."


def check_docs(root: Path) -> Iterator[str]:
    """Check that the links in Markdown files have targets, and that their `make` commands exist."""
    targets = {match["name"] for match in _TARGET.finditer((root / "Makefile").read_text())}
    for path in _documents(root):
        name, text = path.relative_to(root), path.read_text()
        for code in _CODE.finditer(text):
            for match in _MAKE.finditer(code[0]):
                command = match["words"].split()[-1]
                if command not in targets:
                    yield f"{name}: there is no `make {command}`."
        for link in _LINK.finditer(_CODE.sub("", text)):
            target, _, anchor = link["target"].partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            page = (path.parent / target) if target else path
            if not page.exists():
                yield f"{name}: the link to {target} leads nowhere."
            elif anchor and page.suffix == ".md" and anchor not in _anchors(page):
                yield f"{name}: the link to {link['target']} leads to no heading."


def checks(root: Path, today: date) -> dict[str, Callable[[], Iterator[str]]]:
    """Return all checks by subject."""
    return {
        "the working tree": lambda: check_tree(root),
        "the versions": lambda: check_versions(root),
        "the release": lambda: check_release(root),
        "the changelog": lambda: check_changelog(root, today),
        "the API": lambda: check_openapi(root),
        "the template": lambda: check_template(root),
        "the licence": lambda: check_licence(root),
        "the documents": lambda: check_docs(root),
    }


class _TemplateLoader(yaml.SafeLoader):
    """Reads a CloudFormation template and ignores intrinsic functions."""


_TemplateLoader.add_multi_constructor("!", lambda *_: None)


def _documents(root: Path) -> list[Path]:
    listed = _git(root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md").splitlines()
    return [root / name for name in listed if (root / name).exists()]


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub generates for the headings of a Markdown file."""
    headings = (match["text"].lower() for match in _HEADING.finditer(page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def _former_release(root: Path, path: str) -> tuple[str | None, str | None]:
    """Return the version before the newest one, and a file of it; None for what does not exist."""
    releases = _released(root)
    if len(releases) < 2:
        return None, None
    former = releases[1].version
    try:
        return former, _git(root, "show", f"v{former}:{path}")
    except subprocess.CalledProcessError:
        return former, None


def _is_major(root: Path) -> bool:
    """Whether the newest release has another major version than the one before."""
    current, former = _released(root)[:2]
    return _number(current.version)[0] != _number(former.version)[0]


def _released(root: Path) -> list[Release]:
    """Return the sections of the changelog except [Unreleased], newest first."""
    return [release for release in changelog(root) if release.version != "Unreleased"]


def _version(root: Path) -> str:
    version: str = _toml(root / "pyproject.toml")["project"]["version"]
    return version


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=True).stdout
