"""MiniStack's process, run as a file by the interpreter of MiniStack's own environment.

MiniStack as it comes writes its state only when it is stopped, starts one more worker process for each
concurrent call of a function however many there are, outlives the process that started it, leaves cookies
among the headers of an event, refuses a template with an alarm on a metric that is computed, and applies
policies that refuse what comes without TLS, which there is none of here. The
additions here are made to the version that requirements/ministack.txt pins.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from ministack import app as ministack
from ministack.core import iam_evaluator
from ministack.core.persistence import save_all
from ministack.services import apigateway, lambda_svc
from ministack.services.cloudformation import provisioners

_SAVE_SECONDS = 2.0
# More workers than this only take turns on the processors, and each takes long to unpack its layer.
_MAX_WORKERS = 4 * (os.cpu_count() or 1)
# A cookie's prefix that browsers take over TLS only (RFC 6265bis, section 4.1.3.2), and its place-holder.
_TLS_PREFIX, _PREFIX = "__Host-", "Host-"


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


def pass_cookies() -> None:
    """Pass cookies as API Gateway does, and so that a browser keeps them although there is no TLS here.

    "Create AWS Lambda proxy integrations for HTTP APIs": payload format 2.0 has the request's cookies in a
    field of their own.
    """
    execute, invoke = lambda_svc._execute_function_with_config_scope, apigateway._invoke_lambda_proxy

    def execute_with_cookies(function: object, event: Any) -> object:
        is_request = isinstance(event, dict) and event.get("version") == "2.0" and "routeKey" in event
        if is_request and "cookie" in event["headers"]:
            sent = event["headers"].pop("cookie").split(";")
            event["cookies"] = [_named_for_tls(cookie.strip()) for cookie in sent]
        return execute(function, event)

    async def invoke_without_tls(*args: object, **kwargs: object) -> tuple[int, dict[str, Any], bytes]:
        status, headers, body = await invoke(*args, **kwargs)
        if isinstance(headers.get("Set-Cookie"), list):
            headers["Set-Cookie"] = [_without_tls(cookie) for cookie in headers["Set-Cookie"]]
        return status, headers, body

    lambda_svc._execute_function_with_config_scope = execute_with_cookies
    apigateway._invoke_lambda_proxy = invoke_without_tls


def _named_for_tls(cookie: str) -> str:
    return f"__{cookie}" if cookie.startswith(_PREFIX) else cookie


def _without_tls(cookie: str) -> str:
    """Return a Set-Cookie header's value without what asks for TLS.

    Chromium takes such cookies from localhost over plain HTTP, and not every browser does.
    """
    pair, *attributes = cookie.split(";")
    kept = [attribute for attribute in attributes if attribute.strip().lower() != "secure"]
    return ";".join([pair.replace(_TLS_PREFIX, _PREFIX, 1) if pair.startswith(_TLS_PREFIX) else pair, *kept])


def take_computed_alarms() -> None:
    """Let a template have alarms on metrics that are computed; they exist, and stay as they are."""
    record: Callable[..., dict[str, Any]] = provisioners._cw_metric_alarm_record

    def record_computed(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        if "Metrics" in properties:
            properties = {key: value for key, value in properties.items() if key != "Metrics"}
            properties |= {"Namespace": "Computed", "MetricName": name}
        return record(name, properties)

    provisioners._cw_metric_alarm_record = record_computed


def pass_for_tls() -> None:
    """Let requests pass for such that came over TLS, for policies that refuse others."""
    iam_evaluator._request_origin = ContextVar("request_origin", default=("127.0.0.1", True))


def main() -> None:
    """Serve until SIGTERM or the parent's end."""
    ministack.app = watch = ChangeWatch(ministack.app)
    queue_for_workers()
    pass_cookies()
    take_computed_alarms()
    pass_for_tls()
    threading.Thread(target=save_while_running, args=(watch,), daemon=True).start()
    threading.Thread(target=stop_with_parent, daemon=True).start()
    ministack.main()


if __name__ == "__main__":
    main()
