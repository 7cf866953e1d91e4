"""The queue between those who hear of something and the one who processes it."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from timer_core.github.messages import Hook, QueuedEvent, group_of, to_json


def send(
    sqs: Any, queue_url: str, events: Sequence[QueuedEvent], *, delivery: str, hook: Hook | None = None
) -> None:
    """Queue the events of a delivery; a repetition within five minutes is dropped by SQS.

    Raises
    ------
    BotoCoreError, ClientError
        If the queue did not take them.
    """
    group = group_of(events[0]) if events else delivery
    sqs.send_message(
        QueueUrl=queue_url,
        MessageBody=to_json(events, hook),
        # An issue's name may be longer than the 128 characters that SQS takes.
        MessageGroupId=sha256(group.encode()).hexdigest(),
        MessageDeduplicationId=delivery,
    )
