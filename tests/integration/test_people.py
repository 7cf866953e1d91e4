"""Registered people and their tokens, on Amazon's DynamoDB Local."""

import json
import re
from collections.abc import Callable

import pytest

from tests.support.connection import connect
from timer_core.domain.errors import Unauthorized
from timer_core.store.people import PeopleStore, Person, is_token
from timer_core.store.table import Table

# Far ahead, so that no back end takes what the tests keep for expired (TTL).
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


def test_only_who_was_registered_is(people: PeopleStore, ann: Person, bob: Person) -> None:
    people.register(ann.user_id, ann.login, now_ms=T0)
    assert people.registered([ann.user_id, bob.user_id, ann.user_id]) == {ann.user_id: T0}
    assert people.registered([]) == {}


def test_registering_again_takes_the_new_login_and_keeps_the_day(
    people: PeopleStore, ann: Person, shared_table: Table
) -> None:
    people.register(ann.user_id, "old-login", now_ms=T0)
    people.register(ann.user_id, "new-login", now_ms=T0 + 1)
    profile = shared_table.get(f"user#{ann.user_id}", "profile")
    assert profile is not None
    assert (profile["login"], profile["created_ms"]) == ({"S": "new-login"}, {"N": str(T0)})


def test_a_token_tells_whose_it_is(people: PeopleStore, ann: Person, bob: Person) -> None:
    _, text = people.mint_token(ann, name="laptop", now_ms=T0)
    people.mint_token(bob, name="laptop", now_ms=T0)
    assert people.authenticate(text, now_ms=T0) == ann


def test_a_token_has_the_form_that_secret_scanners_look_for(people: PeopleStore, ann: Person) -> None:
    texts = {people.mint_token(ann, name="test", now_ms=T0)[1] for _ in range(10)}
    assert len(texts) == 10
    assert all(is_token(text) and re.fullmatch(r"itt_[0-9A-Za-z]{38}", text) for text in texts)


def test_the_text_of_a_token_is_not_kept(
    people: PeopleStore, ann: Person, shared_table: Table, dynamodb: str
) -> None:
    _, text = people.mint_token(ann, name="test", now_ms=T0)
    everything = json.dumps(connect(dynamodb).scan(TableName=shared_table.name)["Items"])
    assert "token#" in everything
    assert text.removeprefix("itt_")[:16] not in everything


def test_an_unknown_token_is_refused(people: PeopleStore, ann: Person) -> None:
    _, text = people.mint_token(ann, name="test", now_ms=T0)
    with pytest.raises(Unauthorized, match="not one of ours"):
        people.authenticate(text[:-1], now_ms=T0)
    assert people.revoke_token(ann.user_id, people.tokens(ann.user_id)[0].token_id)
    with pytest.raises(Unauthorized, match="unknown or was revoked"):
        people.authenticate(text, now_ms=T0)


def test_a_token_works_until_it_expires(people: PeopleStore, ann: Person) -> None:
    _, text = people.mint_token(ann, name="test", now_ms=T0, expires_at=T0 // 1000 + 60)
    assert people.authenticate(text, now_ms=T0 + 59_999).expires_at == T0 // 1000 + 60
    with pytest.raises(Unauthorized, match="expired"):
        people.authenticate(text, now_ms=T0 + 60_000)


def test_tokens_are_listed_without_their_text(people: PeopleStore, ann: Person, bob: Person) -> None:
    first, _ = people.mint_token(ann, name="laptop", now_ms=T0)
    second, _ = people.mint_token(ann, name="CI ☕", now_ms=T0 + 1, expires_at=T0 // 1000 + 60)
    people.mint_token(bob, name="other", now_ms=T0)
    assert sorted(people.tokens(ann.user_id), key=lambda token: token.created_ms) == [first, second]


def test_revoking_takes_one_token_and_only_ones_own(people: PeopleStore, ann: Person, bob: Person) -> None:
    kept, kept_text = people.mint_token(ann, name="kept", now_ms=T0)
    lost, _ = people.mint_token(ann, name="lost", now_ms=T0)
    assert not people.revoke_token(bob.user_id, lost.token_id)
    assert people.revoke_token(ann.user_id, lost.token_id)
    assert not people.revoke_token(ann.user_id, lost.token_id)
    assert people.tokens(ann.user_id) == [kept]
    assert people.authenticate(kept_text, now_ms=T0) == ann
