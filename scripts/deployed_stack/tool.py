"""Exit statuses and error messages of the command-line tools."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from deployed_stack.errors import ToolError
from deployed_stack.web import UnknownFileType


def run_tool(main: Callable[[], int]) -> NoReturn:
    """Run a tool and exit with its status; print an error that the person can fix in one line."""
    # The AWS CLI prefers AWS_REGION; boto3 and the SAM CLI read AWS_DEFAULT_REGION only.
    if region := os.environ.get("AWS_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as head, has closed the pipe. Python would print an error when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except NoCredentialsError:
        sys.exit("There are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret.")
    except NoRegionError:
        sys.exit("There is no AWS region: set AWS_REGION, or a region in the profile.")
    except (ToolError, UnknownFileType, BotoCoreError, ClientError) as error:
        sys.exit(str(error))
    sys.exit(status)
