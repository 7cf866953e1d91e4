"""Revocation of a person's access to the API."""

from timer_core.store.sessions import SessionStore
from timer_core.store.tokens import TokenStore


def revoke_access(sessions: SessionStore, tokens: TokenStore, user_id: int, *, now_ms: int) -> int:
    """End all sessions of a person, revoke all of their tokens, and return how many tokens there were."""
    sessions.end_all(user_id, now_ms=now_ms)
    return tokens.revoke_all(user_id)
