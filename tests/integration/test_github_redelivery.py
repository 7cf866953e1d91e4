"""The redelivery of failed deliveries, even from long lists or while GitHub refuses some requests."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from fake_github import FakeGitHub, faults
from fake_github.webhooks import BAD_GATEWAY, Delivery
from tests.support.gateway import Context, ExpiringContext
from tests.support.product import SECRET, TOKEN, Product, Team, ago, new_team, product
from timer_core.clock import now_ms
from timer_core.store.health import HealthStore
from timer_core.store.hooks import HookStore
from timer_core.store.table import Table

REDELIVER = {"stop_stale": False, "stop_closed": False}


@pytest.fixture
def running(table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(table, github.url) as running:
        running.store_credential({"token": TOKEN})
        yield running


@pytest.fixture
def team(github: FakeGitHub, running: Product) -> Team:
    return new_team(github, running, size=1, t0=ago(60))


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timer_core.github.api.delivery_attempts._PAGE_SIZE", 2)


def fail_some(team: Team, many: int, repo: str = "app") -> list[Delivery]:
    """Assign one new issue per minute, and fail the delivery of each assignment."""
    repository = team.github.new_repository(f"{team.name}/{repo}")
    for minute in range(many):
        team.at(60 * minute)
        team.github.assign(team.github.new_issue(repository), team.people[0])
    failed = [one for one in team.pop_deliveries() if one.event == "issues" and one.action == "assigned"]
    for delivery in failed:
        team.github.now = delivery.at
        team.github.fail(delivery, BAD_GATEWAY)
    team.github.now = now_ms() / 1000
    return failed


def redeliver(team: Team, readings: int | None = None) -> dict[str, Any]:
    """Run the sweeper, for at most ``readings`` time checks if given, and process the redeliveries."""
    if readings is None:
        summary: dict[str, Any] = team.product.sweep(stop_closed=False)
    else:
        summary = team.product.sweeper.handler(REDELIVER, ExpiringContext(readings))
    team.product.process()
    found: dict[str, Any] = summary["redelivery"]
    return found


def timers(team: Team) -> int:
    return len(team.product.timers(team.people[0].id))


def repaired_ms(team: Team, path: str | None = None) -> int | None:
    hooks = [hook for hook in HookStore(team.product.table).known() if path in (None, hook.path)]
    return hooks[0].repaired_ms


def cannot(team: Team) -> tuple[str, ...]:
    return HealthStore(team.product.table).read(now_ms=now_ms()).github_cannot


@pytest.mark.usefixtures("small_pages")
class TestLongLists:
    def test_all_pages_of_a_list_are_read(self, team: Team) -> None:
        fail_some(team, 5)
        summary = redeliver(team)
        assert (summary["redelivered"], summary["complete"]) == (5, True)
        assert timers(team) == 5

    def test_the_next_run_redelivers_what_the_last_one_had_no_time_to_list(self, team: Team) -> None:
        fail_some(team, 5)
        # A run checks the remaining time at its start, before the webhook and before each delivery.
        first = redeliver(team, readings=2)
        assert (first["redelivered"], first["complete"]) == (0, False)
        assert repaired_ms(team) is None
        assert redeliver(team)["redelivered"] == 5
        assert timers(team) == 5

    def test_a_run_continues_at_the_page_where_the_last_one_stopped(self, team: Team) -> None:
        fail_some(team, 5)
        sent, listed, ended_ms = [], [], []
        for _ in range(3):
            team.github.requests.clear()
            # A run checks the remaining time at its start, before the webhook and before each delivery.
            sent.append(redeliver(team, readings=4)["redelivered"])
            listed.append(sum(request.method == "GET" for request in team.github.requests))
            ended_ms.append(now_ms())
        assert (sent, listed) == ([2, 2, 1], [1, 1, 1])
        assert timers(team) == 5
        # The next list starts at the newest delivery, and ends at the time of the first run.
        assert 0 < (repaired_ms(team) or 0) <= ended_ms[0] - 300_000
        team.github.fail(fail_some(team, 1, repo="other")[0])
        assert redeliver(team)["redelivered"] == 1

    def test_a_run_continues_in_the_middle_of_a_page(self, team: Team) -> None:
        fail_some(team, 5)
        assert redeliver(team, readings=6)["redelivered"] == 3
        assert redeliver(team)["redelivered"] == 2
        assert timers(team) == 5

    @pytest.mark.parametrize("status", [400, 404, 422])
    def test_a_run_starts_over_if_github_refuses_the_cursor(self, team: Team, status: int) -> None:
        fail_some(team, 5)
        redeliver(team, readings=4)
        team.github.faults.append(faults.status(status, path=f"GET /orgs/{team.name}"))
        summary = redeliver(team)
        assert (summary["redelivered"], summary["unreachable"], summary["complete"]) == (3, 0, True)
        assert timers(team) == 5

    def test_a_run_stops_at_the_maximum_of_redeliveries(
        self, team: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("timer_core.services.redelivery._MAX_REDELIVERIES", 3)
        fail_some(team, 5)
        assert [redeliver(team)["redelivered"] for _ in range(3)] == [3, 2, 0]
        assert timers(team) == 5

    def test_a_dry_run_counts_from_the_newest_delivery_and_stores_nothing(self, team: Team) -> None:
        fail_some(team, 5)
        redeliver(team, readings=4)
        before = HookStore(team.product.table).known()
        summary = team.product.sweep(stop_closed=False, dry_run=True)["redelivery"]
        assert (summary["failed"], summary["redelivered"]) == (3, 0)
        assert HookStore(team.product.table).known() == before


def test_redelivery_leaves_time_for_reconciliation(team: Team) -> None:
    summary = team.product.sweeper.handler({"stop_stale": False}, _SlowContext())
    assert (summary["redelivery"]["listed"], summary["redelivery"]["complete"]) == (0, False)
    assert summary["reconcile"]["complete"] is True


class _SlowContext(Context):
    """The context of an invocation in which 40 % of the time has passed after the first reading."""

    def __init__(self) -> None:
        super().__init__()
        self._times = iter([100_000])

    def get_remaining_time_in_millis(self) -> int:
        return next(self._times, 60_000)


class TestRefusals:
    @pytest.mark.parametrize("status", [401, 403])
    def test_if_redelivery_is_forbidden_nothing_is_lost(self, team: Team, status: int) -> None:
        fail_some(team, 3)
        team.github.faults.append(faults.status(status, path=f"POST /orgs/{team.name}/hooks"))
        summary = redeliver(team)
        assert (summary["given_up"], summary["redelivered"], summary["complete"]) == (0, 0, False)
        assert str(status) in summary["error"]
        assert "redelivery" in cannot(team)
        assert redeliver(team)["redelivered"] == 3
        assert timers(team) == 3
        assert "redelivery" not in cannot(team)

    @pytest.mark.parametrize("status", [400, 404, 410, 422])
    def test_a_delivery_that_github_refuses_to_redeliver_does_not_block_others(
        self, team: Team, status: int
    ) -> None:
        fail_some(team, 3)
        team.github.faults.append(faults.status(status, path=f"POST /orgs/{team.name}/hooks"))
        summary = redeliver(team)
        assert (summary["given_up"], summary["redelivered"], summary["complete"]) == (1, 2, True)
        assert "redelivery" not in cannot(team)

    def test_the_other_path_of_a_renamed_webhook_is_tried_after_a_failure(self, team: Team) -> None:
        (failed,) = fail_some(team, 1)
        assert failed.repository
        hook = team.github.add_hook(failed.repository, team.product.receive, SECRET)
        team.deliver()
        team.github.rename_repository(failed.repository, "renamed")
        path = f"/repos/{failed.repository.full_name}/hooks/{hook.id}"
        HookStore(team.product.table).note(path, now_ms=now_ms())
        team.pop_deliveries()
        failed.hook.attempts.clear()
        failed.hook = hook
        team.github.fail(failed)
        team.github.faults.append(faults.status(404, path=f"POST /repos/{team.name}"))
        summary = redeliver(team)
        assert (summary["given_up"], summary["redelivered"]) == (1, 1)
        assert timers(team) == 1


class TestApp:
    """The credential is an App's, and the App has its own webhook."""

    @pytest.fixture
    def team(self, github: FakeGitHub, running: Product) -> Team:
        team = new_team(github, running, size=1, t0=ago(60))
        for hook in HookStore(running.table).known():
            HookStore(running.table).forget(hook.path)
        team.github.hooks.clear()
        team.github.install_app(team.name)
        team.github.add_hook(team.github.app, running.receive, SECRET)
        running.store_credential(
            {"app_id": str(team.github.app.id), "private_key": team.github.app.private_key}
        )
        team.pop_deliveries()
        return team

    def test_an_apps_deliveries_are_redelivered_even_if_none_ever_succeeded(self, team: Team) -> None:
        fail_some(team, 2)
        assert HookStore(team.product.table).known() == []
        assert redeliver(team)["redelivered"] == 2
        assert timers(team) == 2
        assert redeliver(team)["failed"] == 0
        assert repaired_ms(team, "/app/hook")

    @pytest.mark.parametrize("is_installed", [True, False])
    def test_a_webhook_that_the_app_may_not_list_is_forgotten(
        self, team: Team, caplog: pytest.LogCaptureFixture, is_installed: bool
    ) -> None:
        path = f"/repos/{team.name if is_installed else 'elsewhere'}/app/hooks/7"
        HookStore(team.product.table).note(path, now_ms=now_ms())
        team.github.faults.append(faults.status(403, path=f"GET {path}"))
        assert redeliver(team)["unreachable"] == 1
        assert [hook.path for hook in HookStore(team.product.table).known()] == ["/app/hook"]
        caplog.clear()
        assert redeliver(team)["unreachable"] == 0
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


class TestToken:
    def test_the_webhook_of_a_replaced_app_is_not_listed(
        self, team: Team, caplog: pytest.LogCaptureFixture
    ) -> None:
        HookStore(team.product.table).note("/app/hook", now_ms=now_ms())
        team.github.requests.clear()
        summary = redeliver(team)
        assert (summary["listed"], summary["unreachable"], summary["error"]) == (1, 0, "")
        assert not [request for request in team.github.requests if request.path.startswith("/app")]
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

    def test_a_webhook_that_a_token_may_not_list_yet_is_tried_again(self, team: Team) -> None:
        fail_some(team, 1)
        team.github.faults.append(faults.status(403, path=f"GET /orgs/{team.name}"))
        assert redeliver(team)["unreachable"] == 1
        assert "redelivery" in cannot(team)
        assert redeliver(team)["redelivered"] == 1

    def test_without_a_webhook_health_does_not_change(self, team: Team) -> None:
        fail_some(team, 1)
        team.github.faults.append(faults.status(404, path=f"GET /orgs/{team.name}"))
        assert "redelivery" in (redeliver(team) and cannot(team))
        # The webhook is no longer known.
        assert redeliver(team)["listed"] == 0
        assert "redelivery" in cannot(team)
