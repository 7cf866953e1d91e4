"""``make token``, ``tokens``, ``revoke``, ``sign-out``, ``erase``: timer_core's command line, on a stack."""

import argparse
import subprocess

from deployed_stack.tool import run_tool
from local_stack import LocalStack
from local_stack.choice import add_stack_options, chosen_stack
from local_stack.stack import DEMO_LOGIN, DEMO_USER_ID


def main() -> int:
    """Pass the arguments on and print the answer; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--user", required=True, help="a GitHub account: its numeric id, or its login")
    add_stack_options(parser)
    options, arguments = parser.parse_known_args()
    stack = chosen_stack(options)
    user = options.user
    # So that the samples can be followed without asking GitHub.
    if isinstance(stack, LocalStack) and user.lower() == DEMO_LOGIN.lower():
        user = str(DEMO_USER_ID)
    try:
        print(stack.admin(*arguments, "--user", user), end="")
    except subprocess.CalledProcessError as failure:
        return failure.returncode
    return 0


if __name__ == "__main__":
    run_tool(main)
