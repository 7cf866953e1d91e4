"""Deletion of accounts without requests to the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from timer_core.store.account_deletion import AccountDeletionStore


def delete_account(
    store: AccountDeletionStore,
    user_id: int,
    *,
    now_ms: int,
    has_time: Callable[[], bool] = lambda: True,
) -> None:
    """Request the deletion of an account, and delete what there is time for."""
    store.finish(store.request(user_id, now_ms=now_ms), now_ms=now_ms, has_time=has_time)
