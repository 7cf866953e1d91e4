"""Hints to people's open pages, and the end of their live connections.

A hint has no content: a page that gets one requests its timers, with the ETag of those that it shows. So
timers have one representation, and a page shows nothing wrong after a hint that was late or repeated.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger

from timer_core.store.connections import Connection, ConnectionStore

_THREADS = 8
# The time after which no further request begins (seconds). Those that have begun end within five more: two
# attempts with two time-outs of a second each, and up to a second between them.
_LONGEST_S = 2
# The time in which a new connection may not exist yet, although API Gateway is opening it (milliseconds). Its
# integrations take up to 29 seconds.
_OPENING_MS = 30_000
_HINT = json.dumps({"type": "changed"}).encode()


class LiveConnections:
    """Sends hints over people's live connections, and closes connections.

    No method raises an error for a request that fails: the change or the sign-out has happened already.

    Parameters
    ----------
    client
        A function that returns a client of API Gateway's management API. It is called only if there are
        connections.
    """

    def __init__(self, store: ConnectionStore, client: Callable[[], Any], logger: Logger) -> None:
        self._store = store
        self._client = client
        self._logger = logger

    def hint(self, connections: Mapping[int, Sequence[Connection]], *, now_ms: int) -> set[int]:
        """Send a hint over each connection of the people whose timers or calendars have changed.

        Return the people with a connection over which it could not be sent, and which may still be open.

        Connections that are closed already are removed from the table. A page requests its timers after its
        connection was opened, so it needs no hint before.

        Parameters
        ----------
        connections
            The connections of these people, by user id.
        """
        valid = {
            user_id: [one for one in of_person if one.until_s * 1000 > now_ms]
            for user_id, of_person in connections.items()
        }
        everybody = [one for of_person in valid.values() for one in of_person]
        gone, failed = self._for_each(
            everybody, lambda client, to: client.post_to_connection(ConnectionId=to, Data=_HINT)
        )
        for user_id, of_person in valid.items():
            self._remove(
                user_id, [one for one in of_person if one in gone and one.opened_ms < now_ms - _OPENING_MS]
            )
        return {user_id for user_id, of_person in valid.items() if not failed.isdisjoint(of_person)}

    def end(self, user_id: int, is_ended: Callable[[Connection], bool] = lambda _connection: True) -> None:
        """End a person's connections for which a function returns true; by default all.

        Without its entry in the table, a connection gets no hints, even if API Gateway does not close it.
        """
        try:
            ended = [one for one in self._store.of(user_id) if is_ended(one)]
        except Exception:
            self._logger.exception("The live connections of a person could not be read")
            return
        self._remove(user_id, ended)
        self.close(ended)

    def close(self, removed: Sequence[Connection]) -> None:
        """Close connections that are no longer in the table."""
        self._for_each(removed, lambda client, to: client.delete_connection(ConnectionId=to))

    def _remove(self, user_id: int, connections: Sequence[Connection]) -> None:
        try:
            self._store.remove(user_id, connections)
        except Exception:
            self._logger.exception("Live connections could not be removed")

    def _for_each(
        self, connections: Sequence[Connection], call: Callable[[Any, str], object]
    ) -> tuple[set[Connection], set[Connection]]:
        """Call the management API for each connection.

        Return those that do not exist any more, and those whose call failed.
        """
        if not connections:
            return set(), set()

        def send(connection: Connection) -> None:
            call(self._client(), connection.connection_id)

        with ThreadPoolExecutor(_THREADS) as pool:
            calls = {pool.submit(send, one): one for one in connections}
            wait(calls, _LONGEST_S)
            pool.shutdown(wait=False, cancel_futures=True)
        gone, errors = set[Connection](), dict[Connection, BaseException]()
        for made, connection in calls.items():
            failure = TimeoutError() if made.cancelled() else made.exception()
            if _is_gone(failure):
                gone.add(connection)
            elif failure is not None:
                errors[connection] = failure
        if errors:
            self._logger.warning(
                "Requests to live connections failed",
                extra={"failed": len(errors), "of": len(connections)},
                exc_info=next(iter(errors.values())),
            )
        return gone, set(errors)


def _is_gone(error: BaseException | None) -> bool:
    """Whether a connection is closed already (AWS, "Use @connections commands in your backend service")."""
    # The attribute of an error without a response may be None.
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return bool(response.get("ResponseMetadata", {}).get("HTTPStatusCode") == HTTPStatus.GONE)
