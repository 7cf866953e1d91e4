"""MiniStack's process, run as a file by the interpreter of MiniStack's own environment.

The functions below change the version that requirements/ministack.txt pins. Unchanged, MiniStack

- answers everybody (guard.py),
- saves its state only when it stops (journal.py),
- gives functions an access key that everybody knows,
- puts its own port into the URLs of queues, so that its state belongs to that port,
- has no origin of a distribution for its own APIs,
- starts one more worker process for each concurrent call of a function, without a limit,
- unpacks a function and its layers again for each worker process, which takes longer than to start it,
- waits 50 ms after each call of a function that logs nothing,
- outlives the process that started it,
- passes cookies among the headers of an event, and only the last of several with one name,
- ignores the origin groups of a distribution, and allows all methods where it names none,
- refuses a template with an alarm on a computed metric, or with a response of a WebSocket API,
- leaves a staging label of a secret also at its former version,
- applies policies that refuse requests without TLS, although the local stack has no TLS.
"""

import asyncio
import hashlib
import json
import os
import re
import select
import signal
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from contextvars import ContextVar
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, unquote

# The interpreter of this environment knows the packages of MiniStack only.
sys.path.append(str(Path(__file__).parents[1]))

from ministack import app as ministack
from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import apigateway, cloudfront, lambda_svc, secretsmanager
from ministack.services.cloudformation import provisioners

from emulator.guard import Guard
from emulator.journal import Journal

# More workers would only wait for the processors.
_MAX_WORKERS = 4 * (os.cpu_count() or 1)
_unpacking = threading.Lock()
# CloudFront's default of 30 s is too short while many workers of a function start on few cores.
_ORIGIN_READ_SECONDS = 120
_LOG_SECONDS = 0.25
_API_HOST = re.compile(r"([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com")


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


def collect_logs_at_once() -> None:
    """Collect a call's log as soon as its pipe is empty; the worker writes the log before its response."""

    def drain(worker: Any, **_limits: float) -> str:
        deadline, quiet = time.monotonic() + _LOG_SECONDS, 0
        while quiet < 2 and time.monotonic() < deadline:
            pipe = worker._proc.stderr if worker._proc else None
            # A thread moves the lines from the pipe to a queue, one after another.
            quiet = 0 if pipe and select.select([pipe], [], [], 0)[0] else quiet + 1
            time.sleep(0.001)
        log: str = worker._drain_stderr()
        return log

    lambda_runtime.Worker._drain_stderr_bounded = drain


def pass_cookies() -> None:
    """Pass cookies as API Gateway does.

    Payload format 2.0 has a field for the request's cookies ("Create AWS Lambda proxy integrations for HTTP
    APIs").
    """
    execute = lambda_svc._execute_function_with_config_scope

    def execute_with_cookies(function: object, event: Any) -> object:
        is_request = isinstance(event, dict) and event.get("version") == "2.0" and "routeKey" in event
        if is_request and "cookie" in event["headers"]:
            event["cookies"] = [cookie.strip() for cookie in event["headers"].pop("cookie").split(";")]
        return execute(function, event)

    lambda_svc._execute_function_with_config_scope = execute_with_cookies
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


def call_apis() -> None:
    """Let a distribution request its origin ``<API>.execute-api.<region>.amazonaws.com`` from MiniStack."""
    fetch = cloudfront._fetch_from_origin

    async def fetch_from_api(origin: dict[str, Any], method: str, uri: str, *args: Any) -> tuple[Any, ...]:
        api = _API_HOST.fullmatch(origin["domain_name"])
        if api is None:
            answer: tuple[Any, ...] = await fetch(origin, method, uri, *args)
            return answer
        query, viewer_headers, body, _is_https, client_ip, forwarded_for, _arn = args
        headers = cloudfront._origin_request_headers(origin, viewer_headers, client_ip, forwarded_for)
        path = f"/_aws/execute-api/{api[1]}/$default{uri}"
        call = ministack._handle_execute_api_request(
            origin["domain_name"],
            unquote(path),
            method,
            {name.lower(): value for name, value in headers.items()},
            body,
            parse_qs(query, keep_blank_values=True),
            raw_path=path,
            raw_query_string=query,
        )
        try:
            status, answered, content = await asyncio.wait_for(call, _ORIGIN_READ_SECONDS)
        except TimeoutError as error:
            raise cloudfront.OriginTimeout(str(error)) from error
        return status, "", {name.lower(): value for name, value in answered.items()}, content

    cloudfront._fetch_from_origin = fetch_from_api


def share_access_key() -> None:
    """Give functions the run's access key, which this process has in its own environment."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    credentials = {name: os.environ[name] for name in names} | {"AWS_SESSION_TOKEN": ""}
    for module in (lambda_runtime, lambda_svc):
        module.execution_credentials = lambda _config: credentials


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


def allow_default_methods() -> None:
    """Allow GET and HEAD only, unless a behavior names methods (CloudFront's API, "DefaultCacheBehavior")."""
    parse = cloudfront.parse_distribution_dataplane_config

    def parse_methods(distribution: dict[str, Any]) -> dict[str, Any]:
        parsed: dict[str, Any] = parse(distribution)
        for behavior in (parsed["default_behavior"], *parsed["ordered_behaviors"]):
            if behavior is not None and not behavior["allowed_methods"]:
                behavior["allowed_methods"] = ["GET", "HEAD"]
        return parsed

    cloudfront.parse_distribution_dataplane_config = parse_methods


def accept_computed_alarms() -> None:
    """Accept alarms on computed metrics. These alarms exist, but never change their state."""
    record: Callable[..., dict[str, Any]] = provisioners._cw_metric_alarm_record

    def record_computed(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        if "Metrics" in properties:
            properties = {key: value for key, value in properties.items() if key != "Metrics"}
            properties |= {"Namespace": "Computed", "MetricName": name}
        return record(name, properties)

    provisioners._cw_metric_alarm_record = record_computed


def provision_responses() -> None:
    """Provision the responses of WebSocket APIs, which MiniStack creates by API calls only."""
    for kind in ("integration", "route"):
        name = f"AWS::ApiGatewayV2::{kind.title()}Response"
        provisioners._RESOURCE_HANDLERS[name] = _response_handlers(kind)


def _response_handlers(kind: str) -> dict[str, Callable[..., Any]]:
    create_response = getattr(apigateway, f"_create_{kind}_response")
    delete_response = getattr(apigateway, f"_delete_{kind}_response")

    def parent(given: dict[str, Any]) -> tuple[str, str]:
        # MiniStack's reference to a route begins with the API's id.
        return given["ApiId"], given[f"{kind.title()}Id"].rpartition("/")[2]

    def create(_logical_id: str, given: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
        members = {name[0].lower() + name[1:]: value for name, value in given.items()}
        status, _, body = create_response(*parent(given), members)
        if status != HTTPStatus.CREATED:
            raise ValueError(body)
        return json.loads(body)[f"{kind}ResponseId"], {}

    def delete(response_id: str, given: dict[str, Any]) -> None:
        delete_response(*parent(given), response_id)

    def update(
        response_id: str, old: dict[str, Any], new: dict[str, Any], stack: str
    ) -> tuple[str, dict[str, Any]]:
        delete(response_id, old)
        return create("", new, stack)

    return {"create": create, "update": update, "delete": delete}


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
    port, state_dir = os.environ["EMULATOR_PORT"], Path(os.environ["STATE_DIR"])
    # GATEWAY_PORT, which URLs contain, is the same for each start.
    ministack._resolve_port = lambda: port
    Journal(state_dir / "journal").install()
    ministack.app = Guard(
        ministack.app,
        hosts=frozenset({f"127.0.0.1:{port}", f"localhost:{port}"}),
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        # Functions inherit the environment, and functions do not need the front door's secret.
        secret=os.environ.pop("EMULATOR_SECRET"),
    )
    queue_for_workers()
    unpack_once()
    collect_logs_at_once()
    share_access_key()
    pass_cookies()
    # The second origin of a group is an API, so its requests pass both functions.
    call_apis()
    fail_over()
    allow_default_methods()
    accept_computed_alarms()
    provision_responses()
    move_staging_labels()
    pretend_tls()
    threading.Thread(target=stop_with_parent, daemon=True).start()
    ministack.main()


if __name__ == "__main__":
    main()
