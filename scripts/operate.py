"""``make secret``, ``sweep``, ``redrive`` and others: run an operator's action on a stack."""

import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from deployed_stack import DeployedStack, organization, restore, session_key
from deployed_stack.errors import ToolError
from deployed_stack.tool import run_tool
from local_stack.choice import add_stack_options, chosen_stack
from timer_core.clock import now_ms
from timer_core.store.calendars import Calendars
from timer_core.store.migration import migrate
from timer_core.store.queries import TimerQueries
from timer_core.store.table import Table
from timer_core.store.timesheets import Timesheets

_THREADS = 8


def main() -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_stack_options(parser)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("secret", help="print the secret that signs GitHub's deliveries")
    key = commands.add_parser("session-key", help="rotate the key that signs sessions")
    mode = key.add_mutually_exclusive_group()
    mode.add_argument("--done", action="store_true", help="end the rotation: refuse the previous key")
    mode.add_argument("--leaked", action="store_true", help="the key has leaked: end all sessions")
    sweep = commands.add_parser("sweep", help="end stale timers, and print the summary")
    sweep.add_argument("--dry-run", action="store_true", help="count only")
    commands.add_parser("dead-letters", help="print the deliveries that failed ten times")
    commands.add_parser("redrive", help="move the deliveries that failed ten times back to their queue")
    commands.add_parser("migrate", help="migrate open timers to the current schema version")
    days = commands.add_parser("timesheets", help="store everybody's days that are behind")
    days.add_argument("--rebuild", action="store_true", help="derive and store all days anew")
    commands.add_parser("outputs", help="print the stack's outputs")
    setting = commands.add_parser("settings", help="print or change the organization's settings")
    setting.add_argument("--set", default="", help="the changes: 'name=value name=\"a value\"'")
    restoring = commands.add_parser("restore", help="make the table's items those of an earlier time")
    of = restoring.add_mutually_exclusive_group(required=True)
    of.add_argument("--at", type=_time, help="the time, such as 2026-11-29T14:05:00Z")
    of.add_argument("--table", help="a table that has been restored already")
    restoring.add_argument("--yes", action="store_true", help="do not ask")
    restoring.add_argument(
        "--drain-seconds", type=int, help="the wait for functions that run; by default their longest timeout"
    )
    options = parser.parse_args()
    stack = chosen_stack(options)
    on_table = {"migrate": _migrate, "settings": _settings, "timesheets": _store_days}
    if options.command in on_table:
        return on_table[options.command](stack, options)
    if options.command == "secret":
        print(stack.webhook_secret())
    elif options.command == "session-key":
        _rotate_session_key(stack, options)
    elif options.command == "sweep":
        summary = stack.sweep(dry_run=options.dry_run)
        print(json.dumps(summary))
        return 1 if "errorMessage" in summary else 0
    elif options.command == "dead-letters":
        letters = stack.dead_letters()
        if not letters:
            print("No dead letters.", file=sys.stderr)
        for letter in letters:
            print(json.dumps(letter))
    elif options.command == "outputs":
        for name, value in stack.outputs.items():
            print(f"{name}: {value}")
    elif options.command == "restore":
        _restore(stack, options)
    else:
        print(f"Dead letters queued again: {stack.redrive()}")
    return 0


def _migrate(stack: DeployedStack, _options: argparse.Namespace) -> int:
    # The table's client reads region, credentials and endpoint from the environment.
    os.environ.update(stack.environment)
    migrated = migrate(Table(stack.table_name))
    print(f"Open timers: {migrated.seen}, of which migrated: {migrated.written}.")
    return 0


def _store_days(stack: DeployedStack, options: argparse.Namespace) -> int:
    os.environ.update(stack.environment)
    table = Table(stack.table_name)
    timers = TimerQueries(table)
    timesheets = Timesheets(table, timers, Calendars(table))
    failed = 0

    def store(user_id: int) -> bool:
        try:
            if options.rebuild:
                timesheets.rebuild(user_id, now_ms=now_ms())
                return True
            return timesheets.refresh(user_id, now_ms=now_ms())
        except Exception as error:
            nonlocal failed
            failed += 1
            print(f"The days of person {user_id} could not be stored: {error!r}", file=sys.stderr)
            return False

    people = {*timesheets.people(), *(timer.user_id for timer in timers.open_timers())}
    with ThreadPoolExecutor(_THREADS) as pool:
        stored = sum(pool.map(store, sorted(people)))
    print(f"People: {len(people)}, of whom days were stored: {stored}.")
    return 1 if failed else 0


def _settings(stack: DeployedStack, options: argparse.Namespace) -> int:
    changes = organization.parse(options.set)
    os.environ.update(stack.environment)
    calendars = Calendars(Table(stack.table_name))
    if changes:
        calendars.put_policy(lambda policy: replace(policy, **changes), now_ms=now_ms())
    for line in organization.describe(calendars.organization()):
        print(line)
    return 0


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("the time zone is missing: 2026-11-29T14:05:00Z")
    return at


def _restore(stack: DeployedStack, options: argparse.Namespace) -> None:
    name = options.table
    if name is None:
        print(
            "Restoring into a new table, which takes minutes to hours. Nothing is interrupted yet.",
            flush=True,
        )
        name = restore.restored_table(stack, options.at)
    dynamodb = stack.aws.client("dynamodb")
    restore.check_restored_table(dynamodb, stack.table_name, name)
    print(f"The restored table is {name}.")
    again = stack.make_command("restore", f"TABLE={name}")
    if not options.yes:
        print(
            f"Next, the items of {stack.table_name} become those of {name}. Until that is done, the API "
            "answers 503, and deliveries wait. Later changes are lost, except to people's access."
        )
        if (
            not sys.stdin.isatty()
            or input(f"To continue, type the stack's name ({stack.name}): ") != stack.name
        ):
            raise ToolError(f"Nothing was changed. To continue later: {again}")
    drain_s = options.drain_seconds
    if drain_s is None:
        drain_s = restore.longest_run_s(stack)
    print(f"Pausing the functions, and waiting {drain_s} s for those that run.", flush=True)
    paused = (
        f"The restore is not finished, and the functions are paused. To continue and resume them: {again}"
    )
    try:
        restore.pause(stack, drain_s=drain_s)
        changes = restore.replace_items(dynamodb, stack.table_name, name)
        restore.ensure_settings(stack)
        restore.resume(stack)
    except KeyboardInterrupt:
        raise ToolError(f"Interrupted. {paused}") from None
    except Exception:
        print(paused, file=sys.stderr)
        raise
    print(f"Items written: {changes.written}, deleted: {changes.deleted}. The functions run again.")
    sweep = stack.make_command("sweep")
    print(f"`{sweep}` compares open timers with GitHub. Delete {name} when you need it no longer.")


def _rotate_session_key(stack: DeployedStack, options: argparse.Namespace) -> None:
    if options.leaked:
        session_key.replace(stack)
        print("The key is changed. All earlier sessions end within six minutes.")
    elif options.done:
        session_key.finish(stack)
        print("The previous key is removed. Within five minutes, all functions refuse its sessions.")
    else:
        session_key.rotate(stack)
        done = stack.make_command("rotate-session-key", "DONE=1")
        print(f"The key is changed, and nobody is signed out. In two hours, end the rotation: {done}")


if __name__ == "__main__":
    run_tool(main)
