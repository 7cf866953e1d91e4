"""The responses to requests with an Idempotency-Key, which their repetitions receive too."""

from timer_core.domain.errors import IdempotencyKeyReused, NotFound
from timer_core.domain.timers import Timer
from timer_core.store.keys import idempotency_sk, timer_sk, user_pk
from timer_core.store.queries import existing
from timer_core.store.table import ConditionFailed, RawItem, Table
from timer_core.store.writes import Idempotency, put_response

KEY_REUSED = "This Idempotency-Key was used for another request."


class Responses:
    """Reads and writes the stored responses in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, user_id: int, key: str, *, now_ms: int) -> RawItem | None:
        """Return the item of the response to a request with a key; None if there is none."""
        item = self._table.get(user_pk(user_id), idempotency_sk(key))
        return None if item is None or int(item["expires_at"]["N"]) <= now_ms // 1000 else item

    def stored(self, user_id: int, idempotency: Idempotency, *, now_ms: int) -> tuple[Timer, bool] | None:
        """Return the response to an earlier request with the same key; None if there was no such request.

        Returns
        -------
        tuple[Timer, bool] or None
            The timer, and whether the request created it.

        Raises
        ------
        IdempotencyKeyReused
            If the key was used for another request before, or the timer was deleted since.
        """
        item = self.find(user_id, idempotency.key, now_ms=now_ms)
        return None if item is None else (self.repeated(user_id, item, idempotency), item["created"]["BOOL"])

    def store(self, timer: Timer, idempotency: Idempotency, *, now_ms: int) -> tuple[Timer, bool]:
        """Store an open timer as the response to a start with a key, and to its repetitions.

        Returns
        -------
        tuple[Timer, bool]
            The response to the first start with the key, in the form of `TimerStore.start`.

        Raises
        ------
        IdempotencyKeyReused
            If the key was used for another request before.
        """
        write = put_response(timer, now_ms, idempotency, created=False)
        try:
            self._table.write(write)
        except ConditionFailed as failed:
            item = failed.item or {}
            return self.repeated(timer.user_id, item, idempotency), item["created"]["BOOL"]
        return timer, False

    def repeated(self, user_id: int, item: RawItem, idempotency: Idempotency | None) -> Timer:
        """Return the timer of a stored response (its item), if the request is the same one.

        Raises
        ------
        IdempotencyKeyReused
            If it is another request, or the timer was deleted since.
        """
        check_same(item, idempotency)
        return self.still_existing(user_id, item["ulid"]["S"])

    def still_existing(self, user_id: int, ulid: str) -> Timer:
        """Return a timer of a stored response.

        Raises
        ------
        IdempotencyKeyReused
            If it was deleted since. The request took effect, so "not found" would be the wrong answer.
        """
        try:
            return existing(self._table.get(user_pk(user_id), timer_sk(ulid)))
        except NotFound:
            message = "This request took effect, but its timer was deleted since."
            raise IdempotencyKeyReused(message) from None


def check_same(item: RawItem, idempotency: Idempotency | None) -> None:
    """Check that a stored response belongs to this request.

    Raises
    ------
    IdempotencyKeyReused
        If it belongs to another request.
    """
    if idempotency is None or item["request_hash"]["S"] != idempotency.request:
        raise IdempotencyKeyReused(KEY_REUSED)
