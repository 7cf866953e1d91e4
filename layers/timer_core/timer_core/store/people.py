"""Registered people and their API tokens.

A token is kept as the SHA-256 of its text only. It has 190 random bits, so that a slow hash
would protect nothing more, and a check sum, so that what is no token costs no read.
"""

import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from zlib import crc32

from timer_core.domain.errors import Unauthorized
from timer_core.store.items import ProfileItem, TokenItem, UserTokenItem, raw, user_pk
from timer_core.store.table import RawItem, Table, TransactionRefused, Write

# What secret scanners look for: itt_ and 38 letters and digits.
TOKEN_PREFIX = "itt_"  # noqa: S105
_ALPHABET = string.digits + string.ascii_letters
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6


@dataclass(frozen=True, slots=True)
class Person:
    """Who makes a request.

    Attributes
    ----------
    user_id
        The numeric id of the GitHub account.
    expires_at
        When the credentials end (seconds since the epoch); None if they do not.
    """

    user_id: int
    login: str
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as it can be shown again: not its text."""

    token_id: str
    name: str
    created_ms: int
    expires_at: int | None


class PeopleStore:
    """The profiles and tokens in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def register(self, user_id: int, login: str | None, *, now_ms: int) -> str:
        """Register a person, whom GitHub's events time from then on, and return their login.

        Without a login the one of an earlier registration stays; the first time it is the id.
        """
        login = login or self._login(user_id) or str(user_id)
        self._table.write(
            Write(
                "Update",
                user_pk(user_id),
                "profile",
                actions=[
                    ProfileItem.login.set(login),
                    ProfileItem.created_ms.set(ProfileItem.created_ms | now_ms),
                ],
            )
        )
        return login

    def _login(self, user_id: int) -> str | None:
        profile = self._table.get(user_pk(user_id), "profile")
        return None if profile is None else profile["login"]["S"]

    def registered(self, user_ids: Iterable[int], *, at_ms: int | None = None) -> set[int]:
        """Return those of up to 100 people who are registered, and were at some time if that is given."""
        items = self._table.get_many((user_pk(user_id), "profile") for user_id in set(user_ids))
        return {
            int(item["pk"]["S"].removeprefix("user#"))
            for item in items
            # GitHub's times are whole seconds.
            if at_ms is None or int(item["created_ms"]["N"]) // 1000 <= at_ms // 1000
        }

    def mint_token(
        self, person: Person, *, name: str, now_ms: int, expires_at: int | None = None
    ) -> tuple[Token, str]:
        """Make a token and return it with its text, which is not kept."""
        text = _new_text()
        token = Token(secrets.token_hex(6), name, now_ms, expires_at)
        by_hash = TokenItem(
            pk=_token_pk(text),
            sk="token",
            user_id=person.user_id,
            login=person.login,
            token_id=token.token_id,
            name=name,
            created_ms=now_ms,
            expires_at=expires_at,
        )
        by_user = UserTokenItem(
            pk=user_pk(person.user_id),
            sk=f"token#{token.token_id}",
            token_hash=by_hash.pk,
            name=name,
            created_ms=now_ms,
            expires_at=expires_at,
        )
        self._table.transact([Write("Put", item.pk, item.sk, item=raw(item)) for item in (by_hash, by_user)])
        return token, text

    def tokens(self, user_id: int) -> list[Token]:
        """Return a person's tokens."""
        items, _, _ = self._table.query(user_pk(user_id), UserTokenItem.sk.startswith("token#"))
        rows = [UserTokenItem.from_raw_data(item) for item in items]
        return [
            Token(
                row.sk.removeprefix("token#"),
                row.name,
                int(row.created_ms),
                None if row.expires_at is None else int(row.expires_at),
            )
            for row in rows
        ]

    def revoke_token(self, user_id: int, token_id: str) -> bool:
        """Delete a token and return whether there was one."""
        pk, sk = user_pk(user_id), f"token#{token_id}"
        item = self._table.get(pk, sk)
        if item is None:
            return False
        try:
            self._table.transact(
                [
                    Write("Delete", pk, sk, UserTokenItem.pk.exists()),
                    Write("Delete", item["token_hash"]["S"], "token"),
                ]
            )
        except TransactionRefused:
            return False
        return True

    def authenticate(self, text: str, *, now_ms: int) -> Person:
        """Return whose token it is.

        Raises
        ------
        Unauthorized
            If it is no token, or unknown, revoked or expired.
        """
        if not is_token(text):
            raise Unauthorized("The token is not one of ours.")
        item: RawItem | None = self._table.get(_token_pk(text), "token")
        if item is None:
            raise Unauthorized("The token is unknown or was revoked.")
        row = TokenItem.from_raw_data(item)
        expires_at = None if row.expires_at is None else int(row.expires_at)
        if expires_at is not None and expires_at * 1000 <= now_ms:
            raise Unauthorized("The token has expired.")
        return Person(int(row.user_id), row.login, expires_at)


def is_token(text: str) -> bool:
    """Whether a text has the form and check sum of a token."""
    body = text.removeprefix(TOKEN_PREFIX)
    if len(body) != _RANDOM_LENGTH + _CHECKSUM_LENGTH or body == text or not body.isascii():
        return False
    return _checksum(body[:_RANDOM_LENGTH]) == body[_RANDOM_LENGTH:]


def _new_text() -> str:
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return TOKEN_PREFIX + body + _checksum(body)


def _checksum(body: str) -> str:
    value = crc32(body.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _token_pk(text: str) -> str:
    return f"token#{sha256(text.encode()).hexdigest()}"
