"""The credential that GitHub is asked with, kept in one parameter of SSM Parameter Store."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from timer_core.clients import CLIENT_CONFIG
from timer_core.github.api.errors import InvalidCredential, Unavailable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SSMProvider

_MAX_AGE_S = 300
# What needs a credential is given up for want of one, so that one which has come is soon noticed.
_ABSENT_MAX_AGE_S = 30
# While SSM is out of reach: not one slow attempt for each question to GitHub.
_MIN_AGE_S = 10
# It becomes part of a header, and a refused header would be quoted in the error.
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
        The App's id or its client id; GitHub takes either.
    private_key
        An RSA key in PEM form.
    """

    app_id: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """What GitHub knows us by when people sign in: an OAuth App, or a GitHub App."""

    client_id: str
    client_secret: str = field(repr=False)


class _Parameter:
    """A parameter of SSM Parameter Store, read when it is first needed and kept for a while.

    Parameters
    ----------
    name
        The parameter's name. Empty: there is no credential, and SSM is not asked.
    provider
        Who reads the parameter; by default one of short time-outs.
    now_s
        The clock, in seconds since the epoch.
    """

    def __init__(
        self, name: str, provider: "SSMProvider | None" = None, *, now_s: Callable[[], float] = time.time
    ) -> None:
        self._name = name
        self._provider = provider
        self._now_s = now_s
        self._value: str | None = None
        self._good_until = 0.0
        self._is_read = False
        self._failure: str | None = None

    def _text(self) -> str | None:
        """Return what the parameter holds, or None if it does not exist.

        It is at most five minutes old (half a minute, if there is none) unless SSM is out of reach: then what
        was read before goes on.

        Raises
        ------
        Unavailable
            It was never read, and cannot be now.
        """
        if not self._name:
            return None
        now_s = self._now_s()
        if now_s >= self._good_until:
            self._refresh(now_s)
        if self._failure is not None:
            raise Unavailable(
                f"The GitHub credential cannot be read: {self._failure}", self._good_until - now_s
            )
        return self._value

    def _refresh(self, now_s: float) -> None:
        # Imported and made when first needed: SSM's client takes longer than all else at a cold start.
        from aws_lambda_powertools.utilities.parameters import SSMProvider
        from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

        if self._provider is None:
            self._provider = SSMProvider(boto_config=CLIENT_CONFIG)
        try:
            # Not kept by the provider, which would know neither that there is none nor what was before.
            value = self._provider.get(self._name, decrypt=True, max_age=0)
        except GetParameterError as error:
            if not _is_absence(error):
                if not self._is_read:
                    self._failure = str(error)
                self._good_until = now_s + _MIN_AGE_S
                return
            value = None
        self._value = None if value is None else str(value)
        self._is_read = True
        self._failure = None
        self._good_until = now_s + (_ABSENT_MAX_AGE_S if value is None else _MAX_AGE_S)


class CredentialParameter(_Parameter):
    """The credential that GitHub's API is asked with.

    The parameter is a ``SecureString`` of JSON: ``{"token": "..."}``, or
    ``{"app_id": "...", "private_key": "..."}``.
    """

    def get(self) -> Token | App | None:
        """Return the credential, or None if there is none.

        Raises
        ------
        InvalidCredential
            The parameter holds something else.
        Unavailable
            It was never read, and cannot be now.
        """
        text = self._text()
        return None if text is None else _parse(text)


class OAuthParameter(_Parameter):
    """The credentials with which people are signed in.

    The parameter is a ``SecureString`` of JSON: ``{"client_id": "...", "client_secret": "..."}``.
    """

    def get(self) -> OAuthClient | None:
        """Return the credentials, or None if there are none.

        Raises
        ------
        InvalidCredential
            The parameter holds something else.
        Unavailable
            It was never read, and cannot be now.
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


def _is_absence(error: Exception) -> bool:
    cause = error.__context__
    return isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "ParameterNotFound"


def _object(text: str) -> dict[str, Any]:
    # Nothing is raised while an error is handled that knows the text, as JSONDecodeError does.
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
