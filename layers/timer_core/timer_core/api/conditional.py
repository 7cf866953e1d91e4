"""Conditional requests (RFC 9110, section 13).

Responses are not stored by HTTP caches (``Cache-Control: no-store``), because a revalidated copy would show
an outdated elapsed time. Entity tags are for clients that keep the last response and update elapsed times
themselves.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from timer_core.api.replies import Reply, to_json
from timer_core.domain.errors import PreconditionFailed, PreconditionRequired

_TAGS = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')

# Separates the tag of what requests can change from the tag of the whole representation.
_PART_END = "."


class NotModified(Exception):
    """The client already has the current representation.

    Attributes
    ----------
    tag
        The entity tag of the representation.
    """

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag

    @property
    def reply(self) -> Reply:
        """The response without a body."""
        return Reply(HTTPStatus.NOT_MODIFIED, headers={"ETag": self.tag})


def entity_tag(representation: Mapping[str, Any], caller_id: int) -> str:
    """Return the tag of a representation. The tag is weak, because the tag does not cover elapsed time.

    Parameters
    ----------
    representation
        The response's body without elapsed times, and without the host in its links.
    caller_id
        The user id of the caller. It makes the tags of two people differ even if both lists are empty, in
        case another person signs in to the same browser.
    """
    return tag_of(to_json(representation), caller_id)


def tag_of(content: str, caller_id: int) -> str:
    """Return a tag as `entity_tag` does, from a text that differs if the representation does."""
    content = f"{caller_id} {content}"
    return f'W/"{sha256(content.encode()).hexdigest()[:32]}"'


def with_part(tag: str, part: str) -> str:
    """Return the tag of a representation of which requests can change only a part, with the part's own tag.

    `refuse_unmodified` compares the whole tag, and `require_match` only that of the part.
    """
    of_part, of_whole = (_TAGS.findall(one)[0] for one in (part, tag))
    return f'W/"{of_part}{_PART_END}{of_whole}"'


def refuse_unmodified(tag: str, if_none_match: str | None) -> None:
    """Compare a tag with the tags in ``If-None-Match`` (weak comparison, RFC 9110, section 13.1.2).

    Raises
    ------
    NotModified
        If the header contains the tag, or the header is ``*``.
    """
    if if_none_match is None:
        return
    known = _TAGS.findall(if_none_match)
    if if_none_match.strip() == "*" or _TAGS.findall(tag)[0] in known:
        raise NotModified(tag)


def require_match(tag: str, if_match: str | None) -> None:
    """Compare a tag with the tags in ``If-Match`` (RFC 9110, section 13.1.1).

    Parameters
    ----------
    tag
        The tag of what a request can change, see `with_part`.

    Raises
    ------
    PreconditionFailed
        If the header is given and does not match.
    """
    if if_match is not None and not matches(tag, if_match):
        raise PreconditionFailed("This has changed since you read it. Read it again, and repeat the change.")


def matches(tag: str, if_match: str) -> bool:
    """Whether ``If-Match`` contains a tag, or is ``*``.

    The comparison ignores that our tags are weak: they cover everything that a request can change.
    """
    tags = (one.partition(_PART_END)[0] for one in _TAGS.findall(if_match))
    return if_match.strip() == "*" or _TAGS.findall(tag)[0] in tags


def required(if_match: str | None) -> str:
    """Return the ``If-Match`` of a request that needs one (RFC 6585, section 3).

    Raises
    ------
    PreconditionRequired
        If the request has none.
    """
    if if_match is None:
        raise PreconditionRequired("Send the ETag of what you read in the header If-Match.")
    return if_match
