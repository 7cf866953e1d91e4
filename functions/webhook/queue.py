"""Send messages to the queue of deliveries."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from timer_core.github.messages import DeliverySummary, Hook, QueuedEvent, group_of, to_json


def send(
    sqs: Any,
    queue_url: str,
    events: Sequence[QueuedEvent],
    *,
    delivery: str,
    hook: Hook | None = None,
    summary: DeliverySummary | None = None,
) -> None:
    """Queue the events of a delivery. SQS drops a repetition that is sent within five minutes.

    Raises
    ------
    BotoCoreError, ClientError
        If SQS did not accept the message.
    """
    group = group_of(events[0]) if events else delivery
    sqs.send_message(
        QueueUrl=queue_url,
        MessageBody=to_json(events, hook, summary),
        # The group is hashed, because SQS accepts at most 128 characters and an issue's name may be longer.
        MessageGroupId=sha256(group.encode()).hexdigest(),
        MessageDeduplicationId=delivery,
    )
