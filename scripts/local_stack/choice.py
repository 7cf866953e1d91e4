"""Which stack a tool works on: one in AWS by its name, or the one on this machine."""

import argparse
import socket

import boto3

from deployed_stack import DeployedStack
from local_stack.errors import LocalStackError
from local_stack.ministack import HOST
from local_stack.paths import state_dir
from local_stack.stack import LocalStack

DEFAULT_PORT = 4570


def add_stack_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that ``chosen_stack`` reads."""
    parser.add_argument("--stack", metavar="NAME", help="a stack in AWS; the local one if not given")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="where the local stack runs")


def chosen_stack(options: argparse.Namespace) -> DeployedStack:
    """Return the stack that the options name.

    Raises
    ------
    LocalStackError
        The local stack is meant, and it does not run.
    """
    if options.stack:
        return DeployedStack(boto3.Session(), options.stack)
    with socket.socket() as probe:
        if probe.connect_ex((HOST, options.port)) != 0:
            raise LocalStackError(f"No local stack on port {options.port}; `make run` starts it.")
    return LocalStack(options.port, state_dir(options.port))
