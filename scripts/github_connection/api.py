"""The requests to GitHub for connecting a stack."""

import json
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from urllib.parse import quote, urlencode

from deployed_stack.errors import ToolError
from deployed_stack.http_client import request
from timer_core.github.api.credentials import App
from timer_core.github.api.errors import GitHubError, InvalidCredential
from timer_core.github.api.installations import Installations
from timer_core.github.api.transport import Response, Transport

# GitHub refuses requests without a User-Agent ("Getting started with the REST API").
_HEADERS = {"Accept": "application/vnd.github+json", "User-Agent": "issue-timer"}
_START_AGAIN = "If GitHub lists the App in your settings, delete it there; then start again."


@dataclass(frozen=True, slots=True)
class RegisteredApp:
    """The data of a new GitHub App, which GitHub returns only once, after the registration.

    Attributes
    ----------
    app_id
        The App's id.
    private_key
        The App's RSA key, in PEM form.
    webhook_secret
        The secret that GitHub signs the App's deliveries with; None if GitHub created no secret.
    client_id, client_secret
        The credentials of the OAuth client for signing in.
    url
        The App's page at GitHub.
    """

    app_id: str
    private_key: str = field(repr=False)
    webhook_secret: str | None = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)
    url: str


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """The owner of a token, and the token's expiry as GitHub's header states it; None means no expiry."""

    login: str
    expires: str | None


def registered_app(api_url: str, code: str) -> RegisteredApp:
    """Exchange the code in GitHub's redirect for the App.

    The code is valid once, for an hour ("Registering a GitHub App from a manifest", step 3).

    Raises
    ------
    ToolError
        If GitHub does not return the App, or cannot be reached.
    """
    try:
        response = request(
            "POST", f"{api_url}/app-manifests/{quote(code, safe='')}/conversions", headers=_HEADERS
        )
    except (OSError, HTTPException) as error:
        raise ToolError(f"{api_url} does not answer: {error}. {_START_AGAIN}") from error
    if response.status != HTTPStatus.CREATED:
        raise ToolError(f"GitHub did not return the App (status {response.status}). {_START_AGAIN}")
    app = json.loads(response.body)
    return RegisteredApp(
        app_id=str(app["id"]),
        private_key=app["pem"],
        webhook_secret=app["webhook_secret"],
        client_id=app["client_id"],
        client_secret=app["client_secret"],
        url=app["html_url"],
    )


def app_name(api_url: str, app: App) -> str:
    """Return the name of an App; GitHub's response proves that the key belongs to the App.

    Raises
    ------
    ToolError
        If the key is invalid, GitHub refuses it for this App, or GitHub cannot be reached.
    """
    transport = Transport(api_url, time.time)
    try:
        token = Installations(app, transport, time.time).jwt()
    except InvalidCredential as error:
        raise ToolError("This is not a private key of a GitHub App (an RSA key in PEM form).") from error
    return str(_get(transport, "/app", token).data["name"])


def token_owner(api_url: str, token: str) -> TokenOwner:
    """Return the owner of a personal access token.

    Raises
    ------
    ToolError
        If GitHub refuses the token, or cannot be reached.
    """
    response = _get(Transport(api_url, time.time), "/user", token)
    return TokenOwner(
        login=response.data["login"], expires=response.headers.get("GitHub-Authentication-Token-Expiration")
    )


def check_oauth_client(github_url: str, client_id: str, client_secret: str) -> None:
    """Check an OAuth client's credentials by redeeming a code that does not exist.

    GitHub checks the credentials before the code ("Troubleshooting OAuth app access token request errors").

    Raises
    ------
    ToolError
        If GitHub refuses the credentials, or cannot be reached.
    """
    form = {"client_id": client_id, "client_secret": client_secret, "code": "none"}
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": _HEADERS["User-Agent"],
    }
    url = f"{github_url}/login/oauth/access_token"
    try:
        response = request("POST", url, body=urlencode(form).encode(), headers=headers)
    except (OSError, HTTPException) as error:
        raise ToolError(f"{github_url} does not answer: {error}") from error
    try:
        error_code = json.loads(response.body)["error"]
    except (ValueError, TypeError, KeyError):
        error_code = f"status {response.status}"
    if error_code != "bad_verification_code":
        raise ToolError(f"GitHub refuses this client id with this secret ({error_code}).")


def _get(transport: Transport, path: str, token: str) -> Response:
    try:
        return transport.send("GET", path, token)
    except GitHubError as error:
        raise ToolError(str(error)) from error
