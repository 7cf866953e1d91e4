"""One POST request to a receiver."""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from hooks.addresses import AddressRefused, public_address
from timer_core.domain.outgoing_webhooks import Target


class SendingFailed(Exception):
    """A request got no response.

    Attributes
    ----------
    reason
        ``no_address``, ``address_refused``, ``timeout``, ``tls`` or ``connection``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class Transport:
    """Sends requests without following redirects and without reading the bodies of responses.

    Parameters
    ----------
    find_address
        Returns the address of a host name to connect to, see `public_address`.
    tls
        Returns the TLS context, with the roots to trust.
    timeout_s
        The time from the connection to the headers of the response (seconds).
    """

    def __init__(
        self,
        find_address: Callable[[str, int], str] = public_address,
        tls: Callable[[], ssl.SSLContext] = _tls,
        timeout_s: float = 10.0,
    ) -> None:
        self._find_address = find_address
        self._tls = tls
        self._timeout_s = timeout_s

    def post(self, target: Target, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a request, and return the status of the response.

        The connection is opened to the address that was checked. A second resolution of the name could return
        another one ("DNS rebinding").

        Raises
        ------
        SendingFailed
            If there is no response in time.
        """
        connection = self._connection(target)
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            _interrupt(connection)

        # The timeout of a socket begins anew with each byte, so a slow response could last for hours.
        deadline = threading.Timer(self._timeout_s, end)
        deadline.start()
        try:
            host = target.host if target.port in (80, 443) else f"{target.host}:{target.port}"
            connection.request("POST", target.path, body=body, headers={"Host": host, **headers})
            status = connection.getresponse().status
        except Exception as error:
            raise SendingFailed("timeout" if is_late.is_set() else _reason(error)) from None
        finally:
            deadline.cancel()
            connection.close()
        if is_late.is_set():
            # The end of an interrupted connection looks like the end of the headers.
            raise SendingFailed("timeout")
        return status

    def _connection(self, target: Target) -> HTTPConnection:
        if not target.is_secure:
            return HTTPConnection(target.host, target.port, timeout=self._timeout_s)
        try:
            address = self._find_address(target.host, target.port)
        except AddressRefused:
            raise SendingFailed("address_refused") from None
        except OSError:
            raise SendingFailed("no_address") from None
        return HTTPSConnection(
            address,
            target.port,
            timeout=self._timeout_s,
            ssl_context=self._tls(),
            # The name that the certificate has to contain.
            server_hostname=target.host,
        )


def _reason(error: Exception) -> str:
    """Return the reason of a request's failure."""
    if isinstance(error, NewConnectionError):
        return "connection"
    if isinstance(error, TimeoutError | ConnectTimeoutError):
        return "timeout"
    return "tls" if isinstance(error, ssl.SSLError) else "connection"


def _interrupt(connection: HTTPConnection) -> None:
    """Interrupt a connection that another thread waits for."""
    opened = connection.sock
    if opened is not None:
        with suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)
