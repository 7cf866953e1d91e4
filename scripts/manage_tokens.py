"""``make token``, ``make tokens``, ``make revoke``: timer_core's command line, on a deployed stack."""

import argparse
import subprocess
import sys

from local_stack import LocalStackError
from local_stack.choice import add_stack_options, chosen_stack


def main() -> int:
    """Pass the arguments on and print the answer; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_stack_options(parser)
    options, arguments = parser.parse_known_args()
    try:
        print(chosen_stack(options).admin("token", *arguments), end="")
    except subprocess.CalledProcessError as failure:
        return failure.returncode
    except LocalStackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
