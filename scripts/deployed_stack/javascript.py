"""Minify and bundle scripts before they are served."""

import re
from pathlib import Path

import rjsmin

# Scripts of other sites and pages: each is served as one file with all modules that it imports. That saves
# round trips and compresses better; CloudFront does not compress files of less than 1,000 bytes.
BUNDLES = frozenset({"issue-timer.js", "timer-manager.js", "index.js", "account.js", "embed.js"})

# As rjsmin writes them.
_IMPORT = re.compile(r'import(?:\{[\w$,]+\}from)?"([^"]+)";')
_DYNAMIC_IMPORT = re.compile(r'(?<=import\(")[^"]+(?="\))')
_EXPORT = re.compile(r"\bexport (?=(?:async function|class|const|function|let)\b)")
# A style sheet that a script has as a text, and its characters without which it means the same.
_STYLE_SHEET = re.compile(r"(?<=replaceSync\(`)[^`]*")
_SPARE = re.compile(r";?\s*([{}])\s*|\s*([;,])\s*|(:)\s+|\s+")


def minified(path: Path) -> str:
    """Return a script without comments and spare white space."""
    # rjsmin does not understand nested template literals; a test makes sure that it spoils none.
    text: str = rjsmin.jsmin(path.read_text(encoding="utf-8"))
    return _STYLE_SHEET.sub(_squeezed, text)


def bundled(path: Path) -> str:
    """Return a minified module together with those that it imports, each once and after its own imports.

    The modules share one scope, so their top-level names have to differ, and each imports names only: no
    default, no namespace and no alias.
    """
    parts: dict[Path, str] = {}
    _collect(path.resolve(), parts)
    *imported, entry = parts.items()
    return "".join(_EXPORT.sub("", _part(path, *item)) for item in imported) + _part(path, *entry)


def _collect(module: Path, found: dict[Path, str]) -> None:
    """Collect a module and those that it imports, minified, in the order in which browsers evaluate them."""
    text = minified(module)
    for name in _IMPORT.findall(text):
        imported = (module.parent / name).resolve()
        if imported not in found:
            _collect(imported, found)
    found[module] = text


def _part(entry: Path, module: Path, text: str) -> str:
    def moved(name: re.Match[str]) -> str:
        target = (module.parent / name[0]).resolve()
        return f"./{target.relative_to(entry.parent.resolve()).as_posix()}"

    return _DYNAMIC_IMPORT.sub(moved, _IMPORT.sub("", text))


def _squeezed(style_sheet: re.Match[str]) -> str:
    return _SPARE.sub(lambda spare: spare[1] or spare[2] or spare[3] or " ", style_sheet[0])
