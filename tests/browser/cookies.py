"""The cookies of a browser."""

import re

from playwright.sync_api import BrowserContext, Cookie

from local_stack.front_door import cookie_name
from timer_core.api.sessions import SESSION_COOKIE

# The name for port 0, with any other port.
_NAME = re.compile(cookie_name(SESSION_COOKIE, 0).replace("0", "[0-9]+"))


def session_cookies(context: BrowserContext) -> list[Cookie]:
    """Return the cookies with a session of a local stack."""
    return [cookie for cookie in context.cookies() if _NAME.fullmatch(cookie["name"])]
