"""Monthly cost in dollars, computed from counted requests and units, assumptions about use, and list prices.

Change the numbers here and run ``python -m bench cost``.
"""

import mimetypes
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Route, sync_playwright

from bench.round_trips import (
    CLOSE_LIVE,
    DETAILS,
    OPEN_LIVE,
    OTHER_DETAILS,
    STORE_A_DAY,
    STORE_NOTHING,
    SWEEP,
    TICKET,
    Count,
    operations,
)
from bench.stage import stage
from deployed_stack.paths import ROOT
from deployed_stack.web import served
from tests.support.install_chromium import FLAGS, chromium

_USERS = (10, 1_000, 100_000)
_ROUNDS = 5
_MILLION = 1e6
_HOURS = 730
_GB = 1e9


def _assumed(value: float, description: str) -> Any:
    return field(default=value, metadata={"description": description})


@dataclass(frozen=True)
class Assumptions:
    """Assumptions about people's behaviour, GitHub's deliveries, and sizes."""

    working_days: float = _assumed(21, "working days a month")
    timers: float = _assumed(3, "timers of a person a day, each started and stopped")
    by_github: float = _assumed(0.7, "share of starts and stops from GitHub's events; the others are clicks")
    pauses: float = _assumed(2, "pauses of a person a day, each resumed, in the same shares")
    corrections: float = _assumed(0.3, "timers that a person corrects, deletes or adds a day")
    widget_minutes: float = _assumed(120, "minutes a day in which a person's widget is visible")
    polls_per_minute: float = _assumed(4, "polls a minute of a visible widget that cannot connect")
    without_live: float = _assumed(0.05, "share of the time in which a visible widget cannot connect")
    connections: float = _assumed(8, "live connections of a person a day, with those that replace another")
    hidden_minutes: float = _assumed(5, "minutes for which a connection stays open without a visible widget")
    ping_minutes: float = _assumed(9, "minutes between two pings of a connection")
    live_poll_minutes: float = _assumed(40, "minutes between two polls of a connected widget without hints")
    totals: float = _assumed(12, "requests for totals and pages of history of a person a day")
    page_views: float = _assumed(3, "views of the page a day")
    ignored_deliveries: float = _assumed(30, "deliveries that change no timer, for each person a day")
    details: float = _assumed(3, "of them, changes of details of issues on which somebody is timed")
    other_details: float = _assumed(9, "of them, changes of details of other issues")
    forgotten: float = _assumed(0.1, "timers a day that a person forgets and the sweeper ends")
    open_timers: float = _assumed(2, "open timers of a person during a sweep")
    kept_months: float = _assumed(12, "months for which timers are stored")
    answer_kb: float = _assumed(2, "KB of a response, headers included; a 304 is smaller")
    log_kb: float = _assumed(0.8, "KB logged for each invocation: Lambda's lines, and our own")
    dashboard_views: float = _assumed(20, "views of the dashboard a month, each of the logs of a day")
    access_log_kb: float = _assumed(0.25, "KB of each request in API Gateway's access log")
    kept_log: float = _assumed(0.15, "compressed size of stored logs as a share, for the month they are kept")
    traced: float = _assumed(0.05, "share of requests that X-Ray records, besides the first of each second")
    call_ms: float = _assumed(5, "ms for which Lambda waits at each call to DynamoDB")
    vcpu: float = _assumed(512 / 1769, "share of a processor that a function of 512 MB has")
    active_hours: float = _assumed(200, "hours a month in which functions publish metrics")
    hourly_metrics: float = _assumed(3, "custom metrics that the sweeper publishes each hour")
    daily_metrics: float = _assumed(1, "custom metrics that the sweeper publishes each day")
    active_metrics: float = _assumed(1, "custom metrics that other functions publish when they work")
    alarm_metrics: float = _assumed(12, "metrics that the template's alarms read, each charged as an alarm")
    environment_hours: float = _assumed(2, "hours for which Lambda keeps an environment that is in use")


class Price(NamedTuple):
    """A price in dollars, in the AWS region us-east-1.

    Attributes
    ----------
    free
        The units that are free each month for as long as an account exists.
    """

    service: str
    what: str
    dollars: float
    per: float
    unit: str
    free: float
    source: str


_AWS = "AWS's page"
# The service of the prices that only a stack with the parameter SnapStart pays.
_SNAPSTART = "SnapStart"
_PRICES = {
    "write": Price("DynamoDB", "write request units", 0.625, _MILLION, "million", 0, "Airbyte, July 2025"),
    "read": Price("DynamoDB", "read request units", 0.125, _MILLION, "million", 0, "Airbyte, July 2025"),
    "stored": Price("DynamoDB", "GB stored", 0.25, 1, "GB", 25, _AWS),
    "backup": Price("DynamoDB", "GB with point-in-time recovery", 0.20, 1, "GB", 0, "not verified"),
    "invocation": Price("Lambda", "invocations", 0.20, _MILLION, "million", _MILLION, "Cloudchipr, 2024"),
    "gb_s": Price("Lambda", "GB-s, arm64", 0.0000133334, 1, "GB-s", 400_000, "Cloudchipr, 2024"),
    "snapshot": Price(
        _SNAPSTART, "GB-s of cached snapshots", 0.0000015046, 1, "GB-s", 0, "AWSNegotiations, May 2026"
    ),
    "restore": Price(_SNAPSTART, "GB restored", 0.0001397998, 1, "GB", 0, "AWSNegotiations, May 2026"),
    "request": Price("API Gateway", "HTTP API requests", 1.00, _MILLION, "million", 0, _AWS),
    "message": Price("API Gateway", "WebSocket messages", 1.00, _MILLION, "million", 0, "Amnic"),
    "connected": Price("API Gateway", "WebSocket connection minutes", 0.25, _MILLION, "million", 0, "Amnic"),
    "queue": Price("SQS", "FIFO requests", 0.50, _MILLION, "million", _MILLION, "FactualMinds"),
    "cdn_request": Price(
        "CloudFront", "HTTPS requests", 1.00, _MILLION, "million", 10 * _MILLION, "Kinda Technical"
    ),
    "cdn_function": Price(
        "CloudFront", "runs of the function", 0.10, _MILLION, "million", 2 * _MILLION, "Vantage"
    ),
    "transfer": Price("CloudFront", "GB out", 0.085, 1, "GB", 1_000, _AWS),
    "log": Price("CloudWatch", "GB of logs", 0.50, 1, "GB", 5, "SigNoz, February 2026"),
    "log_kept": Price("CloudWatch", "GB of logs kept", 0.03, 1, "GB", 5, "Hykell"),
    "metric": Price("CloudWatch", "custom metrics", 0.30, 1, "metric", 10, "SigNoz, February 2026"),
    "alarm": Price("CloudWatch", "metrics of alarms", 0.10, 1, "metric", 10, "CloudBurn, February 2026"),
    "query": Price("CloudWatch", "GB of logs queried", 0.005, 1, "GB", 0, "FactualMinds, May 2026"),
    "dashboard": Price("CloudWatch", "dashboards", 3.00, 1, "dashboard", 3, "FactualMinds, June 2026"),
    "trace": Price("X-Ray", "traces recorded", 5.00, _MILLION, "million", 100_000, _AWS),
    "secret": Price("Secrets Manager", "secrets", 0.40, 1, "secret", 0, "Hivebook"),
    "secret_call": Price("Secrets Manager", "calls", 0.05, 10_000, "10,000", 0, "Hivebook"),
    "schedule": Price(
        "EventBridge Scheduler", "runs", 1.00, _MILLION, "million", 14 * _MILLION, "CloudBurn, March 2026"
    ),
}
# A timer and each copy in a local index take about 0.7 KB. Each copy in a global index takes 0.2 KB.
_TIMER_KB = 3
# The size of a timer's slot and events, which expire.
_EVENTS_KB = 2
_SWEEPS = 30 + _HOURS
# Read units for each open timer that a sweep counts. A measurement gave 149.5 units for 10,000 timers, and
# 19.5 units for 1,000 timers.
_COUNTING = 0.0145
_MEMORY_GB = 0.5
# The timesheets function has twice the memory, so it has twice the share of a processor too.
_STORING_GB = 1
_STORING = (STORE_NOTHING, STORE_A_DAY)
# On an idle queue, Lambda repeats long polls of 20 seconds each: five in parallel, or two if the queue has no
# maximum concurrency (AWS, "Configuring scaling behavior for SQS event source mappings"). The queue of the
# deliveries has one, those of the timesheets and of the notifications have none.
_IDLE_POLLS = (5 + 2 + 2) * 3 * 60 * _HOURS
# The requests for each message: one to send, one to receive and one to delete the message.
_QUEUE_REQUESTS = 3
_RECEIVE_MS = 15
# The functions to which the parameter SnapStart applies. A deployment deletes a function's former version.
_SNAPSHOTS = 4
_SECRETS = 1
# A process that serves requests reads its key again after five minutes.
_SECRET_READS_PER_HOUR = 12


def measure() -> str:
    """Return the tables of assumptions, operations, prices and dollars."""
    counts = _counts()
    assumptions = Assumptions()
    files = _revalidated_files()
    polling = replace(assumptions, without_live=1)
    bills, before = (
        {users: _bill(_use(users, counts, of, files)) for users in _USERS} for of in (assumptions, polling)
    )
    return "\n\n".join(
        [
            _assumption_table(assumptions, files),
            _operation_table(counts, assumptions),
            _price_table(),
            _bill_table(bills),
            _comparison(before, bills),
        ]
    )


class _Operation(NamedTuple):
    calls: float
    read_units: float
    write_units: float
    cpu_ms: float

    def ms(self, assumptions: Assumptions, memory_gb: float = _MEMORY_GB) -> float:
        """Return the milliseconds that Lambda bills."""
        vcpu = assumptions.vcpu * memory_gb / _MEMORY_GB
        return self.cpu_ms / vcpu + self.calls * assumptions.call_ms


def _counts() -> dict[str, _Operation]:
    """Return the median cost of each operation over several rounds."""
    rounds = [operations(stage()) for _ in range(_ROUNDS)]

    def median(of: Iterable[Count]) -> _Operation:
        seen = list(of)
        return _Operation(
            *(
                statistics.median(values)
                for values in (
                    [len(count.calls) for count in seen],
                    [count.read_units for count in seen],
                    [count.write_units for count in seen],
                    [count.cpu_ms for count in seen],
                )
            )
        )

    return {of[0].name: median(of) for of in zip(*rounds, strict=True)}


def _revalidated_files() -> int:
    """Count the files that a browser revalidates at each view of the page; it keeps pictures for a day."""
    files = set[str]()

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path.lstrip("/") or "index.html"
        if path.startswith("api/"):
            route.fulfill(status=401, json={})
            return
        files.add(path)
        route.fulfill(body=served(ROOT / "web" / path), content_type=mimetypes.guess_type(path)[0])

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=FLAGS) as browser,
    ):
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto("https://issue-timer.example/", wait_until="networkidle")
    return sum(not path.endswith(".svg") for path in files)


def _a_day(a: Assumptions) -> dict[str, float]:
    """Return how often each operation happens for a person on a working day."""
    manual, by_github = 1 - a.by_github, a.by_github
    changes, live = _changes(a), 1 - a.without_live
    polls = a.widget_minutes * (a.without_live * a.polls_per_minute + live / a.live_poll_minutes)
    return {
        "start": a.timers * manual,
        "stop": a.timers * manual,
        "pause": a.pauses * manual,
        "resume": a.pauses * manual,
        "patch of the description": a.corrections / 3,
        "delete": a.corrections / 3,
        "add": a.corrections / 3,
        # A page lists its timers after a hint, and after it has connected.
        "list, open timers": polls + live * (a.connections + changes),
        TICKET: live * a.connections,
        OPEN_LIVE: live * a.connections,
        CLOSE_LIVE: live * a.connections,
        "list, page of 50": a.totals,
        "process one delivery: assigned": a.timers * by_github,
        "process one delivery: closed": a.timers * by_github,
        "process one delivery: unassigned": a.pauses * by_github,
        "process one delivery: assigned again": a.pauses * by_github,
        DETAILS: a.details,
        OTHER_DETAILS: a.other_details,
        # Lambda reads the stream free of charge. The first change of a day stores a day that is over.
        STORE_NOTHING: changes - a.corrections - 1,
        STORE_A_DAY: a.corrections + 1,
    }


def _changes(a: Assumptions) -> float:
    """Return how many changes of a person's timers happen on a working day."""
    return 2 * a.timers + 2 * a.pauses + a.corrections + a.forgotten


def _use(users: int, counts: Mapping[str, _Operation], a: Assumptions, files: int) -> dict[str, float]:
    """Return the monthly usage for a number of people, in the unit of each price."""
    days = users * a.working_days
    times = {name: number * days for name, number in _a_day(a).items()}
    processed = sum(number for name, number in times.items() if name.startswith("process"))
    storing = {name: times[name] for name in _STORING}
    stored_days = sum(storing.values())
    live_calls = times[OPEN_LIVE] + times[CLOSE_LIVE]
    from_people = sum(times.values()) - processed - stored_days - live_calls
    live = 1 - a.without_live
    connected = live * (a.widget_minutes + a.connections * a.hidden_minutes) * days
    # Each ping has a reply.
    messages = 2 * connected / a.ping_minutes + live * _changes(a) * days
    received = processed + (a.ignored_deliveries - a.details - a.other_details) * days
    requests = from_people + received
    views = a.page_views * files * days
    forgotten = a.forgotten * days
    counted = _SWEEPS * users * a.open_timers * _COUNTING
    sweep = counts[SWEEP]
    stop = counts["stop"]
    operations_ms = sum(number * counts[name].ms(a) for name, number in times.items() if name not in storing)
    storing_ms = sum(number * counts[name].ms(a, _STORING_GB) for name, number in storing.items())
    invocations = requests + processed + stored_days + live_calls + _SWEEPS
    ms = operations_ms + received * _RECEIVE_MS + _SWEEPS * sweep.ms(a) + forgotten * stop.ms(a)
    stored = a.timers * days * (a.kept_months * _TIMER_KB + _EVENTS_KB) * 1000 / _GB
    logged = (invocations * a.log_kb + requests * a.access_log_kb) * 1000 / _GB
    environments = max(3, 3 * ms / 1000 / 3600 / a.active_hours)
    restores = environments * a.active_hours / a.environment_hours
    return {
        "write": sum(number * counts[name].write_units for name, number in times.items())
        + forgotten * stop.write_units,
        "read": sum(number * counts[name].read_units for name, number in times.items())
        + forgotten * stop.read_units
        + _SWEEPS * sweep.read_units
        + counted,
        "stored": stored,
        "backup": stored,
        "invocation": invocations,
        "gb_s": (ms * _MEMORY_GB + storing_ms * _STORING_GB) / 1000,
        "snapshot": _SNAPSHOTS * _MEMORY_GB * _HOURS * 3600,
        "restore": restores * _MEMORY_GB,
        "request": requests,
        "message": messages,
        "connected": connected,
        "queue": processed * _QUEUE_REQUESTS + _IDLE_POLLS,
        "cdn_request": requests + views + times[OPEN_LIVE],
        "cdn_function": requests,
        "transfer": (requests * a.answer_kb + views * 0.5) * 1000 / _GB,
        "log": logged,
        "log_kept": logged * a.kept_log,
        "metric": a.hourly_metrics
        + a.daily_metrics / 24
        + a.active_metrics * min(1, a.active_hours / _HOURS),
        "alarm": a.alarm_metrics,
        "query": a.dashboard_views * logged / 30,
        "dashboard": 1,
        "trace": invocations * a.traced + min(invocations, a.active_hours * 3600) * (1 - a.traced),
        "secret": _SECRETS,
        "secret_call": environments * _SECRET_READS_PER_HOUR * a.active_hours,
        "schedule": _SWEEPS,
    }


def _bill(use: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Return the monthly cost in dollars for each price, before and after free allowances."""
    return {
        name: (
            amount / _PRICES[name].per * _PRICES[name].dollars,
            max(0, amount - _PRICES[name].free) / _PRICES[name].per * _PRICES[name].dollars,
        )
        for name, amount in use.items()
    }


def _assumption_table(a: Assumptions, files: int) -> str:
    rows = [f"| {one.metadata['description']} | {getattr(a, one.name):.3g} |" for one in fields(a)]
    rows.append(
        f"| files that a browser revalidates at each view of the page (counted in Chromium) | {files} |"
    )
    return "\n".join(["| assumption | value |", "| --- | ---: |", *rows])


def _operation_table(counts: Mapping[str, _Operation], a: Assumptions) -> str:
    rows = [
        "| operation | a person a day | requests | read units | write units | processor ms | Lambda ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, number in _a_day(a).items():
        of = counts[name]
        rows.append(
            f"| {name} | {number:.1f} | {of.calls:g} | {of.read_units:g} | {of.write_units:g} "
            f"| {of.cpu_ms:.1f} | {of.ms(a, _STORING_GB if name in _STORING else _MEMORY_GB):.0f} |"
        )
    return "\n".join(rows)


def _price_table() -> str:
    rows = (
        f"| {price.service} | {price.what} | {price.dollars:.10g} | {price.unit} "
        f"| {price.free:,.0f} | {price.source} |"
        for price in _PRICES.values()
    )
    head = ["| service | what | dollars | for a | free each month | source |"]
    return "\n".join([*head, "| --- | --- | ---: | --- | ---: | --- |", *rows])


def _comparison(
    before: Mapping[int, Mapping[str, tuple[float, float]]],
    after: Mapping[int, Mapping[str, tuple[float, float]]],
) -> str:
    """Return the dollars for each person if all widgets polled, and with live connections."""
    rows = [
        "| dollars a month for each person, after what is free | "
        + " | ".join(f"{users:,} people" for users in after)
        + " |",
        "| --- |" + " ---: |" * len(after),
    ]
    for label, bills in (("all widgets poll", before), ("**live connections**", after)):
        each = (
            sum(of[1] for name, of in bill.items() if _PRICES[name].service != _SNAPSTART) / users
            for users, bill in bills.items()
        )
        rows.append(f"| {label} | {' | '.join(f'{one:,.4f}' for one in each)} |")
    return "\n".join(rows)


def _bill_table(bills: Mapping[int, Mapping[str, tuple[float, float]]]) -> str:
    """Return the dollars by service and in total. SnapStart is off by default, so no total contains it."""
    rows = [
        "| dollars a month | " + " | ".join(f"{users:,} people" for users in bills) + " |",
        "| --- |" + " ---: |" * len(bills),
    ]
    services = dict.fromkeys(price.service for price in _PRICES.values())
    services.pop(_SNAPSTART)

    def dollars(kind: int, *services: str) -> dict[int, float]:
        names = [name for name, price in _PRICES.items() if price.service in services]
        return {users: sum(bill[name][kind] for name in names) for users, bill in bills.items()}

    rows += [
        f"| {service} | {' | '.join(f'{one:,.2f}' for one in dollars(0, service).values())} |"
        for service in services
    ]
    for label, kind in (("**list prices**", 0), ("**after what is free each month**", 1)):
        totals = dollars(kind, *services)
        rows.append(f"| {label} | {' | '.join(f'**{total:,.2f}**' for total in totals.values())} |")
        each = (f"{total / users:,.3f}" for users, total in totals.items())
        rows.append(f"| for each person | {' | '.join(each)} |")
    more = " | ".join(f"{one:,.2f}" for one in dollars(1, _SNAPSTART).values())
    rows.append(f"| in addition with `SnapStart=true` | {more} |")
    return "\n".join(rows)
