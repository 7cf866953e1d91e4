"""Choose the stack that a tool works on: a named stack in AWS, or the local stack."""

import argparse
import re
import socket

import boto3
from botocore.exceptions import ClientError

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from local_stack.ministack import HOST
from local_stack.paths import known_ports, state_dir
from local_stack.stack import LocalStack

DEFAULT_PORT = 4570
_HIGHEST_PORT = 65_535


def add_stack_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that ``chosen_stack`` reads."""
    parser.add_argument("--stack", metavar="NAME", help="a stack in AWS; by default the local one")
    add_port_option(parser)


def add_port_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--port``."""
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="the local stack's port")


def _port(text: str) -> int:
    """Return a TCP port; raise `ToolError`, which argparse does not catch, if the text is no port."""
    if re.fullmatch(r"[0-9]{1,5}", text) and 1 <= int(text) <= _HIGHEST_PORT:
        return int(text)
    raise ToolError(f"PORT={text} is not a port: it must be a number from 1 to {_HIGHEST_PORT}.")


def chosen_stack(options: argparse.Namespace) -> DeployedStack:
    """Return the stack that the options name.

    Raises
    ------
    ToolError
        There is no such stack, or the local one does not run.
    """
    if not options.stack:
        return local_stack(options.port)
    stack = DeployedStack(boto3.Session(), options.stack)
    try:
        is_ours = "SigningKeysArn" in stack.outputs
    except ClientError as error:
        # CloudFormation returns this code if the stack does not exist:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        is_ours = False
    if not is_ours:
        region = stack.aws.region_name
        raise ToolError(f"There is no stack {options.stack!r} of Issue Timer in the region {region}.")
    return stack


def local_stack(port: int) -> LocalStack:
    """Return the stack that runs on a port of this machine.

    Raises
    ------
    ToolError
        No stack runs there.
    """
    if not is_listening(port):
        running = [known for known in known_ports() if is_listening(known)]
        hint = f"one runs on {running[0]}: export PORT={running[0]}" if running else "`make run` starts it"
        raise ToolError(f"No local stack on port {port}; {hint}.")
    return LocalStack(port, state_dir(port))


def is_listening(port: int) -> bool:
    """Return whether something on this machine listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
