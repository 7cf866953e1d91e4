"""The issues that a pull request closes when it is merged: the closing keywords in its body.

GitHub's documentation, "Linking a pull request to an issue": a keyword, perhaps a colon, and the issue as
``#12``, ``owner/name#12`` or its address. Text in code and in HTML comments, such as the hints of a template,
links nothing.
"""

import re
from functools import cache

from timer_core.domain.addresses import OWNER, REPO
from timer_core.domain.issues import MAX_ISSUE_NUMBER, Issue

# GitHub's API returns as many issues that a pull request closes in a page.
MAX_CLOSES = 100


@cache
def _patterns(site: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    # An HTML comment and a fence without an end last until the end of the text, so that each character is
    # read once.
    hidden = r"<!--(?:[^-]|-(?!->))*(?:-->|\Z)|(?P<fence>`{3,}|~{3,}).*?(?:(?P=fence)|\Z)|`[^`\n]*`"
    keyword = r"(?<![\w-])(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\b:?[ \t]{1,9}"
    number = r"[0-9]{1,10}(?![\w/])"
    short = rf"(?:(?P<owner>{OWNER})/(?P<repo>{REPO}))?#(?P<number>{number})"
    address = (
        rf"{re.escape(site)}/(?P<url_owner>{OWNER})/(?P<url_repo>{REPO})/issues/(?P<url_number>{number})"
    )
    closing = re.compile(f"{keyword}(?:{short}|{address})", re.IGNORECASE | re.ASCII)
    return re.compile(hidden, re.DOTALL), closing


def closed_by(body: str, pull: Issue, site: str) -> tuple[Issue, ...]:
    """Return the issues that a pull request closes, in the order of its body (Markdown).

    The ids of other repositories are unknown.

    Parameters
    ----------
    site
        The base URL of GitHub's pages.
    """
    if "#" not in body and "/issues/" not in body:
        return ()
    hidden, closing = _patterns(site)
    found: dict[str, Issue] = {}
    for match in closing.finditer(hidden.sub("`", body)):
        owner, repo = match["owner"] or match["url_owner"], match["repo"] or match["url_repo"]
        number = int(match["number"] or match["url_number"])
        is_own = owner is None or f"{owner}/{repo}".lower() == pull.full_name.lower()
        if not 1 <= number <= MAX_ISSUE_NUMBER or (is_own and number == pull.number):
            continue
        issue = pull.repository.issue(number) if is_own else Issue(owner, repo, number)
        found.setdefault(issue.key, issue)
    return tuple(found.values())[:MAX_CLOSES]
