"""The requests of a day against GitHub's limits."""

from collections.abc import Iterator
from itertools import count

import pytest

from fake_github import FakeGitHub
from tests.integration.test_write_back import HOUR, close, new_issue, requests, work
from tests.support.product import TOKEN, Product, ago, new_team, product
from tests.support.write_back import FIELD, known, write_back
from timer_core.store.table import Table

# "Rate limits for the REST API": requests of an installation, and requests that create content.
REQUESTS_AN_HOUR = 5_000
WRITES_A_MINUTE = 80
WRITES_AN_HOUR = 500

PEOPLE = 8
ISSUES = 40
STRETCHES = 12


@pytest.fixture(scope="module")
def running(shared_table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(shared_table, github.url) as running:
        running.store_credential({"token": TOKEN})
        yield running


def test_a_day_of_eight_people_is_far_below_the_limits(running: Product, github: FakeGitHub) -> None:
    """Each person works on twelve issues one after the other, and has two open timers in the evening."""
    team = new_team(github, running, size=PEOPLE, t0=ago(20 * 60))
    github.new_issue_field(github.accounts[team.name], FIELD)
    issues = [new_issue(team) for _ in range(ISSUES)]
    numbers = count()
    writes_in_stretch: list[int] = []
    all_requests: list[str] = []
    with write_back(running) as function:
        github.requests.clear()
        for stretch in range(STRETCHES):
            since = stretch * 2_400
            worked = [issues[(next(numbers) * 7) % ISSUES] for _ in range(PEOPLE)]
            for person, issue in enumerate(worked):
                work(team, issue, hours=0.5, since=since, person=person)
            function.clock.ms = team.t0 + (since + HOUR) * 1000
            assert function.write(*worked) == []
            made = requests(github)
            all_requests += made
            writes_in_stretch.append(writes(made))
        evening = [issues[number] for number in range(2 * PEOPLE)]
        for number, issue in enumerate(evening):
            github.assign(issue, team.people[number % PEOPLE])
        team.deliver()
        github.requests.clear()
        function.clock.ms += HOUR * 1000
        assert function.write(*evening) == []
        at_the_end = requests(github)
    all_requests += at_the_end
    assert sum(writes_in_stretch) == STRETCHES * PEOPLE
    # Of a person's two open timers, one has counted.
    assert writes(at_the_end) == PEOPLE
    # docs/github.md has these figures. The other requests list the fields, once for each batch.
    assert (len(all_requests), writes(all_requests)) == (117, 104)
    # A stretch lasts 40 minutes.
    assert 2 * max(writes_in_stretch) + writes(at_the_end) < WRITES_AN_HOUR / 10
    assert len(at_the_end) < REQUESTS_AN_HOUR / 100


def writes(made: list[str]) -> int:
    """Return the number of requests that change something."""
    return sum(not one.startswith(("GET", "POST /graphql")) for one in made)


def test_a_second_passes_between_two_writes(
    running: Product, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So there are at most 60 in a minute."""
    team = new_team(github, running, size=1, t0=ago(60))
    github.new_issue_field(github.accounts[team.name], FIELD)
    one, other = new_issue(team), new_issue(team)
    work(team, one, hours=0.25)
    work(team, other, hours=0.25, since=HOUR // 2)
    close(team, other)
    with write_back(running) as function:
        slept: list[float] = []
        monkeypatch.setattr(function.module, "_PACE_S", 1.0)
        monkeypatch.setattr(function.module.time, "monotonic", lambda: 100.0)
        monkeypatch.setattr(function.module.time, "sleep", slept.append)
        assert function.write(one, other) == []
    # Two fields and a comment.
    assert slept == [0.0, 1.0, 1.0]
    assert WRITES_A_MINUTE > 60 / 1.0


def test_repeated_changes_of_an_issue_are_one_message(running: Product, github: FakeGitHub) -> None:
    team = new_team(github, running, size=2, t0=ago(120))
    github.new_issue_field(github.accounts[team.name], FIELD)
    issue = new_issue(team)
    with write_back(running) as function:
        for start in range(5):
            work(team, issue, hours=1 / 60, since=start * 60)
            function.messages.queue.send([known(issue)])
        assert len(function.messages.bodies) == 1
        github.requests.clear()
        assert function.process() == []
        assert writes(requests(github)) == 1
