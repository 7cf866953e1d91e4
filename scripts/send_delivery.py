"""``make send``: post a sample event as GitHub would, signed with the stack's secret."""

import argparse
import sys
from pathlib import Path

from deployed_stack.deliveries import WEBHOOK_PATH, delivery_headers, event_of
from deployed_stack.http_client import request
from local_stack import LocalStackError
from local_stack.choice import add_stack_options, chosen_stack


def main() -> int:
    """Send one delivery and print the answer; return 0 if it was accepted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the event's JSON, such as events/issues.assigned.json")
    parser.add_argument("--event", help="GitHub's name of the event; from the file's name if not given")
    parser.add_argument("--url", help="where to send it; the stack's webhook if not given")
    add_stack_options(parser)
    options = parser.parse_args()
    try:
        stack = chosen_stack(options)
        body = options.file.read_bytes()
        headers = delivery_headers(options.event or event_of(options.file), body, stack.webhook_secret())
        response = request("POST", options.url or f"{stack.url}{WEBHOOK_PATH}", body=body, headers=headers)
    except (LocalStackError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{headers['X-GitHub-Event']} {headers['X-GitHub-Delivery']}: {response.status}")
    print(response.body.decode(errors="replace"))
    return 0 if response.status < 300 else 1


if __name__ == "__main__":
    sys.exit(main())
