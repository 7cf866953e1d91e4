"""Minify and bundle scripts before they are served."""

import re
from pathlib import Path

import rjsmin

# Scripts that HTML loads, on the stack's pages or on other sites, and scripts that these load on demand. Each
# is served as one file together with all modules that it imports. This saves round trips and compresses
# better, because CloudFront does not compress files smaller than 1,000 bytes.
BUNDLES = frozenset(
    {
        "issue-timer.js",
        "timer-manager.js",
        "index.js",
        "account.js",
        "embed.js",
        "github.js",
        "api-viewer.js",
        "scene.js",
    }
)

# The forms of imports and exports in the output of rjsmin.
_IMPORT = re.compile(r'import(?:\{[\w$,]+\}from)?"([^"]+)";')
_DYNAMIC_IMPORT = re.compile(r'(?<=import\(")[^"]+(?="\))')
_EXPORT = re.compile(r"\bexport (?=(?:async function|class|const|function|let)\b)")
# The declaration or the use of a private name. Strings of the scripts have no `#` in such a place.
_PRIVATE_NAME = re.compile(r"(?:(?<=[.;{}])|(?<=\basync)|(?<=\b[gs]et))#[A-Za-z_]\w*")
# The beginning of a class, which no class of the scripts contains.
_CLASS = re.compile(r"(?=\bclass [A-Z])")
# The last semicolon of a block, the last comma of an object, of an array or of arguments, and a line break
# after a statement. No line break ends a statement, because the formatter writes all semicolons. A test
# checks that strings of the scripts do not match.
_SPARE_CHARACTERS = re.compile(r""";(?=\})|,(?=[)}])|(?<=[\w)\]}"`]),(?=\])|(?<=[)}])\n""")
# A style sheet within a script, its private custom properties, and the characters in it that can be removed.
_STYLE_SHEET = re.compile(r"(?<=replaceSync\(`)[^`]*")
_PRIVATE_PROPERTY = re.compile(r"--_[\w-]+")
_SPARE_IN_STYLES = re.compile(r";?\s*([{}])\s*|\s*([;,>])\s*|(:)\s+|\s+")
_LEADING_ZERO = re.compile(r"(?<![\w.])0(?=\.\d)")


def minified(path: Path) -> str:
    """Return a script without comments and unnecessary white space."""
    # rjsmin does not support nested template literals. A test therefore checks that all tokens are kept.
    text: str = rjsmin.jsmin(path.read_text(encoding="utf-8"))
    return _SPARE_CHARACTERS.sub("", _STYLE_SHEET.sub(_minified_styles, text))


def bundled(path: Path) -> str:
    """Return a minified module and the modules that it imports, each once and after its own imports.

    The modules share one scope, so their top-level names must differ. Only named imports without aliases are
    supported, not default or namespace imports.
    """
    parts: dict[Path, str] = {}
    _collect(path.resolve(), parts)
    *imported, entry = parts.items()
    text = "".join(_EXPORT.sub("", _part(path, *item)) for item in imported) + _part(path, *entry)
    return _shorten_private_names(text)


def _collect(module: Path, found: dict[Path, str]) -> None:
    """Add a module and its imports to `found`, minified, in the order in which browsers evaluate them."""
    text = minified(module)
    for name in _IMPORT.findall(text):
        imported = (module.parent / name).resolve()
        if imported not in found:
            _collect(imported, found)
    found[module] = text


def _part(entry: Path, module: Path, text: str) -> str:
    """Remove a module's static imports, and make the paths of its dynamic imports relative to the entry."""

    def from_entry(name: re.Match[str]) -> str:
        target = (module.parent / name[0]).resolve()
        return f"./{target.relative_to(entry.parent.resolve()).as_posix()}"

    return _DYNAMIC_IMPORT.sub(from_entry, _IMPORT.sub("", text))


def _shorten_private_names(text: str) -> str:
    """Rename the private fields and methods of each class."""
    return "".join(_with_short_names(_PRIVATE_NAME, "#", one) for one in _CLASS.split(text))


def _with_short_names(pattern: re.Pattern[str], prefix: str, text: str) -> str:
    names: dict[str, str] = {}
    for name in pattern.findall(text):
        names.setdefault(name, prefix + _letters(len(names)))
    return pattern.sub(lambda name: names[name[0]], text)


def _letters(number: int) -> str:
    """Return the letters that count: a, b, ..., z, aa, ab, ..."""
    following, last = divmod(number, 26)
    return (_letters(following - 1) if following else "") + chr(ord("a") + last)


def _minified_styles(style_sheet: re.Match[str]) -> str:
    text = _LEADING_ZERO.sub("", style_sheet[0])
    text = _SPARE_IN_STYLES.sub(lambda spare: spare[1] or spare[2] or spare[3] or " ", text)
    return _with_short_names(_PRIVATE_PROPERTY, "--_", text)
