"""Cost of the export of a year of many people, on DynamoDB Local."""

import base64
import json
import resource
import time
from importlib import import_module
from typing import Any

from bench.reports import add_people, as_boss, date_before
from bench.stage import stage
from tests.support.gateway import Context
from timer_core.clock import now_ms

_DAYS = 365
_PEOPLE = (50, 500)
_FORMS = (("csv", "person,month"), ("xlsx", "person,week"))


class _Functions:
    """Accepts an invocation, which the bench makes itself."""

    def invoke(self, **parameters: str) -> None:
        self.payload = parameters["Payload"]


def measure() -> str:
    """Return the table of the time, requests, units and memory of exports."""
    on, now = stage(), now_ms()
    client, table = as_boss(on, now)
    exporting: Any = import_module("reports.exporting")
    export, functions = import_module("reports.export"), _Functions()
    exporting._lambda = lambda: functions
    rows = [
        "| people | days | report | time | processor time | requests | units read | written | peak | file |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    known = 0
    for people in _PEOPLE:
        add_people(on, table, range(known, people), _DAYS, now)
        known = people
        for form, group_by in _FORMS:
            days = f"from={date_before(now, _DAYS - 1)}&to={date_before(now, 0)}"
            query = f"{days}&group_by={group_by}&format={form}"
            assert client("POST", f"/api/reports/export/?{query}").status == 202
            on.meter.reset()
            began_s, cpu_s = time.perf_counter(), time.process_time()
            export.handler(json.loads(functions.payload), Context())
            seconds, processor_s = time.perf_counter() - began_s, time.process_time() - cpu_s
            assert client("GET", "/api/reports/export/").json()["state"] == "done"
            size = len(base64.b64decode(client("GET", "/api/reports/export/file/").body)) / 1024
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            rows.append(
                f"| {people} | {_DAYS} | {group_by}, {form} | {seconds:.0f} s | {processor_s:.0f} s |"
                f" {len(on.meter.calls):,} | {on.meter.read_units:,.0f} | {on.meter.write_units:,.0f} |"
                f" {peak:,.0f} MB | {size:,.0f} KB |"
            )
    return "\n".join(rows)
