"""``make logs``: what the functions of a stack have logged in the last minutes."""

import argparse
import sys
import time

from local_stack import LocalStackError
from local_stack.choice import add_stack_options, chosen_stack


def main() -> int:
    """Print the log events of all functions in order of time; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15, help="how far to look back")
    add_stack_options(parser)
    options = parser.parse_args()
    try:
        stack = chosen_stack(options)
    except LocalStackError as error:
        print(error, file=sys.stderr)
        return 1
    since_ms = int((time.time() - options.minutes * 60) * 1000)
    paginator = stack.aws.client("logs").get_paginator("filter_log_events")
    events = [
        (event["timestamp"], name, event["message"].rstrip())
        for name, group in stack.resources.items()
        if group.startswith("/aws/lambda/")
        for page in paginator.paginate(logGroupName=group, startTime=since_ms)
        for event in page["events"]
    ]
    for _timestamp, name, message in sorted(events, key=lambda event: event[0]):
        print(f"{name.removesuffix('LogGroup')}: {message}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
