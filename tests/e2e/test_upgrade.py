"""Upgrades of a running stack, under requests and deliveries: no request fails, and no delivery is lost."""

import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest

from deployed_stack.byte_code import compile_build
from deployed_stack.http_client import Response
from deployed_stack.packing import code_folders, pack
from deployed_stack.stack import LIVE
from local_stack import LocalStack, free_port
from local_stack.build import build
from local_stack.paths import MINISTACK_PYTHON
from tests.e2e.conftest import ANN, Site, eventually, payload

REPO = "Codertocat/Upgraded"
OTHER_VERSION = "9.9.9"


def other_release(present: Path, folder: Path) -> Path:
    """Return the template of a copy of a build that has another version and another name of a module.

    Functions and layer both import the module, so functions of one build fail with the layer of the other.
    """
    other = folder / "other"
    shutil.copytree(present, other, ignore=shutil.ignore_patterns("__pycache__"))
    renamed = 0
    for code in code_folders(other):
        core = code / "python/timer_core"
        for file in (core if core.exists() else code).rglob("*.py"):
            text = file.read_text()
            changed = re.sub(r"\btimer_core\.clock\b", "timer_core.present_time", text)
            renamed += changed != text
            file.write_text(
                re.sub(r"^__version__ = .*$", f'__version__ = "{OTHER_VERSION}"', changed, flags=re.M)
            )
    assert renamed > 5
    core = other / "TimerCoreLayer/python/timer_core"
    (core / "clock.py").rename(core / "present_time.py")
    compile_build(other, MINISTACK_PYTHON)
    return other / "template.yaml"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    parameters = {"WritesPerMinute": "1000000"}
    with LocalStack(free_port(), tmp_path_factory.mktemp("stack"), parameters=parameters) as stack:
        yield Site(stack)


@pytest.fixture(scope="module")
def old() -> Path:
    return build()


@pytest.fixture(scope="module")
def new(old: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return other_release(old.parent, tmp_path_factory.mktemp("release"))


class Traffic:
    """Requests to every function that serves requests, and deliveries, until the end of the context."""

    numbers = count(1)

    def __init__(self, site: Site) -> None:
        self.site = site
        requests = (self.health, self.me, self.start_and_stop, self.deliver)
        self.responses: dict[str, list[Response]] = {each.__name__: [] for each in requests}
        self.delivered: list[int] = []
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(each.__name__, each)) for each in requests
        ]

    def health(self) -> Response:
        return self.site.send("GET", "/api/health/")

    def me(self) -> Response:
        return self.site.send("GET", "/api/auth/me/")

    def start_and_stop(self) -> Response:
        issue = {"github_repo": REPO, "github_issue_number": 1_000_000 + next(self.numbers)}
        started = self.site.send("POST", "/api/timelogs/start/", issue)
        if started.status != 201:
            return started
        timer = re.search(r'"id":"([^"]+)"', started.body.decode())
        assert timer
        return self.site.send("POST", f"/api/timelogs/{timer[1]}/stop/")

    def deliver(self) -> Response:
        number = next(self.numbers)
        response = self.site.deliver("issues", payload("issues.assigned", REPO, number))
        self.delivered.append(number)
        return response

    def go_on(self) -> None:
        """Wait for a few more answers to each request."""
        enough = {name: len(answers) + 4 for name, answers in self.responses.items()}
        assert eventually(
            lambda: all(len(self.responses[name]) >= enough[name] for name in enough), seconds=120
        )

    def timers(self) -> Iterator[dict[str, Any]]:
        """Yield all timers of the repository."""
        path = f"/api/timelogs/?github_repo={REPO}&page_size=100"
        while path:
            page = self.site.get(path)
            yield from page["results"]
            path = (page["next"] or "").removeprefix(self.site.url)

    def _repeat(self, name: str, act: Callable[[], Response]) -> None:
        while not self._ended.wait(0.2):
            self.responses[name].append(act())

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def assert_nothing_failed(self) -> None:
        """Check that all requests succeeded, and that each delivery started its timer."""
        failed = {
            name: [answer for answer in answers if answer.status not in (200, 202)]
            for name, answers in self.responses.items()
        }
        assert failed == {"health": [], "me": [], "start_and_stop": [], "deliver": []}
        self.site.process_everything()
        tracked = Counter(timer["github_issue_number"] for timer in self.timers())
        assert [tracked[number] for number in self.delivered] == [1] * len(self.delivered)
        assert self.site.stack.dead_letters() == []


def errors(site: Site, since_ms: int) -> list[str]:
    """Return what the functions logged as an error."""
    logs = site.stack.aws.client("logs")
    return [
        event["message"]
        for name in site.stack.resources.values()
        if name.startswith("/aws/lambda/")
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name, startTime=since_ms)
        for event in page["events"]
        if re.search(r'"level": ?"ERROR"|ImportError|ModuleNotFoundError|Traceback', event["message"])
    ]


def upgrade(site: Site, template: Path, **parameters: str) -> None:
    """Deploy under traffic; check that nothing failed, and that the former versions are gone."""
    since_ms = int(time.time() * 1000)
    with Traffic(site) as traffic:
        traffic.go_on()
        site.stack.deploy(template, {"WritesPerMinute": "1000000", **parameters})
        traffic.go_on()
    traffic.assert_nothing_failed()
    assert errors(site, since_ms) == []
    functions = site.stack.aws.client("lambda")
    for name in {name for name in site.stack.resources if name.endswith("Function")} - {"ForwardFunction"}:
        versions = functions.list_versions_by_function(FunctionName=site.stack.resources[name])["Versions"]
        live = functions.get_alias(FunctionName=site.stack.resources[name], Name=LIVE)["FunctionVersion"]
        assert [each["Version"] for each in versions] == ["$LATEST", live]
    for layer in ("timer-core", "background"):
        assert (
            len(functions.list_layer_versions(LayerName=f"{site.stack.name}-{layer}")["LayerVersions"]) == 1
        )


def version(site: Site) -> Any:
    return site.get("/api/health/")["version"]


def test_an_upgrade_and_a_rollback_with_incompatible_layers_fail_no_request(
    site: Site, old: Path, new: Path
) -> None:
    before = version(site)
    upgrade(site, new)
    assert version(site) == OTHER_VERSION
    assert site.stack.sweep(dry_run=True)["complete"]
    upgrade(site, old)
    assert version(site) == before


def test_a_changed_parameter_alone_takes_effect_without_a_failure(site: Site, old: Path) -> None:
    assert site.send("GET", "/api/admin/timers/").status == 403
    upgrade(site, old, AdminLogins=ANN[1])
    assert site.send("GET", "/api/admin/timers/").status == 200


def test_a_function_between_the_two_calls_of_its_update_serves_no_request(
    site: Site, new: Path, tmp_path: Path
) -> None:
    """Lambda updates a function's code by one call, and its layers by another."""
    functions, name = site.stack.aws.client("lambda"), site.stack.resources["TimelogsFunction"]
    pack(new.parent / "TimelogsFunction", tmp_path / "code.zip")
    functions.update_function_code(FunctionName=name, ZipFile=(tmp_path / "code.zip").read_bytes())
    between = functions.invoke(FunctionName=name, Payload=b"{}")
    assert "present_time" in between["Payload"].read().decode()
    assert site.send("GET", "/api/timelogs/").status == 200
