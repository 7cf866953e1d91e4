"""Weight, speed and processor time of the widget on another site's page, in Chromium on the local stack."""

import gzip
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import brotli
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Response, sync_playwright

from deployed_stack.http_client import request
from deployed_stack.paths import ROOT
from deployed_stack.web import served
from local_stack import LocalStack, free_port
from tests.browser.widget import REPO, Widget
from tests.support.install_chromium import FLAGS, chromium
from tests.support.page_server import PageServer

_ANN = (21031067, "Codertocat")
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A page of another site with the widget</title>
<link rel="icon" href="data:,">
<script type="module" src="{server}/issue-timer.js"></script>
<h1>Work</h1>
<issue-timer></issue-timer>
</html>
"""
# CloudFront does not compress smaller files ("Serve compressed files" in CloudFront's Developer Guide).
_LEAST_COMPRESSED = 1_000

_LOADS = 7
# Lighthouse's "Slow 4G": 1.6 Mbit/s, a round trip of 150 ms.
_SLOW_4G = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}
_TIMEOUT_MS = 60_000
# The callbacks of a frame run right before the browser paints the frame.
_WATCH = """
window.seen = {};
(function look() {
  const root = document.querySelector("issue-timer")?.shadowRoot;
  if (root?.firstElementChild) seen.widget ??= performance.now();
  if (root?.querySelector(".counting .clock")?.textContent) seen.clock = performance.now();
  else requestAnimationFrame(look);
})();
"""
_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"

_VISIBLE_S, _OTHERWISE_S = 180, 60
_COUNT_TICKS = """() => {
  window.ticks = 0;
  const clock = document.querySelector("issue-timer").shadowRoot.querySelector(".clock");
  const watch = { childList: true, characterData: true, subtree: true };
  new MutationObserver(() => { ticks += 1; }).observe(clock, watch);
}"""
_DURATIONS = ("ScriptDuration", "TaskDuration", "ProcessTime")


def measure() -> str:
    """Return the tables of bytes, of times on a slow connection, and of processor time in an hour."""
    with tempfile.TemporaryDirectory() as folder, PageServer() as sites, sync_playwright() as playwright:
        origin = sites.origin("wiki")
        parameters = {"AllowedOrigins": origin}
        with (
            LocalStack(free_port(), Path(folder), parameters=parameters) as stack,
            playwright.chromium.launch(executable_path=chromium(), args=FLAGS) as browser,
        ):
            sites.pages["/"] = _PAGE.format(server=stack.url).encode()
            token = stack.mint_token(_ANN[0], login=_ANN[1])
            _start_timer(stack, token)
            embedding = _Embedding(browser, origin, stack.url, token)
            return "\n\n".join(
                (_weight(embedding, stack.url), _speed(embedding), _processor_time(embedding)),
            )


@dataclass(frozen=True)
class _Embedding:
    """The other site's page, which embeds the widget, and a person's API token."""

    browser: Browser
    origin: str
    server: str
    token: str

    @contextmanager
    def visitor(self) -> Iterator[BrowserContext]:
        """Yield a browser with an empty cache and a session."""
        # Use an API token in place of a session, because both are sent and checked in the same way.
        session = json.dumps({"token": self.token, "expires": (time.time() + 86_400) * 1000})
        kept = {"name": f"issue-timer:session:{self.server}", "value": session}
        state: Any = {"cookies": [], "origins": [{"origin": self.origin, "localStorage": [kept]}]}
        with self.browser.new_context(storage_state=state) as context:
            context.set_default_timeout(_TIMEOUT_MS)
            yield context

    def open(self, page: Page) -> None:
        """Visit the page, and wait until the clock runs."""
        page.goto(self.origin)
        Widget(page).expect_state("Counting")


def _start_timer(stack: LocalStack, token: str) -> None:
    answer = request(
        "POST",
        f"{stack.url}/api/timelogs/start/",
        body=json.dumps({"github_repo": REPO, "github_issue_number": 7}).encode(),
        headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
    )
    assert answer.status == 201, answer


# ---------------------------------------------------------------- weight


def _weight(embedding: _Embedding, server: str) -> str:
    with embedding.visitor() as visitor:
        page = visitor.new_page()
        widget = _files_of(page, server)
        embedding.open(page)
    with embedding.browser.new_context() as visitor:
        page = visitor.new_page()
        hosted = _files_of(page, server)
        page.goto(server, wait_until="networkidle")
    rows = [
        "| file | bytes | gzip 9 | brotli 5 | brotli 11 | as CloudFront does, brotli 11 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(_row(f"`{path}`", [path]) for path in widget),
        _row("**the widget**", widget),
        _row("the hosted page, widget included", hosted),
    ]
    return "\n".join(rows)


def _files_of(page: Page, server: str) -> list[str]:
    """Return a list to which the product's files are added when a page loads them."""
    files: list[str] = []

    def collect(response: Response) -> None:
        url = urlsplit(response.url)
        path = url.path.lstrip("/") or "index.html"
        if response.url.startswith(server) and not path.startswith("api/") and path not in files:
            files.append(path)

    page.on("response", collect)
    return files


def _row(name: str, paths: Iterable[str]) -> str:
    sizes = [_sizes(served(ROOT / "web" / path)) for path in paths]
    return f"| {name} | {' | '.join(f'{sum(column):,}' for column in zip(*sizes, strict=True))} |"


def _sizes(body: bytes) -> tuple[int, ...]:
    smallest = len(brotli.compress(body, quality=11))
    return (
        len(body),
        len(gzip.compress(body, 9)),
        len(brotli.compress(body, quality=5)),
        smallest,
        smallest if len(body) >= _LEAST_COMPRESSED else len(body),
    )


# ---------------------------------------------------------------- speed


class _Waterfall:
    """The requests of a page, as Chromium's DevTools protocol reports them."""

    def __init__(self, cdp: CDPSession) -> None:
        self.bytes = 0
        self._paths: dict[str, str] = {}
        self._began: dict[str, float] = {}
        self._answered: dict[str, float] = {}
        self._preflights: dict[str, str] = {}
        cdp.on("Network.requestWillBeSent", self._begin)
        cdp.on("Network.responseReceived", self._respond)
        cdp.on("Network.loadingFinished", self._end)
        cdp.send("Network.enable")

    def __len__(self) -> int:
        return len(self._began)

    @property
    def preflights(self) -> int:
        """The number of requests that were preflights."""
        return len(self._preflights)

    def steps_to(self, path: str) -> int:
        """Return the number of sequential round trips until a path is loaded."""
        return max(self._steps(key) for key, at in self._paths.items() if at == path)

    def _steps(self, key: str) -> int:
        before = [other for other, at in self._answered.items() if at <= self._began[key]]
        # A request is reported at about the time of its preflight, not after it.
        if key in self._preflights:
            before.append(self._preflights[key])
        return 1 + max(map(self._steps, before), default=0)

    def _begin(self, event: Any) -> None:
        key, initiator = event["requestId"], event["initiator"]
        self._paths[key] = urlsplit(event["request"]["url"]).path
        self._began[key] = event["timestamp"]
        if initiator["type"] == "preflight":
            self._preflights[initiator["requestId"]] = key

    def _respond(self, event: Any) -> None:
        self._answered[event["requestId"]] = event["timestamp"]

    def _end(self, event: Any) -> None:
        self.bytes += int(event["encodedDataLength"])


def _speed(embedding: _Embedding) -> str:
    # Warm up the functions, so that no cold start is measured.
    for _ in range(2):
        with embedding.visitor() as visitor:
            embedding.open(visitor.new_page())
    cold, warm = [], []
    for _ in range(_LOADS):
        with embedding.visitor() as visitor:
            cold.append(_load(embedding, visitor))
            warm.append(_load(embedding, visitor))
    return "\n".join(
        (
            (
                "| cache | requests | bytes transferred | round trips to the clock "
                "| first paint, ms | widget, ms | running clock, ms |"
            ),
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            f"| empty | {_medians(cold)} |",
            f"| from the previous visit | {_medians(warm)} |",
        )
    )


def _load(embedding: _Embedding, visitor: BrowserContext) -> tuple[float, ...]:
    page = visitor.new_page()
    cdp = visitor.new_cdp_session(page)
    waterfall = _Waterfall(cdp)
    cdp.send("Network.emulateNetworkConditions", _SLOW_4G)
    page.add_init_script(_WATCH)
    embedding.open(page)
    page.wait_for_load_state("networkidle")
    seen, first_paint = page.evaluate("seen"), page.evaluate(_FIRST_PAINT)
    page.close()
    steps = waterfall.steps_to("/api/timelogs/")
    return (len(waterfall), waterfall.bytes, steps, first_paint, seen["widget"], seen["clock"])


def _medians(loads: list[tuple[float, ...]]) -> str:
    return " | ".join(f"{statistics.median(column):,.0f}" for column in zip(*loads, strict=True))


# ---------------------------------------------------------------- processor time


def _processor_time(embedding: _Embedding) -> str:
    rows = [
        (
            "| the page | seconds | ticks | requests | preflights | script, s an hour | "
            "main thread, s an hour | whole process, s an hour |"
        ),
        "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    with embedding.visitor() as visitor:
        page = visitor.new_page()
        embedding.open(page)
        cdp = visitor.new_cdp_session(page)
        # Measure processor time instead of elapsed time.
        cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.evaluate(_COUNT_TICKS)
        page.wait_for_load_state("networkidle")
        rows.append(f"| visible | {_over(page, cdp, _VISIBLE_S)} |")
        Widget(page).hide()
        rows.append(f"| hidden | {_over(page, cdp, _OTHERWISE_S)} |")
        page.evaluate("document.querySelector('issue-timer').remove()")
        rows.append(f"| without the widget | {_over(page, cdp, _OTHERWISE_S)} |")
    return "\n".join(rows)


def _over(page: Page, cdp: CDPSession, seconds: int) -> str:
    statuses: Counter[int] = Counter()

    def count(response: Response) -> None:
        statuses[response.status] += 1

    page.on("response", count)
    network = page.context.new_cdp_session(page)
    waterfall = _Waterfall(network)
    page.evaluate("ticks = 0")
    before = _durations(cdp)
    page.wait_for_timeout(seconds * 1000)
    after = _durations(cdp)
    network.detach()
    page.remove_listener("response", count)
    counts = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items())) or "0"
    hourly = [(late - early) * 3600 / seconds for early, late in zip(before, after, strict=True)]
    shown = " | ".join(f"{value:.1f}" for value in hourly)
    return f"{seconds} | {page.evaluate('ticks')} | {counts} | {waterfall.preflights} | {shown}"


def _durations(cdp: CDPSession) -> list[float]:
    metrics = {metric["name"]: metric["value"] for metric in cdp.send("Performance.getMetrics")["metrics"]}
    return [metrics[name] for name in _DURATIONS]
