"""A metric of the requests that DynamoDB throttles, also of those that succeed when they are repeated."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from timer_core.observability import publish

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

# Source: AWS, "Error handling with DynamoDB".
THROTTLED = {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
# The same, as reasons for the cancellation of a transaction ("TransactWriteItems").
THROTTLED_REASONS = {"ProvisionedThroughputExceeded", "ThrottlingError"}

# DynamoDB reads a batch in part not only because of throttling, but also if it found 16 MB, or 1 MB in a
# partition ("BatchGetItem").
_LEAST_LIMIT_BYTES = 1_000_000


def count_throttled(response: Mapping[str, Any]) -> None:
    """Publish ``TableThrottles`` if DynamoDB has throttled a request, or a part of it.

    DynamoDB's message, which the log entry contains, names the limit and the index.
    """
    error = response.get("Error", {})
    is_throttled = (
        error.get("Code") in THROTTLED
        or any(reason.get("Code") in THROTTLED_REASONS for reason in response.get("CancellationReasons", ()))
        or (bool(response.get("UnprocessedKeys")) and not _has_reached_a_limit(response["Responses"]))
    )
    if is_throttled:
        publish("TableThrottles", 1, reason=error.get("Message", "Not all items of a batch were read."))


def _has_reached_a_limit(found: Mapping[str, Any]) -> bool:
    """Whether DynamoDB may have left out items of a batch because the others are large."""
    # The JSON is somewhat longer than the items.
    return len(json.dumps(found, default=repr)) >= _LEAST_LIMIT_BYTES


def report_throttling(client: Any) -> None:
    """Count the throttled attempts of botocore's client of DynamoDB."""
    # botocore emits this event after every attempt. A handler that returns nothing decides nothing.
    client.meta.events.register("needs-retry.dynamodb", _after_attempt, unique_id="report-throttling")


def _after_attempt(response: "tuple[AWSResponse, dict[str, Any]] | None", **_: Any) -> None:
    # Without a response, for example after a time-out, there is only an exception.
    if response is not None:
        count_throttled(response[1])
