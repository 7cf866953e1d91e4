"""``make demo``: fill the local stack with a month of a small team's work, or remove it."""

import argparse
import os
import time

from demo_github.team import PEOPLE, Person
from demo_month.filling import alone, fill
from demo_month.removal import Removal
from deployed_stack.errors import ToolError
from deployed_stack.tool import run_tool
from local_stack.choice import add_stack_options, local_stack
from local_stack.paths import state_dir
from local_stack.stack import LocalStack
from timer_core.clock import now_ms
from timer_core.store.table import Table


def main() -> int:
    """Fill the stack, or remove what earlier runs made; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_stack_options(parser)
    parser.add_argument("--remove", action="store_true", help="only remove what earlier runs made")
    options = parser.parse_args()
    if options.stack:
        raise ToolError("The demo is for the local stack only, not for one in AWS: omit STACK.")
    stack = local_stack(options.port)
    # The environment contains the region, credentials and endpoint of the table's client.
    os.environ.update(stack.environment)
    with alone(state_dir(options.port) / "demo.lock"):
        if options.remove:
            removed = Removal(Table(stack.table_name)).remove(PEOPLE, now_ms=now_ms())
            print(f"Removed the demo's {removed.timers} timers, with their events, days and working hours.")
        else:
            _fill(stack)
    return 0


def _fill(stack: LocalStack) -> None:
    began_s = time.monotonic()
    print(f"Recording a month of {len(PEOPLE)} people's work:", flush=True)
    filled = fill(stack.table_name, now_ms=now_ms(), done=_report)
    if filled.removed.timers:
        print(f"This replaces the {filled.removed.timers} timers of an earlier run.")
    for issue in sorted(filled.removed.in_use, key=lambda issue: issue.id):
        print(f"{issue.repository.full_name}#{issue.number} is omitted: people have other timers there.")
    print(
        f"{len(filled.acts)} acts on {len(filled.issues)} issues, with {filled.confirmed} confirmed days, "
        f"in {time.monotonic() - began_s:.0f} s."
    )
    first, *others = (person.login for person in PEOPLE)
    print(f"\nOpen {stack.url} and sign in as {first}, or as {', '.join(others)}.")
    print(f"`{stack.make_command('demo', 'REMOVE=1')}` removes the demo.")


def _report(person: Person) -> None:
    print(f"  {person.login}, {person.time_zone}", flush=True)


if __name__ == "__main__":
    run_tool(main)
