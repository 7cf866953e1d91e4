"""The ticket with which a page opens its live connection."""

from http import HTTPStatus

from timer_core.api import requests
from timer_core.api.auth import Caller
from timer_core.api.replies import Reply
from timer_core.api.request_guard import sessions
from timer_core.api.requests import Request
from timer_core.api.sessions import LIFE_S, TICKET_S

# API Gateway closes a connection without messages after ten minutes, and any other after two hours (AWS,
# "Quotas for configuring and running a WebSocket API"). CloudFront closes one over which the client received
# nothing for ten minutes ("Quotas on WebSocket connections"), so a ping needs a reply. Times are in seconds.
PING_AFTER_S = 540
RENEW_AFTER_S = 6_900
# The time before the end of a session at which its page requests the next ticket, which renews the session.
_BEFORE_END_S = 300
_LEAST_S = 60


def get_ticket(request: Request) -> Reply:
    """Return the address of a live connection, which can be opened once within a minute."""
    caller, now_s = request.caller, request.now_ms // 1000
    end_s = _end_of(caller, now_s)
    renew_after_s = RENEW_AFTER_S
    if end_s is not None:
        renew_after_s = min(renew_after_s, max(_LEAST_S, end_s - _BEFORE_END_S - now_s))
    ticket = sessions().issue_ticket(
        caller.user_id,
        session=caller.session,
        token_id=caller.person.token_id,
        end_s=end_s,
        now_s=now_s,
    )
    # The scheme of WebSockets is ws, or wss over TLS (RFC 6455, section 3).
    address = requests.origin(request.event).replace("http", "ws", 1)
    shown = {
        "url": f"{address}/live?ticket={ticket}",
        "expires_in": TICKET_S,
        "ping_after": PING_AFTER_S,
        "renew_after": renew_after_s,
    }
    return Reply(HTTPStatus.OK, shown)


def _end_of(caller: Caller, now_s: int) -> int | None:
    """Return when a caller's credentials expire (seconds since the epoch); None if they never do."""
    session = caller.session
    if session is None:
        return caller.person.expires_at
    # The response to this request renews a session in a cookie.
    is_renewed = caller.by_cookie and session.is_due(now_s)
    return min(now_s + LIFE_S, session.ends_s) if is_renewed else session.expires_s
