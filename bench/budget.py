"""The instruction budget: how many instructions the cold starts may take, compared with a bare boto3 client.

``python -m bench.budget`` fails if a cold start takes more than budget.json allows, and names the modules
that have grown. ``make budget`` writes the file anew.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.built import prepare
from bench.cold_start import BASE, programs
from bench.fresh_process import Part, counts_instructions

_FILE = Path(__file__).with_suffix(".json")
_FUNCTIONS = ("timelogs.api", "auth.api", "reports.api", "webhook.receive")
# Of auth, only loading: its requests have the guard and the stores in common with those of timelogs.
_NOT_LIMITED = {"auth.api with the first page"}
_TOLERANCE = 0.03
# A module with a smaller part of the whole is counted with the others of its package.
_OWN_LINE = 0.005
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Start:
    """A cold start.

    Attributes
    ----------
    ratio
        Its instructions, divided by those of importing boto3 and creating a client of DynamoDB. The ratio
        changes less than the instructions with the processor and Python's patch version.
    modules
        The sizes of modules, in thousand instructions of byte code (`Part.size`). They are not limited; they
        show which modules have grown.
    """

    ratio: float
    modules: Mapping[str, int]


def by_line(parts: Mapping[str, Part], listed: Container[str] = ()) -> dict[str, int]:
    """Return the sizes of modules in thousand instructions of byte code.

    Except for those that are listed, small modules are added up by package, and small packages together.
    """
    least = _OWN_LINE * sum(part.size for part in parts.values())
    sizes = {name: part.size for name, part in parts.items()}
    for group in (_package, lambda _name: "others"):
        lines: Counter[str] = Counter()
        for name, size in sizes.items():
            lines[name if name in listed or size >= least else group(name)] += size
        sizes = lines
    return {name: round(size / 1000) for name, size in sorted(sizes.items())}


def _package(name: str) -> str:
    return re.split(r"[./]", name)[0] + ".*"


def is_over(budget: float, ratio: float) -> bool:
    """Return whether a ratio is over the budget."""
    return ratio > budget * (1 + _TOLERANCE)


def describe(name: str, budget: float, ratio: float) -> str:
    """Return how a cold start compares with its budget."""
    line = f"{name}: {ratio:.3f} times a bare client, {ratio / budget - 1:+.1%} to the budget of {budget:.3f}"
    return f"{line}; lower it with `make budget`" if ratio < budget * (1 - _TOLERANCE) else line


def growth(budget: Start, parts: Mapping[str, Part]) -> str:
    """Return the modules that have grown most since the budget was written."""
    now = by_line(parts, budget.modules)
    grown = {module: size - budget.modules.get(module, 0) for module, size in now.items()}
    most = sorted((module for module in grown if grown[module] > 0), key=lambda module: -grown[module])
    if not most:
        return "  no module has grown"
    return "\n".join(
        f"  {module}: {now[module]} thousand instructions of byte code, "
        + (f"{grown[module]} more" if module in budget.modules else "new")
        for module in most[:_NAMED]
    )


def main() -> None:
    """Compare the cold starts with their budgets, or write these."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the present figures as the budget")
    is_writing = parser.parse_args().write
    if not counts_instructions():
        sys.exit("Valgrind, which counts the instructions, is not installed.")
    built = prepare()
    with programs(built, _FUNCTIONS) as found:
        bare = found[""].count_instructions(built.python)
        base = found[BASE].count_instructions(built.python) - bare
        starts = {name: program for name, program in found.items() if _is_limited(name)}
        ratios = {
            name: (program.count_instructions(built.python) - bare) / base for name, program in starts.items()
        }
        if is_writing:
            _write(
                {name: Start(ratios[name], by_line(starts[name].by_module(built.python))) for name in starts}
            )
            return
        budgets, over = _read(), []
        for name, ratio in ratios.items():
            print(describe(name, budgets[name].ratio, ratio))
            if is_over(budgets[name].ratio, ratio):
                print(growth(budgets[name], starts[name].by_module(built.python)))
                over.append(name)
    if over:
        sys.exit(
            f"Over the budget: {', '.join(over)}. Import less, or later. If the instructions are worth it, "
            "run `make budget`, and give the reason in the commit."
        )


def _is_limited(name: str) -> bool:
    return name.partition(" with ")[0] in _FUNCTIONS and name not in _NOT_LIMITED


def _read() -> dict[str, Start]:
    return {name: Start(**start) for name, start in json.loads(_FILE.read_text()).items()}


def _write(starts: Mapping[str, Start]) -> None:
    rounded = {
        name: {"ratio": round(start.ratio, 3), "modules": start.modules} for name, start in starts.items()
    }
    _FILE.write_text(json.dumps(rounded, indent=2) + "\n")


if __name__ == "__main__":
    main()
