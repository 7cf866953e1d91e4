"""Registered people and their profiles."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from timer_core.domain.errors import Forbidden
from timer_core.domain.visibility import Visibility
from timer_core.store.items import (
    PersonItem,
    ProfileItem,
    TokenItem,
    UserTokenItem,
    as_read,
    has_requested_deletion,
    raw,
)
from timer_core.store.keys import PEOPLE_PK, PROFILE_SK, TOKEN_SK, USER_TOKENS, user_id_of, user_pk
from timer_core.store.table import ConditionFailed, RawItem, Table, Write, retry_on_conflict


@dataclass(frozen=True, slots=True)
class Person:
    """A person who makes a request.

    Attributes
    ----------
    user_id
        The numeric id of the GitHub account.
    expires_at
        When the credentials expire (seconds since the epoch); None if they never expire.
    can_write
        Whether the credentials allow changes.
    is_being_deleted
        Whether the person has requested account deletion, and the deletion is not finished.
    token_id
        The id of the API token; None if the credentials are a session.
    """

    user_id: int
    login: str
    expires_at: int | None = None
    can_write: bool = True
    is_being_deleted: bool = False
    token_id: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile of a registered person, with GitHub's data from the person's last sign-in.

    Attributes
    ----------
    signed_out_ms, events_ignored_until_ms
        When the person last signed out everywhere, and when the person last requested deletion; None if the
        person never did.
    ended
        The ids of the ended sessions, each with the time (milliseconds since the epoch) at which the session
        would have expired.
    tokens_made
        The number of tokens that the person has ever created.
    visibility
        Who sees the person's time; None if the person has not chosen.
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
    visibility: Visibility | None


class PeopleStore:
    """The profiles in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def register(
        self,
        user_id: int,
        login: str | None,
        *,
        now_ms: int,
        name: str | None = None,
        avatar_url: str | None = None,
    ) -> str:
        """Register a person, so that the person is tracked from now on, and return the person's login.

        If no login is given, the stored login does not change. If there is no stored login, the id is stored
        instead. A second registration cancels a requested deletion.

        Raises
        ------
        TooMuchContention
            If the login has changed, but other requests kept creating tokens.
        """
        if not login:
            profile = read_profile(self._table, user_id)
            login = str(user_id) if profile is None else profile.login
        actions: list[Action] = [
            ProfileItem.login.set(login),
            ProfileItem.created_ms.set(ProfileItem.created_ms | now_ms),
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
        listed = PersonItem(pk=PEOPLE_PK, sk=pk)
        self._table.write(Write("Put", listed.pk, listed.sk, item=raw(listed)))
        return login

    def _rename(self, user_id: int, login: str, actions: list[Action], profile: RawItem | None) -> None:
        """Write a profile whose login has changed.

        The tokens are written first. So after an interruption, the next registration finds the old login in
        the profile and repeats the writes. A token that was created in the meantime has the old login, so all
        tokens are written again.
        """

        def attempt() -> None:
            nonlocal profile
            self._rename_tokens(user_id, login)
            try:
                unchanged = no_token_made_since(profile)
                self._table.write(Write("Update", user_pk(user_id), PROFILE_SK, unchanged, actions))
            except ConditionFailed as refused:
                profile = refused.item
                raise

        retry_on_conflict(attempt, "The new login was not written: other requests kept making tokens.")

    def _rename_tokens(self, user_id: int, login: str) -> None:
        """Write the new login into a person's tokens, because admins are recognized by a token's login."""
        items, _, _ = self._table.query(user_pk(user_id), UserTokenItem.sk.startswith(USER_TOKENS))
        for item in items:
            token_hash, exists = item["token_hash"]["S"], TokenItem.pk.exists()
            # Do not restore a token that was revoked in the meantime.
            with contextlib.suppress(ConditionFailed):
                self._table.write(Write("Update", token_hash, TOKEN_SK, exists, [TokenItem.login.set(login)]))

    def profile(self, user_id: int) -> Profile | None:
        """Return the profile of a person; None if the person is not registered."""
        row = read_profile(self._table, user_id)
        return None if row is None else _to_profile(row)

    def registered_profiles(self, user_ids: Iterable[int] | None = None) -> dict[int, Profile]:
        """Return the profiles of the registered people among some ids, or of all registered people.

        A person who has requested account deletion is not registered.
        """
        if user_ids is None:
            user_ids = [user_id_of(item["sk"]["S"]) for item in self._table.query_all(PEOPLE_PK)]
        found = self.profiles(user_ids)
        return {
            user_id: _to_profile(ProfileItem.from_raw_data(found[user_id])) for user_id in registered(found)
        }

    def choose_visibility(self, user_id: int, visibility: Visibility | None) -> None:
        """Store who sees a person's time; None for the default of the deployment.

        Raises
        ------
        Forbidden
            If the person is not registered.
        """
        is_registered = ProfileItem.created_ms.exists() & ProfileItem.deletion_requested_ms.does_not_exist()
        attribute = ProfileItem.visibility
        actions = [attribute.remove() if visibility is None else attribute.set(visibility)]
        try:
            self._table.write(Write("Update", user_pk(user_id), PROFILE_SK, is_registered, actions))
        except ConditionFailed:
            raise Forbidden("Sign in first: this choice is stored with your account.") from None

    def profiles(self, user_ids: Iterable[int]) -> dict[int, RawItem]:
        """Return the profile items of those people among some ids who have one."""
        items = self._table.get_many((user_pk(user_id), PROFILE_SK) for user_id in set(user_ids))
        return {user_id_of(item["pk"]["S"]): item for item in items}


def registered(profiles: Mapping[int, RawItem]) -> dict[int, int]:
    """Return the registered people among some profiles, each with the time at which tracking began.

    The times are milliseconds since the epoch.
    """
    return {
        user_id: _registered_since(item)
        for user_id, item in profiles.items()
        if not has_requested_deletion(item)
    }


def ever_deleted(profiles: Mapping[int, RawItem]) -> dict[int, int | None]:
    """Return the ids of the people among some profiles who ever requested deletion.

    Each id has the time (milliseconds since the epoch) at which tracking resumed; None if the person has not
    registered again.
    """
    return {
        user_id: None if has_requested_deletion(item) else _registered_since(item)
        for user_id, item in profiles.items()
        if has_requested_deletion(item) or "events_ignored_until_ms" in item
    }


def read_profile(table: Table, user_id: int) -> ProfileItem | None:
    """Return a person's profile item; None if the person is not registered or the account is deleted."""
    item = table.get(user_pk(user_id), PROFILE_SK)
    return ProfileItem.from_raw_data(item) if item and "created_ms" in item else None


def _to_profile(row: ProfileItem) -> Profile:
    ended = (entry.partition(" ") for entry in sorted(row.ended or ()))
    return Profile(
        user_id=user_id_of(row.pk),
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
        visibility=None if row.visibility is None else Visibility(row.visibility),
    )


def no_token_made_since(profile: RawItem | None) -> Condition:
    """Return the condition that no token was created after a profile was read."""
    made = None if profile is None or "tokens_made" not in profile else int(profile["tokens_made"]["N"])
    return as_read(ProfileItem.tokens_made, made)


def _registered_since(profile: RawItem) -> int:
    events_ignored_until_ms = (
        int(profile["events_ignored_until_ms"]["N"]) if "events_ignored_until_ms" in profile else 0
    )
    # If the person signed in during the deletion, the profile still has its old ``created_ms``.
    return max(int(profile["created_ms"]["N"]), events_ignored_until_ms)
