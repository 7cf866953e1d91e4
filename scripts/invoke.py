"""``make invoke``: run one built function on the running local stack, or on a temporary one.

The other commands print environments for tools that use the running local stack.
"""

import argparse
import contextlib
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deployed_stack.errors import ToolError
from deployed_stack.tool import run_tool
from local_stack import LocalStack, free_port
from local_stack.choice import add_port_option, is_listening, local_stack
from local_stack.invoke import BuiltFunction, environment_of, filled_in, functions_of


def main() -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_port_option(parser)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a function and print its response")
    run.add_argument("function", help="its name in template.yaml")
    run.add_argument("event", type=Path, help="a file, for example of events/")
    commands.add_parser("environment", help="print the input of `sam local invoke --env-vars`")
    commands.add_parser("aws", help="print the commands that set the environment of the AWS CLI")
    options = parser.parse_args()
    if options.command == "aws":
        environment = local_stack(options.port).environment
        for name in sorted(name for name in environment if name.startswith("AWS_")):
            print(f"export {name}={shlex.quote(environment[name])}")
        return 0
    if options.command == "environment":
        stack = local_stack(options.port)
        print(json.dumps({name: environment_of(stack, name) for name in functions_of(stack)}, indent=2))
        return 0
    event = _event(options.event)
    with _stack(options.port) as stack, BuiltFunction(stack, options.function) as function:
        answer = function.invoke(filled_in(event, stack))
    print(json.dumps(answer, indent=2))
    return 1 if isinstance(answer, dict) and "errorMessage" in answer else 0


def _event(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except OSError as error:
        raise ToolError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ToolError(f"{file} is not JSON: {error}.") from error


@contextlib.contextmanager
def _stack(port: int) -> Iterator[LocalStack]:
    if is_listening(port):
        yield local_stack(port)
        return
    with (
        tempfile.TemporaryDirectory() as state,
        LocalStack(free_port(), Path(state), lambda line: print(line, file=sys.stderr)) as stack,
    ):
        yield stack


if __name__ == "__main__":
    run_tool(main)
