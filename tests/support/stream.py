"""Records of the table's stream (AWS, "DynamoDB Streams record")."""

from typing import Any

from timer_core.domain.timers import Timer
from timer_core.store.items import timer_item
from timer_core.store.keys import CALENDAR_SK, timer_sk, user_pk
from timer_core.store.table import RawItem


def timer_record(before: Timer | None, after: Timer | None) -> dict[str, Any]:
    """Return the record of a change of a timer; None if it did not exist, or does not exist any more."""
    one = before or after
    assert one is not None
    return _record(
        user_pk(one.user_id),
        timer_sk(one.ulid),
        None if before is None else timer_item(before),
        None if after is None else timer_item(after),
    )


def calendar_record(user_id: int, after: RawItem, before: RawItem | None = None) -> dict[str, Any]:
    """Return the record of a change of a person's calendar."""
    return _record(user_pk(user_id), CALENDAR_SK, before or {}, after)


def deletion_record(before: Timer, tombstone: RawItem) -> dict[str, Any]:
    """Return the record of a timer's deletion by its owner."""
    return _record(user_pk(before.user_id), timer_sk(before.ulid), timer_item(before), tombstone)


def _record(pk: str, sk: str, before: RawItem | None, after: RawItem | None) -> dict[str, Any]:
    images: dict[str, Any] = {
        "Keys": {"pk": {"S": pk}, "sk": {"S": sk}},
        "ApproximateCreationDateTime": 1_764_331_200,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if before is not None:
        images["OldImage"] = before
    if after is not None:
        images["NewImage"] = after
    name = "INSERT" if before is None else "MODIFY" if after else "REMOVE"
    return {"eventID": "1", "eventName": name, "eventSource": "aws:dynamodb", "dynamodb": images}
