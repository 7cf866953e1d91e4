"""Texts and addresses that name issues and organizations."""

import re
from functools import cache
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from timer_core.domain.errors import ErrorCode, InvalidInput

# Logins have up to 39 letters, digits and hyphens. Logins of Enterprise Managed Users end in an underscore
# and a short code. Repository names have up to 100 characters: letters, digits, hyphens, underscores, dots.
OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})"
REPO = r"(?!\.{1,2}(?![A-Za-z0-9._-]))[A-Za-z0-9._-]{1,100}"

# The spellings of an issue, as in web/widget/issue-link.js. tests/issue_spellings.json tests both.
_OWNER, _REPO, _NUMBER = rf"(?P<owner>{OWNER})", rf"(?P<name>{REPO})", r"(?P<number>[0-9]{1,12})"
_REST = r"[^\x00-\x20\x7f]*"
_BEFORE_QUERY, _BEFORE_FRAGMENT = r"[^\x00-\x20\x7f?#]*", r"[^\x00-\x20\x7f#]*"
_BAR = r"(\||%7C)"
# The characters that JavaScript's trim() removes (ECMA-262, "WhiteSpace" and "LineTerminator").
_BLANKS = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)

_CONTROLS_OR_BLANKS = re.compile(r"[\x00-\x20\x7f]")
_HOST = re.compile(r"[a-z0-9._-]{1,253}")
# The folders in which GitHub's addresses of organizations and users may be.
_FOLDERS = {"orgs", "users", "enterprises"}


class IssueName(NamedTuple):
    """The name of an issue or a pull request; its number may be out of GitHub's range."""

    owner: str
    repo: str
    number: int
    is_pull: bool


def parse_issue(text: str, github_url: str, *, field: str) -> IssueName:
    """Return the issue or pull request that a text names: an address, or ``owner/name#1``.

    The address may be that of a page below it. The scheme and ``www.`` may be missing. Query, fragment and
    surrounding blanks are ignored. The address of a board or of a list names the issue whose pane is open.

    Parameters
    ----------
    github_url
        The base URL of GitHub's pages. Addresses on github.com are accepted, too.

    Raises
    ------
    InvalidInput
        If the text names neither an issue nor a pull request on GitHub.
    """
    text = text.strip(_BLANKS)
    if not text:
        raise InvalidInput(field, "Must not be empty.", ErrorCode.NOT_AN_ISSUE)
    for spelling in _spellings(github_url):
        if match := spelling.fullmatch(text):
            is_pull = bool(match.groupdict().get("pull"))
            return IssueName(match["owner"], match["name"], int(match["number"]), is_pull)
    raise InvalidInput(
        field,
        f"Must be an issue: {github_url}/owner/name/issues/1 or owner/name#1.",
        ErrorCode.NOT_AN_ISSUE,
    )


@cache
def _spellings(github_url: str) -> list[re.Pattern[str]]:
    github = rf"(https?://)?(www\.)?(github\.com|{re.escape(github_url.partition('://')[2])})/"
    patterns = (
        rf"{github}{_OWNER}/{_REPO}/(issues|(?P<pull>pull))/{_NUMBER}([/?#]{_REST})?",
        # The address of a board, or of a list of issues, names the issue whose pane is open.
        rf"{github}{_BEFORE_QUERY}\?({_BEFORE_FRAGMENT}&)?issue={_OWNER}{_BAR}{_REPO}{_BAR}{_NUMBER}([&#]{_REST})?",
        rf"{_OWNER}/{_REPO}([ \t]*#[ \t]*|[ \t]+){_NUMBER}",
    )
    return [re.compile(pattern, re.IGNORECASE | re.ASCII) for pattern in patterns]


def organization_of(url: str, github_url: str) -> str:
    """Return the name of the organization with an address.

    The name is the login in an address on GitHub, such as https://github.com/octocat. Any other address
    is named by its host, in lower case and ASCII, without ``www.`` and the port.

    Parameters
    ----------
    github_url
        The base URL of GitHub's pages. Addresses on github.com are addresses on GitHub, too.

    Raises
    ------
    InvalidInput
        If the text is not an address with ``http`` or ``https``.
    """
    text = url.strip(_BLANKS)
    try:
        if _CONTROLS_OR_BLANKS.search(text):
            raise ValueError(text)
        parts = urlsplit(text)
        host, _port = _ascii_host(parts.hostname or ""), parts.port
        if parts.scheme not in {"http", "https"}:
            raise ValueError(text)
    except ValueError:
        raise InvalidInput(
            "organization_url",
            f"Must be an http or https address, such as {github_url}/login.",
            ErrorCode.NOT_AN_ORGANIZATION,
        ) from None
    github = urlsplit(github_url)
    if host == github.hostname and parts.path.startswith(f"{github.path}/"):
        path = parts.path.removeprefix(github.path)
    elif host == "github.com":
        path = parts.path
    else:
        return host
    folders = [folder for folder in unquote(path).split("/") if folder]
    login = next((folder for folder in folders if folder not in _FOLDERS), "")
    return login if re.fullmatch(OWNER, login) else host


def _ascii_host(name: str) -> str:
    """Return the canonical form of a host; raise `ValueError` if it is not valid."""
    if ":" in name:
        return str(IPv6Address(name))
    # Names that look alike differ in their ASCII form (RFC 3490, section 4.1).
    host = unquote(name).encode("idna").decode().lower().removesuffix(".").removeprefix("www.")
    if not _HOST.fullmatch(host):
        raise ValueError(name)
    return host
