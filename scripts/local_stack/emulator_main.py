"""MiniStack's process, run as a file by the interpreter of MiniStack's own environment.

MiniStack as it comes writes its state only when it is stopped, starts one more worker process for each
concurrent call of a function however many there are, and outlives the process that started it. The three
additions here are made to the version that requirements/ministack.txt pins.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app as ministack
from ministack.core.persistence import save_all
from ministack.services import lambda_svc

_SAVE_SECONDS = 2.0
# More workers than this only take turns on the processors, and each takes long to unpack its layer.
_MAX_WORKERS = 4 * (os.cpu_count() or 1)


class ChangeWatch:
    """ASGI middleware that knows whether a request may have changed something.

    Nearly every AWS call is a POST, so this is a coarse filter; it keeps an idle emulator from writing.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self.changed = threading.Event()

    async def __call__(self, scope: dict[str, Any], receive: object, send: object) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)
        if scope.get("method") not in {None, "GET", "HEAD", "OPTIONS"}:
            self.changed.set()


def save_while_running(watch: ChangeWatch) -> None:
    """Write the state a moment after it changed, so that a crash loses no more than that moment."""
    logging.getLogger("persistence").setLevel(logging.WARNING)
    pause = _SAVE_SECONDS
    while True:
        watch.changed.wait()
        time.sleep(pause)
        watch.changed.clear()
        started = time.monotonic()
        save_all(ministack._build_persistence_save_dict())
        # A large state is written less often: saving takes a tenth of the time at most.
        pause = max(_SAVE_SECONDS, 10 * (time.monotonic() - started))


def stop_with_parent() -> None:
    """Stop in order when the process that started this one is gone, however it went."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def queue_for_workers() -> None:
    """Let calls wait for one of a few workers, instead of starting a worker for each."""
    free = threading.BoundedSemaphore(_MAX_WORKERS)
    acquire, release = lambda_svc.acquire_worker, lambda_svc.release_worker

    def acquire_worker(*args: object, **kwargs: object) -> tuple[object, str]:
        free.acquire()
        worker, reason = acquire(*args, **kwargs)
        if worker is None:
            free.release()
        return worker, reason

    def release_worker(worker: object) -> None:
        release(worker)
        free.release()

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_worker, release_worker


def main() -> None:
    """Serve until SIGTERM or the parent's end."""
    ministack.app = watch = ChangeWatch(ministack.app)
    queue_for_workers()
    threading.Thread(target=save_while_running, args=(watch,), daemon=True).start()
    threading.Thread(target=stop_with_parent, daemon=True).start()
    ministack.main()


if __name__ == "__main__":
    main()
