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

# The table is created, and the snapshot that contains it is still being written when the second item is put.
_CREATE = """
async def main():
    write, may_write, writing = journal._write, threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    def write_slowly(*args):
        loop.call_soon_threadsafe(writing.set)
        may_write.wait()
        write(*args)
    journal._write = write_slowly
    await call(
        "CreateTable",
        TableName="timers",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
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


def test_a_call_waits_for_the_snapshot_that_contains_its_table(state: Path) -> None:
    assert run(state, _CREATE)[0] == "later\n"
    found, logged = run(state, _READ)
    assert found.splitlines() == [str({"Item": {"pk": {"S": key}}}) for key in ("first", "second")]
    assert "failed when it was made again" not in logged


def test_a_call_that_fails_when_it_is_made_again_is_logged(state: Path) -> None:
    run(state, _CREATE)
    (state / "dynamodb.json").unlink()
    _, logged = run(state, _READ)
    assert "Call 1, DynamoDB_20120810.PutItem, failed when it was made again" in logged
