"""The HTML pages of a sign-in.

The pages load only our own files, because the content security policy allows nothing else.
"""

from html import escape
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def message(status: HTTPStatus, title: str, text: str) -> Response[str]:
    """Return a page with a message and a link to the home page."""
    return _page(
        status,
        title,
        f'<main><h1>{escape(title)}</h1><p>{escape(text)}</p><p><a href="/">Issue Timer</a></p></main>',
    )


def hand_over(session: str, expires_s: int, origin: str) -> Response[str]:
    """Return the page of the popup.

    The page passes a session to the window that opened the popup, if this window shows a page of ``origin``.
    """
    data = f'data-session="{escape(session)}" data-expires="{expires_s}" data-origin="{escape(origin)}"'
    body = (
        f'<main id="signed-in" {data}><h1>Signed in</h1><p>You can close this window.</p></main>'
        '<script src="/signed-in.js"></script>'
    )
    return _page(HTTPStatus.OK, "Signed in", body)


def redirect(location: str) -> Response[str]:
    """Return a redirect that is not cached."""
    headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(HTTPStatus.FOUND.value, "text/plain; charset=utf-8", "", headers)


def _page(status: HTTPStatus, title: str, body: str) -> Response[str]:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - Issue Timer</title>"
        f'<link rel="stylesheet" href="/sign-in.css"></head><body>{body}</body></html>'
    )
    return Response(status.value, "text/html; charset=utf-8", html, dict(_HEADERS))
