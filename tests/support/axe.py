"""axe-core finds violations of WCAG in a page. It is installed on first use.

axe-core is an npm package (MPL 2.0) and is installed into ``.cache/axe``.
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
    """Return the axe-core rules that a page violates, with the elements concerned; all rules are checked.

    Parameters
    ----------
    selector
        The part of the page to check, including its shadow trees.

    Raises
    ------
    InstallError
        axe-core could not be downloaded.
    """
    script = installed(CACHE / "axe" / _AXE.name, _AXE.unpack) / "axe.min.js"
    # Evaluate the script, because the content security policy forbids adding a script element.
    page.evaluate(script.read_text())
    found: list[dict[str, Any]] = page.evaluate(_RUN, selector)
    return found
