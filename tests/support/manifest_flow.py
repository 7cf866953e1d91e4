"""A fake GitHub and an operator's browser, for registering an App from a manifest.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import json
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deployed_stack.http_client import Response, request

TOKEN = "github_pat_11AAAA"
CLIENT_ID, CLIENT_SECRET = "Iv1.8a61f9b3a7aba766", "0123456789abcdef0123456789abcdef01234567"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
PUBLIC_PEM = (
    _KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


class GitHub(ThreadingHTTPServer):
    """A fake GitHub that registers Apps from manifests, and accepts one App key and one token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _GitHubHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.posted_to = ""
        self.manifest: dict[str, Any] = {}
        self.codes: set[str] = set()
        self.webhook_secret: str | None = "the secret of the App"
        self.token_expires: str | None = "2027-01-31 12:00:00 UTC"

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _GitHubHandler(BaseHTTPRequestHandler):
    server: GitHub

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        url = urlsplit(self.path)
        if url.path.endswith("/settings/apps/new"):
            self._create(url.path, form["manifest"][0], parse_qs(url.query)["state"][0])
        else:
            _, resource, code, action = url.path.split("/")
            assert (resource, action) == ("app-manifests", "conversions")
            self._convert(code)

    def _create(self, path: str, manifest: str, state: str) -> None:
        """Redirect as GitHub does after a click on "Create GitHub App"."""
        self.server.posted_to, self.server.manifest = path, json.loads(manifest)
        code = f"code-{len(self.server.codes)}"
        self.server.codes.add(code)
        back = f"{self.server.manifest['redirect_url']}?{urlencode({'code': code, 'state': state})}"
        self._answer(302, {}, Location=back)

    def _convert(self, code: str) -> None:
        if code not in self.server.codes or not self.headers["User-Agent"]:
            self._answer(404, {"message": "Not Found"})
            return
        self.server.codes.remove(code)
        app = {
            "id": 123456,
            "html_url": "https://github.com/apps/issue-timer-octo-org",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "webhook_secret": self.server.webhook_secret,
            "pem": PEM,
        }
        self._answer(201, app)

    def do_GET(self) -> None:
        token = self.headers["Authorization"].removeprefix("Bearer ")
        if self.path == "/user" and token == TOKEN:
            expires = self.server.token_expires
            headers = {"GitHub-Authentication-Token-Expiration": expires} if expires else {}
            self._answer(200, {"login": "octocat"}, **headers)
        elif self.path == "/app" and self._is_signed_by_app(token):
            self._answer(200, {"name": "Issue Timer octo-org"})
        else:
            self._answer(401, {"message": "Bad credentials"})

    def _is_signed_by_app(self, token: str) -> bool:
        try:
            return bool(jwt.decode(token, PUBLIC_PEM, algorithms=["RS256"])["iss"] == "123456")
        except jwt.PyJWTError:
            return False

    def _answer(self, status: int, body: Any, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Form(HTMLParser):
    """The form of a page, as a browser reads it."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.method, self.action = "", ""
        self.fields: dict[str, str] = {}
        self.tags: list[str] = []
        self.feed(response.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag == "form":
            self.method, self.action = attributes["method"], attributes["action"]
        if tag == "input":
            self.fields[attributes["name"]] = attributes["value"]

    def submit(self) -> Response:
        assert self.method == "post"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return request("POST", self.action, body=urlencode(self.fields).encode(), headers=headers)


def register_app_in_browser(page: str) -> Response:
    """Open the tool's page, submit its form, create the App at GitHub, and follow the redirect back."""
    return request("GET", Form(request("GET", page)).submit().headers["Location"])
