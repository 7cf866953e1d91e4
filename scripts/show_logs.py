"""``make logs``: print the recent logs of a stack's functions."""

import argparse
import json
import time
from datetime import UTC, datetime
from typing import Any

from deployed_stack.tool import run_tool
from local_stack.choice import add_stack_options, chosen_stack

# The beginnings of the lines that Lambda itself logs about an invocation.
_PLATFORM = ("INIT_START ", "START ", "END ", "REPORT ", "XRAY ")
# Keys that Powertools adds to every record.
_IN_EVERY_RECORD = {
    "level",
    "location",
    "message",
    "timestamp",
    "service",
    "cold_start",
    "function_name",
    "function_memory_size",
    "function_arn",
    "function_request_id",
    "xray_trace_id",
}


def main() -> int:
    """Print the log events of all functions in order of time; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15, help="the period to print")
    parser.add_argument("--all", action="store_true", help="print everything unchanged, metrics included")
    add_stack_options(parser)
    options = parser.parse_args()
    stack = chosen_stack(options)
    since_ms = int((time.time() - options.minutes * 60) * 1000)
    paginator = stack.aws.client("logs").get_paginator("filter_log_events")
    events = [
        (event["timestamp"], name.removesuffix("LogGroup"), event["message"].rstrip())
        for name, group in stack.resources.items()
        if group.startswith("/aws/lambda/")
        for page in paginator.paginate(logGroupName=group, startTime=since_ms)
        for event in page["events"]
    ]
    for at_ms, function, message in sorted(events, key=lambda event: event[0]):
        text = message if options.all else _summary(message)
        if text:
            at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
            print(f"{at.replace('+00:00', 'Z')} {function} {text}")
    return 0


def _summary(message: str) -> str:
    """Return a log event in one line; empty for Lambda's own lines and for metrics."""
    try:
        record = json.loads(message)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return "" if message.startswith(_PLATFORM) else " | ".join(message.splitlines())
    if "_aws" in record:
        return ""
    details = [f"{key}={_value(value)}" for key, value in record.items() if key not in _IN_EVERY_RECORD]
    return " ".join([record.get("level", "-"), _one_line(record.get("message", "")), *details])


def _one_line(message: Any) -> str:
    return " | ".join(message.splitlines()) if isinstance(message, str) else json.dumps(message)


def _value(value: Any) -> str:
    plain = isinstance(value, str) and value.isprintable() and not set(value) & set(' "=')
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    run_tool(main)
