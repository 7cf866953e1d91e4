"""The responses of a sign-in to a browser."""

from html import escape
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from timer_core.api import pages


def message(status: HTTPStatus, title: str, text: str, *, again: str | None = None) -> Response[str]:
    """Return a page with a message; ``again`` is the address of the link "Try again"."""
    return _page(status, pages.message(title, text, again=again))


def hand_over(session: str, expires_s: int, origin: str) -> Response[str]:
    """Return the page of the popup.

    The page passes a session to the window that opened the popup, if this window shows a page of ``origin``.
    """
    data = f'data-session="{escape(session)}" data-expires="{expires_s}" data-origin="{escape(origin)}"'
    body = (
        f'<main id="signed-in" {data}><h1>Signed in</h1><p>You can close this window.</p></main>'
        '<script src="/signed-in.js"></script>'
    )
    return _page(HTTPStatus.OK, pages.html("Signed in", body))


def redirect(location: str) -> Response[str]:
    """Return a redirect that is not cached."""
    headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(HTTPStatus.FOUND.value, "text/plain; charset=utf-8", "", headers)


def _page(status: HTTPStatus, html: str) -> Response[str]:
    return Response(status.value, pages.CONTENT_TYPE, html, dict(pages.HEADERS))
