"""Registered people and their tokens, on Amazon's DynamoDB Local."""

import json
import re
from collections.abc import Callable

import pytest

from tests.support.connection import connect
from timer_core.domain.errors import Unauthorized
from timer_core.domain.tokens import is_token
from timer_core.store.people import PeopleStore, Person, registered
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000


@pytest.fixture
def people(shared_table: Table) -> PeopleStore:
    return PeopleStore(shared_table)


@pytest.fixture
def ann(new_person: Callable[[], Person]) -> Person:
    return new_person()


@pytest.fixture
def bob(new_person: Callable[[], Person]) -> Person:
    return new_person()


@pytest.fixture
def tokens(shared_table: Table) -> TokenStore:
    return TokenStore(shared_table)


def test_only_registered_people_are_returned(people: PeopleStore, ann: Person, bob: Person) -> None:
    people.register(ann.user_id, ann.login, now_ms=T0)
    assert registered(people.profiles([ann.user_id, bob.user_id, ann.user_id])) == {ann.user_id: T0}
    assert people.profiles([]) == {}


def test_registering_again_writes_the_new_login_and_keeps_the_first_time(
    people: PeopleStore, ann: Person, shared_table: Table
) -> None:
    people.register(ann.user_id, "old-login", now_ms=T0)
    people.register(ann.user_id, "new-login", now_ms=T0 + 1)
    profile = shared_table.get(f"user#{ann.user_id}", "profile")
    assert profile is not None
    assert (profile["login"], profile["created_ms"]) == ({"S": "new-login"}, {"N": str(T0)})


def test_a_token_authenticates_its_owner(tokens: TokenStore, ann: Person, bob: Person) -> None:
    _, text = tokens.mint(ann, name="laptop", now_ms=T0)
    tokens.mint(bob, name="laptop", now_ms=T0)
    assert tokens.authenticate(text, now_ms=T0).user_id == ann.user_id


def test_a_token_matches_the_pattern_of_secret_scanners(tokens: TokenStore, ann: Person) -> None:
    texts = {tokens.mint(ann, name="test", now_ms=T0)[1] for _ in range(10)}
    assert len(texts) == 10
    assert all(is_token(text) and re.fullmatch(r"itt_[0-9A-Za-z]{38}", text) for text in texts)


def test_the_text_of_a_token_is_not_stored(
    tokens: TokenStore, ann: Person, shared_table: Table, dynamodb: str
) -> None:
    _, text = tokens.mint(ann, name="test", now_ms=T0)
    everything = json.dumps(connect(dynamodb).scan(TableName=shared_table.name)["Items"])
    assert "token#" in everything
    assert text.removeprefix("itt_")[:16] not in everything


def test_an_unknown_token_is_refused(tokens: TokenStore, ann: Person) -> None:
    _, text = tokens.mint(ann, name="test", now_ms=T0)
    with pytest.raises(Unauthorized, match="not a token"):
        tokens.authenticate(text[:-1], now_ms=T0)
    assert tokens.revoke(ann.user_id, tokens.of(ann.user_id)[0].token_id)
    with pytest.raises(Unauthorized, match="unknown or was revoked"):
        tokens.authenticate(text, now_ms=T0)


def test_a_token_is_valid_until_it_expires(tokens: TokenStore, ann: Person) -> None:
    _, text = tokens.mint(ann, name="test", now_ms=T0, expires_at=T0 // 1000 + 60)
    assert tokens.authenticate(text, now_ms=T0 + 59_999).expires_at == T0 // 1000 + 60
    with pytest.raises(Unauthorized, match="expired"):
        tokens.authenticate(text, now_ms=T0 + 60_000)


def test_tokens_are_listed_without_their_text(tokens: TokenStore, ann: Person, bob: Person) -> None:
    first, _ = tokens.mint(ann, name="laptop", now_ms=T0)
    second, _ = tokens.mint(ann, name="CI ☕", now_ms=T0 + 1, expires_at=T0 // 1000 + 60)
    tokens.mint(bob, name="other", now_ms=T0)
    assert sorted(tokens.of(ann.user_id), key=lambda token: token.created_ms) == [first, second]


def test_revoking_deletes_one_token_of_its_owner_only(tokens: TokenStore, ann: Person, bob: Person) -> None:
    kept, kept_text = tokens.mint(ann, name="kept", now_ms=T0)
    lost, _ = tokens.mint(ann, name="lost", now_ms=T0)
    assert not tokens.revoke(bob.user_id, lost.token_id)
    assert tokens.revoke(ann.user_id, lost.token_id)
    assert not tokens.revoke(ann.user_id, lost.token_id)
    assert tokens.of(ann.user_id) == [kept]
    assert tokens.authenticate(kept_text, now_ms=T0).user_id == ann.user_id
