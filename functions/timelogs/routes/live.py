"""The route of live connections and the model of its body."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from timelogs import live
from timelogs.routes.app import app, current_request
from timer_core.api.request_guard import TICKET_PATH
from timer_core.api.resolver import as_response
from timer_core.api.responses import responses


class TicketShown(BaseModel):
    """The address of a live connection, and when to keep it alive and to replace it, in seconds."""

    model_config = ConfigDict(defer_build=True)

    url: Annotated[
        str,
        Field(
            description="The URL of the WebSocket.",
            examples=["wss://timer.example.com/live?ticket=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1ODMyMzEifQ.c2ln"],
        ),
    ]
    expires_in: Annotated[int, Field(description="The time within which the address opens one connection.")]
    ping_after: Annotated[
        int, Field(description="""The time without a message after which to send {"type": "ping"}.""")
    ]
    renew_after: Annotated[
        int, Field(description="The age of a connection at which to open the next one, with a new ticket.")
    ]


@app.post(
    TICKET_PATH,
    summary="Get a ticket for a live connection",
    operation_id="live_ticket",
    responses=responses(200, 401, 403),
    tags=["timers"],
)
def get_ticket() -> Response[TicketShown]:
    """Return the URL of a WebSocket that sends hints of changes.

    It sends {"type": "changed"} when one of your timers or your calendar has changed, and {"type": "pong"}
    after a ping. A hint has no content: list your timers, with the ETag that you have. You can have ten
    connections; an eleventh closes the oldest. A read-only token may request tickets too.
    """
    return as_response(live.get_ticket(current_request()))
