"""The routes of outgoing webhooks, beside all other routes of the function.

Import this module on first use, because it imports pydantic (see `timer_core.api.direct`).
"""

from functools import cache
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from schedule.routes import app
from schedule.shared import logger, table
from schedule.webhook_models import (
    Hook,
    HookDelivery,
    HookDeliveryList,
    HookList,
    HookRequest,
    QueuedNotification,
)
from timer_core.api.replies import Reply
from timer_core.api.resolver import as_response
from timer_core.api.responses import responses
from timer_core.api.times import format_ms
from timer_core.clients import client
from timer_core.domain.ids import new_ulid
from timer_core.domain.notifications import Happening
from timer_core.domain.outgoing_webhooks import Order, OutgoingWebhook, parse_address
from timer_core.settings import settings
from timer_core.store.outgoing_webhooks import Notification, Notifications, OutgoingWebhooks

__all__ = ["app"]

_HOOKS = "/api/admin/hooks/"
_QUEUED = responses(202, 401, 403, 404)
_QUEUED[202] = {
    "description": "Queued",
    "content": {"application/json": {"model": QueuedNotification}},
}
webhooks = OutgoingWebhooks(table)
notifications = Notifications(table)


@cache
def _sqs() -> Any:
    return client("sqs")


@app.get(
    _HOOKS,
    summary="For admins: list the outgoing webhooks",
    operation_id="list_hooks",
    responses=responses(200, 401, 403),
    tags=["operation"],
)
def list_hooks() -> Response[HookList]:
    """Return all outgoing webhooks, without their secrets."""
    app.present_request().caller.require_admin()
    return _response(HookList(hooks=[Hook.of(one) for one in webhooks.all()]))


@app.post(
    _HOOKS,
    summary="For admins: add an outgoing webhook",
    operation_id="add_hook",
    responses=responses(201, 400, 401, 403, 413, 415, model=Hook),
    tags=["operation"],
)
def add_hook(request: Annotated[HookRequest, Body()]) -> Response[Hook]:
    """Tell an address about timers and confirmed days, from a minute later on.

    It is told about the people whose time leads see, and about nobody else. There can be 20 webhooks.
    """
    _require_admin("added", request.url)
    now_ms = app.present_request().now_ms
    webhook = _requested(new_ulid(now_ms), request, "", now_ms)
    webhooks.add(webhook)
    headers = {"Location": f"{_HOOKS}{webhook.id}/"}
    return Response(HTTPStatus.CREATED.value, "application/json", Hook.of(webhook), headers)


@app.put(
    f"{_HOOKS}<hook_id>/",
    summary="For admins: change an outgoing webhook",
    operation_id="change_hook",
    responses=responses(200, 400, 401, 403, 404, 413, 415),
    tags=["operation"],
)
def change_hook(hook_id: str, request: Annotated[HookRequest, Body()]) -> Response[Hook]:
    """Replace the address, the events and the format, and the secret if there is one.

    Notifications that wait for another attempt are sent to the new address.
    """
    _require_admin("changed", request.url)
    known = webhooks.get(hook_id)
    webhook = _requested(hook_id, request, known.secret, known.created_ms)
    webhooks.change(webhook)
    return _response(Hook.of(webhook))


@app.delete(
    f"{_HOOKS}<hook_id>/",
    summary="For admins: remove an outgoing webhook",
    operation_id="remove_hook",
    responses=responses(204, 401, 403, 404),
    tags=["operation"],
)
def remove_hook(hook_id: str) -> Response[Any]:
    """Send nothing more to an address, also no notification that waits for another attempt."""
    _require_admin("removed", "")
    webhooks.remove(hook_id)
    return as_response(Reply(HTTPStatus.NO_CONTENT))


@app.post(
    f"{_HOOKS}<hook_id>/test/",
    summary="For admins: test an outgoing webhook",
    operation_id="test_hook",
    responses=_QUEUED,
    tags=["operation"],
)
def ping_hook(hook_id: str) -> Response[QueuedNotification]:
    """Send a ping. Its attempts are in the list of deliveries a moment later."""
    request = app.present_request()
    request.caller.require_admin()
    webhook = webhooks.get(hook_id)
    now_ms, notification_id = request.now_ms, new_ulid(request.now_ms)
    body = {
        "event": Happening.PING.value,
        "id": notification_id,
        "at": format_ms(now_ms),
        "hook": {"id": webhook.id, "events": sorted(webhook.happenings)},
    }
    ping = Notification(notification_id, request.caller.user_id, Happening.PING, body)
    notifications.put(ping, now_ms=now_ms)
    return _queued(webhook.id, ping.user_id, ping.id)


@app.get(
    f"{_HOOKS}<hook_id>/deliveries/",
    summary="For admins: list what was sent to an outgoing webhook",
    operation_id="list_hook_deliveries",
    responses=responses(200, 401, 403, 404),
    tags=["operation"],
)
def list_deliveries(hook_id: str) -> Response[HookDeliveryList]:
    """Return the last 100 notifications of the last 30 days, with all attempts to send them."""
    app.present_request().caller.require_admin()
    webhook = webhooks.get(hook_id)
    sendings = notifications.sendings(webhook.id)
    return _response(HookDeliveryList(deliveries=[HookDelivery.of(one) for one in sendings]))


@app.post(
    f"{_HOOKS}<hook_id>/deliveries/<delivery_id>/repeat/",
    summary="For admins: send a notification again",
    operation_id="repeat_hook_delivery",
    responses=_QUEUED,
    tags=["operation"],
)
def repeat_delivery(hook_id: str, delivery_id: str) -> Response[QueuedNotification]:
    """Send the same notification again, with the same id, also if it was sent already.

    If its person is no longer visible to leads, or the notification has expired, nothing is sent.
    """
    app.present_request().caller.require_admin()
    webhook = webhooks.get(hook_id)
    sending = notifications.sending(webhook.id, delivery_id)
    return _queued(webhook.id, sending.user_id, sending.id, again=True)


def _require_admin(done: str, url: str) -> None:
    """Refuse a caller who is no admin, and log the change that an admin makes."""
    caller = app.present_request().caller
    caller.require_admin()
    # The path of an address may be a secret.
    host = url.partition("://")[2].partition("/")[0]
    logger.info(f"Outgoing webhook {done}", extra={"by": caller.user_id, "host": host})


def _requested(
    webhook_id: str, request: HookRequest, present_secret: str, created_ms: int
) -> OutgoingWebhook:
    """Return the requested webhook.

    Raises
    ------
    InvalidInput
        If nothing may be sent to the address.
    """
    parse_address(request.url, allow_local=settings().local_port is not None)
    return OutgoingWebhook(
        id=webhook_id,
        url=request.url,
        secret=present_secret if request.secret is None else request.secret,
        happenings=request.happenings(),
        format=request.format,
        created_ms=created_ms,
    )


def _queued(
    webhook_id: str, user_id: int, notification_id: str, *, again: bool = False
) -> Response[QueuedNotification]:
    order = Order(webhook_id, user_id, notification_id, again)
    _sqs().send_message(QueueUrl=settings().hook_queue_url, MessageBody=order.to_json())
    body = QueuedNotification(id=notification_id)
    return Response(HTTPStatus.ACCEPTED.value, "application/json", body)


def _response(body: Any) -> Response[Any]:
    return Response(HTTPStatus.OK.value, "application/json", body)
