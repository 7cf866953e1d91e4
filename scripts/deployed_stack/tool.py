"""How a command ends."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from deployed_stack.errors import ToolError
from deployed_stack.web import UnknownFileType


def run_tool(main: Callable[[], int]) -> NoReturn:
    """Run a tool and end with its exit status; what the person can put right is said in one line."""
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output, such as head, has enough. Python would complain when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except NoCredentialsError:
        sys.exit("There are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret.")
    except NoRegionError:
        sys.exit("There is no AWS region: set AWS_DEFAULT_REGION, or one in the profile.")
    except (ToolError, UnknownFileType, BotoCoreError, ClientError) as error:
        sys.exit(str(error))
    sys.exit(status)
