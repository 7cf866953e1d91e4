"""Live connections of the deployed template: WebSockets over which pages get hints."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from deployed_stack.paths import ROOT
from tests.e2e.conftest import ANN, BOB, Site, eventually, payload

_NUMBERS = count(7000)
Opener = Callable[[str], ClientConnection]


def ticket(site: Site, token: str | None = None) -> str:
    """Return the address of a ticket for Ann, or for the owner of another token."""
    response = site.send("POST", "/api/live/ticket/", token=token)
    assert response.status == 200, response
    url: str = json.loads(response.body)["url"]
    return url


def hint(connection: ClientConnection, seconds: float = 10) -> Any:
    """Return the next message of a connection."""
    return json.loads(connection.recv(timeout=seconds))


def is_silent(connection: ClientConnection, seconds: float) -> bool:
    """Whether a connection stays open without a message."""
    try:
        connection.recv(timeout=seconds)
    except TimeoutError:
        return True
    return False


@pytest.fixture
def opened() -> Iterator[Opener]:
    """A function that opens the connection of a ticket's address."""
    with ExitStack() as connections:
        yield lambda url: connections.enter_context(connect(url, open_timeout=60))


def test_the_address_of_a_ticket_is_on_the_host_of_the_page(site: Site) -> None:
    assert ticket(site).startswith(f"{site.url.replace('http', 'ws', 1)}/live?ticket=")


def test_a_delivery_gives_its_assignee_a_hint_and_nobody_else(site: Site, opened: Opener) -> None:
    ann, bob = opened(ticket(site)), opened(ticket(site, site.bob))
    number = next(_NUMBERS)
    seconds = []
    for action in ("assigned", "unassigned") * 3:
        began = time.monotonic()
        site.deliver("issues", payload(f"issues.{action}", number=number))
        assert hint(ann) == {"type": "changed"}
        seconds.append(time.monotonic() - began)
    assert sorted(seconds)[3] < 1, seconds
    assert is_silent(bob, 1)


def test_a_ping_is_answered(site: Site, opened: Opener) -> None:
    connection = opened(ticket(site))
    connection.send(json.dumps({"type": "ping"}))
    assert hint(connection) == {"type": "pong"}


@pytest.mark.parametrize("query", ["", "ticket=", "ticket=x", "ticket=a.b.c"])
def test_without_a_valid_ticket_there_is_no_connection(site: Site, opened: Opener, query: str) -> None:
    with pytest.raises(InvalidHandshake):
        opened(f"{site.url.replace('http', 'ws', 1)}/live?{query}")


def test_a_ticket_opens_one_connection(site: Site, opened: Opener) -> None:
    url = ticket(site)
    opened(url)
    with pytest.raises(InvalidHandshake):
        opened(url)
    with pytest.raises(InvalidHandshake):
        opened(f"{ticket(site)}x")


def test_an_eleventh_connection_closes_the_oldest(site: Site, opened: Opener) -> None:
    connections = [opened(ticket(site, site.bob)) for _ in range(11)]
    with pytest.raises(ConnectionClosed):
        connections[0].recv(timeout=10)
    assert is_silent(connections[1], 0.5)


def test_a_closed_connection_is_removed_from_the_table(site: Site, opened: Opener) -> None:
    def entries() -> set[str]:
        (item,) = (one for one in site.items(f"user#{ANN[0]}") if one["sk"]["S"] == "live")
        return set(item.get("connections", {}).get("SS", ()))

    before = entries()
    connection = opened(ticket(site))
    assert len(entries() - before) == 1
    connection.close()
    assert eventually(lambda: not entries() - before)


def test_a_revoked_token_ends_its_connections(site: Site, opened: Opener) -> None:
    token = site.stack.mint_token(BOB[0], login=BOB[1], name="live")
    connection, other = opened(ticket(site, token)), opened(ticket(site, site.bob))
    unused = ticket(site, token)
    person = f"user#{BOB[0]}"
    (token_id,) = (one["sk"]["S"] for one in site.items(person) if one.get("name", {}).get("S") == "live")
    tool = [sys.executable, ROOT / "scripts/manage_people.py", "--port", str(site.stack.port)]
    revoke = [*tool, "token", "revoke", "--user", str(BOB[0]), "--id", token_id.partition("#")[2]]
    subprocess.run(revoke, env=site.stack.environment, check=True)
    with pytest.raises(ConnectionClosed):
        connection.recv(timeout=10)
    with pytest.raises(InvalidHandshake):
        opened(unused)
    assert is_silent(other, 0.5)
