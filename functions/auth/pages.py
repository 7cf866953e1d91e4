"""The responses of a sign-in to a browser."""

from collections.abc import Mapping, Sequence
from html import escape
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

from timer_core.api import pages
from timer_core.api.replies import Reply


class Message(NamedTuple):
    """A page with a message; ``values`` are those of the placeholders in the text.

    ``again`` is the address of the link "Try again"; None if there is no such link.
    """

    status: HTTPStatus
    title: str
    text: str
    again: str | None = None
    values: Mapping[str, str] = MappingProxyType({})

    def render(self, language: str, cookies: Sequence[str] = ()) -> Reply:
        """Return the page."""
        html = pages.message(self.title, self.text, again=self.again, language=language, values=self.values)
        return _page(self.status, html, cookies)


class HandOver(NamedTuple):
    """The page of the popup.

    The page passes a session to the window that opened the popup, if this window shows a page of ``origin``.
    """

    session: str
    expires_s: int
    origin: str

    def render(self, language: str, cookies: Sequence[str] = ()) -> Reply:
        """Return the page."""
        language, (title, text, failed, reason) = pages.translated(
            language,
            "Signed in",
            "You can close this window.",
            "Not signed in",
            "The page that opened this window is gone. Close this window and sign in there again.",
        )
        data = {
            "session": self.session,
            "expires": str(self.expires_s),
            "origin": self.origin,
            "failed": failed,
            "reason": reason,
        }
        attributes = " ".join(f'data-{name}="{escape(value)}"' for name, value in data.items())
        body = (
            f'<main id="signed-in" {attributes}><h1>{title}</h1><p>{text}</p></main>'
            '<script src="/signed-in.js"></script>'
        )
        return _page(HTTPStatus.OK, pages.html(language, title, body), cookies)


class Redirect(NamedTuple):
    """A redirect that is not cached."""

    location: str

    def render(self, _language: str, cookies: Sequence[str] = ()) -> Reply:
        """Return the redirect."""
        headers = {
            "Location": self.location,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "Content-Type": "text/plain; charset=utf-8",
        }
        return Reply(HTTPStatus.FOUND, "", headers, cookies)


def _page(status: HTTPStatus, html: str, cookies: Sequence[str]) -> Reply:
    return Reply(status, html, {**pages.HEADERS, "Content-Type": pages.CONTENT_TYPE}, cookies)
