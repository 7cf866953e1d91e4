"""People's API tokens, stored under the SHA-256 hashes of their texts."""

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor

from timer_core.domain.errors import TooManyTokens, Unauthorized
from timer_core.domain.tokens import Scope, Token, is_token, new_token
from timer_core.store.items import ProfileItem, TokenItem, UserTokenItem, as_read, has_requested_deletion, raw
from timer_core.store.keys import (
    PROFILE_SK,
    TOKEN_SK,
    USER_TOKENS,
    name_of,
    token_pk,
    user_pk,
    user_token_sk,
)
from timer_core.store.people import Person, no_token_made_since
from timer_core.store.table import ConditionFailed, Table, TransactionRefused, Write, retry_on_conflict

MAX_TOKENS = 50
_DAY_MS = 86_400_000


class TokenStore:
    """The tokens in the table.

    The time of a token's last use is written concurrently with the request, so that the response does not
    wait for the write. `finish_writes` waits for pending writes.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._pool = ThreadPoolExecutor(1)
        self._pending: list[Future[None]] = []

    def mint(
        self,
        person: Person,
        *,
        name: str,
        now_ms: int,
        expires_at: int | None = None,
        scope: Scope = "write",
    ) -> tuple[Token, str]:
        """Create a token for any person, and return the token and its text. Only operators use this method.

        The text is not stored.
        """
        token, text = new_token(name=name, now_ms=now_ms, expires_at=expires_at, scope=scope)
        self._table.transact(_puts(person.user_id, person.login, token, text))
        return token, text

    def add(self, user_id: int, token: Token, text: str, *, signed_in_ms: int) -> None:
        """Store a token that a person creates in a session.

        Parameters
        ----------
        signed_in_ms
            When the session began (milliseconds since the epoch).

        Raises
        ------
        Unauthorized
            If the person is not registered, has requested deletion, or has signed out everywhere after the
            session began.
        Forbidden
            If the person already has `MAX_TOKENS` tokens.
        TooMuchContention
            If other requests kept creating tokens. Nothing was written.
        """
        pk = user_pk(user_id)

        def attempt() -> None:
            profile = self._table.get(pk, PROFILE_SK)
            if profile is None or "created_ms" not in profile or has_requested_deletion(profile):
                raise Unauthorized("You are no longer registered: sign in again.")
            signed_out_ms = int(profile["signed_out_ms"]["N"]) if "signed_out_ms" in profile else None
            if signed_out_ms is not None and signed_in_ms <= signed_out_ms:
                raise Unauthorized("The session has ended: sign in again.")
            if len(self._rows(user_id)) >= MAX_TOKENS:
                raise TooManyTokens(f"You have {MAX_TOKENS} tokens already: revoke one first.")
            login: str = profile["login"]["S"]
            # Admins are recognized by the login in a token, so this login must be the current one.
            unchanged = (
                (ProfileItem.login == login)
                & ProfileItem.deletion_requested_ms.does_not_exist()
                & as_read(ProfileItem.signed_out_ms, signed_out_ms)
                & no_token_made_since(profile)
            )
            made = Write("Update", pk, PROFILE_SK, unchanged, [ProfileItem.tokens_made.add(1)])
            # If another token was created after the count, the condition fails, and the tokens are counted
            # again.
            self._table.transact([made, *_puts(user_id, login, token, text)])

        retry_on_conflict(attempt, "The token was not made: other requests kept making tokens.")

    def of(self, user_id: int) -> list[Token]:
        """Return a person's tokens, oldest first."""
        rows = self._rows(user_id)
        by_hash = {
            item["pk"]["S"]: TokenItem.from_raw_data(item)
            for first in range(0, len(rows), 100)
            for item in self._table.get_many((row.token_hash, TOKEN_SK) for row in rows[first : first + 100])
        }
        tokens = [
            Token(
                name_of(row.sk),
                row.name,
                int(row.created_ms),
                None if row.expires_at is None else int(row.expires_at),
                "read" if row.scope == "read" else "write",
                int(used.used_ms) if (used := by_hash.get(row.token_hash)) and used.used_ms else None,
            )
            for row in rows
        ]
        return sorted(tokens, key=lambda token: (token.created_ms, token.token_id))

    def revoke(self, user_id: int, token_id: str) -> bool:
        """Delete a token and return whether it existed."""
        pk, sk = user_pk(user_id), user_token_sk(token_id)
        item = self._table.get(pk, sk)
        if item is None:
            return False
        try:
            self._table.transact(
                [
                    Write("Delete", pk, sk, UserTokenItem.pk.exists()),
                    Write("Delete", item["token_hash"]["S"], TOKEN_SK),
                ]
            )
        except TransactionRefused:
            return False
        return True

    def revoke_all(self, user_id: int) -> int:
        """Delete all tokens of a person and return their number."""
        return sum(self.revoke(user_id, name_of(row.sk)) for row in self._rows(user_id))

    def authenticate(self, text: str, *, now_ms: int) -> Person:
        """Return the owner of a token.

        Raises
        ------
        Unauthorized
            If the text is not a token, or the token is unknown, revoked or expired.
        """
        if not is_token(text):
            raise Unauthorized("This is not a token of Issue Timer.")
        item = self._table.get(token_pk(text), TOKEN_SK)
        if item is None:
            raise Unauthorized("The token is unknown or was revoked.")
        row = TokenItem.from_raw_data(item)
        expires_at = None if row.expires_at is None else int(row.expires_at)
        if expires_at is not None and expires_at * 1000 <= now_ms:
            raise Unauthorized("The token has expired.")
        if now_ms - int(row.used_ms or 0) >= _DAY_MS:
            self._pending.append(self._pool.submit(self._write_use, row.pk, now_ms))
        can_write = row.scope != "read"
        return Person(int(row.user_id), row.login, expires_at, can_write, token_id=row.token_id)

    def exists(self, user_id: int, token_id: str) -> bool:
        """Whether a person has a token that was not revoked."""
        return self._table.get(user_pk(user_id), user_token_sk(token_id)) is not None

    def finish_writes(self) -> list[BaseException]:
        """Wait for the pending writes of token uses, and return the errors of failed writes.

        Lambda freezes all threads of a function after its response.
        """
        pending, self._pending = self._pending, []
        return [failure for write in pending if (failure := write.exception()) is not None]

    def _rows(self, user_id: int) -> list[UserTokenItem]:
        items, _, _ = self._table.query(user_pk(user_id), UserTokenItem.sk.startswith(USER_TOKENS))
        return [UserTokenItem.from_raw_data(item) for item in items]

    def _write_use(self, pk: str, now_ms: int) -> None:
        # Do not restore a token that was revoked in the meantime.
        with contextlib.suppress(ConditionFailed):
            self._table.write(
                Write("Update", pk, TOKEN_SK, TokenItem.pk.exists(), [TokenItem.used_ms.set(now_ms)])
            )


def _puts(user_id: int, login: str, token: Token, text: str) -> list[Write]:
    """Return the writes of a token's two items: one under its hash, one in the partition of its owner."""
    by_hash = TokenItem(
        pk=token_pk(text),
        sk=TOKEN_SK,
        user_id=user_id,
        login=login,
        token_id=token.token_id,
        name=token.name,
        scope=token.scope,
        created_ms=token.created_ms,
        expires_at=token.expires_at,
    )
    by_user = UserTokenItem(
        pk=user_pk(user_id),
        sk=user_token_sk(token.token_id),
        token_hash=by_hash.pk,
        name=token.name,
        scope=token.scope,
        created_ms=token.created_ms,
        expires_at=token.expires_at,
    )
    return [Write("Put", item.pk, item.sk, item=raw(item)) for item in (by_hash, by_user)]
