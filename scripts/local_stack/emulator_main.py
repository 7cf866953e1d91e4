"""MiniStack's process, run as a file by the interpreter of MiniStack's own environment.

The functions below change the version that requirements/ministack.txt pins. Unchanged, MiniStack

- saves its state only when it stops,
- starts one more worker process for each concurrent call of a function, without a limit,
- unpacks a function and its layers again for each worker process, which takes longer than to start it,
- outlives the process that started it,
- passes cookies among the headers of an event, and only the last of several with one name,
- ignores the origin groups of a distribution,
- refuses a template with an alarm on a computed metric,
- leaves a staging label of a secret also at its former version,
- applies policies that refuse requests without TLS, although the local stack has no TLS.
"""

import hashlib
import logging
import os
import signal
import tempfile
import threading
import time
import zipfile
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack import app as ministack
from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.persistence import save_all
from ministack.services import apigateway, cloudfront, lambda_svc, secretsmanager
from ministack.services.cloudformation import provisioners

_SAVE_SECONDS = 2.0
# More workers would only wait for the processors.
_MAX_WORKERS = 4 * (os.cpu_count() or 1)
_unpacking = threading.Lock()
# The prefix of cookie names that browsers accept over TLS only (RFC 6265bis, section 4.1.3.2), and its
# replacement.
_TLS_PREFIX, _PREFIX = "__Host-", "Host-"


class ChangeWatch:
    """ASGI middleware that records whether a request may have changed the state.

    The filter is coarse, because nearly every AWS call is a POST. It keeps an idle emulator from saving.
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
    """Save the state shortly after each change, so that a crash loses only the latest changes."""
    logging.getLogger("persistence").setLevel(logging.WARNING)
    pause = _SAVE_SECONDS
    while True:
        watch.changed.wait()
        time.sleep(pause)
        watch.changed.clear()
        started = time.monotonic()
        save_all(ministack._build_persistence_save_dict())
        # Save a large state less often, so that saving takes at most a tenth of the time.
        pause = max(_SAVE_SECONDS, 10 * (time.monotonic() - started))


def stop_with_parent() -> None:
    """Stop cleanly when the parent process has ended, for whatever reason."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def queue_for_workers() -> None:
    """Make calls wait for one of a few workers, instead of starting a worker for each."""
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


class UnpackedOnce(zipfile.ZipFile):
    """A zip file that is unpacked once; each further folder is a link to the first one."""

    def namelist(self) -> list[str]:
        """Return no names, because `extractall` itself writes nothing outside its folder."""
        return []

    def extractall(self, path: Any = None, *_args: object) -> None:
        """Replace an empty folder by a link to the unpacked files."""
        packed = Path(str(self.filename)).read_bytes()
        unpacked = Path(tempfile.gettempdir(), "unpacked", hashlib.sha256(packed).hexdigest())
        with _unpacking:
            if not unpacked.exists():
                unpacked.parent.mkdir(exist_ok=True)
                scratch = tempfile.mkdtemp(dir=unpacked.parent)
                super().extractall(scratch, super().namelist())
                Path(scratch).rename(unpacked)
        Path(path).rmdir()
        Path(path).symlink_to(unpacked)


def unpack_once() -> None:
    """Let the workers share the unpacked code and layers, which they only read."""
    # MiniStack catches errors under these names, one of which Python does not have.
    errors = {"BadZipFile": zipfile.BadZipFile, "LargeFileError": zipfile.LargeZipFile}
    lambda_runtime.zipfile = SimpleNamespace(ZipFile=UnpackedOnce, **errors)


def pass_cookies() -> None:
    """Pass cookies as API Gateway does, and in a form that browsers accept without TLS.

    Payload format 2.0 has a field for the request's cookies ("Create AWS Lambda proxy integrations for HTTP
    APIs").
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
    cloudfront._event_cookies_from_header = _cookies_by_name


def _cookies_by_name(header: str) -> dict[str, dict[str, str]]:
    """Return the cookies of a ``Cookie`` header by their names, from which CloudFront restores the header.

    A request with several cookies of one name must reach the functions with all of them.
    """
    values: dict[str, list[str]] = {}
    for pair in header.split(";"):
        name, is_pair, value = pair.strip().partition("=")
        if name and is_pair:
            values.setdefault(name, []).append(value)
    return {name: {"value": f"; {name}=".join(found)} for name, found in values.items()}


def _named_for_tls(cookie: str) -> str:
    return f"__{cookie}" if cookie.startswith(_PREFIX) else cookie


def _without_tls(cookie: str) -> str:
    """Return a Set-Cookie header's value without the parts that require TLS.

    Chromium accepts cookies with these parts from localhost over plain HTTP, but some other browsers do not.
    """
    pair, *attributes = cookie.split(";")
    kept = [attribute for attribute in attributes if attribute.strip().lower() != "secure"]
    return ";".join([pair.replace(_TLS_PREFIX, _PREFIX, 1) if pair.startswith(_TLS_PREFIX) else pair, *kept])


def fail_over() -> None:
    """Request a path from the second origin of a group if the first one responds with certain statuses.

    Source: Amazon CloudFront Developer Guide, "Optimize high availability with CloudFront origin failover".
    """
    parse, fetch = cloudfront.parse_distribution_dataplane_config, cloudfront._fetch_from_origin

    def parse_groups(distribution: dict[str, Any]) -> dict[str, Any]:
        parsed: dict[str, Any] = parse(distribution)
        config, origins = cloudfront._dist_config_el(distribution), parsed["origins"]
        for group in config.findall(".//{*}OriginGroup"):
            first, second = (member.text for member in group.findall("./{*}Members//{*}OriginId"))
            statuses = {int(status.text) for status in group.findall(".//{*}StatusCode")}
            failover = {"statuses": statuses, "origin": origins[second]}
            origins[group.find("./{*}Id").text] = origins[first] | {"failover": failover}
        return parsed

    async def fetch_with_failover(origin: dict[str, Any], method: str, *args: object) -> tuple[Any, ...]:
        response: tuple[Any, ...] = await fetch(origin, method, *args)
        failover = origin.get("failover")
        if failover and method in {"GET", "HEAD", "OPTIONS"} and response[0] in failover["statuses"]:
            response = await fetch(failover["origin"], method, *args)
        return response

    cloudfront.parse_distribution_dataplane_config = parse_groups
    cloudfront._fetch_from_origin = fetch_with_failover


def accept_computed_alarms() -> None:
    """Accept alarms on computed metrics. These alarms exist, but never change their state."""
    record: Callable[..., dict[str, Any]] = provisioners._cw_metric_alarm_record

    def record_computed(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        if "Metrics" in properties:
            properties = {key: value for key, value in properties.items() if key != "Metrics"}
            properties |= {"Namespace": "Computed", "MetricName": name}
        return record(name, properties)

    provisioners._cw_metric_alarm_record = record_computed


def move_staging_labels() -> None:
    """Remove a staging label from its former version when a new version gets it ("PutSecretValue")."""
    put: Callable[[dict[str, Any]], Any] = secretsmanager._put_secret_value

    def put_and_move(request: dict[str, Any]) -> Any:
        _, secret = secretsmanager._resolve(request.get("SecretId"))
        # MiniStack itself moves AWSCURRENT.
        moved = set(request.get("VersionStages", ())) - {"AWSCURRENT"}
        for version in secret["Versions"].values() if secret else ():
            version["Stages"] = [label for label in version["Stages"] if label not in moved]
        return put(request)

    secretsmanager._put_secret_value = put_and_move


def pretend_tls() -> None:
    """Treat all requests as sent over TLS, because some policies refuse other requests."""
    iam_evaluator._request_origin = ContextVar("request_origin", default=("127.0.0.1", True))


def main() -> None:
    """Serve until SIGTERM, or until the parent process ends."""
    ministack.app = watch = ChangeWatch(ministack.app)
    queue_for_workers()
    unpack_once()
    pass_cookies()
    fail_over()
    accept_computed_alarms()
    move_staging_labels()
    pretend_tls()
    threading.Thread(target=save_while_running, args=(watch,), daemon=True).start()
    threading.Thread(target=stop_with_parent, daemon=True).start()
    ministack.main()


if __name__ == "__main__":
    main()
