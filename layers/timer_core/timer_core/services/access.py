"""Revocation of a person's access to the API."""

from timer_core.services.live import LiveConnections
from timer_core.store.sessions import SessionStore
from timer_core.store.tokens import TokenStore


def revoke_access(
    sessions: SessionStore, tokens: TokenStore, live: LiveConnections, user_id: int, *, now_ms: int
) -> int:
    """End all sessions of a person, revoke all of their tokens, and return how many tokens there were."""
    sessions.end_all(user_id, now_ms=now_ms)
    revoked = tokens.revoke_all(user_id)
    live.end(user_id)
    return revoked
