"""The documentation as pages: every link leads somewhere, and no page needs what the policy forbids."""

import re
from html.parser import HTMLParser
from posixpath import join, normpath
from typing import Any
from urllib.parse import urlsplit

import pytest

from deployed_stack.api_viewer import viewer_files
from deployed_stack.documentation import documentation, slug
from deployed_stack.paths import ROOT
from timer_core.github.webhooks.signature import sign

FILES = documentation()
PAGES = {key: body.decode() for key, body in FILES.items() if key.endswith(".html")}


class _Parsed(HTMLParser):
    """The ids, links, headings and loaded files of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.attributes |= found.keys()
        if found.get("id"):
            self.ids.add(str(found["id"]))
        if tag == "a":
            self.links.append(str(found["href"]))
        elif tag in {"img", "link", "use"}:
            self.loaded.append(str(found.get("src") or found.get("href")).partition("#")[0])


PARSED = {key: _Parsed(html) for key, html in PAGES.items()}


def resolved(page: str, target: str) -> str:
    return normpath(join(page, "..", target))


def test_every_markdown_file_is_a_page() -> None:
    sources = {
        path.relative_to(ROOT).with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")
    }
    assert PAGES.keys() == sources | {"docs/index.html"}


@pytest.mark.parametrize("key", sorted(PAGES))
def test_every_link_leads_to_a_page_and_a_heading(key: str) -> None:
    for link in PARSED[key].links:
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme in {"http", "https", "mailto"}, link
            continue
        target = resolved(key, parts.path) if parts.path else key
        if not target.startswith("docs/"):
            assert (ROOT / "web" / target).exists(), link
        else:
            assert target in PAGES, link
            assert not parts.fragment or parts.fragment in PARSED[target].ids, link


def test_every_address_of_a_page_is_the_path_of_a_file() -> None:
    # The bucket has no directory indexes; `/` is the distribution's root object.
    addresses = re.findall(r"^\| `(/\S*)` \|", (ROOT / "docs/page.md").read_text(), re.MULTILINE)
    assert {"/", "/account.html", "/docs/index.html"} <= {*addresses}
    addresses += re.findall(r"`(/docs/[^`]*)`", (ROOT / "CHANGELOG.md").read_text())
    for address in addresses:
        name = address.removeprefix("/") or "index.html"
        assert name in FILES or (ROOT / "web" / name).is_file(), address


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name.partition("-")[0]) for path in (ROOT / "docs/decisions").glob("*.md"))
    assert numbers == [*range(1, len(numbers) + 1)]


@pytest.mark.parametrize("key", sorted(PAGES))
def test_every_loaded_file_exists(key: str) -> None:
    for name in PARSED[key].loaded:
        target = resolved(key, name)
        assert target in FILES or (ROOT / "web" / target).exists(), name


@pytest.mark.parametrize("key", sorted(PAGES))
def test_a_page_has_no_script_and_no_style_of_its_own(key: str) -> None:
    assert not PARSED[key].tags & {"script", "style", "iframe", "object"}
    assert "style" not in PARSED[key].attributes
    assert not [name for name in PARSED[key].attributes if name.startswith("on")]


def test_a_link_to_a_file_outside_of_the_documentation_becomes_text() -> None:
    assert "samconfig.toml" in PAGES["docs/github.html"]
    assert not [link for link in PARSED["docs/github.html"].links if "samconfig" in link]


def test_the_example_of_a_receiver_accepts_genuine_bodies_only() -> None:
    example = re.findall(r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example[0], names)  # noqa: S102 - the example itself is tested
    body = '{"event":"ping","title":"ä"}'.encode()
    assert names["is_genuine"]("secret", body, sign("secret", body))
    assert not names["is_genuine"]("other", body, sign("secret", body))
    assert not names["is_genuine"]("secret", body + b" ", sign("secret", body))
    assert not names["is_genuine"]("secret", body, "ä")


def test_headings_have_githubs_ids() -> None:
    assert slug("An organization's webhook") == "an-organizations-webhook"
    assert slug("`GET` and the ETag") == "get-and-the-etag"


def test_the_viewer_of_the_api_goes_along_with_its_license() -> None:
    files = viewer_files()
    assert files.keys() == {
        "swagger-ui/swagger-ui-bundle.js",
        "swagger-ui/swagger-ui.css",
        "swagger-ui/LICENSE.txt",
    }
    assert b"SwaggerUIBundle" in files["swagger-ui/swagger-ui-bundle.js"]
    text = files["swagger-ui/LICENSE.txt"].decode()
    assert "SmartBear" in text
    assert re.search(r"Apache License\s+Version 2\.0", text)
