"""Requests that do not get through until a test lets them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re

    from playwright.sync_api import Page, Route


class Held:
    """Holds the requests of a page to some address, from now on."""

    def __init__(self, page: Page, url: str | re.Pattern[str], method: str = "") -> None:
        self._page = page
        self._method = method
        self._routes: list[Route] = []
        self._is_over = False
        page.route(url, self._hold)

    def first(self, seconds: float = 10) -> Route:
        """Return the first request, which a page may send only after it has shown what it is about."""
        deadline = time.monotonic() + seconds
        while not self._routes:
            assert time.monotonic() < deadline, "Nothing was requested."
            self._page.wait_for_timeout(20)
        return self._routes[0]

    def let_go(self) -> None:
        """Let all of them get through, and those to come."""
        self._is_over = True
        for route in self._routes:
            route.continue_()

    def _hold(self, route: Route) -> None:
        if not self._is_over and self._method in ("", route.request.method):
            self._routes.append(route)
        else:
            route.continue_()
