"""Who sees whose time, for every role and choice: over HTTP, on Amazon's DynamoDB Local."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.support.app import ADMIN, EMBEDDER, App, open_app
from tests.support.browser import ORIGIN
from timer_core.store.account_deletion import AccountDeletionStore
from timer_core.store.lead_teams import LeadTeam, LeadTeamStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fake_github import FakeGitHub
    from fake_github.model import Account
    from tests.support.browser import Browser
    from tests.support.gateway import Answer
    from timer_core.store.table import Table

TEAM, VISIBILITY, ME = "/api/team/", "/api/auth/me/visibility/", "/api/auth/me/"
START, TIMERS = "/api/timelogs/start/", "/api/timelogs/"
LEADS = "octo-org/leads"
CHOICES = ("nobody", "leads", "everyone", None)
DEFAULTS = ("nobody", "leads", "everyone")
# What each role sees of a person, by the visibility that holds for the person.
SEEN_BY = {
    "nobody": {"oneself": "own"},
    "leads": {"oneself": "own", "lead": "lead", "admin": "lead"},
    "everyone": {
        "oneself": "own",
        "colleague": "everyone",
        "lead": "everyone",
        "former lead": "everyone",
        "admin": "everyone",
    },
}
ROLES = (*SEEN_BY["everyone"], "embedded lead", "not signed in", "deleted account")


@dataclass
class Office:
    """An app with people of every role."""

    app: App
    lead_teams: LeadTeamStore
    viewers: dict[str, Callable[..., Answer]]
    accounts: dict[str, Account]

    def set_members(self, *accounts: Account, team: str = LEADS) -> None:
        """Replace the members of a lead team."""
        stored = self.lead_teams.teams().get(team, LeadTeam(team))
        self.lead_teams.write(replace(stored, members=frozenset(account.id for account in accounts)))

    def choose(self, browser: Browser, visibility: str | None) -> None:
        """Choose who sees the time of a browser's person."""
        answer = browser("PUT", VISIBILITY, {"visibility": visibility})
        assert (answer.status, answer.json()["visibility"]) == (200, visibility), answer


@pytest.fixture(scope="module", params=DEFAULTS)
def office(request: pytest.FixtureRequest, shared_table: Table, github: FakeGitHub) -> Iterator[Office]:
    with open_app(
        shared_table, github, LEAD_TEAMS=f"{LEADS}, octo-org/Managers", TEAM_VISIBILITY=request.param
    ) as app:
        admin = github.accounts.get(ADMIN) or app.new_person(ADMIN)
        found: dict[str, tuple[Callable[..., Answer], Account]] = {
            "colleague": app.signed_in(),
            "lead": app.signed_in(),
            "former lead": app.signed_in(),
            "admin": app.signed_in(admin),
        }
        session, embedded = app.embedded()
        found["embedded lead"] = (_embedded(app, session), embedded)
        deleted, gone = app.signed_in()
        assert deleted("DELETE", ME).status == 204
        found["deleted account"] = (deleted, gone)
        viewers = {role: viewer for role, (viewer, _) in found.items()} | {"not signed in": app.browser()}
        accounts = {role: account for role, (_, account) in found.items()}
        office = Office(app, LeadTeamStore(shared_table), viewers, accounts)
        leads = [accounts[role] for role in ("lead", "former lead", "embedded lead", "deleted account")]
        office.set_members(*leads)
        office.set_members(*(one for one in leads if one is not accounts["former lead"]))
        yield office


def _embedded(app: App, session: str) -> Callable[..., Answer]:
    ask = app.caller(session, "Bearer")
    return lambda method, path: ask(method, path, origin=EMBEDDER)


@pytest.fixture
def default(office: Office) -> str:
    browser, _ = office.app.signed_in()
    shown: str = browser("GET", VISIBILITY).json()["default"]
    return shown


@pytest.mark.parametrize(("role", "choice"), [*product(ROLES, CHOICES)])
def test_a_person_is_seen_only_as_the_person_has_chosen(
    office: Office, default: str, role: str, choice: str | None
) -> None:
    browser, person = office.app.signed_in()
    if choice:
        office.choose(browser, choice)
    viewer = browser if role == "oneself" else office.viewers[role]
    answer = viewer("GET", TEAM)
    expected = SEEN_BY[choice or default].get(role)
    if role in {"not signed in", "deleted account"}:
        assert answer.status == 401
    elif role == "embedded lead":
        assert answer.status == 403
    else:
        why = {one["id"]: one["why"] for one in answer.json()["results"]}
        assert why.get(person.id) == expected


def test_a_choice_decides_about_the_past_too(office: Office) -> None:
    browser, person = office.app.signed_in()
    browser("POST", START, {})
    for choice, is_seen in (("everyone", True), ("nobody", False), ("everyone", True)):
        office.choose(browser, choice)
        assert (person.id in _seen(office.viewers["colleague"])) is is_seen


def test_a_choice_is_withdrawn_with_null(office: Office, default: str) -> None:
    browser, _ = office.app.signed_in()
    for choice in ("nobody", None):
        office.choose(browser, choice)
    shown = browser("GET", VISIBILITY).json()
    assert (shown["visibility"], shown["default"]) == (None, default)


@pytest.mark.parametrize(
    "body", [{}, {"visibility": "all"}, {"visibility": ["nobody"]}, {"visibility": "leads", "until": 1}]
)
def test_an_invalid_choice_is_refused(office: Office, body: object) -> None:
    browser, _ = office.app.signed_in()
    assert browser("PUT", VISIBILITY, body).status == 400


def test_an_embedded_session_chooses_nothing(office: Office) -> None:
    session, _ = office.app.embedded()
    ask = office.app.caller(session, "Bearer")
    for method, body in (("GET", None), ("PUT", {"visibility": "everyone"})):
        assert ask(method, VISIBILITY, body, origin=EMBEDDER).status == 403


def test_a_token_shows_the_choice_and_changes_nothing(office: Office) -> None:
    browser, _ = office.app.signed_in()
    token = office.app.caller(office.app.token(browser))
    assert token("GET", VISIBILITY).status == 200
    assert token("PUT", VISIBILITY, {"visibility": "everyone"}).status == 403


def test_a_person_sees_which_leads_see_them_and_why(office: Office) -> None:
    browser, _ = office.app.signed_in()
    office.choose(browser, "leads")
    manager = office.accounts["colleague"]
    office.set_members(manager, office.accounts["lead"], team="octo-org/managers")
    try:
        shown = browser("GET", VISIBILITY).json()
    finally:
        office.set_members(team="octo-org/managers")
    assert shown["lead_teams"] == [LEADS, "octo-org/managers"]
    assert shown["seen_by"]["everyone"] is False
    leads = {lead.pop("login"): lead for lead in shown["seen_by"]["leads"]}
    assert {login: (lead["teams"], lead["is_admin"]) for login, lead in leads.items()} == {
        office.accounts["lead"].login: ([LEADS, "octo-org/managers"], False),
        office.accounts["embedded lead"].login: ([LEADS], False),
        manager.login: (["octo-org/managers"], False),
        ADMIN: ([], True),
    }
    # Nothing about others but their names and why they see the caller.
    assert {name for lead in leads.values() for name in lead} == {"name", "teams", "is_admin"}


@pytest.mark.parametrize(("choice", "everyone", "leads"), [("nobody", False, 0), ("everyone", True, 3)])
def test_the_audience_follows_the_choice(office: Office, choice: str, *, everyone: bool, leads: int) -> None:
    browser, _ = office.app.signed_in()
    office.choose(browser, choice)
    seen_by = browser("GET", VISIBILITY).json()["seen_by"]
    assert (seen_by["everyone"], len(seen_by["leads"])) == (everyone, leads)


def test_a_lead_is_not_among_those_who_see_the_lead(office: Office) -> None:
    lead = office.viewers["lead"]
    shown = lead("GET", VISIBILITY).json()
    assert office.accounts["lead"].login not in [one["login"] for one in shown["seen_by"]["leads"]]


def test_the_deployments_organizations_say_who_everyone_is(shared_table: Table, github: FakeGitHub) -> None:
    with open_app(shared_table, github, ALLOWED_ORGS="octo-org") as app:
        person = app.new_person()
        github.new_organization("octo-org", {person: "member"})
        browser, _ = app.signed_in(person)
        assert browser("GET", VISIBILITY).json()["organizations"] == ["octo-org"]


def test_a_member_of_a_lead_team_becomes_a_lead_when_signing_in(office: Office) -> None:
    browser, person = office.app.signed_in()
    office.choose(browser, "leads")
    newcomer = office.app.new_person()
    office.set_members(newcomer, team="octo-org/managers")
    try:
        logins = [one["login"] for one in browser("GET", VISIBILITY).json()["seen_by"]["leads"]]
        assert newcomer.login not in logins
        assert person.id in _seen(office.app.signed_in(newcomer)[0])
    finally:
        office.set_members(team="octo-org/managers")


def test_a_former_lead_sees_nothing_from_the_next_request_on(office: Office) -> None:
    """Authentication is cached for a minute; the members of lead teams are read with every request."""
    browser, person = office.app.signed_in()
    office.choose(browser, "leads")
    lead, account = office.app.signed_in()
    token = office.app.caller(office.app.token(lead))
    office.set_members(account, team="octo-org/managers")
    assert person.id in _seen(lead) & _seen(token)
    office.set_members(team="octo-org/managers")
    assert _seen(lead) == _seen(token)
    assert person.id not in _seen(lead)


def test_a_team_that_is_no_longer_configured_has_no_leads(office: Office) -> None:
    browser, person = office.app.signed_in()
    office.choose(browser, "leads")
    office.set_members(office.accounts["colleague"], team="octo-org/others")
    assert person.id not in _seen(office.viewers["colleague"])


def test_a_deleted_account_is_seen_by_nobody(office: Office) -> None:
    browser, person = office.app.signed_in()
    office.choose(browser, "everyone")
    assert browser("DELETE", ME).status == 204
    assert person.id not in _seen(office.viewers["admin"])
    # Signing in again starts from scratch.
    again, _ = office.app.signed_in(person)
    assert again("GET", VISIBILITY).json()["visibility"] is None


def test_a_lead_whose_session_is_still_cached_sees_nobody_after_deleting_the_account(
    office: Office, shared_table: Table
) -> None:
    browser, person = office.app.signed_in()
    office.choose(browser, "everyone")
    lead, account = office.app.signed_in()
    token = office.app.caller(office.app.token(lead))
    assert person.id in _seen(token)
    # Another instance of the function handles the deletion.
    AccountDeletionStore(shared_table, track_unregistered=False).request(
        account.id, now_ms=office.app.clock.ms
    )
    assert _seen(token) == {account.id}


def test_people_who_never_signed_in_are_seen_by_nobody(office: Office) -> None:
    stranger = office.app.new_person()
    office.app.timers.start(user_id=stranger.id, now_ms=office.app.clock.ms)
    assert stranger.id not in _seen(office.viewers["admin"])


def test_responses_about_visibility_are_not_cached(office: Office) -> None:
    browser, _ = office.app.signed_in()
    for target in (TEAM, VISIBILITY):
        assert browser("GET", target).headers["cache-control"] == "no-store"


class TestAdminsOperations:
    """An admin sees and stops everybody's timers, as far as the people allow it."""

    @pytest.mark.parametrize("choice", CHOICES)
    def test_an_admin_sees_the_timers_of_people_whose_time_is_visible(
        self, office: Office, default: str, choice: str | None
    ) -> None:
        browser, person = office.app.signed_in()
        if choice:
            office.choose(browser, choice)
        timer = browser("POST", START, {"github_issue_url": "octo-org/secret#7"}).json()
        boss = office.viewers["admin"]
        is_seen = (choice or default) != "nobody"
        for target in (f"{TIMERS}{timer['id']}/", f"{TIMERS}?user={person.id}"):
            assert boss("GET", target).status == (200 if is_seen else 403)
        listed = _open_timers(boss)[timer["id"]]
        if is_seen:
            assert listed["github_repo"] == "octo-org/secret"
        else:
            minimum = ("id", "user", "start_time")
            assert listed == {name: timer[name] for name in minimum}

    @pytest.mark.parametrize(("choice", "status"), [("nobody", 204), ("leads", 200)])
    def test_an_admin_stops_a_timer_whatever_its_person_has_chosen(
        self, office: Office, choice: str, status: int
    ) -> None:
        browser, _ = office.app.signed_in()
        office.choose(browser, choice)
        timer = browser("POST", START, {}).json()["id"]
        answer = office.viewers["admin"]("POST", f"{TIMERS}{timer}/stop/")
        assert answer.status == status
        assert bool(answer.body) is (status == 200)
        stopped = browser("GET", f"{TIMERS}{timer}/").json()
        assert (stopped["status"], stopped["stopped_by"]) == ("stopped", "admin")

    def test_hidden_and_unknown_people_are_refused_alike(self, office: Office) -> None:
        browser, person = office.app.signed_in()
        office.choose(browser, "nobody")
        boss = office.viewers["admin"]
        hidden, unknown = (boss("GET", f"{TIMERS}?user={one}") for one in (person.id, 987_654_321))
        known_of_answer = ("status", "code", "detail")
        assert [hidden.json()[name] for name in known_of_answer] == [
            unknown.json()[name] for name in known_of_answer
        ]

    def test_a_lead_who_is_no_admin_uses_no_route_of_admins(self, office: Office) -> None:
        browser, person = office.app.signed_in()
        office.choose(browser, "everyone")
        timer = browser("POST", START, {}).json()["id"]
        lead = office.viewers["lead"]
        for method, target in (
            ("GET", f"{TIMERS}?user={person.id}"),
            ("GET", f"{TIMERS}{timer}/"),
            ("POST", f"{TIMERS}{timer}/stop/"),
            ("GET", "/api/admin/timers/"),
        ):
            assert lead(method, target).status == 403


def _seen(viewer: Callable[..., Answer]) -> set[int]:
    answer = viewer("GET", TEAM)
    assert answer.status == 200, answer
    return {person["id"] for person in answer.json()["results"]}


def _open_timers(admin: Callable[..., Answer]) -> dict[str, dict[str, object]]:
    """Return everybody's open timers, as an admin sees them."""
    found: dict[str, dict[str, object]] = {}
    target = "/api/admin/timers/"
    while target:
        page = admin("GET", target.removeprefix(ORIGIN)).json()
        found |= {one["id"]: one for one in page["results"]}
        target = page["next"] or ""
    return found
