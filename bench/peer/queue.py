"""A queue in the bench's process, to which the receiver sends over HTTP as to SQS."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Thread
from uuid import uuid4

_TIMEOUT_S = 10


class Queue:
    """The messages that were sent to `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._messages: SimpleQueue[str] = SimpleQueue()

    def put(self, message: str) -> None:
        self._messages.put(message)

    def get(self) -> str:
        """Return the next message; raise `queue.Empty` if none arrives in ten seconds."""
        return self._messages.get(timeout=_TIMEOUT_S)


@contextmanager
def running() -> Iterator[Queue]:
    """Run a queue on the loopback interface."""

    class SendMessage(BaseHTTPRequestHandler):
        """Responds as SQS does to SendMessage ("Amazon SQS API Reference", AWS JSON protocol)."""

        # Keep connections open.
        protocol_version = "HTTP/1.1"
        # Send the headers and the body in one packet.
        wbufsize = -1

        def do_POST(self) -> None:
            body: str = json.loads(self.rfile.read(int(self.headers["content-length"])))["MessageBody"]
            queue.put(body)
            digest = md5(body.encode(), usedforsecurity=False).hexdigest()
            sent = {"MessageId": str(uuid4()), "MD5OfMessageBody": digest, "SequenceNumber": "1"}
            content = json.dumps(sent).encode()
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), SendMessage) as server:
        server.daemon_threads = True
        queue = Queue(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield queue
        finally:
            server.shutdown()
            thread.join()
