"""The emulator's journal keeps acknowledged calls over a kill, also while a snapshot is being written.

The journal works on MiniStack's modules, so these tests run it in the interpreter of MiniStack's environment.
"""

import os
import subprocess
from pathlib import Path

import pytest

from deployed_stack.paths import ROOT
from local_stack.paths import MINISTACK_PYTHON

_BEGIN = """
import asyncio, json, logging, os, sys, threading
from pathlib import Path
sys.path.append(sys.argv[1])
from ministack import app as ministack
from emulator.journal import Journal

logging.basicConfig(level=logging.WARNING)
folder = Path(os.environ["STATE_DIR"], "journal")
journal = Journal(folder)
journal.install()

async def call(name, **request):
    headers = {"x-amz-target": f"DynamoDB_20120810.{name}"}
    handler = ministack.SERVICE_HANDLERS["dynamodb"]
    status, _, content = await handler("POST", "/", headers, json.dumps(request).encode(), {})
    return status, json.loads(content)

def put(key):
    return call("PutItem", TableName="timers", Item={"pk": {"S": key}})
"""

_CREATE_TABLE = """
def create(name):
    return call(
        "CreateTable",
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
"""

# The table is created, and the snapshot that contains it is still being written when the second item is put.
_CREATE = (
    _CREATE_TABLE
    + """
async def main():
    write, may_write, writing = journal._write, threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    def write_slowly(*args):
        loop.call_soon_threadsafe(writing.set)
        may_write.wait()
        write(*args)
    journal._write = write_slowly
    await create("timers")
    first = asyncio.create_task(put("first"))
    await writing.wait()
    second = asyncio.create_task(put("second"))
    await asyncio.wait([second], timeout=0.5)
    print("at once" if second.done() else "later", flush=True)
    if not second.done():
        may_write.set()
        for status, _ in await asyncio.gather(first, second):
            assert status == 200, status
    # A kill.
    os._exit(0)

asyncio.run(main())
"""
)

# The disk is full while the second item is put.
_FILL_DISK = (
    _CREATE_TABLE
    + """
async def main():
    await create("timers")
    await put("first")
    write = os.write
    os.write = lambda file, data: write(file, data[: len(data) // 2])
    try:
        await put("lost")
        print("acknowledged")
    except OSError as error:
        print(error.strerror)
    os.write = write
    await put("second")
    sys.stdout.flush()
    os._exit(0)

asyncio.run(main())
"""
)

# A call is killed while it writes its line, and the next emulator is killed, too.
_PUT_SECOND = """
async def main():
    ministack._load_persisted_state()
    await put("second")
    os._exit(0)

asyncio.run(main())
"""

# No snapshot can be written for a while.
_BLOCK_SNAPSHOTS = (
    _CREATE_TABLE
    + """
async def main():
    ministack._load_persisted_state()
    scratch = Path(os.environ["STATE_DIR"], "dynamodb.json.tmp")
    scratch.mkdir(parents=True)
    await create("timers")
    try:
        await put("lost")
        print("acknowledged")
    except OSError:
        print("refused")
    await asyncio.sleep(4)
    scratch.rmdir()
    # The journal itself saves the tables again.
    await asyncio.sleep(4)
    print("saved" if scratch.with_suffix("").exists() else "not saved")
    await put("first")
    await put("second")
    sys.stdout.flush()
    os._exit(0)

asyncio.run(main())
"""
)

_READ = """
async def main():
    ministack._load_persisted_state()
    for key in ("first", "second"):
        print((await call("GetItem", TableName="timers", Key={"pk": {"S": key}}))[1])
    os._exit(0 if sys.stdout.flush() is None else 1)

asyncio.run(main())
"""


def run(state: Path, script: str) -> tuple[str, str]:
    """Run a script beside MiniStack; return what it printed and logged."""
    environment = os.environ | {"STATE_DIR": str(state), "PERSIST_STATE": "1", "S3_PERSIST": "0"}
    finished = subprocess.run(
        [MINISTACK_PYTHON, "-P", "-c", _BEGIN + script, str(ROOT / "scripts")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout, finished.stderr


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "services"


_BOTH = [str({"Item": {"pk": {"S": key}}}) for key in ("first", "second")]


def test_a_call_waits_for_the_snapshot_that_contains_its_table(state: Path) -> None:
    assert run(state, _CREATE)[0] == "later\n"
    found, logged = run(state, _READ)
    assert found.splitlines() == _BOTH
    assert "failed when it was made again" not in logged


def test_a_call_that_fails_when_it_is_made_again_is_logged(state: Path) -> None:
    run(state, _CREATE)
    (state / "dynamodb.json").unlink()
    _, logged = run(state, _READ)
    assert "Call 1, DynamoDB_20120810.PutItem, failed when it was made again" in logged


def test_a_call_is_an_error_if_the_disk_has_no_space_for_it(state: Path) -> None:
    assert run(state, _FILL_DISK)[0] == "No space left on device\n"
    found, logged = run(state, _READ)
    assert found.splitlines() == _BOTH
    assert "cannot be read" not in logged


def test_a_call_survives_after_one_that_was_killed(state: Path) -> None:
    run(state, _CREATE)
    journal = state / "journal"
    for path in journal.iterdir():
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    (journal / "000000000002.jsonl").write_text('[2, "dynamodb", "us-ea')
    run(state, _PUT_SECOND)
    found, logged = run(state, _READ)
    assert found.splitlines() == _BOTH
    assert "cannot be read" not in logged


def test_a_damaged_call_is_logged_and_the_others_are_made(state: Path) -> None:
    run(state, _CREATE)
    (state / "journal/000000000000.jsonl").write_text('[1, "dynamodb", "us-ea\n')
    found, logged = run(state, _READ)
    assert found.splitlines() == _BOTH
    assert "cannot be read" in logged


def test_saving_goes_on_after_an_error(state: Path) -> None:
    found, logged = run(state, _BLOCK_SNAPSHOTS)
    assert found.splitlines() == ["refused", "saved"]
    assert "The state could not be saved" in logged
    assert run(state, _READ)[0].splitlines() == _BOTH
