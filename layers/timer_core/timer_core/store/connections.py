"""People's live connections: the WebSockets over which their open pages get hints of changes.

All connections of a person are in one item, which the timesheets function reads in the same request as the
person's calendar. Each entry of its set is a text, so that one write adds or deletes a connection without a
read before it.
"""

import contextlib
from collections.abc import Collection
from typing import NamedTuple, Self

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.expressions.condition import Condition, size
from pynamodb.models import Model

from timer_core.store.keys import CONNECTIONS_SK, user_pk
from timer_core.store.table import ConditionFailed, RawItem, Table, Write, retry_on_conflict

# The maximum number of a person's connections.
MAX_CONNECTIONS = 10
# API Gateway closes a connection after two hours (AWS, "Quotas for configuring and running a WebSocket API").
# The rest is for clocks that differ.
KEPT_S = 130 * 60


# Few functions need this item, so it is not in `timer_core.store.items`.
class ConnectionsItem(Model):
    """``user#<id>`` / ``live``: a person's live connections.

    ``connections`` contains one text for each, see `Connection.entry`. The item expires by TTL.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    connections = UnicodeSetAttribute(null=True)
    expires_at = NumberAttribute()


class Connection(NamedTuple):
    """A live connection.

    Attributes
    ----------
    opened_ms
        When it was opened (milliseconds since the epoch).
    until_s
        When it expires (seconds since the epoch), with the credential that opened it or before.
    credential
        The session or token of the ticket, see `session_credential` and `token_credential`.
    connection_id
        The id that API Gateway has given it.
    """

    opened_ms: int
    until_s: int
    credential: str
    connection_id: str

    @property
    def entry(self) -> str:
        """The text of the connection in the item; its parts contain no spaces."""
        return f"{self.opened_ms} {self.until_s} {self.credential} {self.connection_id}"

    @classmethod
    def of_entry(cls, entry: str) -> Self:
        """Return the connection of a text in the item."""
        opened_ms, until_s, credential, connection_id = entry.split(" ")
        return cls(int(opened_ms), int(until_s), credential, connection_id)


def session_credential(session_id: str) -> str:
    """Return the credential of a session."""
    return f"session:{session_id}"


def token_credential(token_id: str) -> str:
    """Return the credential of an API token."""
    return f"token:{token_id}"


def is_session_credential(credential: str) -> bool:
    """Whether a credential is a session."""
    return credential.startswith(session_credential(""))


def connections_of(item: RawItem | None) -> list[Connection]:
    """Return the connections in a person's item, the oldest first."""
    entries = (item or {}).get("connections", {}).get("SS", ())
    return sorted(map(Connection.of_entry, entries))


class ConnectionStore:
    """The live connections in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, user_id: int, connection: Connection) -> list[Connection]:
        """Add a connection, and return the connections that were removed because a person has at most ten.

        These are the expired ones, or else the oldest ones.

        Raises
        ------
        TooMuchContention
            If other requests kept adding connections. The connection was not added.
        """
        removed = list[Connection]()
        now_s = connection.opened_ms // 1000
        actions = [
            ConnectionsItem.connections.add({connection.entry}),
            ConnectionsItem.expires_at.set(now_s + KEPT_S),
        ]
        is_below: Condition = ConnectionsItem.connections.does_not_exist()
        is_below |= size(ConnectionsItem.connections) < MAX_CONNECTIONS  # type: ignore[no-untyped-call]

        def attempt() -> list[Connection]:
            write = Write("Update", user_pk(user_id), CONNECTIONS_SK, is_below, actions)
            try:
                self._table.write(write)
            except ConditionFailed as full:
                present = connections_of(full.item)
                surplus = [one for one in present if one.until_s <= now_s]
                surplus = surplus or present[: len(present) - MAX_CONNECTIONS + 1]
                self.remove(user_id, surplus)
                removed.extend(surplus)
                raise
            return removed

        return retry_on_conflict(attempt, "The connection was not added: other requests kept adding some.")

    def of(self, user_id: int) -> list[Connection]:
        """Return a person's connections, the oldest first; some may be closed already."""
        return connections_of(self._table.get(user_pk(user_id), CONNECTIONS_SK))

    def remove(self, user_id: int, connections: Collection[Connection]) -> None:
        """Remove connections of a person. Those that were removed before are ignored."""
        if not connections:
            return
        actions = [ConnectionsItem.connections.delete({one.entry for one in connections})]
        # Do not create the item anew.
        with contextlib.suppress(ConditionFailed):
            exists = ConnectionsItem.pk.exists()
            self._table.write(Write("Update", user_pk(user_id), CONNECTIONS_SK, exists, actions))
