"""Blocks the requests of a page until a test releases them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re

    from playwright.sync_api import Page, Route


class BlockedRequests:
    """Blocks all requests of a page to a URL until `release` is called."""

    def __init__(self, page: Page, url: str | re.Pattern[str], method: str = "") -> None:
        self._page = page
        self._method = method
        self._routes: list[Route] = []
        self._is_released = False
        page.route(url, self._block)

    def first(self, seconds: float = 60) -> Route:
        """Wait until a request is blocked, and return the first blocked request."""
        deadline = time.monotonic() + seconds
        while not self._routes:
            assert time.monotonic() < deadline, "No request was sent."
            self._page.wait_for_timeout(20)
        return self._routes[0]

    def release_first(self) -> None:
        """Wait until a request is blocked, and send the first blocked request."""
        self.first()
        self._routes.pop(0).continue_()

    def release(self) -> None:
        """Send all blocked requests, and block no further requests."""
        self._is_released = True
        for route in self._routes:
            route.continue_()

    def _block(self, route: Route) -> None:
        if not self._is_released and self._method in ("", route.request.method):
            self._routes.append(route)
        else:
            route.continue_()
