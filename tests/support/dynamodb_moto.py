"""moto's DynamoDB: starts at once, for tests that race nothing.

moto does not isolate transactions: under threads, cancelled ones leave traces and good ones get
lost. What depends on atomicity belongs to `tests.support.dynamodb_local`.
"""

from __future__ import annotations

import logging
import urllib.request
from typing import TYPE_CHECKING

from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class DynamoDBMoto:
    """moto's DynamoDB in threads of this process, empty at the start.

    Every instance in a process shares one set of tables, so open one at a time.

    Examples
    --------
    >>> with DynamoDBMoto() as db:
    ...     create_table(connect(db.endpoint_url), "timers")
    """

    endpoint_url: str

    def __enter__(self) -> Self:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        # Its web server reports every single request otherwise.
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint_url = f"http://{host}:{port}"
        urllib.request.urlopen(f"{self.endpoint_url}/moto-api/reset", data=b"").close()  # noqa: S310
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()
