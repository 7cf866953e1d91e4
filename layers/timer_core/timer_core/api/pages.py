"""The HTML pages that a person may see: messages of the sign-in, and errors in place of problems.

The pages load only our own files, because the content security policy allows nothing else.
"""

from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "text/html; charset=utf-8"
# Only browsers open these addresses of the API.
_FOR_BROWSERS = ("/api/auth/login", "/api/auth/callback")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def is_wanted(event: Mapping[str, Any]) -> bool:
    """Whether a request gets a page instead of a problem, because a person opened it in a browser."""
    path: str = event["rawPath"]
    if not _is_api(path) or path.startswith(_FOR_BROWSERS):
        return True
    return "text/html" in event["headers"].get("accept", "").lower()


def _is_api(path: str) -> bool:
    """Whether a path is one of the API; CloudFront requests other paths if the bucket has no such file."""
    return path.startswith("/api/") and path != "/api/"


def message(title: str, text: str, *, again: str | None = None) -> str:
    """Return the HTML of a page with a message, and links to try again and to the home page.

    Parameters
    ----------
    again
        The address of the link "Try again"; if None, the page does not have the link.
    """
    links = f'<a href="{escape(again)}">Try again</a> ' if again else ""
    return html(
        title,
        f"<main><h1>{escape(title)}</h1><p>{escape(text)}</p>"
        f'<p>{links}<a href="/">Issue Timer</a></p></main>',
    )


def html(title: str, body: str) -> str:
    """Return an HTML document."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - Issue Timer</title>"
        '<link rel="icon" href="/icon.svg" type="image/svg+xml"><link rel="stylesheet" href="/sign-in.css">'
        f"</head><body>{body}</body></html>"
    )


def error(
    event: Mapping[str, Any], status: HTTPStatus, detail: str, *, again: str | None, request_id: str = ""
) -> dict[str, Any]:
    """Return the page for an error, as a response to API Gateway (payload format 2.0)."""
    headers = {"content-type": CONTENT_TYPE, **HEADERS}
    title = "Internal error" if status is HTTPStatus.INTERNAL_SERVER_ERROR else status.phrase
    if not _is_api(event["rawPath"]):
        # CloudFront may cache the response for a minute.
        title, detail = "Page not found", "There is no page at this address."
        headers["Cache-Control"] = "public, max-age=60"
    if request_id:
        detail += f" The log has the details under {request_id}."
    return {"statusCode": status.value, "headers": headers, "body": message(title, detail, again=again)}
