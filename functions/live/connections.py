"""The function `live`: opens and removes people's live connections.

API Gateway calls it as the authorizer of a connection, and after the end of the connection. It answers pings
itself (see `LivePings` in template.yaml).
"""

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core import startup
from timer_core.api.request_guard import sessions
from timer_core.api.sessions import Ticket
from timer_core.clients import connections_client
from timer_core.clock import now_ms
from timer_core.domain.errors import Unauthorized
from timer_core.observability import make_logger
from timer_core.services.live import LiveConnections
from timer_core.settings import settings
from timer_core.store.connections import (
    KEPT_S,
    Connection,
    ConnectionStore,
    session_credential,
    token_credential,
)
from timer_core.store.people import read_profile
from timer_core.store.sessions import SessionStore
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

logger = make_logger("live")

table = Table(settings().table_name)
connections = ConnectionStore(table)
session_store = SessionStore(table)
token_store = TokenStore(table)
live = LiveConnections(connections, partial(connections_client, settings().live_endpoint), logger)


@startup.completes
@logger.inject_lambda_context(correlation_id_path="requestContext.connectionId")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Authorize a connection, or remove it after its end."""
    request = event["requestContext"]
    if request["eventType"] == "MESSAGE":
        # A message that names a route of API Gateway's own, such as `$disconnect`. Messages are ignored.
        return {"statusCode": 200}
    if request["eventType"] == "DISCONNECT":
        _remove(request.get("authorizer") or {})
        return {"statusCode": 200}
    try:
        parameters = event.get("queryStringParameters") or {}
        user_id, connection = _open(parameters.get("ticket", ""), request["connectionId"])
    except Unauthorized as refused:
        logger.warning("Refused a live connection", extra={"reason": str(refused)})
        return _policy("Deny", event["methodArn"])
    # API Gateway passes the context on to the other calls of the connection.
    context_of_connection = {"user_id": str(user_id), "connection": connection.entry}
    return _policy("Allow", event["methodArn"]) | {"context": context_of_connection}


def _open(text: str, connection_id: str) -> tuple[int, Connection]:
    """Open the connection of a ticket, and return its person and the connection.

    Raises
    ------
    Unauthorized
        If the ticket is not valid, or was used, or its session or token has ended since.
    """
    now = now_ms()
    ticket = sessions().read_ticket(text, now_s=now // 1000)
    if not session_store.use_state(f"ticket {ticket.ticket_id}", now_ms=now):
        raise Unauthorized("The ticket was used before.")
    user_id = ticket.user_id
    credential = session_credential(ticket.session_id)
    if ticket.token_id is not None:
        credential = token_credential(ticket.token_id)
    until_s = now // 1000 + KEPT_S
    if ticket.end_s is not None:
        until_s = min(until_s, ticket.end_s)
    connection = Connection(now, until_s, credential, connection_id)
    live.close(connections.add(user_id, connection))
    try:
        # Check this after the connection was added: a sign-out ends the connections that it finds, and those
        # that it does not find see the sign-out here.
        _require_valid(ticket)
    except Unauthorized:
        connections.remove(user_id, [connection])
        raise
    return user_id, connection


def _require_valid(ticket: Ticket) -> None:
    """Refuse a ticket whose session, token or account has ended since the ticket was issued.

    Raises
    ------
    Unauthorized
        If it has ended.
    """
    if ticket.token_id is None:
        person = session_store.person_of(ticket.user_id, ticket.session_id, ticket.signed_in_ms)
        is_being_deleted = person.is_being_deleted
    else:
        # Read the token last: a deletion that ends between the two reads has deleted it. Operators also
        # create tokens for people who are not registered.
        profile = read_profile(table, ticket.user_id)
        is_being_deleted = profile is not None and profile.deletion_requested_ms is not None
        if not token_store.exists(ticket.user_id, ticket.token_id):
            raise Unauthorized("The token was revoked.")
    if is_being_deleted:
        raise Unauthorized("The account is being deleted.")


def _remove(context: dict[str, Any]) -> None:
    """Remove a connection that was closed, given the context of its authorizer."""
    if "connection" in context:
        connections.remove(int(context["user_id"]), [Connection.of_entry(context["connection"])])
    else:
        # The next hint finds the connection closed and removes it.
        logger.warning("A connection was closed without the context of its authorizer")


def _policy(effect: str, resource: str) -> dict[str, Any]:
    """Return an authorizer's response (AWS, "Output from an API Gateway Lambda authorizer")."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {"principalId": "page", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
