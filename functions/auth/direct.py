"""The direct routes: the sign-in, the caller's account and session (see `timer_core.api.direct`)."""

from auth import account
from timer_core.api.direct import DirectRoutes, body, boolean, query, text
from timer_core.api.pages import CALLBACK_PATH, LOGIN_PATH
from timer_core.api.replies import Reply
from timer_core.api.requests import Request

_LOG_IN = {"next": text(500), "origin": text(300)}

direct = DirectRoutes()
direct.route("GET", CALLBACK_PATH)(account.complete_sign_in)
direct.route("GET", "/api/auth/me/")(account.get_me)
direct.route("POST", "/api/auth/session/")(account.renew)


@direct.route("GET", LOGIN_PATH)
def _log_in(request: Request) -> Reply:
    sent = query(request, _LOG_IN)
    return account.log_in(request, next_path=sent.get("next", "/"), origin=sent.get("origin", ""))


@direct.route("POST", "/api/auth/logout/")
def _log_out(request: Request) -> Reply:
    return account.log_out(
        request, everywhere=body(request, {"everywhere": boolean}).get("everywhere", False)
    )
