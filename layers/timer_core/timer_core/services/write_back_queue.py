"""The queue of issues whose total time is written to GitHub.

The queue delays each message by a little more than SQS's deduplication interval of five minutes. So there is
at most one message for an issue in five minutes, and it is received after all changes whose messages SQS has
dropped. The messages for the issues of one owner are a group, which is processed one after the other, because
GitHub limits the requests of an installation, and asks not to send them side by side.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from timer_core.domain.issues import Issue

# The number of messages in a request (AWS, "SendMessageBatch").
_BATCH = 10


class NotQueued(Exception):
    """SQS did not accept a message."""


@dataclass(frozen=True, slots=True)
class WriteBackMessage:
    """An issue whose total time may have changed.

    Attributes
    ----------
    is_passed_on
        Whether the time was on another issue, which counts for this one. Such a message is not passed on
        again.
    """

    issue: Issue
    is_passed_on: bool = False

    @classmethod
    def from_json(cls, body: str) -> "WriteBackMessage":
        """Read the body of a message.

        Raises
        ------
        ValueError, KeyError, TypeError
            If the body has another form.
        """
        found = json.loads(body)
        issue = Issue.of(found["repo"], found["number"], repo_id=found["repo_id"])
        return cls(issue, found["is_passed_on"])

    def to_json(self) -> str:
        """Return the body of the message."""
        issue = self.issue
        return json.dumps(
            {
                "repo_id": issue.repo_id,
                "repo": issue.full_name,
                "number": issue.number,
                "is_passed_on": self.is_passed_on,
            }
        )


class WriteBackQueue:
    """Sends messages to the queue.

    Parameters
    ----------
    sqs
        Returns the client of SQS.
    url
        The URL of the queue; empty if nothing is written back, or not by the caller's events.
    """

    def __init__(self, sqs: Callable[[], Any], url: str) -> None:
        self._sqs = sqs
        self._url = url

    @property
    def is_on(self) -> bool:
        """Whether issues are queued."""
        return bool(self._url)

    def send(self, issues: Iterable[Issue], *, is_passed_on: bool = False) -> None:
        """Queue issues; those whose repository's id is unknown are left out.

        Raises
        ------
        NotQueued
            If SQS did not accept a message; a retry is safe.
        BotoCoreError, ClientError
            If a request failed; a retry is safe.
        """
        if not self._url:
            return
        by_key = {issue.key: issue for issue in issues if issue.repo_id}
        found = [*by_key.items()]
        for first in range(0, len(found), _BATCH):
            entries = [
                {
                    "Id": str(number),
                    "MessageBody": WriteBackMessage(issue, is_passed_on).to_json(),
                    "MessageGroupId": sha256(issue.owner.lower().encode()).hexdigest(),
                    "MessageDeduplicationId": key,
                }
                for number, (key, issue) in enumerate(found[first : first + _BATCH])
            ]
            response = self._sqs().send_message_batch(QueueUrl=self._url, Entries=entries)
            if response.get("Failed"):
                raise NotQueued(f"SQS did not accept {len(response['Failed'])} issues.")
