"""The emulator's state on disk: a snapshot of each service, and a journal of the calls since then.

A call that changes the stack's data (DynamoDB, SQS, SSM, Secrets Manager) is appended to the journal before
its response is sent, so that an acknowledged change survives a kill of the process. At the start, the calls
that are newer than the snapshots are made again, in their order. The journal is a sequence of files; a
snapshot contains the number of the last call that it includes, and removes the files before it.

Calls that change anything else (functions, routes, buckets, stacks) are rare, and are not repeatable. A
snapshot follows them. A call that changes data waits until it is on disk, because the call may be about
something that only this snapshot contains.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack
from ministack.core import persistence, responses
from ministack.services import lambda_svc

Handler = Callable[
    [str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[tuple[int, dict[str, Any], Any]]
]

# The calls that change data, by service.
_DATA_CALLS = {
    "dynamodb": {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"},
    "sqs": {"SendMessage", "SendMessageBatch", "DeleteMessage", "DeleteMessageBatch", "PurgeQueue"},
    "ssm": {"PutParameter", "DeleteParameter", "DeleteParameters"},
    "secretsmanager": {"PutSecretValue", "UpdateSecretVersionStage"},
}
# The beginnings of the names of calls that change nothing which has to survive. A message whose visibility
# changed is delivered again.
_READING = (
    *("Get", "List", "Describe", "Query", "Scan", "BatchGet", "TransactGet", "Receive", "Filter"),
    "ChangeMessageVisibility",
)
_READING_METHODS = {"GET", "HEAD", "OPTIONS"}
# Services whose state changes without calls, and is saved together with the data: the functions' logs.
_LOGS = "cloudwatch_logs"
_SECONDS_BEFORE_SNAPSHOT = 2.0
_SECONDS_OF_JOURNAL = 60.0
_BYTES_OF_JOURNAL = 8_000_000
_POLL_SECONDS = 0.5
# The status from which on a call has changed nothing.
_ERROR = 300
_KEY = "journal"

_log = logging.getLogger("journal")


class Journal:
    """Saves the emulator's state, and restores it.

    Parameters
    ----------
    folder
        The folder of the journal's files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sequence = 0
        self._file: int | None = None
        self._bytes = 0
        self._oldest_call: float | None = None
        # The number of calls that changed anything else, and the time of the first one that no snapshot on
        # disk contains.
        self._changes = 0
        self._needs_snapshot: float | None = None
        # Held while a call changes data, and while a snapshot copies it.
        self._data = asyncio.Lock()
        self._snapshot = asyncio.Lock()
        self._handlers: dict[str, Handler] = {}
        self._saver: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Record the calls to all services, and replace MiniStack's own saving and loading."""
        self._handlers = dict(ministack.SERVICE_HANDLERS)
        for service, handler in self._handlers.items():
            ministack.SERVICE_HANDLERS[service] = self._recorded(service, handler)
        load, reset = ministack._load_persisted_state, ministack._reset_all_state

        def load_and_replay() -> None:
            load()
            # A stream's records are not saved, so a position in them is meaningless after a restart.
            lambda_svc._dynamodb_stream_positions.clear()
            self._replay()
            self._saver = asyncio.get_running_loop().create_task(self._save_while_running())

        def reset_with_journal() -> None:
            reset()
            self._begin_file()
            self._remove_files_before(self._sequence + 1)

        ministack._load_persisted_state = load_and_replay
        ministack._reset_all_state = reset_with_journal
        # MiniStack calls this function when it stops.
        ministack.save_all = self._save_at_end

    # ------------------------------------------------------------ recording

    def _recorded(self, service: str, handler: Handler) -> Handler:
        data_calls = _DATA_CALLS.get(service, set())

        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
        ) -> tuple[int, dict[str, Any], Any]:
            name = _call_name(method, path, headers, body, query)
            if name in data_calls:
                if self._needs_snapshot is not None:
                    await self._save(everything=True)
                async with self._data:
                    answer = await handler(method, path, headers, body, query)
                    if answer[0] < _ERROR:
                        self._append(service, headers, body)
                return answer
            answer = await handler(method, path, headers, body, query)
            if not name.startswith(_READING):
                self._changes += 1
                if self._needs_snapshot is None:
                    self._needs_snapshot = time.monotonic()
            return answer

        return handle

    def _append(self, service: str, headers: Mapping[str, str], body: bytes) -> None:
        file = self._begin_file() if self._file is None else self._file
        self._sequence += 1
        call = [self._sequence, service, responses.get_region(), headers["x-amz-target"], body.decode()]
        line = (json.dumps(call) + "\n").encode()
        os.write(file, line)
        self._bytes += len(line)
        if self._oldest_call is None:
            self._oldest_call = time.monotonic()

    def _begin_file(self) -> int:
        if self._file is not None:
            os.close(self._file)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._sequence + 1:012}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._bytes = 0
        self._oldest_call = None
        return self._file

    def _remove_files_before(self, sequence: int) -> None:
        for path in self._files():
            if int(path.stem) < sequence:
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.jsonl"))

    # ------------------------------------------------------------ replaying

    def _replay(self) -> None:
        """Make the calls that are newer than the snapshots again."""
        saved = {service: _sequence_of(service) for service in _DATA_CALLS}
        self._sequence = max(saved.values())
        count = 0
        for sequence, service, region, target, body in self._calls():
            self._sequence = max(self._sequence, sequence)
            if sequence > saved[service]:
                responses.set_request_region(region)
                call = self._handlers[service]("POST", "/", {"x-amz-target": target}, body.encode(), {})
                status, _, content = _finish(call)
                if status >= _ERROR:
                    _log.error("Call %d, %s, failed when it was made again: %s", sequence, target, content)
                count += 1
        if count:
            self._oldest_call = time.monotonic()
            _log.warning("Made %d calls again that were made after the last snapshot", count)

    def _calls(self) -> Iterator[tuple[int, str, str, str, str]]:
        for path in self._files():
            for line in path.read_bytes().splitlines(keepends=True):
                # A line without an end belongs to a call that was never acknowledged.
                if line.endswith(b"\n"):
                    yield tuple(json.loads(line))

    # ------------------------------------------------------------ snapshots

    async def _save_while_running(self) -> None:
        spent = 0.0
        while True:
            # Save a large state less often, so that saving takes at most a tenth of the time.
            await asyncio.sleep(max(_POLL_SECONDS, 10 * spent))
            now, began = time.monotonic(), time.monotonic()
            changed, oldest = self._needs_snapshot, self._oldest_call
            is_long = self._bytes > _BYTES_OF_JOURNAL
            if changed is not None and now - changed > _SECONDS_BEFORE_SNAPSHOT:
                await self._save(everything=True)
            elif is_long or (oldest is not None and now - oldest > _SECONDS_OF_JOURNAL):
                await self._save(everything=False)
            spent = time.monotonic() - began

    async def _save(self, *, everything: bool) -> None:
        """Save all services, or those that the journal is about."""
        async with self._snapshot:
            if everything and self._needs_snapshot is None:
                # Another call has waited for a snapshot, and this one is newer than the change.
                return
            async with self._data:
                sequence = self._sequence
                self._begin_file()
                changes = self._changes
                names = None if everything else [*_DATA_CALLS, _LOGS]
                states = await asyncio.to_thread(self._copied, names)
            await asyncio.to_thread(self._write, states, sequence)
            if everything and self._changes == changes:
                self._needs_snapshot = None

    def _save_at_end(self, _services: object) -> None:
        sequence = self._sequence
        self._begin_file()
        self._write(self._copied(None), sequence)

    def _copied(self, names: list[str] | None) -> dict[str, Any]:
        """Return copies of the services' states."""
        getters = ministack._build_persistence_save_dict()
        return {name: _copy(getters[name]) for name in names or getters if name in getters}

    def _write(self, states: Mapping[str, Any], sequence: int) -> None:
        """Write the services' states, and remove the calls that they contain from the journal."""
        folder = Path(persistence.STATE_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        for name, state in states.items():
            # None is the state of a service that could not be loaded.
            if state is None:
                continue
            document = {
                "__ministack_format__": persistence._state_format_version(name),
                _KEY: sequence,
                "payload": state,
            }
            scratch = folder / f"{name}.json.tmp"
            scratch.write_text(json.dumps(document, default=persistence._json_default))
            scratch.replace(folder / f"{name}.json")
        self._remove_files_before(sequence + 1)


def _call_name(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
) -> str:
    """Return the name of a call; for services with REST paths, a name that tells whether the call reads."""
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if "Action" in query:
        return str(query["Action"][0])
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    return "Get" if method in _READING_METHODS or path.endswith("/invocations") else method


def _sequence_of(service: str) -> int:
    """Return the number of the last call that a service's snapshot contains; 0 if there is no snapshot."""
    path = Path(persistence.STATE_DIR, f"{service}.json")
    return int(json.loads(path.read_bytes()).get(_KEY, 0)) if path.exists() else 0


def _copy(get_state: Callable[[], Any]) -> Any:
    """Return a copy of a service's state, which MiniStack's own threads may change meanwhile."""
    for _ in range(10):
        try:
            return get_state()
        except RuntimeError:
            # "dictionary changed size during iteration"
            continue
    return get_state()


def _finish(call: Awaitable[Any]) -> Any:
    """Return the result of a coroutine that never waits; these calls do not."""
    try:
        call.send(None)  # type: ignore[attr-defined]
    except StopIteration as finished:
        return finished.value
    raise RuntimeError("A call of the journal waits for something")
