"""``make secret``, ``make sweep``, ``make redrive``: what a stack's operator does by hand."""

import argparse
import json

from local_stack.choice import add_stack_options, chosen_stack, run_tool


def main() -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_stack_options(parser)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("secret", help="print the secret that GitHub signs deliveries with")
    sweep = commands.add_parser("sweep", help="end what was forgotten, and print the summary")
    sweep.add_argument("--dry-run", action="store_true", help="count only")
    commands.add_parser("redrive", help="queue the deliveries again that failed for good")
    options = parser.parse_args()
    stack = chosen_stack(options)
    if options.command == "secret":
        print(stack.webhook_secret())
    elif options.command == "sweep":
        summary = stack.sweep(dry_run=options.dry_run)
        print(json.dumps(summary))
        return 1 if "errorMessage" in summary else 0
    else:
        print(f"Dead letters on their way back to the queue: {stack.redrive()}")
    return 0


if __name__ == "__main__":
    run_tool(main)
