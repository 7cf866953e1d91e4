"""The cookies of a browser."""

from playwright.sync_api import BrowserContext, Cookie

from timer_core.api.sessions import SESSION_COOKIE


def session_cookies(context: BrowserContext) -> list[Cookie]:
    """Return the cookies with a session; on the local stack, their names do not have the prefix for TLS."""
    name = SESSION_COOKIE.removeprefix("__")
    return [cookie for cookie in context.cookies() if cookie["name"] == name]
