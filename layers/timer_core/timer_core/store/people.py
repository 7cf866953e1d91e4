"""Registered people and their API tokens.

A token is kept as the SHA-256 of its text only. It has 190 random bits, so that a slow hash
would protect nothing more, and a check sum, so that what is no token costs no read.
"""

import contextlib
import secrets
import string
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeAlias
from zlib import crc32

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from timer_core.domain.errors import Forbidden, InvalidInput, TooMuchContention, Unauthorized
from timer_core.store.items import ProfileItem, StateItem, TokenItem, UserTokenItem, as_read, expiry, raw
from timer_core.store.keys import (
    PROFILE_SK,
    STATE_SK,
    TOKEN_SK,
    USER_TOKENS,
    name_of,
    state_pk,
    token_pk,
    user_id_of,
    user_pk,
    user_token_sk,
)
from timer_core.store.table import (
    ConditionFailed,
    RawItem,
    Table,
    TransactionRefused,
    Write,
    attempts,
)

# What secret scanners look for: itt_ and 38 letters and digits.
TOKEN_PREFIX = "itt_"  # noqa: S105
_ALPHABET = string.digits + string.ascii_letters
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6
_DAY_MS = 86_400_000
MAX_TOKENS = 50
_ATTEMPTS = 12

Scope: TypeAlias = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Person:
    """Who makes a request.

    Attributes
    ----------
    user_id
        The numeric id of the GitHub account.
    expires_at
        When the credentials end (seconds since the epoch); None if they do not.
    can_write
        Whether they may change anything.
    is_being_deleted
        Whether the person has asked to be deleted, and is not yet.
    """

    user_id: int
    login: str
    expires_at: int | None = None
    can_write: bool = True
    is_being_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a person: what GitHub said when they signed in last, and what they ended.

    Attributes
    ----------
    signed_out_ms, events_ignored_until_ms
        When they signed out everywhere, and when they asked to be deleted, last; None if they never did.
    ended
        The ids of the sessions that they ended, each with the time until which that is remembered.
    tokens_made
        How many tokens they ever made.
    """

    user_id: int
    login: str
    name: str
    avatar_url: str
    created_ms: int
    signed_out_ms: int | None
    events_ignored_until_ms: int | None
    ended: dict[str, int]
    tokens_made: int


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as it can be shown again: not its text.

    Attributes
    ----------
    scope
        ``read`` or ``write``, which may read too.
    used_ms
        When it was used last, give or take a day; None if it never was.
    """

    token_id: str
    name: str
    created_ms: int
    expires_at: int | None
    scope: Scope = "write"
    used_ms: int | None = None


class PeopleStore:
    """The profiles and tokens in the table.

    That a token is used is noted while its request is answered, so that it takes no longer.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._pool = ThreadPoolExecutor(1)
        self._noting: list[Future[None]] = []

    def register(
        self,
        user_id: int,
        login: str | None,
        *,
        now_ms: int,
        name: str | None = None,
        avatar_url: str | None = None,
    ) -> str:
        """Register a person, whom GitHub's events time from then on, and return their login.

        Without a login the one of an earlier registration stays; the first time it is the id.
        """
        if not login:
            profile = self._profile(user_id)
            login = str(user_id) if profile is None else profile.login
        actions: list[Action] = [
            ProfileItem.login.set(login),
            ProfileItem.created_ms.set(ProfileItem.created_ms | now_ms),
            # Who signs in again has thought better of leaving.
            ProfileItem.deletion_requested_ms.remove(),
            ProfileItem.expires_at.remove(),
        ]
        if name is not None:
            actions.append(ProfileItem.name.set(name))
        if avatar_url is not None:
            actions.append(ProfileItem.avatar_url.set(avatar_url))
        same_login = ProfileItem.login.does_not_exist() | (ProfileItem.login == login)
        pk = user_pk(user_id)
        try:
            self._table.write(Write("Update", pk, PROFILE_SK, same_login, actions))
        except ConditionFailed as refused:
            self._rename(user_id, login, actions, refused.item)
        return login

    def _rename(self, user_id: int, login: str, actions: list[Action], profile: RawItem | None) -> None:
        """Write a profile with another login than it has.

        Tokens first: if this breaks off before the profile, the next time finds the login changed again.
        One that was made meanwhile has the former login still, so then it is all done once more.
        """
        for _ in attempts(_ATTEMPTS):
            self._rename_tokens(user_id, login)
            try:
                unchanged = _made_so_far(profile)
                self._table.write(Write("Update", user_pk(user_id), PROFILE_SK, unchanged, actions))
            except ConditionFailed as refused:
                profile = refused.item
            else:
                return
        raise TooMuchContention("Tokens are made all the time; the new login was not written.")

    def _rename_tokens(self, user_id: int, login: str) -> None:
        """Note the new login of a person in their tokens, which say whether they are an admin's."""
        for token in self._token_rows(user_id):
            # What was revoked meanwhile stays so.
            with contextlib.suppress(ConditionFailed):
                self._table.write(
                    Write(
                        "Update",
                        token.token_hash,
                        TOKEN_SK,
                        TokenItem.pk.exists(),
                        [TokenItem.login.set(login)],
                    )
                )

    def profile(self, user_id: int) -> Profile | None:
        """Return what is known of a person; None if they are not registered."""
        row = self._profile(user_id)
        if row is None:
            return None
        ended = (entry.partition(" ") for entry in sorted(row.ended or ()))
        return Profile(
            user_id=user_id,
            login=row.login,
            name=row.name or "",
            avatar_url=row.avatar_url or "",
            created_ms=int(row.created_ms),
            signed_out_ms=None if row.signed_out_ms is None else int(row.signed_out_ms),
            events_ignored_until_ms=None
            if row.events_ignored_until_ms is None
            else int(row.events_ignored_until_ms),
            ended={session_id: int(until_ms) for session_id, _, until_ms in ended},
            tokens_made=int(row.tokens_made or 0),
        )

    def _profile(self, user_id: int) -> ProfileItem | None:
        """Return the profile of a person; None if they are not registered, or not any more."""
        item = self._table.get(user_pk(user_id), PROFILE_SK)
        return ProfileItem.from_raw_data(item) if item and "created_ms" in item else None

    def registered(self, user_ids: Iterable[int]) -> dict[int, int]:
        """Return those of up to 100 people who are registered, each with when that began (milliseconds)."""
        return {
            user_id: _begun_ms(item)
            for user_id, item in self._profiles(user_ids)
            if "deletion_requested_ms" not in item
        }

    def left(self, user_ids: Iterable[int]) -> dict[int, int | None]:
        """Return those of up to 100 people who ever left, each with when they came back; None: not yet."""
        return {
            user_id: None if "deletion_requested_ms" in item else _begun_ms(item)
            for user_id, item in self._profiles(user_ids)
            if "deletion_requested_ms" in item or "events_ignored_until_ms" in item
        }

    def _profiles(self, user_ids: Iterable[int]) -> Iterator[tuple[int, RawItem]]:
        for item in self._table.get_many((user_pk(user_id), PROFILE_SK) for user_id in set(user_ids)):
            yield user_id_of(item["pk"]["S"]), item

    # ------------------------------------------------------------------ sessions

    def signed_in(self, user_id: int, session_id: str, signed_in_ms: int) -> Person:
        """Return whose session it is.

        Raises
        ------
        Unauthorized
            If the person has ended it, or is not registered any more.
        """
        row = self._profile(user_id)
        if row is None:
            raise Unauthorized("You are not registered any more: sign in again.")
        ended = {entry.partition(" ")[0] for entry in row.ended or ()}
        begun_ms = int(row.created_ms)
        if row.deletion_requested_ms is None:
            # Who left and came back has not brought the sessions of before along; until then they let
            # them ask again.
            begun_ms = max(begun_ms, int(row.events_ignored_until_ms or 0))
        is_earlier = signed_in_ms < begun_ms
        if session_id in ended or is_earlier or signed_in_ms <= (row.signed_out_ms or 0):
            raise Unauthorized("The session is over: sign in again.")
        return Person(user_id, row.login, is_being_deleted=row.deletion_requested_ms is not None)

    def end_session(self, user_id: int, session_id: str, *, now_ms: int, until_ms: int) -> None:
        """End a session, which would have gone on until some time at the longest."""
        item = self._table.get(user_pk(user_id), PROFILE_SK)
        over = {
            entry
            for entry in (item or {}).get("ended", {}).get("SS", ())
            if int(entry.partition(" ")[2]) <= now_ms
        }
        pk, registered = user_pk(user_id), ProfileItem.created_ms.exists()
        entry = {f"{session_id} {until_ms}"}
        # Whoever is not registered has no sessions.
        with contextlib.suppress(ConditionFailed):
            self._table.write(Write("Update", pk, PROFILE_SK, registered, [ProfileItem.ended.add(entry)]))
            if over:
                forget = [ProfileItem.ended.delete(over)]
                self._table.write(Write("Update", pk, PROFILE_SK, registered, forget))

    def end_all_sessions(self, user_id: int, *, now_ms: int) -> None:
        """End all sessions that a person has begun."""
        actions = [ProfileItem.signed_out_ms.set(now_ms), ProfileItem.ended.remove()]
        registered = ProfileItem.created_ms.exists()
        with contextlib.suppress(ConditionFailed):
            self._table.write(Write("Update", user_pk(user_id), PROFILE_SK, registered, actions))

    def shut_out(self, user_id: int, *, now_ms: int) -> int:
        """End all sessions of a person, revoke all of their tokens, and return how many these were."""
        self.end_all_sessions(user_id, now_ms=now_ms)
        rows = self._token_rows(user_id)
        return sum(self.revoke_token(user_id, name_of(row.sk)) for row in rows)

    def use_state(self, state: str, *, now_ms: int) -> bool:
        """Note that a sign-in has come back, and return False if it has before."""
        item = StateItem(pk=state_pk(state), sk=STATE_SK, expires_at=expiry(now_ms, 1))
        try:
            self._table.write(Write("Put", item.pk, item.sk, StateItem.pk.does_not_exist(), item=raw(item)))
        except ConditionFailed:
            return False
        return True

    # ------------------------------------------------------------------ tokens

    def mint_token(
        self,
        person: Person,
        *,
        name: str,
        now_ms: int,
        expires_at: int | None = None,
        scope: Scope = "write",
    ) -> tuple[Token, str]:
        """Make a token for anybody, as who runs this may, and return it with its text, which is not kept."""
        token, text = new_token(name=name, now_ms=now_ms, expires_at=expires_at, scope=scope)
        self._table.transact(_token_writes(person.user_id, person.login, token, text))
        return token, text

    def add_token(self, user_id: int, token: Token, text: str, *, signed_in_ms: int) -> None:
        """Keep a token that somebody made for themselves in a session.

        Parameters
        ----------
        signed_in_ms
            When the session began.

        Raises
        ------
        Unauthorized
            If they are not registered any more, are leaving, or have been signed out everywhere.
        Forbidden
            If they have as many as one may have.
        TooMuchContention
            If they keep making others; nothing was written.
        """
        pk = user_pk(user_id)
        for _ in attempts(_ATTEMPTS):
            profile = self._table.get(pk, PROFILE_SK)
            if profile is None or "created_ms" not in profile or "deletion_requested_ms" in profile:
                raise Unauthorized("You are not registered any more: sign in again.")
            signed_out_ms = int(profile["signed_out_ms"]["N"]) if "signed_out_ms" in profile else None
            if signed_out_ms is not None and signed_in_ms <= signed_out_ms:
                raise Unauthorized("The session is over: sign in again.")
            if len(self._token_rows(user_id)) >= MAX_TOKENS:
                raise Forbidden(f"There are {MAX_TOKENS} tokens already: delete one first.")
            login: str = profile["login"]["S"]
            # A token says whether it is an admin's by its login, so that has to be the present one.
            unchanged = (
                (ProfileItem.login == login)
                & ProfileItem.deletion_requested_ms.does_not_exist()
                & as_read(ProfileItem.signed_out_ms, signed_out_ms)
                & _made_so_far(profile)
            )
            made = Write("Update", pk, PROFILE_SK, unchanged, [ProfileItem.tokens_made.add(1)])
            # One more than was counted could be one too many, so that others have to wait.
            with contextlib.suppress(TransactionRefused):
                self._table.transact([made, *_token_writes(user_id, login, token, text)])
                return
        raise TooMuchContention("Too many tokens are made at once; this one was not.")

    def tokens(self, user_id: int) -> list[Token]:
        """Return a person's tokens, oldest first."""
        rows = self._token_rows(user_id)
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

    def _token_rows(self, user_id: int) -> list[UserTokenItem]:
        items, _, _ = self._table.query(user_pk(user_id), UserTokenItem.sk.startswith(USER_TOKENS))
        return [UserTokenItem.from_raw_data(item) for item in items]

    def revoke_token(self, user_id: int, token_id: str) -> bool:
        """Delete a token and return whether there was one."""
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

    def authenticate(self, text: str, *, now_ms: int) -> Person:
        """Return whose token it is.

        Raises
        ------
        Unauthorized
            If it is no token, or unknown, revoked or expired.
        """
        if not is_token(text):
            raise Unauthorized("The token is not one of ours.")
        item: RawItem | None = self._table.get(token_pk(text), TOKEN_SK)
        if item is None:
            raise Unauthorized("The token is unknown or was revoked.")
        row = TokenItem.from_raw_data(item)
        expires_at = None if row.expires_at is None else int(row.expires_at)
        if expires_at is not None and expires_at * 1000 <= now_ms:
            raise Unauthorized("The token has expired.")
        if now_ms - int(row.used_ms or 0) >= _DAY_MS:
            self._noting.append(self._pool.submit(self._note_use, row.pk, now_ms))
        return Person(int(row.user_id), row.login, expires_at, row.scope != "read")

    def settle(self) -> list[BaseException]:
        """Wait until uses are noted, as Lambda freezes what goes on after the answer; return what failed."""
        noting, self._noting = self._noting, []
        return [failure for one in noting if (failure := one.exception()) is not None]

    def _note_use(self, pk: str, now_ms: int) -> None:
        # A token that was revoked meanwhile stays so.
        with contextlib.suppress(ConditionFailed):
            self._table.write(
                Write("Update", pk, TOKEN_SK, TokenItem.pk.exists(), [TokenItem.used_ms.set(now_ms)])
            )


def new_token(
    *, name: str, now_ms: int, expires_at: int | None = None, scope: Scope = "write"
) -> tuple[Token, str]:
    """Return a new token and its text; neither is kept yet.

    Raises
    ------
    InvalidInput
        If it would have expired already.
    """
    if expires_at is not None and expires_at * 1000 <= now_ms:
        raise InvalidInput("expires", "Must lie in the future.")
    return Token(secrets.token_hex(6), name, now_ms, expires_at, scope), _new_text()


def is_token(text: str) -> bool:
    """Whether a text has the form and check sum of a token."""
    body = text.removeprefix(TOKEN_PREFIX)
    if len(body) != _RANDOM_LENGTH + _CHECKSUM_LENGTH or body == text or not body.isascii():
        return False
    return _checksum(body[:_RANDOM_LENGTH]) == body[_RANDOM_LENGTH:]


def _begun_ms(profile: RawItem) -> int:
    events_ignored_until_ms = (
        int(profile["events_ignored_until_ms"]["N"]) if "events_ignored_until_ms" in profile else 0
    )
    # The profile of who came back while they were being deleted is the one of before.
    return max(int(profile["created_ms"]["N"]), events_ignored_until_ms)


def _made_so_far(profile: RawItem | None) -> Condition:
    """Return the condition that no token was made since a profile was read."""
    made = None if profile is None or "tokens_made" not in profile else int(profile["tokens_made"]["N"])
    return as_read(ProfileItem.tokens_made, made)


def _token_writes(user_id: int, login: str, token: Token, text: str) -> list[Write]:
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
