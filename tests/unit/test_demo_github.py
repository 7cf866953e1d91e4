"""The demo GitHub: people act on its pages, and each act sends a signed delivery."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest
import yaml
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from demo_github import DemoSite, is_demo, team
from demo_github.changes import Changes
from fake_github.webhooks import Delivery
from tests.support.table import TEMPLATE, TemplateLoader
from timer_core.domain.events import guid_ms
from timer_core.domain.issues import Repository
from timer_core.github.api.issues import ITEM_TYPES, issue_fields, state_of

ROOT = Path(__file__).parents[2]
PARAMETERS = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)["Parameters"]  # noqa: S506
ORIGIN = "http://localhost:4570"
BASE = f"{ORIGIN}/demo"
CALLBACK = f"{ORIGIN}/api/auth/callback/"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
SECRET = "It's a Secret to Everybody"
ADA = team.PEOPLE[2]
SHOP = "octo-demo/storefront"
# An issue that is open and not assigned.
OPEN = {"repository": "storefront", "number": "11"}
# The number of the next issue or pull request.
NEXT = str(sum(one.repository.name == "storefront" for one in team.ISSUES) + 1)
JSON = {"Accept": "application/json"}


class Received(NamedTuple):
    """A delivery as the webhook received it."""

    event: str
    action: str
    guid: str
    payload: dict[str, Any]


class Webhook(ThreadingHTTPServer):
    """The product's webhook: ``status`` is its response, ``received`` are the correctly signed deliveries."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.status = 202
        self.received: list[Received] = []
        self.url = f"http://127.0.0.1:{self.server_port}/api/webhook/"

    def __enter__(self) -> "Webhook":
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def names(self) -> list[str]:
        return [f"{one.event}.{one.action}".removesuffix(".") for one in self.received]


class _Receiver(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        if self.path == "/api/webhook/" and self.headers["X-Hub-Signature-256"] == expected:
            payload = json.loads(body)
            event, guid = self.headers["X-GitHub-Event"], self.headers["X-GitHub-Delivery"]
            self.server.received.append(Received(event, payload.get("action", ""), guid, payload))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Demo:
    """A browser at the demo, and the webhook that receives its deliveries."""

    def __init__(self, state_file: Path, webhook: Webhook) -> None:
        self.webhook = webhook
        self.site = DemoSite(base_url=BASE, state_file=state_file)
        self.site.callback_urls = (CALLBACK,)
        self.github = self.site.github
        self.site.connect(webhook_url=webhook.url, webhook_secret=SECRET)
        self.browser = self.new_browser()

    def new_browser(self) -> TestClient:
        app = Starlette(routes=[Mount("/demo", app=self.site)])
        return TestClient(app, base_url=ORIGIN, follow_redirects=False, headers={"Origin": ORIGIN})

    def choose(self, login: str = ADA.login) -> None:
        answer = self.browser.post("/demo/person", data={"login": login, "back": "/demo/"})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/demo/")

    def act(self, action: str, form: Mapping[str, str] | None = None, **more: str) -> str:
        answer = self.browser.post(f"/demo/actions/{action}", data={**(form or {}), **more}, headers=JSON)
        assert answer.status_code == 200, answer.text
        message: str = answer.json()["message"]
        return message

    def deliveries(self, count: int) -> list[str]:
        """Wait for this number of deliveries and return their names."""
        wait_for(lambda: len(self.webhook.received) >= count)
        wait_for(lambda: not any(map(self.github.is_untried, self.sent)))
        assert len(self.webhook.received) == count
        return self.webhook.names

    @property
    def sent(self) -> list[Delivery]:
        held = self.github.held
        return [one for one in self.github.outbox if one not in held]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as webhook:
        yield webhook


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "demo-github.json"


@pytest.fixture
def demo(state_file: Path, webhook: Webhook) -> Iterator[Demo]:
    demo = Demo(state_file, webhook)
    demo.choose()
    yield demo
    demo.site.close()
    assert demo.github.mistakes == []


class Page(HTMLParser):
    """A page as a browser parses it."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.actions: list[str] = []
        self.fields: dict[str, str] = {}
        self.choices: list[str] = []
        self.addresses: list[str] = []
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes += attributes
        self.addresses += [attributes[name] for name in ("src", "href", "action") if name in attributes]
        if tag == "form":
            self.actions.append(attributes["action"])
        if tag == "input":
            self.fields[attributes["name"]] = attributes.get("value", "")
        if tag == "button" and attributes.get("name") == "login":
            self.choices.append(attributes["value"])


# ---------------------------------------------------------------- acting


def test_an_assignment_sends_githubs_delivery(demo: Demo) -> None:
    assert demo.act("assign", OPEN, login=ADA.login) == "storefront#11 is assigned to octo-ada."
    assert demo.deliveries(1) == ["issues.assigned"]
    (received,) = demo.webhook.received
    assert received.payload["assignee"]["id"] == received.payload["sender"]["id"] == ADA.id
    assert received.payload["repository"]["full_name"] == SHOP
    assert received.payload["issue"]["html_url"] == f"{BASE}/{SHOP}/issues/11"
    assert received.payload["installation"]["id"]
    assert "octo-ada</b> assigned themselves" in demo.browser.get(f"/demo/{SHOP}/issues/11").text


@pytest.mark.parametrize(
    ("actions", "events"),
    [
        ([("assign", {"login": ADA.login}), ("unassign", {"login": ADA.login})], ["assigned", "unassigned"]),
        ([("label", {"label": "bug"}), ("unlabel", {"label": "accessibility"})], ["unlabeled"]),
        ([("label", {"label": "security"})], ["labeled"]),
        # GitHub's built-in workflow moves the card of a closed issue.
        ([("close", {}), ("reopen", {})], ["closed", "edited", "reopened"]),
        ([("move", {"status": "In progress"}), ("move", {"status": "In progress"})], ["edited"]),
        ([("comment", {"comment": "/timer log 1h"})], ["created"]),
    ],
)
def test_an_action_sends_its_deliveries(
    demo: Demo, actions: list[tuple[str, dict[str, str]]], events: list[str]
) -> None:
    for action, form in actions:
        demo.act(action, OPEN, **form)
    demo.deliveries(len(events))
    assert [one.action for one in demo.webhook.received] == events


def test_a_pull_request_is_reviewed(demo: Demo) -> None:
    demo.act("open_pull", OPEN, title="Fix it")
    pull = {"repository": "storefront", "number": NEXT}
    page = f"/demo/{SHOP}/pull/{NEXT}"
    demo.act("draft", pull)
    assert "Ready for review" in demo.browser.get(page).text
    demo.act("ready", pull)
    for action in ("request_review", "remove_review_request", "request_review"):
        demo.act(action, pull, login=team.PEOPLE[1].login)
    assert "requested a review from" in demo.browser.get(page).text
    demo.act("submit_review", pull, state="commented")
    assert "reviewed this" in demo.browser.get(page).text
    changes = [f"pull_request.{action}" for action in ("opened", "converted_to_draft", "ready_for_review")]
    reviews = [
        "pull_request.review_requested",
        "pull_request.review_request_removed",
        "pull_request.review_requested",
    ]
    assert demo.deliveries(7) == [*changes, *reviews, "pull_request_review.submitted"]


def test_a_branch_has_the_number_of_its_issue(demo: Demo) -> None:
    page = demo.browser.get(f"/demo/{SHOP}/issues/{OPEN['number']}").text
    (branch,) = re.findall(r'name="branch" value="([^"]+)"', page)
    assert branch.startswith(f"{OPEN['number']}-")
    assert demo.act("create_branch", OPEN, branch=branch) == f"Created the branch {branch}."
    assert demo.deliveries(1) == ["create"]
    assert demo.webhook.received[0].payload["ref"] == branch


def test_a_moved_card_is_in_its_new_column(demo: Demo) -> None:
    demo.act("move", OPEN, status="In review")
    columns = demo.browser.get("/demo/").text.split("data-status=")[1:]
    (column,) = [column for column in columns if 'id="card-storefront-11"' in column]
    assert column.startswith('"In review"')


def test_events_of_one_second_have_different_milliseconds(demo: Demo) -> None:
    for status in ("In progress", "Todo", "Done"):
        demo.act("move", OPEN, status=status)
    demo.deliveries(3)
    times = [guid_ms(one.guid) or 0 for one in demo.webhook.received]
    assert times == sorted(set(times))


def test_a_new_issue_is_on_the_board(demo: Demo) -> None:
    assert demo.act("open_issue", repository="storefront", title="<b>New</b>") == f"Opened storefront#{NEXT}."
    names = ["issues.opened", "projects_v2_item.created", "projects_v2_item.edited"]
    assert demo.deliveries(3) == names
    assert "&lt;b&gt;New&lt;/b&gt;" in demo.browser.get("/demo/").text


def test_merging_a_pull_request_closes_its_issue(demo: Demo) -> None:
    assert demo.act("open_pull", OPEN, title="Fix it") == f"Opened the pull request storefront#{NEXT}."
    pull = {"repository": "storefront", "number": NEXT}
    assert demo.browser.get(f"/demo/{SHOP}/issues/{NEXT}").headers["Location"] == f"/demo/{SHOP}/pull/{NEXT}"
    # A comment on a pull request is a comment on an issue in GitHub's API.
    demo.act("comment", pull, comment="Looks good")
    demo.act("merge", pull)
    names = ["pull_request.opened", "issue_comment.created", "pull_request.closed"]
    assert demo.deliveries(5) == [*names, "issues.closed", "projects_v2_item.edited"]
    opened, comment, *_ = [one.payload for one in demo.webhook.received]
    assert opened["pull_request"]["html_url"] == f"{BASE}/{SHOP}/pull/{NEXT}"
    assert comment["issue"]["pull_request"]["html_url"] == f"{BASE}/{SHOP}/pull/{NEXT}"
    page = demo.browser.get(f"/demo/{SHOP}/pull/{NEXT}").text
    assert "Merged" in page
    assert f"<b>{ADA.login}</b> opened this" in page
    assert f"<b>{ADA.login}</b> merged this" in page


def test_a_pull_request_that_is_closed_without_merging_keeps_its_issue(demo: Demo) -> None:
    demo.act("open_pull", OPEN, title="Fix it")
    pull = {"repository": "storefront", "number": NEXT}
    demo.act("close_pull", pull)
    assert demo.browser.post("/demo/actions/merge", data=pull, headers=JSON).status_code == 409
    demo.act("reopen_pull", pull)
    found = [demo.github.find("storefront", number) for number in (int(NEXT), 11)]
    assert [one and one.state for one in found] == ["open", "open"]
    assert demo.deliveries(3) == [f"pull_request.{action}" for action in ("opened", "closed", "reopened")]


def test_the_page_follows_without_a_script(demo: Demo) -> None:
    form = {**OPEN, "login": ADA.login, "back": f"/demo/{SHOP}/issues/11"}
    answer = demo.browser.post("/demo/actions/assign", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/demo/{SHOP}/issues/11")


@pytest.mark.parametrize("back", ["https://attacker.example/", "//attacker.example", "/demo//x", "/api/", ""])
def test_a_form_leads_to_a_page_of_the_demo_only(demo: Demo, back: str) -> None:
    answer = demo.browser.post("/demo/actions/close", data={**OPEN, "back": back})
    assert answer.headers["Location"] == "/demo/"


@pytest.mark.parametrize(
    ("action", "form"),
    [
        ("assign", {**OPEN, "login": "nobody"}),
        ("assign", {"repository": "nothing", "number": "1", "login": ADA.login}),
        ("close", {"repository": "storefront", "number": "99"}),
        ("move", {**OPEN, "status": "Elsewhere"}),
        ("label", {**OPEN, "label": "Elsewhere"}),
        ("comment", {**OPEN, "comment": "  "}),
        ("merge", OPEN),
        ("release", {"delivery": "00000000-0000-1000-8000-000000000000"}),
    ],
)
def test_an_impossible_action_is_explained(demo: Demo, action: str, form: dict[str, str]) -> None:
    assert demo.browser.post(f"/demo/actions/{action}", data=form, headers=JSON).status_code == 409
    page = demo.browser.post(f"/demo/actions/{action}", data=form)
    assert (page.status_code, "not possible" in page.text) == (409, True)


# ---------------------------------------------------------------- deliveries


def held(demo: Demo) -> list[str]:
    return [str(one.action) for one in demo.github.held]


def hold_three(demo: Demo) -> list[str]:
    """Hold three deliveries back, and return their GUIDs."""
    demo.act("hold")
    demo.act("assign", OPEN, login=ADA.login)
    demo.act("unassign", OPEN, login=ADA.login)
    demo.act("reopen", {**OPEN, "number": "1"})
    assert held(demo) == ["assigned", "unassigned", "reopened"]
    return [one.guid for one in demo.github.held]


def test_held_deliveries_are_sent_in_any_order(demo: Demo) -> None:
    _, second, third = hold_three(demo)
    demo.act("earlier", delivery=third)
    assert held(demo) == ["assigned", "reopened", "unassigned"]
    demo.act("later", delivery=third)
    demo.act("release", delivery=second)
    assert demo.deliveries(1) == ["issues.unassigned"]
    demo.act("release_all", order="reverse")
    assert demo.deliveries(3) == ["issues.unassigned", "issues.reopened", "issues.assigned"]


def test_deliveries_are_sent_immediately_again(demo: Demo) -> None:
    hold_three(demo)
    demo.act("hold_no_more")
    assert demo.deliveries(3) == ["issues.assigned", "issues.unassigned", "issues.reopened"]
    demo.act("close", OPEN)
    demo.deliveries(5)


def test_a_delivery_is_repeated_with_its_guid(demo: Demo) -> None:
    first, *_ = hold_three(demo)
    demo.act("release_twice", delivery=first)
    demo.deliveries(2)
    demo.act("redeliver", delivery=first)
    demo.deliveries(3)
    assert {one.guid for one in demo.webhook.received} == {first}
    assert [one.redelivery for one in demo.github.hook.attempts] == [False, False, True]


def test_a_dropped_delivery_is_never_sent_and_a_failed_one_can_be_sent_again(demo: Demo) -> None:
    first, second, _ = hold_three(demo)
    demo.act("drop", delivery=first)
    demo.act("fail", delivery=second)
    demo.act("hold_no_more")
    assert demo.deliveries(1) == ["issues.reopened"]
    demo.act("redeliver", delivery=second)
    assert demo.deliveries(2)[1] == "issues.unassigned"


def test_a_delivery_shows_its_attempts_and_its_payload(demo: Demo) -> None:
    demo.webhook.status = 503
    demo.act("assign", OPEN, login=ADA.login)
    demo.deliveries(1)
    (delivery,) = demo.github.outbox
    text = demo.browser.get(f"/demo/deliveries/{delivery.guid}").text
    assert "503" in text
    assert "X-Hub-Signature-256: sha256=" in text
    assert "&#34;action&#34;: &#34;assigned&#34;" in text


def test_the_comparison_delivers_one_history_in_three_orders(demo: Demo) -> None:
    demo.act("compare", repository="handbook")
    demo.deliveries(5 + 5 + 10)
    histories = [
        [one for one in demo.webhook.received if one.payload["issue"]["number"] == issue.number]
        for issue in demo.github.comparison
    ]
    actions = [[one.action for one in history] for history in histories]
    assert actions[0] == ["opened", "assigned", "unassigned", "assigned", "closed"]
    assert actions[1] == actions[0][::-1]
    assert sorted(actions[2]) == sorted(actions[0] * 2)
    times = [
        [one.payload["issue"]["updated_at"] for one in sorted(history, key=_guid)] for history in histories
    ]
    assert times[0] == times[1] == times[2][::2]


def _guid(received: Received) -> tuple[str, ...]:
    """Return a key that sorts GUIDs by their times."""
    low, middle, high, *rest = received.guid.split("-")
    return (high, middle, low, *rest)


# ---------------------------------------------------------------- state


def test_the_state_is_kept_over_a_restart(demo: Demo, state_file: Path) -> None:
    demo.act("assign", OPEN, login=ADA.login)
    demo.act("comment", OPEN, comment="/timer log 1h")
    demo.act("open_pull", OPEN, title="Fix it")
    demo.deliveries(3)
    demo.act("hold")
    demo.act("close", OPEN)
    again = Demo(state_file, demo.webhook)
    again.choose()
    pages = ("/demo/", f"/demo/{SHOP}/issues/11", f"/demo/{SHOP}/pull/{NEXT}")
    assert [again.browser.get(page).text for page in pages] == [demo.browser.get(page).text for page in pages]
    assert (again.site.client_id, again.site.client_secret) == (demo.site.client_id, demo.site.client_secret)
    assert again.site.api_credential == demo.site.api_credential
    again.act("hold_no_more")
    assert again.deliveries(5)[3:] == ["issues.closed", "projects_v2_item.edited"]
    guids = {one.guid for one in again.github.outbox}
    again.act("reopen", OPEN)
    assert again.github.outbox[-1].guid not in guids
    again.site.close()


def test_the_state_of_another_version_is_replaced(state_file: Path) -> None:
    for text in ("", "[]", "{}", "[" * 100_000, '{"last_number": 1, "roots": {}, "objects": []}'):
        state_file.write_text(text)
        site = DemoSite(base_url=BASE, state_file=state_file)
        assert len(site.github.all_issues) == len(team.ISSUES)
        assert state_file.with_suffix(".unreadable").read_text() == text


@pytest.mark.parametrize(
    "former",
    [
        f'"id": {ADA.id},',
        f'"id": {team.ORGANIZATION_ID},',
        f'"id": {team.REPOSITORIES[0].id},',
        f'"login": "{ADA.login}"',
        f'"name": "{team.REPOSITORIES[0].name}"',
        f'"name": "{team.LABELS[0].name}"',
        f'"name": "{team.STATUSES[0]}"',
    ],
)
def test_the_state_of_another_team_is_replaced(state_file: Path, former: str) -> None:
    assert DemoSite(base_url=BASE, state_file=state_file).github.set_aside is None
    text = state_file.read_text()
    assert former in text
    name, _, value = former.partition(": ")
    other = "77," if value.endswith(",") else '"another"'
    state_file.write_text(text.replace(former, f"{name}: {other}"))
    site = DemoSite(base_url=BASE, state_file=state_file)
    assert site.github.set_aside == state_file.with_suffix(".unreadable")
    assert TestClient(site, headers={"Cookie": f"demo-person={ADA.login}"}).get("/").status_code == 200
    assert DemoSite(base_url=BASE, state_file=state_file).github.set_aside is None


@pytest.mark.parametrize("name", ["%2e%2e", "x" * 300, "missing.css"])
def test_there_are_no_other_files(demo: Demo, name: str) -> None:
    assert demo.browser.get(f"/demo/static/{name}").status_code == 404


def test_an_issue_with_an_endless_number_is_not_found(demo: Demo) -> None:
    form = {**OPEN, "number": "1" * 5000}
    assert demo.browser.post("/demo/actions/close", data=form, headers=JSON).status_code == 409


@pytest.mark.parametrize("path", [f"avatars/{'1' * 5000}.svg", f"{SHOP}/issues/{'1' * 5000}"])
def test_a_page_with_an_endless_number_is_not_found(demo: Demo, path: str) -> None:
    assert demo.browser.get(f"/demo/{path}").status_code == 404


def test_only_the_machines_user_reads_the_state(demo: Demo, state_file: Path) -> None:
    demo.act("close", OPEN)
    assert state_file.stat().st_mode & 0o777 == 0o600


def test_starting_over_stops_the_timers_and_returns_to_the_beginning(demo: Demo) -> None:
    beginning = [_facts(issue) for issue in demo.github.all_issues]
    demo.act("assign", OPEN, login=ADA.login)
    demo.act("move", OPEN, status="In progress")
    demo.act("open_issue", repository="storefront", title="New")
    # A moved card may have started a timer, too.
    demo.act("move", repository="handbook", number="5", status="Todo")
    demo.act("move", repository="handbook", number="5", status="In progress")
    demo.deliveries(7)
    demo.act("start_over")
    assert demo.deliveries(10)[7:] == ["issues.closed", "issues.deleted", "issues.closed"]
    assert [_facts(issue) for issue in demo.github.all_issues] == beginning
    demo.act("open_issue", repository="storefront", title="Newer")
    # A number is used once.
    assert demo.github.find("storefront", int(NEXT) + 1) is not None


def _facts(issue: Any) -> tuple[Any, ...]:
    status = issue.cards[0].values["Status"].option.name
    return issue.number, issue.title, issue.state, [*issue.assignees], [*issue.labels], status


def test_the_team_is_as_planned(demo: Demo) -> None:
    planned = [(one.repository.full_name, one.number, one.title, one.status) for one in team.ISSUES]
    assert planned == [
        (one.repository.full_name, one.number, one.title, one.cards[0].values["Status"].option.name)
        for one in demo.github.all_issues
    ]
    assert [(one.id, one.login, one.name) for one in demo.github.people] == [
        (one.id, one.login, one.name) for one in team.PEOPLE
    ]


# ---------------------------------------------------------------- GitHub's API


def test_the_product_acts_as_the_app(demo: Demo) -> None:
    credential, now = demo.site.api_credential, int(time.time())
    claims = {"iss": credential["app_id"], "iat": now - 60, "exp": now + 540}
    program = demo.new_browser()

    def call(method: str, path: str, token: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "issue-timer"}
        answer = program.request(method, f"/demo{path}", json=body, headers=headers)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    own = jwt.encode(claims, credential["private_key"], "RS256")
    (installation,) = call("GET", "/app/installations", own)
    token = call("POST", f"/app/installations/{installation['id']}/access_tokens", own)["token"]
    call("POST", f"/repos/{SHOP}/issues/11/comments", token, {"body": "Logged 1h."})
    assert demo.deliveries(1) == ["issue_comment.created"]
    assert "issue-timer[bot]" in demo.browser.get(f"/demo/{SHOP}/issues/11").text
    for issue in demo.github.all_issues:
        fields = f"... on Issue {{ {issue_fields('null', 'null', ITEM_TYPES)} }}"
        query = f'{{ node(id: "{issue.node_id}") {{ {fields} }} }}'
        answer = call("POST", "/graphql", token, {"query": query})
        assert "errors" not in answer
        state = state_of(answer["data"]["node"])
        assert state.issue.repository == Repository(issue.repository.id, issue.repository.full_name)
        assert set(state.assignees) == {one.id for one in issue.assignees}
    (attempt,) = call("GET", "/app/hook/deliveries", own)
    call("POST", f"/app/hook/deliveries/{attempt['id']}/attempts", own)
    demo.deliveries(2)


def test_the_api_needs_a_credential(demo: Demo) -> None:
    for path in ("/user", "/user/memberships/orgs/octo-demo", "/app", "/app/installations"):
        assert demo.browser.get(f"/demo{path}").status_code == 401
    assert demo.browser.post("/demo/graphql", json={"query": "{ viewer { login } }"}).status_code == 401


# ---------------------------------------------------------------- signing in to the product


def authorization_query(demo: Demo, **changes: str) -> dict[str, str]:
    """Return the query with which the product opens GitHub's authorization page."""
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    return {
        "client_id": demo.site.client_id,
        "redirect_uri": CALLBACK,
        "state": "state of the product",
        "scope": "read:org",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    } | changes


def open_authorization(demo: Demo, **changes: str) -> httpx.Response:
    query = authorization_query(demo, **changes)
    response: httpx.Response = demo.browser.get("/demo/login/oauth/authorize", params=query)
    return response


def choose(demo: Demo, login: str, **changes: str) -> httpx.Response:
    """Open the page and click a button."""
    page = Page(open_authorization(demo))
    form = page.fields | {"login": login} | changes
    response: httpx.Response = demo.browser.post(page.actions[-1], data=form)
    return response


def redirect_query(response: httpx.Response) -> dict[str, str]:
    """Return the query of the redirect to the product."""
    assert response.status_code == 302
    location = response.headers["Location"]
    assert location.startswith(f"{CALLBACK}?")
    return {name: value for name, [value] in parse_qs(urlsplit(location).query).items()}


def redeem(demo: Demo, code: str, **changes: str) -> dict[str, str]:
    form = {
        "client_id": demo.site.client_id,
        "client_secret": demo.site.client_secret,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    } | changes
    response = demo.browser.post("/demo/login/oauth/access_token", data=form, headers=JSON)
    # GitHub's error responses also have the status 200.
    assert response.status_code == 200
    answer: dict[str, str] = response.json()
    return answer


def new_code(demo: Demo, login: str = ADA.login) -> str:
    return redirect_query(choose(demo, login))["code"]


def get(demo: Demo, path: str, token: str) -> Any:
    response = demo.browser.get(f"/demo{path}", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    return response.json()


@pytest.mark.parametrize("person", [team.PEOPLE[0], ADA])
def test_a_person_signs_in_as_the_chosen_member_of_the_team(demo: Demo, person: team.Person) -> None:
    user = get(demo, "/user", redeem(demo, new_code(demo, person.login))["access_token"])
    assert (user["id"], user["login"], user["name"]) == (person.id, person.login, person.name)
    picture = demo.browser.get(user["avatar_url"])
    assert (picture.headers["Content-Type"], "<text" in picture.text) == ("image/svg+xml", True)


def test_the_page_leads_visitors_of_the_product_to_the_board(demo: Demo) -> None:
    assert "/demo/" in re.findall(r'href="([^"]*)">board', open_authorization(demo).text)


def test_the_page_names_this_machine_and_begins_with_the_demos_person(demo: Demo) -> None:
    response = open_authorization(demo)
    assert "your own machine" in response.text
    choices = [choice for choice in Page(response).choices if choice][-len(team.PEOPLE) :]
    assert choices[0] == ADA.login
    assert set(choices) == {person.login for person in team.PEOPLE}


def test_the_widget_is_signed_in_with_one_press(demo: Demo) -> None:
    answer = demo.browser.post("/demo/connect", data={"back": f"/demo/{SHOP}/issues/11"})
    assert answer.status_code == 303
    query = urlencode({"next": f"/demo/{SHOP}/issues/11"})
    assert answer.headers["Location"] == f"/api/auth/login/?{query}"
    token = redeem(demo, redirect_query(open_authorization(demo))["code"])["access_token"]
    assert get(demo, "/user", token)["id"] == ADA.id
    # The consent counts once.
    assert open_authorization(demo).status_code == 200


def test_the_redirect_contains_the_products_state(demo: Demo) -> None:
    assert redirect_query(choose(demo, "octocat"))["state"] == "state of the product"


def test_a_person_can_cancel(demo: Demo) -> None:
    refused = {"error": "access_denied", "state": "state of the product"}
    assert redirect_query(choose(demo, "")) == refused


def test_the_team_is_a_member_of_every_organization(demo: Demo) -> None:
    token = redeem(demo, new_code(demo))["access_token"]
    for organization in ("octo-demo", "octo-org"):
        membership = get(demo, f"/user/memberships/orgs/{organization}", token)
        assert (membership["state"], membership["organization"]["login"]) == ("active", organization)


def test_requests_without_a_valid_token_create_no_organization(demo: Demo) -> None:
    token = redeem(demo, new_code(demo))["access_token"]
    path = "/demo/user/memberships/orgs/unknown-org"
    for headers in ({}, {"Authorization": "Bearer ghu_wrong"}):
        assert demo.browser.get(path, headers=headers).status_code == 401
    assert demo.browser.post(path, headers={"Authorization": f"Bearer {token}"}).status_code == 404
    assert "unknown-org" not in demo.github.accounts
    get(demo, "/user/memberships/orgs/unknown-org", token)
    assert "unknown-org" in demo.github.accounts


def test_a_code_is_valid_once(demo: Demo) -> None:
    code = new_code(demo)
    redeem(demo, code)
    assert redeem(demo, code)["error"] == "bad_verification_code"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"code_verifier": "another"}, "bad_verification_code"),
        ({"redirect_uri": "http://attacker.example/"}, "redirect_uri_mismatch"),
        ({"client_secret": "gu\u00e9ss"}, "incorrect_client_credentials"),
        ({"client_id": "x"}, "incorrect_client_credentials"),
    ],
)
def test_a_wrong_exchange_gets_no_token(demo: Demo, wrong: dict[str, str], error: str) -> None:
    assert redeem(demo, new_code(demo), **wrong)["error"] == error


@pytest.mark.parametrize(
    "wrong",
    [
        {"redirect_uri": "https://attacker.example/"},
        {"redirect_uri": f"{CALLBACK}../"},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
    ],
)
def test_a_wrong_request_leads_to_the_product_with_an_error(demo: Demo, wrong: dict[str, str]) -> None:
    for response in (open_authorization(demo, **wrong), choose(demo, "octocat", **wrong)):
        assert redirect_query(response)["error"] in ("redirect_uri_mismatch", "invalid_request")


@pytest.mark.parametrize("client_id", ["Ov23liAAAAAAAAAAAAAA", ""])
def test_an_unknown_client_is_refused(demo: Demo, client_id: str) -> None:
    assert open_authorization(demo, client_id=client_id).status_code == 404
    assert choose(demo, "octocat", client_id=client_id).status_code == 403


def test_there_is_no_sign_in_before_the_stack_has_an_address(demo: Demo) -> None:
    demo.site.callback_urls = ()
    assert open_authorization(demo).status_code == 404


# ---------------------------------------------------------------- attacks

FORGED = [
    {"Origin": "https://attacker.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:9999"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FORGED)
def test_other_sites_cannot_act(demo: Demo, headers: dict[str, str]) -> None:
    token_form = authorization_query(demo) | {"login": "octocat"}
    for path, form in (
        ("/demo/actions/close", OPEN),
        ("/demo/person", {"login": "octocat"}),
        ("/demo/connect", {}),
        ("/demo/login/oauth/authorize", token_form),
    ):
        assert demo.browser.post(path, data=form, headers=headers).status_code == 403
    assert demo.github.outbox == []


def test_only_a_person_of_the_demo_acts(demo: Demo) -> None:
    nobody = demo.new_browser()
    assert nobody.post("/demo/actions/close", data=OPEN).status_code == 403
    nobody.cookies.set("demo-person", "maintainer")
    assert nobody.post("/demo/actions/close", data=OPEN).status_code == 403


def test_a_large_form_is_not_read(demo: Demo) -> None:
    form = {**OPEN, "comment": "x" * 300_000}
    assert demo.browser.post("/demo/actions/comment", data=form, headers=JSON).status_code == 409


def test_the_authorization_page_escapes_the_request(demo: Demo) -> None:
    page = Page(open_authorization(demo, state='"><script>alert(1)</script>'))
    assert page.fields["state"] == '"><script>alert(1)</script>'


@pytest.mark.parametrize("path", ["/", f"/{SHOP}/issues/11", "/deliveries", "/nothing", f"/{SHOP}/issues/99"])
def test_the_pages_load_nothing_from_elsewhere_and_nothing_inline(demo: Demo, path: str) -> None:
    demo.act("assign", OPEN, login=ADA.login)
    response = demo.browser.get(f"/demo{path}")
    page = Page(response)
    assert all(re.fullmatch(r"(/[^/].*|/|#main)", address) for address in page.addresses)
    assert "style" not in {*page.tags, *page.attributes}
    assert not [name for name in page.attributes if name.startswith("on")]
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["form-action"] == f"'self' {ORIGIN}"
    assert response.headers["Cache-Control"] == "no-store"


def test_no_file_outside_of_the_folder_is_served(demo: Demo) -> None:
    assert demo.browser.get("/demo/static/demo.css").status_code == 200
    for name in ("..%2fsite.py", "%2e%2e%2fsite.py", "nothing.css"):
        assert demo.browser.get(f"/demo/static/{name}").status_code == 404


# ---------------------------------------------------------------- open pages


def test_open_pages_are_informed_of_each_change() -> None:
    async def read() -> list[str]:
        changes = Changes()
        stream = changes.stream()
        seen = [await anext(stream), await anext(stream)]
        Thread(target=changes.report).start()
        seen.append(await anext(stream))
        changes.close()
        return [*seen, *[one async for one in stream]]

    assert asyncio.run(read()) == ["retry: 500\n\n", "data: 0\n\n", "data: 1\n\n"]


# ---------------------------------------------------------------- the deployed product


def test_credentials_differ_from_githubs(demo: Demo, tmp_path: Path) -> None:
    other = DemoSite(base_url=BASE, state_file=tmp_path / "other.json")
    assert demo.site.client_id != other.client_id
    assert demo.site.client_secret != other.client_secret
    assert is_demo(json.dumps({"client_id": demo.site.client_id, "client_secret": "s"}))
    assert is_demo(json.dumps(demo.site.api_credential))
    for real in ({"client_id": "Iv1.8a61f9b3a7aba766"}, {"token": "github_pat_x"}, {"app_id": 1}):
        assert not is_demo(json.dumps(real))
    assert not is_demo("no JSON")
    assert not is_demo('["demo-"]')


def test_the_deployed_code_does_not_mention_the_demo() -> None:
    files = [ROOT / "template.yaml", ROOT / "samconfig.toml"]
    for folder in ("functions", "layers"):
        files += [file for file in (ROOT / folder).rglob("*") if file.is_file() and file.suffix != ".pyc"]
    mentions = [str(file) for file in files if "demo" in file.read_text(errors="replace").lower()]
    assert mentions == []


@pytest.mark.parametrize("parameter", ["GitHubUrl", "GitHubApiUrl"])
@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://github.com", True),
        ("https://octo.ghe.com", True),
        # The local stack needs loopback URLs. In Lambda, no OAuth provider runs on a loopback interface.
        ("http://127.0.0.1:39465", True),
        ("http://localhost:39465", True),
        ("http://localhost:4570/demo", True),
        ("http://github.com", False),
        ("http://127.0.0.1.attacker.example", False),
        ("http://127.0.0.1@attacker.example", False),
        ("http://127.0.0.1:80@attacker.example", False),
        ("http://attacker.example/http://127.0.0.1", False),
        ("http://10.0.0.1:39465", False),
        ("http://169.254.169.254", False),
        ("", False),
    ],
)
def test_signing_in_needs_tls_except_on_this_machine(parameter: str, url: str, is_allowed: bool) -> None:
    # CloudFormation matches the pattern against the whole value.
    assert bool(re.fullmatch(PARAMETERS[parameter]["AllowedPattern"], url)) is is_allowed


def test_signing_in_uses_github_by_default() -> None:
    assert PARAMETERS["GitHubUrl"]["Default"] == "https://github.com"
    assert PARAMETERS["GitHubApiUrl"]["Default"] == "https://api.github.com"
