"""The tests' fake GitHub behaves as GitHub documents."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jsonschema_rs
import jwt
import pytest
import urllib3

from fake_github import Drop, FakeGitHub, faults
from fake_github.model import App
from fake_github.scenario import deliveries_of_everything
from tests.support.install_github_schema import webhook_payloads
from timer_core.github.webhooks.signature import is_signed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
REPO = "octo-org/hello-world"


@pytest.fixture(scope="module")
def running() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


@pytest.fixture
def github(running: FakeGitHub) -> FakeGitHub:
    running.reset()
    running.now = NOON
    return running


@dataclass
class Caller:
    """Sends requests to the fake with a credential."""

    url: str
    credential: str
    http: urllib3.PoolManager
    timeout_s: float = 5

    def __call__(
        self, method: str, target: str, body: Any = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        sent = {"Authorization": f"Bearer {self.credential}", "User-Agent": "test", **headers}
        return self.http.request(
            method,
            self.url + target,
            json=body,
            headers=sent,
            redirect=False,
            retries=False,
            timeout=self.timeout_s,
        )

    def graphql(self, query: str, **variables: Any) -> Any:
        return self("POST", "/graphql", {"query": query, "variables": variables}).json()


@pytest.fixture
def call(github: FakeGitHub) -> Caller:
    return Caller(github.url, github.new_token(), urllib3.PoolManager())


class Inbox:
    """A receiver of deliveries."""

    def __init__(self, status: int = 202) -> None:
        self.status = status
        self.received: list[tuple[Mapping[str, str], bytes]] = []

    def __call__(self, headers: Mapping[str, str], body: bytes) -> int:
        self.received.append((headers, body))
        return self.status


def events(github: FakeGitHub) -> list[tuple[str, str | None, str]]:
    """For each pending delivery, return the event, the action and the kind of webhook."""
    return [(one.event, one.action, one.hook.target_type) for one in github.outbox]


# ---------------------------------------------------------------------- deliveries


@cache
def description(name: str) -> jsonschema_rs.Draft202012Validator:
    """Return GitHub's JSON schema of a delivery, such as ``webhook-issues-assigned``."""
    url = "https://api.github.com"
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"{url}#/components/schemas/{name}"}, registry=registry(url)
    )


@cache
def registry(url: str) -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry([(url, json.loads(webhook_payloads().read_text()))])


def without_empty_values(payload: Mapping[str, Any]) -> Any:
    """Remove a card's previous value and new value if they are null.

    GitHub's schema contradicts itself. The schema allows null, but also requires one of several forms, and
    each form forbids null.
    """
    value = payload.get("changes", {}).get("field_value")
    if value is None:
        return payload
    changes = {name: member for name, member in value.items() if member is not None}
    return {**payload, "changes": {"field_value": changes}}


def test_every_payload_matches_githubs_schema(github: FakeGitHub) -> None:
    deliveries = deliveries_of_everything(github)
    assert {one.action for one in deliveries} >= {"transferred", "renamed", "edited", "deleted", "archived"}
    for delivery in deliveries:
        action, payload = delivery.action, delivery.payload
        if action in {"field_added", "field_removed"}:
            # GitHub's schema lacks these events. Their payloads have the form of events without a member of
            # their own.
            action, payload = "pinned", payload | {"action": "pinned"}
        name = "-".join(filter(None, ("webhook", delivery.event, action))).replace("_", "-")
        description(name).validate(without_empty_values(payload))


def test_an_archived_card_keeps_its_status_and_cannot_be_moved(github: FakeGitHub, call: Caller) -> None:
    issue = github.new_issue(REPO)
    card = github.add_card(github.new_project("octo-org"), issue)
    github.move_card(card, "In Progress")
    github.archive_card(card)
    with pytest.raises(ValueError, match="archived"):
        github.move_card(card, "Done")
    query = """query($id: ID!) { node(id: $id) { ... on ProjectV2Item {
        isArchived fieldValueByName(name: "Status") { ... on ProjectV2ItemFieldSingleSelectValue { name } }
        content { ... on Issue { projectItems(first: 5, includeArchived: false) { nodes { id } } } } } } }"""
    assert call.graphql(query, id=card.node_id)["data"]["node"] == {
        "isArchived": True,
        "fieldValueByName": {"name": "In Progress"},
        "content": {"projectItems": {"nodes": []}},
    }
    github.delete_card(card)
    (error,) = call.graphql(query, id=card.node_id)["errors"]
    assert error["type"] == "NOT_FOUND"


def test_a_converted_draft_keeps_its_card(github: FakeGitHub) -> None:
    github.add_hook("octo-org", Inbox())
    card = github.add_draft(github.new_project("octo-org"), "Try it")
    github.outbox.clear()
    issue = github.convert_draft(card, github.new_repository(REPO))
    assert events(github) == [
        ("issues", "opened", "organization"),
        ("projects_v2_item", "converted", "organization"),
    ]
    assert (issue.title, issue.cards) == ("Try it", [card])
    assert github.outbox[1].payload["projects_v2_item"]["content_node_id"] == issue.node_id


def test_a_delivery_is_signed_and_names_its_hook(github: FakeGitHub) -> None:
    inbox = Inbox()
    hook = github.add_hook(REPO, inbox, "a secret")
    github.assign(github.new_issue(REPO), github.new_user("ann"))
    assert [github.send(delivery) for delivery in github.outbox] == [202] * 3
    headers, body = inbox.received[-1]
    assert is_signed(body, headers["X-Hub-Signature-256"], ["a secret"])
    assert json.loads(body)["issue"]["updated_at"] == "2026-03-02T12:00:00Z"
    assert headers["X-GitHub-Event"] == "issues"
    assert headers["X-GitHub-Hook-ID"] == str(hook.id)
    assert headers["X-GitHub-Hook-Installation-Target-Type"] == "repository"
    assert headers["X-GitHub-Hook-Installation-Target-ID"] == str(hook.target.id)


def test_a_hook_with_a_url_is_called_over_http(github: FakeGitHub) -> None:
    github.add_hook(REPO, f"{github.url}/nowhere")
    assert github.send(github.outbox[0]) == 404
    assert github.requests[-1].path == "/nowhere"
    assert github.requests[-1].body["zen"]


def test_an_event_has_one_guid_for_all_hooks_and_later_events_have_later_ones(github: FakeGitHub) -> None:
    github.add_hook(REPO, Inbox())
    github.add_hook("octo-org", Inbox())
    github.outbox.clear()
    issue = github.new_issue(REPO)
    github.close(issue)
    first, same, second, _ = (uuid.UUID(one.guid) for one in github.outbox)
    assert first == same
    assert (first.version, second.version) == (1, 1)
    assert first.time < second.time
    began = datetime(1582, 10, 15, tzinfo=UTC) + timedelta(microseconds=first.time // 10)
    assert abs(began - NOON) < timedelta(seconds=1)


def test_a_hook_receives_only_its_own_events(github: FakeGitHub) -> None:
    github.install_app("octo-org")
    for target in ("octo-org", "octo-org/other", "app", "another-org"):
        github.add_hook(target, Inbox(), events={"issues", "projects_v2_item"})
    github.outbox.clear()
    issue = github.new_issue(REPO)
    github.comment(issue, github.maintainer, "Hello")
    card = github.add_card(github.new_project("octo-org"), issue)
    github.new_issue("stranger/secret")
    assert events(github) == [
        ("issues", "opened", "organization"),
        ("issues", "opened", "integration"),
        ("projects_v2_item", "created", "organization"),
        ("projects_v2_item", "created", "integration"),
    ]
    to_organization, to_app = github.outbox[2:]
    assert to_organization.payload["projects_v2_item"]["content_node_id"] == issue.node_id
    assert "installation" not in to_organization.payload
    assert to_app.payload["installation"]["id"] == github.app.installations[0].id
    assert card.node_id in github.nodes


def test_an_action_without_effect_causes_no_event(github: FakeGitHub) -> None:
    ann, issue = github.new_user("ann"), github.new_issue(REPO)
    github.assign(issue, ann)
    github.add_hook(REPO, Inbox())
    github.outbox.clear()
    github.assign(issue, ann)
    github.reopen(issue)
    github.unlabel(issue, "timer")
    assert (len(github.outbox), len(issue.timeline)) == (0, 1)


def test_attempted_deliveries_are_listed_newest_first_in_pages(github: FakeGitHub, call: Caller) -> None:
    hook = github.add_hook(REPO, Inbox())
    issue = github.new_issue(REPO)
    github.close(issue)
    ping, opened, closed = github.outbox
    github.fail(opened)
    github.fail(closed, 500)
    github.lose(ping)
    github.send(opened)
    path = f"/repos/{REPO}/hooks/{hook.id}/deliveries"
    first = call("GET", f"{path}?per_page=2")
    assert [(one["guid"], one["status_code"], one["redelivery"]) for one in first.json()] == [
        (opened.guid, 202, False),
        (closed.guid, 500, False),
    ]
    following = urllib3.util.parse_url(first.headers["link"].partition(">")[0].strip("<"))
    second = call("GET", following.request_uri)
    assert [(one["guid"], one["status"]) for one in second.json()] == [(opened.guid, "failed to connect")]
    assert "link" not in second.headers
    assert len(call("GET", f"{path}?status=failure").json()) == 2
    github.now += timedelta(days=3, seconds=1)
    assert call("GET", path).json() == []


def test_a_delivery_can_be_redelivered_unchanged_for_three_days(github: FakeGitHub, call: Caller) -> None:
    inbox = Inbox(503)
    hook = github.add_hook("octo-org", inbox, "a secret")
    issue = github.new_issue(REPO)
    github.send(github.outbox[-1])
    github.close(issue)
    inbox.status = 202
    attempt = hook.attempts[-1]
    github.now += timedelta(days=3)
    path = f"/orgs/octo-org/hooks/{hook.id}/deliveries/{attempt.id}/attempts"
    assert call("POST", path).status == 202
    assert inbox.received[0] == inbox.received[1]
    assert (hook.attempts[-1].redelivery, hook.attempts[-1].status_code) == (True, 202)
    github.now += timedelta(seconds=1)
    assert call("POST", path).status == 422
    assert len(inbox.received) == 2


def test_deliveries_can_be_sent_immediately(github: FakeGitHub, call: Caller) -> None:
    def receive(headers: Mapping[str, str], _: bytes) -> int:
        # Send a request to GitHub while GitHub waits for the response to a delivery, as the product may do.
        return call("GET", f"/repos/{REPO}/issues/1").status if headers["X-GitHub-Event"] == "issues" else 200

    hook = github.add_hook(REPO, receive, auto=True)
    github.new_issue(REPO)
    assert [attempt.status_code for attempt in hook.attempts] == [200, 200]


# ---------------------------------------------------------------------- issues

ISSUE = """
query($owner: String!, $name: String!, $number: Int!, $follow: Boolean, $since: DateTime, $after: String) {
  repository(owner: $owner, name: $name, followRenames: $follow) {
    nameWithOwner
    issue(number: $number) {
      id number state stateReason closedAt updatedAt url repository { nameWithOwner }
      assignees(first: 10) { nodes { login databaseId } }
      labels(first: 10) { nodes { name } }
      timelineItems(first: 2, since: $since, after: $after, itemTypes: [
        ASSIGNED_EVENT, UNASSIGNED_EVENT, CLOSED_EVENT, REOPENED_EVENT, LABELED_EVENT, TRANSFERRED_EVENT
      ]) {
        pageInfo { hasNextPage endCursor }
        nodes {
          __typename
          ... on AssignedEvent { id createdAt actor { login } assignee { ... on User { databaseId } } }
          ... on ClosedEvent { id createdAt stateReason }
          ... on LabeledEvent { label { name } }
          ... on TransferredEvent { fromRepository { nameWithOwner } }
        }
      }
    }
  }
}
"""


def query_issue(call: Caller, number: int = 1, full_name: str = REPO, **variables: Any) -> Any:
    owner, name = full_name.split("/")
    return call.graphql(ISSUE, owner=owner, name=name, number=number, **variables)


def error_types(answer: Any) -> list[tuple[str, list[str]]]:
    return [(error["type"], error["path"]) for error in answer["errors"]]


def test_an_issues_timeline_has_pages(github: FakeGitHub, call: Caller) -> None:
    ann, issue = github.new_user("ann"), github.new_issue(REPO)
    github.assign(issue, ann)
    github.comment(issue, ann, "On it")
    github.now += timedelta(minutes=1)
    github.label(issue, "Timer")
    github.now += timedelta(minutes=1)
    github.close(issue, "not_planned")
    found = query_issue(call)["data"]["repository"]["issue"]
    assert (found["state"], found["stateReason"], found["closedAt"]) == (
        "CLOSED",
        "NOT_PLANNED",
        "2026-03-02T12:02:00Z",
    )
    assert found["assignees"]["nodes"] == [{"login": "ann", "databaseId": ann.id}]
    assigned, labeled = found["timelineItems"]["nodes"]
    assert (assigned["createdAt"], assigned["assignee"]) == ("2026-03-02T12:00:00Z", {"databaseId": ann.id})
    assert labeled["label"] == {"name": "Timer"}
    info = found["timelineItems"]["pageInfo"]
    assert info["hasNextPage"]
    rest = query_issue(call, after=info["endCursor"])["data"]["repository"]["issue"]["timelineItems"]
    since = query_issue(call, since="2026-03-02T12:02:00Z")["data"]["repository"]["issue"]["timelineItems"]
    assert rest == since
    assert [node["__typename"] for node in rest["nodes"]] == ["ClosedEvent"]


def test_a_transferred_issue_redirects_to_its_new_location(github: FakeGitHub, call: Caller) -> None:
    ann, issue = github.new_user("ann"), github.new_issue(REPO)
    github.assign(issue, ann)
    github.label(issue, "here only")
    other = github.new_repository("octo-org/other")
    github.new_issue(other)
    github.add_hook("octo-org", Inbox())
    new = github.transfer(issue, other)
    assert new.number == 2
    moved = call("GET", f"/repos/{REPO}/issues/1")
    assert (moved.status, moved.headers["location"]) == (
        301,
        f"{github.url}/repositories/{other.id}/issues/2",
    )
    found = call("GET", urlsplit(moved.headers["location"]).path).json()
    assert found["html_url"] == "https://github.com/octo-org/other/issues/2"
    assert error_types(query_issue(call)) == [("NOT_FOUND", ["repository", "issue"])]
    found = query_issue(call, 2, "octo-org/other", since="2026-03-02T12:00:00Z")["data"]["repository"][
        "issue"
    ]
    assert found["labels"]["nodes"] == []
    assert found["assignees"]["nodes"][0]["login"] == "ann"
    assert new.timeline[-1].typename == "TransferredEvent"
    old, opened = github.outbox[-2:]
    assert old.payload["changes"]["new_issue"]["number"] == 2
    assert old.payload["changes"]["new_repository"]["full_name"] == "octo-org/other"
    assert opened.payload["changes"]["old_issue"]["id"] == issue.id != opened.payload["issue"]["id"]


def test_a_deleted_issue_is_gone(github: FakeGitHub, call: Caller) -> None:
    github.delete(github.new_issue(REPO))
    assert call("GET", f"/repos/{REPO}/issues/1").status == 410
    assert call("GET", f"/repos/{REPO}/issues/2").status == 404
    assert error_types(query_issue(call)) == [("NOT_FOUND", ["repository", "issue"])]


def test_a_renamed_repository_is_found_by_its_old_name(github: FakeGitHub, call: Caller) -> None:
    issue = github.new_issue(REPO)
    github.rename_repository(issue.repository, "renamed")
    moved = call("GET", f"/repos/{REPO}/issues/1")
    assert (moved.status, moved.headers["location"]) == (
        301,
        f"{github.url}/repositories/{issue.repository.id}/issues/1",
    )
    assert call("POST", f"/repos/{REPO}/issues/1/comments", {"body": "Hello"}).status == 307
    assert query_issue(call)["data"]["repository"]["nameWithOwner"] == "octo-org/renamed"
    assert error_types(query_issue(call, follow=False)) == [("NOT_FOUND", ["repository"])]
    github.new_repository(REPO)
    assert call("GET", f"/repos/{REPO}/issues/1").status == 404


def test_comments_are_listed_since_a_time_in_pages(github: FakeGitHub, call: Caller) -> None:
    issue = github.new_issue(REPO)
    for _ in range(3):
        github.now += timedelta(minutes=1)
        github.comment(issue, github.maintainer, "Hello")
    path = f"/repos/{REPO}/issues/1/comments?per_page=1&since=2026-03-02T12:02:00Z"
    first = call("GET", path)
    assert [one["created_at"] for one in first.json()] == ["2026-03-02T12:02:00Z"]
    assert 'page=2>; rel="next"' in first.headers["link"]


def test_an_app_comments_as_a_bot_and_hooks_receive_it(github: FakeGitHub, call: Caller) -> None:
    token, _ = github.new_installation_token(github.install_app("octo-org"))
    github.new_issue(REPO)
    github.add_hook(REPO, Inbox())
    as_app = replace(call, credential=token)
    assert as_app("POST", f"/repos/{REPO}/issues/1/comments", {"body": "Logged."}).status == 201
    delivery = github.outbox[-1]
    assert (delivery.event, delivery.action) == ("issue_comment", "created")
    assert (delivery.payload["comment"]["user"]["type"], delivery.payload["sender"]["login"]) == (
        "Bot",
        "issue-timer[bot]",
    )


def test_an_account_has_one_reaction_of_a_kind(github: FakeGitHub, call: Caller) -> None:
    comment = github.comment(github.new_issue(REPO), github.maintainer, "/timer start")
    path = f"/repos/{REPO}/issues/comments/{comment.id}/reactions"
    statuses = [
        call("POST", path, {"content": content}).status for content in ("+1", "+1", "confused", "fine")
    ]
    assert statuses == [201, 200, 201, 422]


def test_a_card_has_its_status_and_the_time_of_the_change(github: FakeGitHub, call: Caller) -> None:
    issue = github.new_issue(REPO)
    card = github.add_card(github.new_project("octo-org"), issue)
    query = """
    query($card: ID!, $content: ID!) {
      card: node(id: $card) { ... on ProjectV2Item {
        status: fieldValueByName(name: "Status") {
          ... on ProjectV2ItemFieldSingleSelectValue { name updatedAt }
        }
        content { ... on Issue { number } }
      } }
      issue: node(id: $content) { ... on Issue { projectItems(first: 1) { nodes { id } } } }
    }
    """
    answer = call.graphql(query, card=card.node_id, content=issue.node_id)
    assert answer["data"]["card"] == {"status": None, "content": {"number": 1}}
    assert answer["data"]["issue"]["projectItems"]["nodes"] == [{"id": card.node_id}]
    github.move_card(card, "Todo")
    github.now += timedelta(minutes=1)
    github.move_card(card, "In Progress")
    github.now += timedelta(minutes=1)
    github.move_card(card, "High", field="Priority")
    answer = call.graphql(query, card=card.node_id, content=issue.node_id)
    assert answer["data"]["card"]["status"] == {"name": "In Progress", "updatedAt": "2026-03-02T12:01:00Z"}


# ---------------------------------------------------------------------- queries


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ viewer { nonsense } }", {"extensions": {"code": "undefinedField"}}),
        ('{ repository(owner: "o") { id } }', {"extensions": {"code": "invalid"}}),
        ("{", {"extensions": {"code": "invalid"}}),
        ("{ viewer { issues { totalCount } } }", {"type": "MISSING_PAGINATION_BOUNDARIES"}),
        ("{ viewer { issues(last: 101) { totalCount } } }", {"type": "EXCESSIVE_PAGINATION"}),
        (
            "query($n: Int = 1) { viewer { issues(first: $n) { totalCount } } }",
            {"type": "EXCESSIVE_PAGINATION"},
        ),
    ],
)  # fmt: skip
def test_an_invalid_query_is_refused(call: Caller, query: str, expected: dict[str, Any]) -> None:
    answer = call.graphql(query, n=101)
    assert "data" not in answer
    assert answer["errors"][0].items() >= expected.items()


def test_a_valid_query_that_the_fake_does_not_support_fails_the_test() -> None:
    def send_unsupported_query() -> None:
        with FakeGitHub() as fake:
            caller = Caller(fake.url, fake.new_token(), urllib3.PoolManager())
            assert "errors" in caller.graphql("{ viewer { bio } }")

    with pytest.raises(ExceptionGroup, match="does not support"):
        send_unsupported_query()


# ---------------------------------------------------------------------- credentials


def claims(app: App, **others: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": str(app.id), "iat": now - 60, "exp": now + 540, **others}


def test_an_app_authenticates_and_gets_a_token_for_an_owner(github: FakeGitHub, call: Caller) -> None:
    installation = github.install_app("octo-org")
    github.new_issue(REPO)
    github.new_issue("stranger/secret")
    as_app = replace(call, credential=jwt.encode(claims(github.app), github.app.private_key, "RS256"))
    (listed,) = as_app("GET", "/app/installations").json()
    assert (listed["id"], listed["account"]["login"]) == (installation.id, "octo-org")
    made = as_app("POST", f"/app/installations/{installation.id}/access_tokens")
    assert made.status == 201
    lasts = datetime.fromisoformat(made.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < lasts <= timedelta(hours=1)
    as_installation = replace(call, credential=made.json()["token"])
    assert as_installation("GET", f"/repos/{REPO}/issues/1").status == 200
    assert as_installation("GET", "/repos/stranger/secret/issues/1").status == 404
    assert error_types(query_issue(as_installation, 1, "stranger/secret")) == [("NOT_FOUND", ["repository"])]
    assert as_installation("GET", "/user").status == 403
    github.installation_tokens.clear()
    assert as_installation("GET", f"/repos/{REPO}/issues/1").status == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 700},
        {"exp": -1},
        {"exp": None},
        {"iat": 60},
    ],
)
def test_a_jwt_with_wrong_times_is_refused(
    github: FakeGitHub, call: Caller, changes: dict[str, int | None]
) -> None:
    times = {
        name: None if from_now is None else int(time.time()) + from_now for name, from_now in changes.items()
    }
    text = jwt.encode(claims(github.app, **times), github.app.private_key, "RS256")
    assert replace(call, credential=text)("GET", "/app/installations").status == 401


def test_a_jwt_with_another_signature_is_refused(github: FakeGitHub, call: Caller) -> None:
    forged = [
        jwt.encode(claims(github.app), github.app.private_key, "RS512"),
        jwt.encode(claims(github.app), "", "none"),
        jwt.encode(claims(github.app), "0" * 64, "HS256"),
        call.credential,
    ]
    answers = [replace(call, credential=text)("GET", "/app/installations") for text in forged]
    assert [answer.status for answer in answers] == [401] * 4


def test_a_token_gives_access_to_its_owners_only(github: FakeGitHub, call: Caller) -> None:
    github.new_issue(REPO)
    elsewhere = replace(call, credential=github.new_token(owners=["another-org"]))
    nobody = replace(call, credential="github_pat_unknown")
    path = f"/repos/{REPO}/issues/1"
    assert [one("GET", path).status for one in (call, elsewhere, nobody)] == [200, 404, 401]
    assert nobody("POST", "/graphql", {"query": "{ viewer { login } }"}).json()["message"]


# ---------------------------------------------------------------------- faults


def test_a_fault_applies_to_the_next_matching_request(github: FakeGitHub, call: Caller) -> None:
    github.new_issue(REPO)
    github.faults += [faults.status(502, path="POST /graphql"), faults.primary_limit(60)]
    limited = call("GET", f"/repos/{REPO}/issues/1")
    assert (limited.status, limited.headers["x-ratelimit-remaining"]) == (403, "0")
    assert 0 < int(limited.headers["x-ratelimit-reset"]) - time.time() <= 60
    assert call("POST", "/graphql", {"query": "{ viewer { login } }"}).status == 502
    assert query_issue(call)["data"]["repository"]["issue"]["number"] == 1
    github.faults.append(faults.primary_limit(60))
    assert query_issue(call)["errors"][0]["type"] == "RATE_LIMITED"
    github.faults.append(faults.secondary_limit(30, status=429))
    assert call("GET", "/user").headers["retry-after"] == "30"


def test_a_query_can_fail_in_part_or_as_a_whole(github: FakeGitHub, call: Caller) -> None:
    github.faults += [faults.graphql_error(partial=True), faults.graphql_error()]
    query = "{ first: viewer { login } second: viewer { login } }"
    answer = call.graphql(query)
    assert answer["data"] == {"first": None, "second": {"login": "maintainer"}}
    assert [error["path"] for error in answer["errors"]] == [["first"]]
    assert call.graphql(query)["data"] is None


def test_a_connection_can_break_before_or_after_the_request_takes_effect(
    github: FakeGitHub, call: Caller
) -> None:
    issue = github.new_issue(REPO)

    def drop(*_: object) -> None:
        raise Drop

    def comment() -> None:
        with pytest.raises(urllib3.exceptions.ProtocolError):
            call("POST", f"/repos/{REPO}/issues/1/comments", {"body": "Hello"})

    github.before_request = drop
    comment()
    assert len(issue.comments) == 0
    github.before_request, github.after_request = lambda _: None, drop
    comment()
    assert len(issue.comments) == 1
    github.after_request = lambda *_: None
    github.faults.append(faults.lost_response())
    comment()
    assert len(issue.comments) == 2


def test_a_response_can_be_delayed(github: FakeGitHub, call: Caller) -> None:
    github.faults.append(faults.timeout())
    impatient = replace(call, timeout_s=0.1)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        impatient("GET", "/user")
    github.faults.append(faults.timeout())
    github.faults[0].release()
    with pytest.raises(urllib3.exceptions.ProtocolError):
        call("GET", "/user")


# ---------------------------------------------------------------------- signing in

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Browser:
    """Opens GitHub's page, and submits the page's form."""

    def __init__(self, call: Caller) -> None:
        self._call = call

    def authorize(self, asked: Mapping[str, str], *, approve: bool = True) -> dict[str, str]:
        """Return the query of the redirect to the site."""
        answer = self._call("GET", f"/login/oauth/authorize?{urlencode(asked)}")
        if answer.status == 200:
            assert "<form" in answer.data.decode()
            form = urlencode({**asked, "authorize": "1" if approve else "0"})
            answer = self._call.http.request(
                "POST",
                f"{self._call.url}/login/oauth/authorize",
                body=form,
                headers={"User-Agent": "x", "Content-Type": "application/x-www-form-urlencoded"},
                redirect=False,
            )
        assert answer.status == 302
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def redeem(call: Caller, **asked: str) -> Any:
    return call("POST", "/login/oauth/access_token", asked, Accept="application/json").json()


def test_a_person_signs_in_with_a_code_that_works_once(github: FakeGitHub, call: Caller) -> None:
    ann = github.signed_in = github.new_user("ann")
    github.new_organization("octo-org", {ann: "member"})
    site = github.new_oauth_app("https://timer.example/api/auth/")
    asked = {"client_id": site.client_id, "redirect_uri": "https://timer.example/api/auth/callback"}
    challenge = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    back = Browser(call).authorize({**asked, **challenge, "state": "s", "scope": "read:org"})
    assert back["state"] == "s"
    redeemed = {**asked, "client_secret": site.client_secret, "code": back["code"], "code_verifier": VERIFIER}
    granted = redeem(call, **redeemed)
    assert (granted["scope"], granted["token_type"]) == ("read:org", "bearer")
    assert redeem(call, **redeemed)["error"] == "bad_verification_code"
    as_ann = replace(call, credential=granted["access_token"])
    assert as_ann("GET", "/user").json()["id"] == ann.id
    assert [one["login"] for one in as_ann("GET", "/user/orgs").json()] == ["octo-org"]
    assert as_ann("GET", "/user/memberships/orgs/octo-org").json()["role"] == "member"
    assert as_ann("GET", "/user/memberships/orgs/another-org").status == 404


def test_a_code_is_invalid_for_another_client(github: FakeGitHub, call: Caller) -> None:
    site = github.new_oauth_app("https://timer.example/callback")
    secret, client = {"client_secret": site.client_secret}, {"client_id": site.client_id}

    challenge = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}

    def code() -> str:
        return Browser(call).authorize({**client, **challenge})["code"]

    other = redeem(call, **client, client_secret="x", code=code(), code_verifier=VERIFIER)
    assert other["error"] == "incorrect_client_credentials"
    assert redeem(call, **client, **secret, code=code())["error"] == "bad_verification_code"
    other = redeem(call, **client, **secret, code=code(), code_verifier="w" * 43)
    assert other["error"] == "bad_verification_code"
    old = code()
    github.now += timedelta(minutes=10, seconds=1)
    late = redeem(call, **client, **secret, code=old, code_verifier=VERIFIER)
    assert late["error"] == "bad_verification_code"


@pytest.mark.parametrize(
    "redirect_uri",
    ["https://evil.example/callback", "https://timer.example/other", "http://timer.example/callback"],
)
def test_a_redirect_leads_to_the_registered_site_only(
    github: FakeGitHub, call: Caller, redirect_uri: str
) -> None:
    site = github.new_oauth_app("https://timer.example/callback")
    asked = {"client_id": site.client_id, "redirect_uri": redirect_uri, "state": "s"}
    back = Browser(call).authorize(asked)
    assert back == {"error": "redirect_uri_mismatch", "state": "s"}


def test_a_person_can_refuse_authorization(github: FakeGitHub, call: Caller) -> None:
    site = github.new_oauth_app("https://timer.example/callback")
    assert Browser(call).authorize({"client_id": site.client_id}, approve=False)["error"] == "access_denied"


def test_an_app_is_registered_from_a_manifest_once(github: FakeGitHub, call: Caller) -> None:
    github.new_organization("octo-org")
    manifest = {
        "name": "Our Timer",
        "url": "https://timer.example",
        "hook_attributes": {"url": "https://timer.example/hook", "active": True},
        "redirect_url": "http://127.0.0.1:8000/callback",
        "default_permissions": {"issues": "write"},
        "default_events": ["issues"],
    }
    answer = call.http.request(
        "POST",
        f"{github.url}/organizations/octo-org/settings/apps/new?state=s",
        fields={"manifest": json.dumps(manifest)},
        encode_multipart=False,
        headers={"User-Agent": "browser"},
        redirect=False,
    )
    back = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert back["state"] == "s"
    made = call("POST", f"/app-manifests/{back['code']}/conversions")
    assert made.status == 201
    registered = made.json()
    assert (registered["slug"], registered["owner"]["login"]) == ("our-timer", "octo-org")
    assert call("POST", f"/app-manifests/{back['code']}/conversions").status == 404
    now = int(time.time())
    text = jwt.encode(
        {"iss": registered["client_id"], "iat": now, "exp": now + 60}, registered["pem"], "RS256"
    )
    assert replace(call, credential=text)("GET", "/app").json()["events"] == ["issues"]
    ping = github.outbox[-1]
    assert (ping.event, ping.hook.target_type) == ("ping", "integration")
    assert is_signed(ping.body, ping.headers["X-Hub-Signature-256"], [registered["webhook_secret"]])


# ---------------------------------------------------------------------- the fake itself


def test_a_reset_clears_everything_and_reuses_no_id(github: FakeGitHub, call: Caller) -> None:
    before = github.new_issue(REPO)
    github.add_hook(REPO, Inbox())
    github.reset()
    assert call("GET", f"/repos/{REPO}/issues/1").status == 401
    assert github.outbox == []
    assert github.new_issue(REPO).id > before.id


# ---------------------------------------------------------------------- teams

MEMBERS = "/orgs/octo-org/teams/the-leads/members"


def test_the_members_of_a_team_are_listed_with_those_of_its_child_teams(
    github: FakeGitHub, call: Caller
) -> None:
    ann, bob, cleo = (github.new_user(login) for login in ("ann", "bob", "cleo"))
    team = github.new_team("octo-org", "The Leads", [ann, bob])
    github.new_team("octo-org", "Night shift", [bob, cleo], parent=team)
    listed = call("GET", MEMBERS).json()
    assert {one["login"]: one["inherited"] for one in listed} == {"ann": False, "bob": False, "cleo": True}
    first = call("GET", f"{MEMBERS}?per_page=2")
    assert (len(first.json()), 'rel="next"' in first.headers["Link"]) == (2, True)


def test_a_renamed_team_has_another_slug(github: FakeGitHub, call: Caller) -> None:
    team = github.new_team("octo-org", "The Leads")
    github.rename_team(team, "Managers")
    assert call("GET", MEMBERS).status == 404
    assert call("GET", "/orgs/octo-org/teams/managers/members").status == 200


@pytest.mark.parametrize(("permissions", "status"), [({}, 403), ({"members": "read"}, 200)])
def test_an_app_lists_members_with_the_permission_only(
    github: FakeGitHub, call: Caller, permissions: dict[str, str], status: int
) -> None:
    github.new_team("octo-org", "The Leads")
    github.app.permissions.update(permissions)
    call.credential, _ = github.new_installation_token(github.install_app("octo-org"))
    assert call("GET", MEMBERS).status == status


@pytest.mark.parametrize(("scopes", "status"), [(("repo",), 403), (("read:org",), 200), (None, 200)])
def test_a_token_lists_members_with_the_scope_only(
    github: FakeGitHub, call: Caller, scopes: tuple[str, ...] | None, status: int
) -> None:
    github.new_team("octo-org", "The Leads")
    call.credential = github.new_token(scopes=scopes)
    assert call("GET", MEMBERS).status == status


def test_a_team_is_not_visible_outside_of_its_organization(github: FakeGitHub, call: Caller) -> None:
    github.new_team("octo-org", "The Leads")
    call.credential = github.new_token(github.new_user("stranger"))
    assert call("GET", MEMBERS).status == 404


def test_an_app_receives_events_of_teams_with_the_permission_only(github: FakeGitHub) -> None:
    github.install_app("octo-org")
    github.add_hook("app", Inbox())
    team = github.new_team("octo-org", "The Leads")
    assert [one.event for one in github.outbox] == ["ping"]
    github.app.permissions["members"] = "read"
    github.add_to_team(team, github.new_user("ann"))
    assert [one.event for one in github.outbox] == ["ping", "membership"]
