"""``make deploy-web``: upload the page to the bucket that the stack's CloudFront distribution serves."""

import argparse

from deployed_stack.tool import run_tool
from deployed_stack.web import deploy_page
from local_stack.choice import add_stack_options, chosen_stack


def main() -> int:
    """Upload the changed files; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_stack_options(parser)
    stack = chosen_stack(parser.parse_args())
    print(deploy_page(stack))
    print(stack.url)
    return 0


if __name__ == "__main__":
    run_tool(main)
