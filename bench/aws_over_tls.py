"""AWS's services over TLS on this machine, for the processes that the benches measure.

DynamoDB Local answers DynamoDB's requests. The requests to SQS and Secrets Manager have fixed answers.
"""

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.support.connection import REGION

# The value of every secret.
SECRET = "It's a Secret to Everybody, and has as many characters as a real one"
_VALIDITY = timedelta(days=3650)
_ANSWERS = {
    "AmazonSQS.SendMessage": {
        "MD5OfMessageBody": "0" * 32,
        "MessageId": "5fea7756-0ea4-451a-a703-a558b933e274",
        "SequenceNumber": "18850000000000000000",
    },
    "secretsmanager.GetSecretValue": {
        "ARN": f"arn:aws:secretsmanager:{REGION}:123456789012:secret:bench",
        "CreatedDate": 1_700_000_000,
        "Name": "bench",
        "SecretString": json.dumps({"current": SECRET, "previous": ""}),
        "VersionId": "EXAMPLE1-90ab-cdef-fedc-ba987SECRET1",
        "VersionStages": ["AWSCURRENT"],
    },
}
# Headers of one connection, which are not forwarded (RFC 9110, section 7.6.1), and those that the server
# sends itself.
_NOT_FORWARDED = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}


def make_certificates(root: Path, server: Path, name: str = f"*.{REGION}.amazonaws.com") -> None:
    """Write the certificate of an authority, and a server's key and certificates, as AWS's services have.

    Both files are in the PEM format. The server's certificate is valid for a host name; by default for all
    services of the region.
    """
    root_key, root_certificate = _issue("Bench Root", None)
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    key, certificate = _issue("Bench", (root_key, root_certificate), names)
    root.write_bytes(root_certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))


def _issue(
    name: str,
    issuer: tuple[rsa.RSAPrivateKey, x509.Certificate] | None,
    *extensions: x509.ExtensionType,
) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """Return a key of the kind that AWS's certificates have, and its certificate, self-signed by default."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_key, issuer_name = (issuer[0], issuer[1].subject) if issuer else (key, subject)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALIDITY)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return key, builder.sign(issuer_key, hashes.SHA256())


@contextmanager
def serve(certificates: Path, database_url: str) -> Iterator[int]:
    """Serve on the loopback interface while the context lasts; yield the port.

    Parameters
    ----------
    certificates
        The server's key and certificates, in one file.
    database_url
        The address of DynamoDB Local.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        database = urlsplit(database_url).netloc

        def finish_request(self, request: object, client_address: object) -> None:
            # The handshake is part of the connection's own thread, so that no client waits for another.
            assert isinstance(request, ssl.SSLSocket)
            request.do_handshake()
            super().finish_request(request, client_address)

        def handle_error(self, request: object, client_address: object) -> None:
            """Ignore the connections that a measured process resets when it ends."""

    with Server(("127.0.0.1", 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        target = self.headers["x-amz-target"]
        if target.startswith("DynamoDB_"):
            self._forward(body)
        elif target in _ANSWERS:
            self._send(HTTPStatus.OK, {"content-type": "application/x-amz-json-1.1"}, _ANSWERS[target])
        else:
            self._send(HTTPStatus.BAD_REQUEST, {}, {"__type": "UnknownOperationException"})

    def _forward(self, body: bytes) -> None:
        database = http.client.HTTPConnection(getattr(self.server, "database"))  # noqa: B009
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_FORWARDED}
        database.request("POST", "/", body, headers)
        answer = database.getresponse()
        self._send(answer.status, dict(answer.getheaders()), answer.read())
        database.close()

    def _send(self, status: int, headers: dict[str, str], content: object) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _NOT_FORWARDED:
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""
