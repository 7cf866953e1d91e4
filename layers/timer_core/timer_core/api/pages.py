"""The HTML pages that a person may see: messages of the sign-in, and errors in place of problems.

The pages load only our own files, because the content security policy allows nothing else. Their texts are
English or German; a page is in English if one of its texts has no translation.
"""

from collections.abc import Mapping, Sequence
from html import escape
from http import HTTPStatus
from typing import Any

from timer_core.api.negotiation import weights
from timer_core.domain.errors import ErrorCode

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
LOGIN_PATH = "/api/auth/login/"
CALLBACK_PATH = "/api/auth/callback/"
# The addresses of the API that only browsers open, and that need no credentials.
SIGN_IN_PATHS = frozenset({LOGIN_PATH, CALLBACK_PATH})
_LANGUAGES = ("en", "de")


def is_wanted(event: Mapping[str, Any]) -> bool:
    """Whether a request gets a page instead of a problem, because a person opened it in a browser.

    A request to the API gets a page if its ``Accept`` header lists HTML, with a higher weight than JSON.
    Wildcards do not count, because programs send ``*/*``.
    """
    path: str = event["rawPath"]
    if not _is_api(path) or path in SIGN_IN_PATHS:
        return True
    accepted = weights(event["headers"].get("accept", ""))
    json = max(accepted.get("application/json", 0), accepted.get("application/problem+json", 0))
    return accepted.get("text/html", 0) > json


def _is_api(path: str) -> bool:
    """Whether a path is one of the API; CloudFront requests other paths if the bucket has no such file."""
    return path.startswith("/api/") and path != "/api/"


def language_of(event: Mapping[str, Any]) -> str:
    """Return the language of a page for a request (RFC 9110, section 12.5.4), as web/page/language.js does.

    It is the language with the highest weight in ``Accept-Language`` in which there are pages, or else
    English.
    """
    accepted = weights(event["headers"].get("accept-language", ""))
    # The sort is stable: the first of several languages with the same weight comes first.
    tags = sorted((tag for tag, weight in accepted.items() if weight), key=accepted.__getitem__, reverse=True)
    languages = (tag.partition("-")[0] for tag in tags)
    return next((language for language in languages if language in _LANGUAGES), "en")


def message(title: str, text: str, *, again: str | None, language: str, values: Mapping[str, str]) -> str:
    """Return the HTML of a page with a message, and links to try again and to the home page.

    Parameters
    ----------
    again
        The address of the link "Try again"; if None, the page does not have the link.
    values
        The values of the placeholders in the text.
    """
    language, (title, text) = translated(language, title, text)
    return _message(language, title, text.format_map(values), again)


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
    event: Mapping[str, Any],
    status: HTTPStatus,
    detail: str,
    code: ErrorCode,
    errors: Sequence[Mapping[str, Any]] = (),
    *,
    again: str | None,
    request_id: str = "",
) -> dict[str, Any]:
    """Return the page for an error, as a response to API Gateway (payload format 2.0).

    Parameters
    ----------
    detail, code, errors
        The reason, as in a problem. A German page shows the translations of the codes.
    again
        The address of the link "Try again"; if None, the page does not have the link.
    request_id
        The id under which the log has the details of an internal error.
    """
    headers = {"content-type": CONTENT_TYPE, **HEADERS}
    if not _is_api(event["rawPath"]):
        # CloudFront caches the response, whatever the browser's language is.
        headers["Cache-Control"] = "public, max-age=60"
        return {"statusCode": status.value, "headers": headers, "body": _not_found()}
    title, language = status.phrase, language_of(event)
    fields = [(error["loc"][-1], error["msg"]) for error in errors]
    if language == "de":
        from timer_core.api import german

        title, detail = german.TITLES.get(status, "Fehler"), german.ERRORS[code]
        fields = [(error["loc"][-1], german.ERRORS[error["code"]]) for error in errors]
    sentences = [detail, *(f"{name}: {text}" for name, text in fields)]
    if request_id:
        _, (log,) = translated(language, "The log has the details under {request_id}.")
        sentences.append(log.format(request_id=request_id))
    body = _message(language, title, " ".join(sentences), again)
    return {"statusCode": status.value, "headers": headers, "body": body}


def _message(language: str, title: str, text: str, again: str | None) -> str:
    _, (try_again,) = translated(language, "Try again")
    link = f'<a href="{escape(again)}">{try_again}</a> ' if again else ""
    return html(
        language,
        title,
        f'<main><h1>{escape(title)}</h1><p>{escape(text)}</p><p>{link}<a href="/">Issue Timer</a></p></main>',
    )


def _not_found() -> str:
    """Return the page for a path that does not exist, in both languages."""
    from timer_core.api import german

    return html(
        "en",
        "Page not found",
        "<main><h1>Page not found</h1><p>There is no page at this address.</p>"
        f'<div lang="de"><h2>{german.PAGE_NOT_FOUND}</h2><p>{german.NO_PAGE}</p></div>'
        '<p><a href="/">Issue Timer</a></p></main>',
    )
