"""A change of a timer reaches an outgoing webhook, through the emulator's stream, queue and functions."""

import json
from datetime import UTC, datetime, timedelta

from tests.e2e.conftest import ANN, Site, eventually
from tests.support.receiver import LocalReceiver
from timer_core.github.webhooks.signature import sign
from timer_core.store.items import raw
from timer_core.store.keys import OUTGOING_PK, outgoing_sk
from timer_core.store.outgoing_webhooks import OutgoingWebhookItem

SECRET = "a secret of the receiver"
# A limit for a busy machine.
SENT_S = 90


def test_a_receiver_is_told_about_an_entry_by_a_signed_request(site: Site) -> None:
    dynamodb = site.stack.aws.client("dynamodb")
    day = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=701)
    with LocalReceiver() as receiver:
        webhook = OutgoingWebhookItem(
            pk=OUTGOING_PK,
            sk=outgoing_sk("01KB4V1MM0GZ8Q4T1M6V7X0Y2C"),
            url=receiver.url,
            secret=SECRET,
            happenings={"timer.stopped"},
            format="json",
            created_ms=0,
        )
        item = raw(webhook) | {"pk": {"S": webhook.pk}, "sk": {"S": webhook.sk}}
        dynamodb.put_item(TableName=site.stack.table_name, Item=item)
        # A process knows the webhooks of a minute ago.
        site.restart("TimesheetsFunction")
        body = {"start_time": day.isoformat(), "end_time": (day + timedelta(hours=3)).isoformat()}
        entry = json.loads(site.send("POST", "/api/timelogs/", body).body)
        try:
            assert eventually(lambda: receiver.requests, seconds=SENT_S)
        finally:
            keys = {name: item[name] for name in ("pk", "sk")}
            dynamodb.delete_item(TableName=site.stack.table_name, Key=keys)
            site.restart("TimesheetsFunction")
    request = receiver.requests[0]
    assert request.headers["x-issue-timer-signature-256"] == sign(SECRET, request.body)
    told = json.loads(request.body)
    assert (told["event"], told["person"]["id"], told["timer"]["id"]) == (
        "timer.stopped",
        ANN[0],
        entry["id"],
    )
    assert told["timer"]["working_duration"] == 3 * 3600
