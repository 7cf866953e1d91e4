"""axe-core, which finds what keeps people from using a page (WCAG), installed on first use.

It is published as an npm package (MPL 2.0) and lands in ``.cache/axe``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.npm_package import CACHE, NpmPackage, installed

if TYPE_CHECKING:
    from playwright.sync_api import Page

_AXE = NpmPackage(
    "axe-core@4.14.1",
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    "axe.min.js",
)
_RUN = """async (selector) => {
    const { violations } = await axe.run(selector);
    return violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ html, failureSummary }) =>
        `${html} ${failureSummary}`) }));
}"""


def violations(page: Page, selector: str = "html") -> list[dict[str, Any]]:
    """Return the rules of axe-core that a page breaks, all that it has, with the elements that break them.

    Parameters
    ----------
    selector
        The part of the page to look at, shadow trees within it included.

    Raises
    ------
    InstallError
        axe-core could not be fetched.
    """
    script = installed(CACHE / "axe" / _AXE.name, _AXE.unpack) / "axe.min.js"
    # Evaluated rather than added as a script, which the content security policy forbids.
    page.evaluate(script.read_text())
    found: list[dict[str, Any]] = page.evaluate(_RUN, selector)
    return found
