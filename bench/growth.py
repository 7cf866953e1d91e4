"""Cost of each operation with few and with many timers in the table, on DynamoDB Local."""

from itertools import islice

from bench.round_trips import Count, operations
from bench.stage import stage
from tests.support import many_timers
from timer_core.clock import now_ms

_SIZES = (1_000, 10_000, 100_000)
_ROUNDS = 3


def measure() -> str:
    """Return the table of costs at each size. It omits the sweep, which reads all open timers."""
    on = stage()
    timers = many_timers.open_timers(_SIZES[-1], stale=0, now_ms=now_ms())
    found: list[dict[str, list[Count]]] = []
    written = 0
    for size in _SIZES:
        many_timers.put(on.database, on.table_name, islice(timers, size - written))
        written = size
        rounds = [operations(on, sweeps=False) for _ in range(_ROUNDS)]
        found.append({of[0].name: list(of) for of in zip(*rounds, strict=True)})
    columns = " | ".join(f"{size:,} timers" for size in _SIZES)
    rows = [
        f"| requests, read units, write units | {columns} |",
        f"| --- | {' | '.join(['---:'] * len(_SIZES))} |",
    ]
    rows += (f"| {name} | {' | '.join(_cell(at_size[name]) for at_size in found)} |" for name in found[0])
    return "\n".join(rows)


def _cell(rounds: list[Count]) -> str:
    """Return the text for an operation's cost; values that differ between rounds are joined with "or"."""
    costs = {f"{len(count.calls)}, {count.read_units:g}, {count.write_units:g}" for count in rounds}
    return " or ".join(sorted(costs))
