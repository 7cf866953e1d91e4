"""Run every measurement and put the tables into docs/performance.md and docs/cost.md."""

import os
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from bench import (
    cold_start,
    cost,
    demo_clicks,
    growth,
    handler_time,
    history,
    load,
    package_size,
    page_requests,
    receiver_time,
    report_export,
    reports,
    round_trips,
    sweep,
    timesheets,
    widget,
)
from bench.peer import compare
from bench.peer.postgres import NotInstalled

_DOCS = Path(__file__).parents[1] / "docs"
_PAGES = [_DOCS / "performance.md", _DOCS / "cost.md"]
_MEASUREMENTS: dict[str, Callable[[], str]] = {
    "round-trips": round_trips.measure,
    "cold-start": cold_start.measure,
    "handler-time": handler_time.measure,
    "receiver-time": receiver_time.measure,
    "package-size": package_size.measure,
    "growth": growth.measure,
    "history": history.measure,
    "timesheets": timesheets.measure,
    "reports": reports.measure,
    "report-export": report_export.measure,
    "sweep": sweep.measure,
    "load": load.measure,
    "peer": compare.measure,
    "widget": widget.measure,
    "page-requests": page_requests.measure,
    "demo-clicks": demo_clicks.measure,
    "cost": cost.measure,
}


def main(names: list[str]) -> None:
    """Run the named measurements, or all of them."""
    for name in names or _MEASUREMENTS:
        print(f"Measuring {name}", flush=True)
        try:
            # Discard the metrics that the functions print.
            with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
                table = _MEASUREMENTS[name]()
        except NotInstalled as missing:
            if names:
                sys.exit(str(missing))
            print(f"Skipping {name}. {missing}")
            continue
        print(table)
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page = next((page for page in _PAGES if marked.search(page.read_text())), None)
        if page is None:
            sys.exit(f"No page has a table {name}.")
        page.write_text(marked.sub(lambda m: f"{m[1]}\n{table}\n{m[2]}", page.read_text()))  # noqa: B023


if __name__ == "__main__":
    main(sys.argv[1:])
