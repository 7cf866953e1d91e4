"""Every delivery that GitHub's schema allows is accepted and processed.

The schema is GitHub's OpenAPI description of its webhooks. In sample payloads of every event that has a
reader, each member that may be null or absent is made null, and then removed, one at a time.
"""

import json
import re
import uuid
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    EnumTypeDefinitionNode,
    TypeDefinitionNode,
    UnionTypeDefinitionNode,
    parse,
    print_ast,
)

from fake_github import FakeGitHub
from fake_github.scenario import deliveries_of_everything
from tests.support.install_github_schema import graphql_schema, webhook_examples
from tests.support.product import SECRET, TOKEN, Product, new_team, product
from tests.support.webhook_schema import JSON, dispensable, schemas
from timer_core.clock import now_ms
from timer_core.github.messages import from_json, to_json
from timer_core.github.trigger_config import TriggerConfig
from timer_core.github.webhooks.payloads import READERS, Ignored, MalformedDelivery, hook_of, not_timed, read
from timer_core.github.webhooks.signature import sign
from timer_core.store.people import PeopleStore
from timer_core.store.table import Table

PAYLOADS = Path(__file__).parents[1] / "payloads"
SCHEMA = Path(__file__).parents[2] / "scripts/fake_github/schema.graphql"
DEPTH = 4
TRIGGERS = TriggerConfig(
    start_labels=frozenset({"bug"}),
    command_prefix="/timer",
    status_field="Status",
    start_statuses=frozenset({"in progress"}),
    stop_statuses=frozenset({"done"}),
    lead_teams=frozenset({"octocoders/github", "octo-org/leads"}),
)
CODERTOCAT = 21031067
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*")
HOOK_TYPES = ("repository", "organization", "integration")
# The schema lacks the former name of an event, and the fields of issues, which are in public preview.
NOT_IN_SCHEMA = {"project_v2_item.edited", "issues.field_added", "issues.field_removed"}
NAMES = sorted(READERS.keys() - NOT_IN_SCHEMA)

# The actions of these events that change neither a timer nor a detail of an issue. A test compares the list
# with GitHub's schema.
WITHOUT_EFFECT = {
    # The timers belong to the comment's commands, which count once, when the comment is created.
    "issue_comment.deleted",
    "issue_comment.edited",
    # What no detail of an issue contains.
    "issues.locked",
    "issues.pinned",
    "issues.unlocked",
    "issues.unpinned",
    # The sub-issue's own repository gets another event, with the same content.
    "sub_issues.sub_issue_added",
    "sub_issues.sub_issue_removed",
    # The repositories of a deleted organization are deleted first, and have their own events.
    "organization.deleted",
    "organization.member_added",
    "organization.member_invited",
    "projects_v2_item.reordered",
    # The access of teams to repositories is no matter of leads.
    "team.added_to_repository",
    "team.removed_from_repository",
    # These change neither who works on a pull request nor what it closes.
    "pull_request.auto_merge_disabled",
    "pull_request.auto_merge_enabled",
    "pull_request.dequeued",
    "pull_request.enqueued",
    "pull_request.locked",
    "pull_request.synchronize",
    "pull_request.unlocked",
    "pull_request_review.dismissed",
    "pull_request_review.edited",
    # Names, issues and access stay the same.
    "repository.created",
    "repository.edited",
    "repository.privatized",
    "repository.publicized",
}


@pytest.fixture(scope="module")
def samples(github: FakeGitHub) -> dict[str, list[JSON]]:
    """Sample payloads by event and action: examples of the past, and the fake's present ones."""
    found: dict[str, list[JSON]] = {name: [] for name in NAMES}
    examples = [
        (event["name"], payload)
        for event in json.loads(webhook_examples().read_text())
        for payload in event["examples"]
    ]
    examples += [
        (path.name.partition(".")[0], json.loads(path.read_text())) for path in PAYLOADS.glob("*.json")
    ]
    examples += [(delivery.event, delivery.payload) for delivery in deliveries_of_everything(github)]
    for event, payload in examples:
        name = f"{event}.{payload['action']}" if "action" in payload else event
        if name in found:
            found[name] += _with_effect(name, payload)
    return found


def _with_effect(name: str, payload: JSON) -> list[JSON]:
    """Return a sample, and variants of it that have an effect."""
    variants = [payload]
    if name == "issue_comment.created":
        for body in ("/timer start", "/timer log 1h", "/timer dance"):
            variants.append(deepcopy(payload))
            variants[-1]["comment"]["body"] = body
    if "projects_v2_item" in payload:
        variants.append(deepcopy(payload))
        variants[-1]["projects_v2_item"]["content_type"] = "Issue"
        if name == "projects_v2_item.edited":
            variants.append(deepcopy(variants[-1]))
            variants[-1]["changes"] = {
                "field_value": {
                    "field_node_id": "PVTSSF_1",
                    "field_type": "single_select",
                    "field_name": "Status",
                    "project_number": 1,
                    "from": None,
                    "to": {"id": "1", "name": "In Progress", "color": "GRAY", "description": ""},
                }
            }
    return variants


def allowed(name: str, payload: JSON) -> Iterator[tuple[str, JSON]]:
    """Yield a payload once for each change, with a description of the change.

    The payload is changed in place, and has its own members again after the loop.
    """
    yield "unchanged", payload
    for path in sorted(set(dispensable(schemas()[name], payload, DEPTH)), key=str):
        *parents, last = path
        parent: Any = payload
        for step in parents:
            parent = parent[step] if isinstance(step, int) else (parent or {}).get(step)
        if parent is None:
            continue
        label = ".".join(map(str, path))
        before = deepcopy(parent)
        parent[last] = None
        yield f"{label} is null", payload
        if isinstance(parent, dict):
            del parent[last]
            yield f"{label} is absent", payload
            # Keep the order of the members.
            parent.clear()
            parent.update(before)
        else:
            parent[last] = before[last]


def _read(name: str, payload: JSON) -> Any:
    """Read a payload as the receiver does, and return the events as the processor receives them."""
    headers = {"x-github-hook-id": "1"}
    for kind in HOOK_TYPES:
        hook_of(headers | {"x-github-hook-installation-target-type": kind}, payload)
    not_timed(payload)
    event, _, _ = name.partition(".")
    events = read(event, payload, delivery="guid", received_ms=now_ms(), triggers=TRIGGERS)
    if isinstance(events, Ignored):
        return events
    assert from_json(to_json(events)).events == events
    return events


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_accepts_all_that_the_schema_allows(name: str, samples: dict[str, list[JSON]]) -> None:
    refused = []
    assert samples[name]
    for sample in samples[name]:
        for change, payload in allowed(name, sample):
            try:
                _read(name, payload)
            except MalformedDelivery as error:
                refused.append(f"{change}: {error}")
    assert refused == []


def _definitions(text: str) -> dict[str, TypeDefinitionNode]:
    document = parse(text, no_location=True)
    return {one.name.value: one for one in document.definitions if isinstance(one, TypeDefinitionNode)}


def _members(definition: TypeDefinitionNode) -> dict[str, Any]:
    """Return the fields with their types, the values of an enum, or the types of a union."""
    if isinstance(definition, UnionTypeDefinitionNode):
        return {one.name.value: None for one in definition.types or ()}
    if isinstance(definition, EnumTypeDefinitionNode):
        return {one.name.value: None for one in definition.values or ()}
    fields = getattr(definition, "fields", None) or ()
    return {one.name.value: (print_ast(one.type), _arguments(one)) for one in fields}


def _arguments(field: Any) -> dict[str, tuple[str, str]]:
    return {
        one.name.value: (print_ast(one.type), print_ast(one.default_value) if one.default_value else "")
        for one in getattr(field, "arguments", None) or ()
    }


def test_the_fakes_queries_are_checked_with_a_part_of_githubs_schema() -> None:
    part, whole = (_definitions(path.read_text()) for path in (SCHEMA, graphql_schema()))
    for name, definition in part.items():
        assert definition.kind == whole[name].kind
        theirs = _members(whole[name])
        for member, value in _members(definition).items():
            assert member in theirs, f"{name}.{member}"
            if value is not None:
                (kind, arguments), (their_kind, their_arguments) = value, theirs[member]
                assert (name, member, kind) == (name, member, their_kind)
                assert arguments.items() <= their_arguments.items(), f"{name}.{member}"


def test_the_known_actions_are_those_of_the_schema() -> None:
    """If this fails, GitHub has a new action: write a reader for it, or add it to `WITHOUT_EFFECT`."""
    events = {name.partition(".")[0] for name in NAMES}
    in_schema = {name for name in schemas() if name.partition(".")[0] in events}
    assert in_schema - READERS.keys() == WITHOUT_EFFECT
    assert set(NAMES) <= in_schema


# ---------------------------------------------------------------------- receiver and processor


@pytest.fixture(scope="module")
def running(shared_table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(shared_table, github.url) as running:
        running.store_credential({"token": TOKEN})
        PeopleStore(shared_table).register(CODERTOCAT, "Codertocat", now_ms=0)
        yield running


def _form(result: Any) -> str:
    """Return the types of the events, and which of their members are empty."""
    if isinstance(result, Ignored):
        return result.reason
    empty = [[name for name, value in asdict(event).items() if not value] for event in result]
    return str([*zip(map(type, result), empty, strict=True)])


def _headers(event: str, body: bytes, kind: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": "1",
        "X-GitHub-Hook-Installation-Target-Type": kind,
        "X-Hub-Signature-256": sign(SECRET, body),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_delivery_that_the_schema_allows_is_processed(
    name: str, samples: dict[str, list[JSON]], running: Product, github: FakeGitHub
) -> None:
    """The receiver and the processor get one delivery for each different form of its events."""
    new_team(github, running, size=1, t0=now_ms() // 1000 * 1000)
    different: dict[str, tuple[str, bytes]] = {}
    for sample in samples[name]:
        for change, payload in allowed(name, sample):
            form = _form(_read(name, payload))
            if form not in different:
                different[form] = change, json.dumps(payload).encode()
    event, _, _ = name.partition(".")
    for number, (change, body) in enumerate(different.values()):
        kind = HOOK_TYPES[number % len(HOOK_TYPES)]
        assert running.receive(_headers(event, body, kind), body) in (200, 202), change
        assert running.process() == [], change


def _with_times(member: Any, time: str) -> Any:
    """Return a payload, or a member of one, with another time in place of each time."""
    if isinstance(member, dict):
        return {name: _with_times(value, time) for name, value in member.items()}
    if isinstance(member, list):
        return [_with_times(value, time) for value in member]
    return time if isinstance(member, str) and TIME.fullmatch(member) else member


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_a_delivery_with_impossible_times_is_processed(
    time: str, samples: dict[str, list[JSON]], running: Product, github: FakeGitHub
) -> None:
    """Imported comments, for example, have any time; a failing message would delay its issue's next ones."""
    new_team(github, running, size=1, t0=now_ms() // 1000 * 1000)
    for name in NAMES:
        # The first samples are by Codertocat, who is registered.
        different = {_form(_read(name, payload)): payload for payload in reversed(samples[name])}
        for payload in different.values():
            body = json.dumps(_with_times(payload, time)).encode()
            headers = _headers(name.partition(".")[0], body, HOOK_TYPES[0])
            assert running.receive(headers, body) in (200, 202), name
            assert running.process() == [], name
