"""The HTML pages that a person may see: messages of the sign-in, and errors in place of problems.

The pages load only our own files, because the content security policy allows nothing else. Their texts are
English or German; a page is in English if one of its texts has no translation.
"""

from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "text/html; charset=utf-8"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Only browsers open these addresses of the API.
_FOR_BROWSERS = ("/api/auth/login", "/api/auth/callback")
_LANGUAGES = ("en", "de")


def is_wanted(event: Mapping[str, Any]) -> bool:
    """Whether a request gets a page instead of a problem, because a person opened it in a browser."""
    path: str = event["rawPath"]
    if not _is_api(path) or path.startswith(_FOR_BROWSERS):
        return True
    return "text/html" in event["headers"].get("accept", "").lower()


def _is_api(path: str) -> bool:
    """Whether a path is one of the API; CloudFront requests other paths if the bucket has no such file."""
    return path.startswith("/api/") and path != "/api/"


def language_of(event: Mapping[str, Any]) -> str:
    """Return the language of a page for a request (RFC 9110, section 12.5.4), as web/page/language.js does.

    It is the first language of the browser's ``Accept-Language`` in which there are pages, or else English.
    """
    ranges = []
    for text in event["headers"].get("accept-language", "").split(","):
        tag, _, weight = text.replace(" ", "").partition(";q=")
        try:
            ranges.append((float(weight or 1), tag.partition("-")[0].lower()))
        except ValueError:
            continue
    ranges.sort(key=lambda one: one[0], reverse=True)
    return next((language for _, language in ranges if language in _LANGUAGES), "en")


def message(
    title: str, text: str, *, again: str | None = None, language: str = "en", values: Mapping[str, str]
) -> str:
    """Return the HTML of a page with a message, and links to try again and to the home page.

    Parameters
    ----------
    again
        The address of the link "Try again"; if None, the page does not have the link.
    values
        The values of the placeholders in the text.
    """
    language, (title, text, try_again) = translated(language, title, text, "Try again")
    link = f'<a href="{escape(again)}">{try_again}</a> ' if again else ""
    shown = escape(text.format_map(values) if values else text)
    return html(
        language,
        title,
        f'<main><h1>{escape(title)}</h1><p>{shown}</p><p>{link}<a href="/">Issue Timer</a></p></main>',
    )


def translated(language: str, *texts: str) -> tuple[str, tuple[str, ...]]:
    """Return texts in a language, and the language; both are English if a text has no translation."""
    if language == "de":
        # Import on first use, because most requests need no page.
        from timer_core.api import german

        if german.TEXTS.keys() >= set(texts):
            return language, tuple(german.TEXTS[text] for text in texts)
    return "en", texts


def html(language: str, title: str, body: str) -> str:
    """Return an HTML document."""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - Issue Timer</title>"
        '<link rel="icon" href="/icon.svg" type="image/svg+xml"><link rel="stylesheet" href="/sign-in.css">'
        f"</head><body>{body}</body></html>"
    )


def error(
    event: Mapping[str, Any], status: HTTPStatus, detail: str, *, again: str | None, **values: str
) -> dict[str, Any]:
    """Return the page for an error, as a response to API Gateway (payload format 2.0)."""
    headers = {"content-type": CONTENT_TYPE, **HEADERS}
    title = status.phrase
    if not _is_api(event["rawPath"]):
        # CloudFront may cache the response for a minute, whatever the browser's language is.
        title, detail = "Page not found", "There is no page at this address."
        headers["Cache-Control"] = "public, max-age=60"
    elif "request_id" in values:
        title, detail = "Internal error", f"{detail} The log has the details under {{request_id}}."
    body = message(title, detail, again=again, language=language_of(event), values=values)
    return {"statusCode": status.value, "headers": headers, "body": body}
