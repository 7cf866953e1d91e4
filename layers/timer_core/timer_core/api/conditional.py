"""Requests for what has changed only (RFC 9110, section 13).

Answers may not be stored (``Cache-Control: no-store``): a cache that asks whether its copy is still right
would show a running timer as it was. So tags are for clients that keep what they were told themselves,
and let its clock run on.
"""

import re
from hashlib import sha256

from pydantic import BaseModel

_TAGS = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


class NotModified(Exception):
    """The client has what it asks for.

    Attributes
    ----------
    tag
        Its entity tag.
    """

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def entity_tag(representation: BaseModel, caller_id: int) -> str:
    """Return the tag of a representation, weak because what runs on by itself is not in it.

    Parameters
    ----------
    representation
        The answer but for its clocks, and for the host in its links.
    caller_id
        Who asks. In a browser in which somebody else signs in, an empty list is another answer all the same.
    """
    content = f"{caller_id} {representation.model_dump_json()}"
    return f'W/"{sha256(content.encode()).hexdigest()[:32]}"'


def refuse_unmodified(tag: str, if_none_match: str | None) -> None:
    """Compare a tag with those that a client has, as RFC 9110, section 13.1.2 says: weakly.

    Raises
    ------
    NotModified
        If it is among them, or any would do (``*``).
    """
    if if_none_match is None:
        return
    known = _TAGS.findall(if_none_match)
    if if_none_match.strip() == "*" or _TAGS.findall(tag)[0] in known:
        raise NotModified(tag)
