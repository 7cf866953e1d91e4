"""The documentation as pages: README.md and docs/ as they are in this version, beside the product itself."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from deployed_stack.paths import ROOT

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Issue Timer</title>
<link rel="icon" href="{root}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{root}page/styles/base.css">
<link rel="stylesheet" href="{root}page/styles/frame.css">
<link rel="stylesheet" href="{root}page/styles/docs.css">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<a class="brand" href="{root}index.html">
<svg class="logo" aria-hidden="true"><use href="{root}icons.svg#logo"/></svg>Issue Timer</a>
<nav aria-label="Pages">
<a href="{root}docs/index.html"{current}>Documentation</a>
<a href="{root}api.html">API</a>
</nav>
</header>
<main id="main" tabindex="-1">
{content}</main>
</body>
</html>
"""


def documentation() -> Mapping[str, bytes]:
    """Return the pages and their pictures by their keys in the bucket, which begin with ``docs/``."""
    sources = {ROOT / "README.md": "docs/index.html"}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        sources[path] = path.relative_to(ROOT).with_suffix(".html").as_posix()
    found: dict[str, bytes] = {}
    for path, key in sources.items():
        page = _Page(path, key, sources)
        found[key] = page.html().encode()
        found |= {name: picture.read_bytes() for name, picture in page.pictures.items()}
    return found


class _Page:
    """A page of the documentation.

    Attributes
    ----------
    pictures
        The files of the pictures by their keys in the bucket.
    """

    def __init__(self, path: Path, key: str, keys: Mapping[Path, str]) -> None:
        self._path = path
        self._key = PurePosixPath(key)
        self._keys = keys
        self.pictures: dict[str, Path] = {}

    def html(self) -> str:
        """Return the HTML of the page."""
        markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        tokens = [*self._with_links(markdown.parse(self._path.read_text(encoding="utf-8")))]
        content = markdown.renderer.render(tokens, markdown.options, {})
        heading = next(index for index, token in enumerate(tokens) if token.tag == "h1")
        return _PAGE.format(
            title=escape(tokens[heading + 1].content),
            root="../" * (len(self._key.parts) - 1),
            current=' aria-current="page"' if self._key.name == "index.html" else "",
            # Wide code scrolls by itself; a keyboard reaches it.
            content=content.replace("<pre>", '<pre tabindex="0">'),
        )

    def _with_links(self, tokens: list[Token]) -> Iterator[Token]:
        """Give headings GitHub's ids, and let links and pictures lead to the keys in the bucket."""
        for index, token in enumerate(tokens):
            before, after = tokens[index - 1], tokens[min(index + 1, len(tokens) - 1)]
            if style := token.attrs.pop("style", ""):
                # The alignment of a cell. The policy forbids inline styles.
                token.attrSet("class", str(style).removeprefix("text-align:"))
            if token.type == "heading_open":
                token.attrSet("id", slug(after.content))
            elif token.type == "table_open":
                # A wide table scrolls by itself too.
                token.attrSet("tabindex", "0")
            elif token.type == "th_open" and not after.content:
                # An empty cell is no heading (WCAG 1.3.1).
                token.tag = "td"
            elif token.type == "th_close" and not before.content:
                token.tag = "td"
            elif token.children is not None:
                token.children = [*self._with_targets(token.children)]
            yield token

    def _with_targets(self, tokens: list[Token]) -> Iterator[Token]:
        is_omitted = False
        for token in tokens:
            if token.type == "link_open":
                target = self._target(str(token.attrGet("href")))
                is_omitted = target is None
                if target is not None:
                    token.attrSet("href", target)
            elif token.type == "image":
                self._add_picture(token)
            if token.type not in {"link_open", "link_close"} or not is_omitted:
                yield token

    def _target(self, href: str) -> str | None:
        """Return the target of a link; None if it leads to a file that is not part of the documentation."""
        parts = urlsplit(href)
        if parts.scheme or not parts.path:
            return href
        key = self._keys.get((self._path.parent / parts.path).resolve())
        if key is None:
            return None
        up = "../" * (len(self._key.parts) - 1)
        return up + key + (f"#{parts.fragment}" if parts.fragment else "")

    def _add_picture(self, token: Token) -> None:
        path = (self._path.parent / str(token.attrGet("src"))).resolve()
        key = path.relative_to(ROOT).as_posix()
        self.pictures[key] = path
        token.attrSet("src", "../" * (len(self._key.parts) - 1) + key)
        token.attrSet("loading", "lazy")


def slug(heading: str) -> str:
    """Return GitHub's id of a heading: in lower case, without punctuation, with hyphens for blanks."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
