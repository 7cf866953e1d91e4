"""``make send``: post a sample event as GitHub would, signed with the stack's secret."""

import argparse
import json
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from deployed_stack.deliveries import WEBHOOK_PATH, delivery_headers, event_of
from deployed_stack.errors import ToolError
from deployed_stack.http_client import Response, request
from deployed_stack.tool import run_tool
from local_stack import LocalStack
from local_stack.choice import add_stack_options, chosen_stack

# The local stack's first delivery waits for the start of the processor, which is slow on some machines.
_MAX_WAIT_S = 30


def main() -> int:
    """Send one delivery and print the response; on the local stack, wait until the delivery is processed.

    Returns
    -------
    int
        The exit status: 0 if the webhook accepted it.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the event's JSON, such as events/issues.assigned.json")
    parser.add_argument(
        "--event", help="the event's name at GitHub; default: the first part of the file's name"
    )
    parser.add_argument("--url", help="the address to post to, with or without the webhook's path")
    add_stack_options(parser)
    options = parser.parse_args()
    event, body = _delivery(options.file, options.event)
    stack = chosen_stack(options)
    url = _webhook(options.url or stack.url)
    headers = delivery_headers(event, body, stack.webhook_secret())
    try:
        response = request("POST", url, body=body, headers=headers)
    except (OSError, HTTPException) as error:
        raise ToolError(f"{url} does not answer: {error}") from error
    print(f"{event} {headers['X-GitHub-Delivery']}: {response.status}")
    if not _is_json(response):
        print(f"There is no webhook at {url}.", file=sys.stderr)
        return 1
    print(response.body.decode(), flush=True)
    if isinstance(stack, LocalStack) and not options.url and not stack.wait_for_queue(_MAX_WAIT_S):
        logs = stack.make_command("logs")
        print(f"The delivery is still in the queue; `{logs}` shows why.", file=sys.stderr)
    return 0 if 200 <= response.status < 300 else 1


def _delivery(file: Path, event: str | None) -> tuple[str, bytes]:
    try:
        body = file.read_bytes()
    except OSError as error:
        raise ToolError(f"{file} cannot be read: {error.strerror}.") from error
    event = event or event_of(file)
    # GitHub's events have names in lower case; all other samples are named after functions.
    if not event.islower():
        raise ToolError(
            f"{file} is not a delivery: its name must begin with an event, such as issues.assigned.json."
        )
    return event, body


def _webhook(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ToolError(f"{url} is not a URL that begins with http:// or https://")
    return url if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}{WEBHOOK_PATH}"


def _is_json(response: Response) -> bool:
    try:
        return isinstance(json.loads(response.body), dict)
    except ValueError:
        return False


if __name__ == "__main__":
    run_tool(main)
