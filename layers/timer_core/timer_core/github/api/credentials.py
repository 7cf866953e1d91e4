"""The credentials for GitHub, each stored in a parameter of SSM Parameter Store."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from timer_core.clients import client
from timer_core.github.api.errors import InvalidCredential, Unavailable
from timer_core.secrets import MAX_AGE_S, CachedValue

# A missing parameter is cached for a shorter time, so that a newly stored credential is used soon.
_ABSENT_MAX_AGE_S = 30
# The allowed form of a token. A token becomes part of a header, and the HTTP library's error about an invalid
# header would quote the token.
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Token:
    """A personal access token."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App.

    Attributes
    ----------
    app_id
        The App's id or its client id; GitHub accepts either.
    private_key
        An RSA key in PEM form.
    """

    app_id: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The OAuth client that people authorize when they sign in: an OAuth App or a GitHub App."""

    client_id: str
    client_secret: str = field(repr=False)


class _ParameterUnreadable(Exception):
    """SSM did not respond, or refused the request."""


class _Parameter:
    """A parameter of SSM Parameter Store, fetched when it is first needed and cached for five minutes.

    The absence of a parameter is cached for half a minute. While SSM is unreachable, the previous value stays
    in use.

    Parameters
    ----------
    name
        The parameter's name; empty if there is no parameter, so that no request is sent.
    ssm
        The client that fetches the parameter; by default it is created when it is first needed, because a
        client is the slowest part of a cold start.
    now_s
        The clock, in seconds since the epoch.
    """

    def __init__(self, name: str, ssm: Any = None, *, now_s: Callable[[], float] = time.time) -> None:
        self._name = name
        self._ssm = ssm
        self._cached = CachedValue(
            self._fetch,
            (_ParameterUnreadable,),
            max_age_s=lambda text: _ABSENT_MAX_AGE_S if text is None else MAX_AGE_S,
            # Without this option, each of the many requests of a batch would wait seconds while SSM is
            # unreachable.
            caches_first_failure=True,
            now_s=now_s,
        )

    def _text(self) -> str | None:
        """Return the parameter's value, or None if the parameter does not exist.

        Raises
        ------
        Unavailable
            If SSM is unreachable, and the value was never fetched before.
        """
        if not self._name:
            return None
        try:
            return self._cached.get()
        except _ParameterUnreadable as error:
            message = f"The GitHub credential cannot be read: {error}"
            raise Unavailable(message, self._cached.expires_in_s) from error

    def _fetch(self) -> str | None:
        if self._ssm is None:
            self._ssm = client("ssm")
        try:
            parameter = self._ssm.get_parameter(Name=self._name, WithDecryption=True)["Parameter"]
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ParameterNotFound":
                return None
            raise _ParameterUnreadable(str(error)) from error
        text: str = parameter["Value"]
        return text


class CredentialParameter(_Parameter):
    """The credential for GitHub's API.

    The parameter is a ``SecureString`` of JSON: ``{"token": "..."}``, or
    ``{"app_id": "...", "private_key": "..."}``.
    """

    def get(self) -> Token | App | None:
        """Return the credential, or None if there is none.

        Raises
        ------
        InvalidCredential
            If the parameter contains anything else.
        Unavailable
            If SSM is unreachable, and the credential was never fetched before.
        """
        text = self._text()
        return None if text is None else _parse(text)


class OAuthParameter(_Parameter):
    """The OAuth client that people authorize when they sign in.

    The parameter is a ``SecureString`` of JSON: ``{"client_id": "...", "client_secret": "..."}``.
    """

    def get(self) -> OAuthClient | None:
        """Return the client, or None if there is none.

        Raises
        ------
        InvalidCredential
            If the parameter contains anything else.
        Unavailable
            If SSM is unreachable, and the client was never fetched before.
        """
        text = self._text()
        if text is None:
            return None
        content = _object(text)
        if content.keys() != {"client_id", "client_secret"} or not all(
            isinstance(value, str) and _TOKEN.fullmatch(value) for value in content.values()
        ):
            raise InvalidCredential('The OAuth credentials are not "client_id" and "client_secret" alone.')
        return OAuthClient(content["client_id"], content["client_secret"])


def _object(text: str) -> dict[str, Any]:
    # Raise the error outside of the except clause, because the traceback of JSONDecodeError would contain the
    # secret.
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise InvalidCredential("The GitHub credential is not a JSON object.")
    return content


def _parse(text: str) -> Token | App:
    content = _object(text)
    if content.keys() == {"token"}:
        return _token(content["token"])
    if content.keys() == {"app_id", "private_key"}:
        return _app(content["app_id"], content["private_key"])
    raise InvalidCredential('The GitHub credential has neither "token" nor "app_id" and "private_key" alone.')


def _token(text: Any) -> Token:
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise InvalidCredential("The GitHub credential's token is not a text without spaces.")
    return Token(text)


def _app(app_id: Any, private_key: Any) -> App:
    if isinstance(app_id, bool) or not isinstance(app_id, int | str) or not app_id:
        raise InvalidCredential("The GitHub credential's app_id is neither a number nor a text.")
    if not isinstance(private_key, str) or "PRIVATE KEY-----" not in private_key:
        raise InvalidCredential("The GitHub credential's private_key is not a key in PEM form.")
    return App(str(app_id), private_key)
