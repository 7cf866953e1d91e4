"""The members of lead teams: from deliveries and from GitHub's API, on a fake GitHub and DynamoDB Local."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from fake_github import faults
from fake_github.messages import Drop
from tests.support.product import SECRET, TOKEN, Product, product
from timer_core.clock import now_ms
from timer_core.store.health import HealthStore
from timer_core.store.lead_teams import LeadTeam, LeadTeamStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_github import FakeGitHub
    from fake_github.messages import Request
    from fake_github.model import Account, Team
    from fake_github.webhooks import Delivery
    from timer_core.store.table import Table

ORG, LEADS, OTHERS = "octo-org", "octo-org/leads", "octo-org/other-leads"
MEMBERS_PATH = "/orgs/octo-org/teams/leads/members"


@dataclass
class Organization:
    """An organization with the lead team ``leads``, whose webhook sends deliveries to the product."""

    github: FakeGitHub
    product: Product
    ann: Account
    bob: Account
    team: Team
    sent: list[Delivery] = field(default_factory=list)

    @property
    def leads(self) -> set[int]:
        """The ids of the members of the lead team in the table."""
        stored = LeadTeamStore(self.product.table).teams().get(LEADS, LeadTeam(LEADS))
        return set(stored.members)

    def deliver(self) -> None:
        """Send and process all pending deliveries."""
        deliveries, self.github.outbox[:] = list(self.github.outbox), []
        self.sent += deliveries
        for delivery in deliveries:
            assert self.github.send(delivery) in (200, 202)
        self.product.process()

    def send_again(self, action: str) -> None:
        """Send a delivery about a membership again, after the deduplication interval."""
        self.product.queue.end_deduplication()
        delivery = next(one for one in self.sent if (one.event, one.action) == ("membership", action))
        assert self.github.send(delivery) == 202
        self.product.process()

    def requests(self) -> int:
        """Return the number of requests that have listed the team."""
        return sum(request.path.startswith(MEMBERS_PATH) for request in self.github.requests)


@pytest.fixture
def running(table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(table, github.url, LEAD_TEAMS=f"{LEADS},{OTHERS}") as running:
        yield running


@pytest.fixture
def without_credential(github: FakeGitHub, running: Product) -> Organization:
    github.reset()
    github.new_organization(ORG)
    github.add_hook(ORG, running.receive, SECRET)
    ann, bob = github.new_user("ann"), github.new_user("bob")
    found = Organization(github, running, ann, bob, github.new_team(ORG, "Leads"))
    found.deliver()
    return found


@pytest.fixture
def organization(without_credential: Organization) -> Organization:
    """An organization whose stack has a token for GitHub's API."""
    github = without_credential.github
    github.tokens[TOKEN] = github.tokens.pop(github.new_token())
    without_credential.product.store_credential({"token": TOKEN})
    without_credential.product.restart_processor()
    return without_credential


class TestDeliveriesWithACredential:
    def test_a_new_member_of_the_team_is_a_lead(self, organization: Organization) -> None:
        organization.github.add_to_team(organization.team, organization.ann)
        organization.deliver()
        assert organization.leads == {organization.ann.id}

    def test_a_former_member_is_no_lead(self, organization: Organization) -> None:
        for member in (organization.ann, organization.bob):
            organization.github.add_to_team(organization.team, member)
        organization.github.remove_from_team(organization.team, organization.ann)
        organization.deliver()
        assert organization.leads == {organization.bob.id}

    def test_members_of_child_teams_are_leads(self, organization: Organization) -> None:
        child = organization.github.new_team(ORG, "Night shift", [organization.bob], parent=organization.team)
        organization.deliver()
        assert organization.leads == {organization.bob.id}
        organization.github.remove_from_team(child, organization.bob)
        organization.deliver()
        assert organization.leads == set()

    def test_all_pages_of_a_large_team_are_listed(self, organization: Organization) -> None:
        people = [organization.github.new_user(f"member-{number}") for number in range(230)]
        for member in people:
            organization.github.add_to_team(organization.team, member)
        organization.github.outbox[:] = organization.github.outbox[-1:]
        organization.deliver()
        assert organization.leads == {member.id for member in people}
        assert organization.requests() == 3

    def test_a_person_who_leaves_the_organization_is_no_lead(self, organization: Organization) -> None:
        organization.github.add_to_team(organization.team, organization.ann)
        organization.deliver()
        organization.github.remove_member(ORG, organization.ann)
        organization.deliver()
        assert organization.leads == set()

    @pytest.mark.parametrize("action", ["delete", "rename"])
    def test_a_team_that_is_gone_has_no_leads(self, organization: Organization, action: str) -> None:
        organization.github.add_to_team(organization.team, organization.ann)
        organization.deliver()
        if action == "delete":
            organization.github.delete_team(organization.team)
        else:
            organization.github.rename_team(organization.team, "Former leads")
        organization.deliver()
        assert organization.leads == set()

    def test_the_order_of_deliveries_does_not_matter(self, organization: Organization) -> None:
        for _ in range(2):
            organization.github.add_to_team(organization.team, organization.ann)
            organization.github.remove_from_team(organization.team, organization.ann)
        organization.github.add_to_team(organization.team, organization.bob)
        organization.github.outbox.reverse()
        organization.deliver()
        assert organization.leads == {organization.bob.id}

    def test_a_delivery_that_is_sent_again_makes_nobody_a_lead(self, organization: Organization) -> None:
        organization.github.add_to_team(organization.team, organization.ann)
        organization.github.remove_from_team(organization.team, organization.ann)
        organization.deliver()
        organization.send_again("added")
        assert organization.leads == set()

    def test_a_forged_delivery_makes_nobody_a_lead(self, organization: Organization) -> None:
        """Its sender knows the webhook's secret, but GitHub's API does not list the person."""
        organization.github.add_to_team(organization.team, organization.ann)
        delivery = organization.github.outbox[-1]
        delivery.payload["member"]["id"] = organization.bob.id
        organization.deliver()
        assert organization.leads == {organization.ann.id}

    def test_a_delivery_with_a_wrong_signature_is_refused(self, organization: Organization) -> None:
        organization.github.add_to_team(organization.team, organization.ann)
        delivery = organization.github.outbox[-1]
        forged = delivery.headers | {"X-Hub-Signature-256": f"sha256={'0' * 64}"}
        assert organization.product.receive(forged, delivery.body) == 401
        organization.product.process()
        assert organization.leads == set()

    def test_a_removal_counts_before_github_answers(self, organization: Organization) -> None:
        for member in (organization.ann, organization.bob):
            organization.github.add_to_team(organization.team, member)
        organization.deliver()
        organization.github.remove_from_team(organization.team, organization.ann)
        organization.github.faults.append(faults.status(503, path=MEMBERS_PATH))
        organization.deliver()
        assert organization.leads == {organization.bob.id}
        assert len(organization.product.queue.failed) == 1
        organization.product.queue.retry()
        organization.product.restart_processor()
        assert organization.product.process() == []
        assert organization.leads == {organization.bob.id}

    def test_a_change_during_a_listing_repeats_it(self, organization: Organization) -> None:
        """Otherwise the listing of a sweep could restore a lead whose removal it has not seen."""
        github, store = organization.github, LeadTeamStore(organization.product.table)
        for member in (organization.ann, organization.bob):
            github.add_to_team(organization.team, member)
        organization.deliver()

        def interfere(request: Request, _answer: object) -> None:
            if request.path == MEMBERS_PATH:
                github.after_request = lambda *_: None
                organization.team.members.remove(organization.ann)
                team = store.teams()[LEADS]
                store.write(LeadTeam(LEADS, frozenset({organization.bob.id}), team.team_id, team.version))

        github.after_request = interfere
        organization.product.sweep(redeliver=False)
        assert organization.leads == {organization.bob.id}

    def test_teams_of_other_organizations_are_ignored(self, organization: Organization) -> None:
        organization.github.add_hook("other-org", organization.product.receive, SECRET)
        before = organization.requests()
        organization.github.new_team("other-org", "Leads", [organization.bob])
        organization.deliver()
        assert (organization.leads, organization.requests()) == (set(), before)


class TestRefusals:
    def test_an_app_without_the_permission_lists_nobody(
        self, organization: Organization, table: Table
    ) -> None:
        github, health = organization.github, HealthStore(table)
        github.add_to_team(organization.team, organization.ann)
        organization.deliver()
        github.install_app(ORG)
        with product(table, github.url, LEAD_TEAMS=LEADS) as running:
            running.store_credential({"app_id": str(github.app.id), "private_key": github.app.private_key})
            for permission, leads in ((None, set[int]()), ("read", {organization.ann.id})):
                if permission:
                    github.app.permissions["members"] = permission
                running.sweep(redeliver=False)
                assert organization.leads == leads
                cannot = health.read(now_ms=now_ms()).github_cannot
                assert ("lead_teams" in cannot) is (permission is None)

    def test_an_expired_token_leaves_the_members_as_they_are(self, organization: Organization) -> None:
        organization.github.add_to_team(organization.team, organization.ann)
        organization.deliver()
        del organization.github.tokens[TOKEN]
        organization.product.sweep(redeliver=False)
        assert organization.leads == {organization.ann.id}

    def test_an_outage_leaves_the_members_as_they_are(self, organization: Organization) -> None:
        organization.github.add_to_team(organization.team, organization.ann)
        organization.deliver()

        def drop(_request: Request) -> None:
            raise Drop

        organization.github.before_request = drop
        organization.product.sweep(redeliver=False)
        assert organization.leads == {organization.ann.id}


class TestWithoutACredential:
    """Deliveries are applied in the order of receipt, because their payloads have no time."""

    def test_members_follow_the_deliveries(self, without_credential: Organization) -> None:
        organization = without_credential
        for member in (organization.ann, organization.bob):
            organization.github.add_to_team(organization.team, member)
        organization.deliver()
        assert organization.leads == {organization.ann.id, organization.bob.id}
        organization.github.remove_from_team(organization.team, organization.ann)
        organization.deliver()
        assert organization.leads == {organization.bob.id}
        assert organization.requests() == 0

    def test_the_delivery_that_is_received_last_holds(self, without_credential: Organization) -> None:
        organization = without_credential
        organization.github.add_to_team(organization.team, organization.ann)
        organization.github.remove_from_team(organization.team, organization.ann)
        organization.deliver()
        assert organization.leads == set()
        organization.send_again("added")
        assert organization.leads == {organization.ann.id}

    @pytest.mark.parametrize("action", ["delete", "rename", "leave"])
    def test_a_team_that_is_gone_has_no_leads(self, without_credential: Organization, action: str) -> None:
        organization, github = without_credential, without_credential.github
        github.add_to_team(organization.team, organization.ann)
        organization.deliver()
        if action == "delete":
            github.delete_team(organization.team)
        elif action == "rename":
            github.rename_team(organization.team, "Former leads")
        else:
            github.remove_member(ORG, organization.ann)
        organization.deliver()
        assert organization.leads == set()

    def test_a_new_team_with_the_same_slug_has_its_own_members(
        self, without_credential: Organization
    ) -> None:
        organization, github = without_credential, without_credential.github
        github.add_to_team(organization.team, organization.ann)
        # The deletion's delivery is lost.
        organization.deliver()
        github.delete_team(organization.team)
        github.outbox.clear()
        github.new_team(ORG, "Leads", [organization.bob])
        organization.deliver()
        assert organization.leads == {organization.bob.id}

    def test_members_of_child_teams_are_unknown(self, without_credential: Organization) -> None:
        organization = without_credential
        organization.github.new_team(ORG, "Night shift", [organization.bob], parent=organization.team)
        organization.deliver()
        assert organization.leads == set()


class TestSweep:
    def test_the_daily_sweep_repairs_lost_deliveries(self, organization: Organization) -> None:
        organization.github.add_to_team(organization.team, organization.ann)
        organization.deliver()
        organization.github.remove_from_team(organization.team, organization.ann)
        organization.github.add_to_team(organization.team, organization.bob)
        organization.github.outbox.clear()
        summary = organization.product.sweep(redeliver=False)["lead_teams"]
        assert organization.leads == {organization.bob.id}
        # The other lead team does not exist.
        assert (summary["listed"], summary["complete"]) == (1, True)
        assert "404" in summary["error"]

    def test_the_hourly_sweep_lists_new_lead_teams_only(
        self, table: Table, organization: Organization
    ) -> None:
        organization.team.members.append(organization.ann)
        LeadTeamStore(table).forget(LEADS)
        requests = [organization.requests()]
        for _ in range(2):
            organization.product.sweep(stop_closed=False)
            requests.append(organization.requests())
        assert organization.leads == {organization.ann.id}
        assert requests == [0, 1, 1]

    def test_a_dry_run_lists_nothing(self, organization: Organization) -> None:
        assert organization.product.sweep(dry_run=True)["lead_teams"] is None
        assert organization.requests() == 0

    def test_a_team_that_is_no_longer_configured_is_forgotten(
        self, table: Table, organization: Organization
    ) -> None:
        store = LeadTeamStore(table)
        store.write(LeadTeam("octo-org/former", frozenset({organization.ann.id})))
        organization.product.sweep(redeliver=False)
        assert "octo-org/former" not in store.teams()
