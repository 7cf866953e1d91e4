"""Ended sessions and completed sign-ins.

A session is a signed token (see `timer_core.api.sessions`). It is valid until it expires, or until it is
stored here as ended. Other sessions are not stored.
"""

import contextlib

from timer_core.domain.errors import Unauthorized
from timer_core.store.items import ProfileItem, StateItem, expiry, raw
from timer_core.store.keys import PROFILE_SK, STATE_SK, state_pk, user_pk
from timer_core.store.people import Person, read_profile
from timer_core.store.table import ConditionFailed, Table, Write


class SessionStore:
    """The ended sessions in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def person_of(self, user_id: int, session_id: str, signed_in_ms: int) -> Person:
        """Return the person to whom a session belongs.

        Raises
        ------
        Unauthorized
            If the session has ended, or the person is no longer registered.
        """
        row = read_profile(self._table, user_id)
        if row is None:
            raise Unauthorized("You are no longer registered: sign in again.")
        registered_ms = int(row.created_ms)
        is_being_deleted = row.deletion_requested_ms is not None
        if not is_being_deleted:
            # Sessions from before a deletion request become invalid when the person signs in again. Before
            # that sign-in, these sessions may only be used to repeat the request.
            registered_ms = max(registered_ms, int(row.events_ignored_until_ms or 0))
        ended = {entry.partition(" ")[0] for entry in row.ended or ()}
        is_earlier = signed_in_ms < registered_ms
        if session_id in ended or is_earlier or signed_in_ms <= (row.signed_out_ms or 0):
            raise Unauthorized("The session has ended: sign in again.")
        return Person(user_id, row.login, is_being_deleted=is_being_deleted)

    def end(self, user_id: int, session_id: str, *, now_ms: int, until_ms: int) -> None:
        """End a session that expires at ``until_ms``, and delete the records of expired sessions."""
        item = self._table.get(user_pk(user_id), PROFILE_SK)
        expired = {
            entry
            for entry in (item or {}).get("ended", {}).get("SS", ())
            if int(entry.partition(" ")[2]) <= now_ms
        }
        pk, registered = user_pk(user_id), ProfileItem.created_ms.exists()
        entry = {f"{session_id} {until_ms}"}
        # A person who is not registered has no sessions.
        with contextlib.suppress(ConditionFailed):
            self._table.write(Write("Update", pk, PROFILE_SK, registered, [ProfileItem.ended.add(entry)]))
            if expired:
                forget = [ProfileItem.ended.delete(expired)]
                self._table.write(Write("Update", pk, PROFILE_SK, registered, forget))

    def end_all(self, user_id: int, *, now_ms: int) -> None:
        """End all present sessions of a person."""
        actions = [ProfileItem.signed_out_ms.set(now_ms), ProfileItem.ended.remove()]
        registered = ProfileItem.created_ms.exists()
        with contextlib.suppress(ConditionFailed):
            self._table.write(Write("Update", user_pk(user_id), PROFILE_SK, registered, actions))

    def use_state(self, state: str, *, now_ms: int) -> bool:
        """Record that a state or ticket was used, and return False if an earlier call recorded it."""
        item = StateItem(pk=state_pk(state), sk=STATE_SK, expires_at=expiry(now_ms, 1))
        try:
            self._table.write(Write("Put", item.pk, item.sk, StateItem.pk.does_not_exist(), item=raw(item)))
        except ConditionFailed:
            return False
        return True
