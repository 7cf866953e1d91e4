"""What the routes have in common: the stores, the sign-in, and the live connections."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from auth.github_sign_in import GitHubSignIn
from auth.sign_in import SignIn
from timer_core.api import pages
from timer_core.api.request_guard import RequestGuard, sessions
from timer_core.clients import connections_client
from timer_core.github.api.credentials import OAuthParameter
from timer_core.observability import make_logger
from timer_core.services.live import LiveConnections
from timer_core.settings import settings
from timer_core.store.account_deletion import AccountDeletionStore
from timer_core.store.connections import ConnectionStore
from timer_core.store.people import PeopleStore
from timer_core.store.sessions import SessionStore
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

logger = make_logger("auth")

table = Table(settings().table_name)
people = PeopleStore(table)
session_store = SessionStore(table)
token_store = TokenStore(table)
account_deletion = AccountDeletionStore(table, track_unregistered=settings().track_unregistered)
guard = RequestGuard(table, logger)
live = LiveConnections(ConnectionStore(table), partial(connections_client, settings().live_endpoint), logger)
sign_in = SignIn(
    GitHubSignIn(settings().github_url, settings().github_api_url),
    OAuthParameter(settings().oauth_credential),
    sessions,
    people,
    session_store,
    token_store,
    live,
    logger,
    allowed_orgs=settings().allowed_orgs,
    allowed_origins=settings().allowed_origins,
)


def again(event: Mapping[str, Any]) -> str | None:
    """Return the address of the link "Try again" on the page for an error; None if there is no such link."""
    if event["rawPath"] not in pages.SIGN_IN_PATHS:
        return None
    return sign_in.again(event.get("queryStringParameters") or {})
