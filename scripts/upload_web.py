"""``make upload-web``: put web/ where the stack's CloudFront distribution serves it from."""

import argparse
import sys

from deployed_stack.web import upload_web
from local_stack import LocalStackError
from local_stack.choice import add_stack_options, chosen_stack
from local_stack.paths import ROOT


def main() -> int:
    """Upload the page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_stack_options(parser)
    try:
        stack = chosen_stack(parser.parse_args())
    except LocalStackError as error:
        print(error, file=sys.stderr)
        return 1
    count = upload_web(stack, ROOT / "web")
    print(f"{count} files at {stack.url}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
