"""Server-sent events that report changes to open pages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# A stream ends after this time (seconds), and the browser opens another one.
_LIFETIME_S = 60.0


class Changes:
    """The streams of all open pages."""

    def __init__(self) -> None:
        self._version = 0
        self._streams: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._is_closed = False

    def report(self) -> None:
        """Report a change, from any thread."""
        self._version += 1
        for event, loop in list(self._streams.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """End all streams."""
        self._is_closed = True
        self.report()

    async def stream(self) -> AsyncIterator[str]:
        """Yield an event for the present version, and for each later one."""
        changed, loop = asyncio.Event(), asyncio.get_running_loop()
        self._streams[changed] = loop
        end = loop.time() + _LIFETIME_S
        try:
            yield "retry: 500\n\n"
            while not self._is_closed:
                changed.clear()
                yield f"data: {self._version}\n\n"
                await asyncio.wait_for(changed.wait(), end - loop.time())
        except TimeoutError:
            return
        finally:
            del self._streams[changed]
