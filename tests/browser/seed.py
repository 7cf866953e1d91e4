"""Writes stopped timers directly to the table for tests, because a thousand requests would be too slow."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from timer_core.clock import now_ms
from timer_core.domain.ids import new_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.timers import finished
from timer_core.store.items import timer_item

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

    from fake_github.model import Account
    from tests.e2e.conftest import Site
    from timer_core.domain.timers import Timer

ZONE = ZoneInfo("Europe/Berlin")
REPO = "octo-org/hello-world"
# The maximum number of items in one BatchWriteItem request to DynamoDB.
_BATCH = 25


def days_ago(count: int) -> date:
    """Return the date `count` days before today, in Berlin."""
    return (datetime.now(ZONE) - timedelta(days=count)).date()


def finished_timer(
    person: Account,
    ago: int,
    start: str = "09:00",
    minutes: float = 60,
    number: int | None = 7,
    repo: str = REPO,
    description: str = "",
) -> Timer:
    """Return a stopped timer that started `ago` days ago, at the time of day `start` in Berlin."""
    start_at = datetime.combine(days_ago(ago), time.fromisoformat(start), ZONE)
    start_ms = round(start_at.timestamp() * 1000)
    return finished(
        user_id=person.id,
        ulid=new_ulid(start_ms),
        start_ms=start_ms,
        end_ms=start_ms + round(minutes * 60_000),
        now_ms=now_ms(),
        issue=None if number is None else Issue.of(repo, number),
        description=description,
    )


def put_timers(site: Site, timers: Sequence[Timer]) -> None:
    """Write timers to the table."""
    dynamodb = site.stack.aws.client("dynamodb")
    for first in range(0, len(timers), _BATCH):
        batch = timers[first : first + _BATCH]
        writes: list[WriteRequestTypeDef] = [{"PutRequest": {"Item": timer_item(timer)}} for timer in batch]
        dynamodb.batch_write_item(RequestItems={site.stack.table_name: writes})
