"""What admins see of the connection with GitHub: the webhooks, the credential and the last delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gateway import Client
from tests.support.handlers import loaded
from tests.support.product import TOKEN, Product, Team, ago, new_team, product
from timer_core.clock import now_ms
from timer_core.store.health import HealthStore
from timer_core.store.people import Person
from timer_core.store.tokens import TokenStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_github import FakeGitHub
    from timer_core.store.table import Table

PATH = "/api/admin/github/"


@pytest.fixture
def running(table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(table, github.url) as running:
        yield running


@pytest.fixture
def callers(table: Table) -> Iterator[dict[str, Client]]:
    """Callers of the API: an admin, and another person."""
    with loaded("timelogs.api", table.name, ADMIN_LOGINS="boss", STACK_NAME="issue-timer-dev") as timelogs:
        yield {
            login: Client(
                timelogs.handler, TokenStore(table).mint(Person(n, login), name="test", now_ms=now_ms())[1]
            )
            for n, login in enumerate(("boss", "ann"), 900)
        }


@pytest.fixture
def admin(callers: dict[str, Client]) -> Client:
    return callers["boss"]


def connection(admin: Client) -> dict[str, Any]:
    answer = admin("GET", PATH)
    assert answer.status == 200, answer
    shown: dict[str, Any] = answer.json()
    return shown


def last(admin: Client) -> tuple[str, str | None, str, str | None]:
    delivery = connection(admin)["last_delivery"]
    age = datetime.now(UTC) - datetime.fromisoformat(delivery["received"])
    assert timedelta(0) <= age < timedelta(minutes=1)
    return delivery["event"], delivery["source"], delivery["state"], delivery["reason"]


def test_only_admins_see_the_connection(callers: dict[str, Client]) -> None:
    assert callers["ann"]("GET", PATH).status == 403
    assert callers["boss"]("GET", PATH).status == 200


def test_a_new_stack_is_not_connected(admin: Client) -> None:
    shown = connection(admin)
    url = shown.pop("webhook_url")
    assert url.startswith("https://")
    assert url.endswith("/api/github-timer-webhook/")
    assert shown == {
        "connection": "none",
        "stack": "issue-timer-dev",
        "local_port": None,
        "github_url": "https://github.com",
        "github": {
            "credential": None,
            "cannot": [
                "project_cards",
                "replies",
                "redelivery",
                "reconcile",
                "lead_teams",
                "write_back",
            ],
        },
        "webhooks": [],
        "last_delivery": None,
        "last_refused": None,
        "deliveries": [],
    }


@pytest.mark.parametrize(("variable", "port"), [("4571", 4571), ("", None)])
def test_a_local_stack_names_its_port(table: Table, variable: str, port: int | None) -> None:
    with loaded("timelogs.api", table.name, ADMIN_LOGINS="boss", LOCAL_PORT=variable) as timelogs:
        token = TokenStore(table).mint(Person(900, "boss"), name="test", now_ms=now_ms())[1]
        assert connection(Client(timelogs.handler, token))["local_port"] == port


class TestDeliveries:
    @pytest.fixture
    def team(self, github: FakeGitHub, running: Product) -> Team:
        return new_team(github, running, size=1, t0=ago(10))

    def test_a_ping_shows_the_webhook(self, admin: Client, team: Team) -> None:
        assert last(admin) == ("ping", team.name, "processed", None)
        shown = connection(admin)
        assert shown["connection"] == "webhook"
        (webhook,) = shown["webhooks"]
        assert webhook == {"kind": "organization", "name": team.name, "repaired": None}

    def test_an_assignment_is_processed(self, admin: Client, team: Team) -> None:
        repository = team.github.new_repository(f"{team.name}/app")
        team.github.assign(team.github.new_issue(repository), team.people[0])
        team.deliver()
        assert last(admin) == ("issues.assigned", f"{team.name}/app", "processed", None)
        (today,) = connection(admin)["deliveries"]
        assert (today["ignored"], today["failed"]) == (0, 0)
        assert today["processed"] >= 2

    def test_an_assignment_of_somebody_who_is_not_registered_is_ignored(
        self, admin: Client, team: Team
    ) -> None:
        repository = team.github.new_repository(f"{team.name}/app")
        team.github.assign(team.github.new_issue(repository), team.github.new_user("a-stranger"))
        team.deliver()
        assert last(admin) == ("issues.assigned", f"{team.name}/app", "ignored", "user_not_registered")
        (today,) = connection(admin)["deliveries"]
        assert today["ignored"] == 1

    def test_a_card_that_cannot_be_read_is_given_up(self, admin: Client, team: Team) -> None:
        issue = team.github.new_issue(team.github.new_repository(f"{team.name}/app"))
        card = team.github.add_card(team.github.new_project(team.name), issue)
        team.deliver()
        team.github.move_card(card, "In Progress")
        team.deliver()
        event, source, state, reason = last(admin)
        assert (event, source, state) == ("projects_v2_item.edited", team.name, "given_up")
        assert reason
        assert "no GitHub credential" in reason
        (today,) = connection(admin)["deliveries"]
        # The new card could not be read either.
        assert (today["ignored"], today["failed"]) == (2, 0)

    def test_a_delivery_that_the_receiver_ignores_is_shown_and_not_counted(
        self, admin: Client, team: Team
    ) -> None:
        before = connection(admin)["deliveries"]
        team.github.new_issue(team.github.new_repository(f"{team.name}/app"))
        team.deliver()
        assert last(admin) == ("issues.opened", f"{team.name}/app", "ignored", "not_transferred")
        assert connection(admin)["deliveries"] == before

    def test_a_delivery_that_fails_waits_for_its_repetition(
        self, admin: Client, team: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repository = team.github.new_repository(f"{team.name}/app")
        team.github.assign(team.github.new_issue(repository), team.people[0])
        with monkeypatch.context() as patch:
            patch.setattr(team.product.processor.queued_events, "handle", _fail)
            team.deliver()
        assert last(admin) == ("issues.assigned", f"{team.name}/app", "waiting", None)
        team.product.queue.retry()
        team.product.process()
        assert last(admin) == ("issues.assigned", f"{team.name}/app", "processed", None)

    def test_a_wrong_signature_is_shown_beside_the_last_delivery(self, admin: Client, team: Team) -> None:
        headers = {
            "content-type": "application/json",
            "x-github-event": "ping",
            "x-github-delivery": "a-delivery",
            "x-hub-signature-256": "sha256=wrong",
        }
        assert team.product.receive(headers, b"{}") == 401
        team.product.process()
        assert last(admin)[0] == "ping"
        refused = datetime.fromisoformat(connection(admin)["last_refused"])
        assert timedelta(0) <= datetime.now(UTC) - refused < timedelta(minutes=1)

    def test_a_reply_is_no_delivery(self, admin: Client, team: Team) -> None:
        team.product.store_credential({"token": TOKEN})
        team.product.restart_processor()
        repository = team.github.new_repository(f"{team.name}/app")
        team.github.comment(team.github.new_issue(repository), team.people[0], "/timer start")
        team.deliver()
        assert last(admin) == ("issue_comment.created", f"{team.name}/app", "processed", None)
        shown = connection(admin)
        assert (shown["connection"], shown["github"]["credential"]) == ("token", "token")
        assert "replies" not in shown["github"]["cannot"]

    def test_the_last_repair_of_each_webhook_is_shown(self, admin: Client, team: Team) -> None:
        team.product.store_credential({"token": TOKEN})
        team.product.sweep(stop_closed=False)
        (webhook,) = connection(admin)["webhooks"]
        assert webhook["repaired"] is not None


def test_the_days_before_yesterday_are_left_out_but_for_the_last_delivery(
    admin: Client, table: Table
) -> None:
    store = HealthStore(table)
    day = 86_400_000
    for ago_days in (5, 1, 0):
        store.count_deliveries(
            processed=1,
            ignored=0,
            failed=ago_days,
            last=None,
            refused_ms=None,
            now_ms=now_ms() - ago_days * day,
        )
    assert [one["failed"] for one in connection(admin)["deliveries"]] == [1, 0]


def _fail(*_: object) -> None:
    raise RuntimeError("a failure that is tried again")
