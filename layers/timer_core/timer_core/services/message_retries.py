"""When SQS delivers a message again that could not be processed."""

import random
from typing import Any

from aws_lambda_powertools import Logger

from timer_core.github.api.errors import GitHubError, Unavailable

# The wait before a retry doubles each time, up to a maximum. After an error of GitHub's API the maximum is an
# hour, because the primary rate limit ends within an hour. After other errors it is short, because later
# messages of the group may be waiting.
_FIRST_WAIT_S = 15
_MAX_WAIT_S = 120
_MAX_WAIT_FOR_GITHUB_S = 3_600


def wait_s(error: Exception, *, receives: int) -> int:
    """Return the wait before the next attempt (seconds), which is at least the wait that GitHub requests.

    Parameters
    ----------
    receives
        How often the message was received.
    """
    max_wait_s = _MAX_WAIT_FOR_GITHUB_S if isinstance(error, GitHubError) else _MAX_WAIT_S
    backoff_s = min(max_wait_s, _FIRST_WAIT_S * 2 ** min(receives, 20))
    chosen_s = random.uniform(backoff_s / 2, backoff_s)  # noqa: S311 - not for secrets
    if isinstance(error, Unavailable) and error.retry_after_s is not None:
        chosen_s = min(max_wait_s, max(chosen_s, error.retry_after_s))
    return round(chosen_s)


def retry_after(sqs: Any, queue_url: str, receipt_handle: str, delay_s: int, logger: Logger) -> None:
    """Have SQS deliver a message again after some seconds."""
    try:
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=delay_s
        )
    except Exception:
        # The message is retried after the queue's own visibility timeout.
        logger.exception("The retry of a message could not be delayed")
