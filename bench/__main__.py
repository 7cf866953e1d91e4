"""Run every measurement and put the tables into docs/performance.md."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from bench import cold_start, handler_time, package_size, receiver_time, round_trips

_PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_MEASUREMENTS: dict[str, Callable[[], str]] = {
    "round-trips": round_trips.measure,
    "cold-start": cold_start.measure,
    "handler-time": handler_time.measure,
    "receiver-time": receiver_time.measure,
    "package-size": package_size.measure,
}


def main(names: list[str]) -> None:
    """Measure what is named, or everything."""
    for name in names or _MEASUREMENTS:
        print(f"Measuring {name}", flush=True)
        table = _MEASUREMENTS[name]()
        print(table)
        page = _PAGE.read_text()
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not marked.search(page):
            sys.exit(f"{_PAGE.name} has no place for {name}.")
        _PAGE.write_text(marked.sub(lambda m: f"{m[1]}\n{table}\n{m[2]}", page))  # noqa: B023


if __name__ == "__main__":
    main(sys.argv[1:])
