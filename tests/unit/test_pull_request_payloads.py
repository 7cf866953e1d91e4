"""The events in the deliveries of pull requests, their reviews and branches."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from timer_core.clock import ms_of
from timer_core.domain.events import guid_time
from timer_core.domain.issue_details import CLOSES, IS_PULL_REQUEST, TITLE
from timer_core.domain.issues import Issue
from timer_core.github.messages import DetailsEvent, IssueEvent
from timer_core.github.trigger_config import TriggerConfig
from timer_core.github.webhooks.closing import MAX_CLOSES, closed_by
from timer_core.github.webhooks.payloads import Ignored, IgnoredReason, MalformedDelivery, read

PAYLOADS = Path(__file__).parents[1] / "payloads"
CODERTOCAT, OCTOCAT = 21031067, 5346
HELLO_WORLD = 186853002
SITE = "https://github.com"
FULL_NAME = "Codertocat/Hello-World"
GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
PULL = Issue("Codertocat", "Hello-World", 2, repo_id=HELLO_WORLD, is_pull=True)
# Of the times in the samples.
CHANGED, REVIEWED, RECEIVED = "2019-05-15T15:20:33Z", "2019-05-15T15:20:38Z", "2019-05-15T15:22:00Z"
TRIGGERS = TriggerConfig(
    start_labels=frozenset({"bug"}),
    command_prefix="/timer",
    status_field="Status",
    start_statuses=frozenset(),
    stop_statuses=frozenset(),
)


def payload(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def deliver(name: str, body: dict[str, Any] | None = None) -> list[Any] | Ignored:
    found = read(
        name.partition(".")[0],
        payload(name) if body is None else body,
        delivery=GUID,
        received_ms=ms_of(RECEIVED),
        triggers=TRIGGERS,
    )
    return found if isinstance(found, Ignored) else [*found]


def timed(found: list[Any] | Ignored) -> list[tuple[str, tuple[int, ...] | None, int, int]]:
    """Return the kind, the users, the actor and the issue of each event that may change a timer."""
    assert not isinstance(found, Ignored)
    return [
        (one.kind, one.users, one.actor, one.number)
        for one in found
        if isinstance(one, IssueEvent) and (one.repo, one.repo_id) == (FULL_NAME, HELLO_WORLD)
    ]


def details(found: list[Any] | Ignored) -> DetailsEvent:
    assert not isinstance(found, Ignored)
    (pull,) = [one for one in found if isinstance(one, DetailsEvent)]
    assert (pull.repo, pull.repo_id, pull.number) == (FULL_NAME, HELLO_WORLD, 2)
    assert pull.seen[IS_PULL_REQUEST][-1] is True
    return pull


def closes(found: list[Any] | Ignored) -> list[list[int | str]]:
    closed: list[list[int | str]] = details(found).seen[CLOSES][-1]
    return closed


@pytest.mark.parametrize("action", ["assigned", "unassigned", "closed", "reopened", "ready_for_review"])
def test_a_pull_request_has_the_events_of_an_issue(action: str) -> None:
    users = None if action == "closed" else (CODERTOCAT,)
    assert timed(deliver(f"pull_request.{action}")) == [(action, users, CODERTOCAT, 2)]


@pytest.mark.parametrize("action", ["labeled", "unlabeled"])
def test_a_start_label_on_a_pull_request_counts_as_on_an_issue(action: str) -> None:
    body = payload(f"pull_request.{action}")
    body["label"]["name"], body["pull_request"]["labels"] = "bug", []
    assert timed(deliver(f"pull_request.{action}", body)) == [(action, (CODERTOCAT,), CODERTOCAT, 2)]


def test_opening_is_an_act_of_the_author() -> None:
    found = deliver("pull_request.opened")
    assert timed(found) == [("opened", (CODERTOCAT,), CODERTOCAT, 2)]
    assert not isinstance(found, Ignored)
    assert found[1].at_ms == ms_of(CHANGED)


def test_opening_a_pull_request_that_closes_an_issue_is_an_act_on_both() -> None:
    body = payload("pull_request.opened")
    body["pull_request"]["body"] = "Closes #1"
    found = deliver("pull_request.opened", body)
    assert timed(found) == [("opened", (CODERTOCAT,), CODERTOCAT, number) for number in (2, 1)]
    assert not isinstance(found, Ignored)
    assert len({one.delivery for one in found[1:]}) == 2
    assert [one.title for one in found[1:]] == [body["pull_request"]["title"], ""]


@pytest.mark.parametrize("text", ["Closes #1, closes #3", "Closes octo-org/other#1", "About #1"])
def test_opening_another_pull_request_is_no_act_on_an_issue(text: str) -> None:
    body = payload("pull_request.opened")
    body["pull_request"]["body"] = text
    assert timed(deliver("pull_request.opened", body)) == [("opened", (CODERTOCAT,), CODERTOCAT, 2)]


def test_a_bot_that_opens_a_pull_request_acts_on_no_timer() -> None:
    body = payload("pull_request.opened")
    body["pull_request"]["user"]["type"] = "Bot"
    assert timed(deliver("pull_request.opened", body)) == []


@pytest.mark.parametrize("action", ["review_requested", "review_request_removed"])
def test_a_requested_review_concerns_the_reviewer(action: str) -> None:
    assert timed(deliver(f"pull_request.{action}")) == [(action, (OCTOCAT,), CODERTOCAT, 2)]


def _of_team(body: dict[str, Any]) -> None:
    body.pop("requested_reviewer")
    body["requested_team"] = {"id": 1, "name": "Reviewers", "slug": "reviewers"}


def _of_bot(body: dict[str, Any]) -> None:
    body["requested_reviewer"]["type"] = "Bot"


def _closed(body: dict[str, Any]) -> None:
    body["pull_request"]["state"] = "closed"


@pytest.mark.parametrize(
    ("change", "reason"), [(_of_team, "review_of_team"), (_of_bot, "bot"), (_closed, "issue_closed")]
)
def test_a_requested_review_of_nobody_who_is_timed_is_ignored(change: Any, reason: IgnoredReason) -> None:
    body = payload("pull_request.review_requested")
    change(body)
    assert deliver("pull_request.review_requested", body) == Ignored(reason)


@pytest.mark.parametrize("state", ["approved", "changes_requested", "commented"])
def test_a_submitted_review_is_an_act_of_the_reviewer(state: str) -> None:
    body = payload("pull_request_review.submitted")
    body["review"] |= {"state": state, "user": {"login": "octocat", "id": OCTOCAT, "type": "User"}}
    found = deliver("pull_request_review.submitted", body)
    assert timed(found) == [("review_submitted", (OCTOCAT,), OCTOCAT, 2)]
    assert not isinstance(found, Ignored)
    assert found[1].at_ms == ms_of(REVIEWED)


def test_a_reply_of_the_author_is_only_a_sign_of_life() -> None:
    assert timed(deliver("pull_request_review.submitted")) == [("commented", (CODERTOCAT,), CODERTOCAT, 2)]


def test_converting_to_a_draft_is_a_sign_of_life() -> None:
    found = deliver("pull_request.converted_to_draft")
    assert timed(found) == [("converted_to_draft", (CODERTOCAT,), CODERTOCAT, 2)]


def test_editing_the_body_tells_what_the_pull_request_closes() -> None:
    body = payload("pull_request.edited")
    body["pull_request"]["body"] = "Fixes #1"
    found = deliver("pull_request.edited", body)
    assert closes(found) == [[HELLO_WORLD, FULL_NAME, 1]]
    assert timed(found) == []


def test_editing_the_title_changes_the_title_and_no_link() -> None:
    body = payload("pull_request.edited") | {"changes": {"title": {"from": "Old"}}}
    seen = details(deliver("pull_request.edited", body)).seen
    assert seen[TITLE] == [ms_of(CHANGED), guid_time(GUID), body["pull_request"]["title"]]
    assert seen[CLOSES][:2] == [0, 0]


@pytest.mark.parametrize("action", ["assigned", "closed", "review_requested"])
def test_an_event_shows_the_details_of_a_pull_request_once(action: str) -> None:
    found = deliver(f"pull_request.{action}")
    assert details(found).seen[TITLE][-1] == payload(f"pull_request.{action}")["pull_request"]["title"]
    assert not isinstance(found, Ignored)
    assert [one.seen for one in found if isinstance(one, IssueEvent)] == [{}]


@pytest.mark.parametrize("action", ["labeled", "unlabeled"])
def test_another_label_of_a_pull_request_is_a_detail(action: str) -> None:
    body = payload(f"pull_request.{action}")
    body["label"]["name"] = "question"
    assert details(deliver(f"pull_request.{action}", body)).reason == "other_label"


def test_keywords_link_nothing_if_the_base_is_not_the_default_branch() -> None:
    body = payload("pull_request.edited")
    body["pull_request"] |= {"body": "Fixes #1", "base": body["pull_request"]["base"] | {"ref": "release"}}
    assert closes(deliver("pull_request.edited", body)) == []


@pytest.mark.parametrize("ref", ["1-spelling", "fix/1-spelling", "codertocat/fix/1-a-2-b"])
def test_a_branch_with_the_number_of_an_issue_is_an_act_of_its_creator(ref: str) -> None:
    body = payload("create") | {"ref": ref}
    assert timed(deliver("create", body)) == [("branch_created", (CODERTOCAT,), CODERTOCAT, 1)]


@pytest.mark.parametrize("ref", ["main", "1", "v1-2", "spelling-1", "fix-1-x", "0-x", "9999999999-x", "1_x"])
def test_another_branch_is_ignored(ref: str) -> None:
    assert deliver("create", payload("create") | {"ref": ref}) == Ignored("no_issue_number")


def test_a_tag_is_ignored() -> None:
    assert deliver("create", payload("create") | {"ref_type": "tag"}) == Ignored("not_a_branch")


def test_a_branch_of_a_bot_is_ignored() -> None:
    body = payload("create")
    body["sender"]["type"] = "Bot"
    assert deliver("create", body) == Ignored("bot")


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("pull_request.assigned", "pull_request"),
        ("pull_request_review.submitted", "review"),
        ("create", "ref"),
        ("create", "ref_type"),
    ],
)
def test_a_missing_member_is_malformed(name: str, member: str) -> None:
    body = payload(name)
    del body[member]
    with pytest.raises(MalformedDelivery):
        deliver(name, body)


class TestClosingKeywords:
    """GitHub, "Linking a pull request to an issue"."""

    @pytest.mark.parametrize(
        "keyword",
        ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved", "CLOSES"],
    )
    def test_each_keyword_links(self, keyword: str) -> None:
        for text in (f"{keyword} #10", f"{keyword}: #10", f"- {keyword} #10."):
            assert closed_by(text, PULL, SITE) == (PULL.repository.issue(10),)

    @pytest.mark.parametrize(
        ("text", "closed"),
        [
            ("Closes octo-org/octo-repo#100", Issue("octo-org", "octo-repo", 100)),
            ("Closes https://github.com/octo-org/octo-repo/issues/100.", Issue("octo-org", "octo-repo", 100)),
            ("Closes codertocat/hello-world#1", PULL.repository.issue(1)),
            ("Closes https://github.com/Codertocat/Hello-World/issues/1", PULL.repository.issue(1)),
        ],
    )
    def test_an_issue_may_be_named_with_its_repository(self, text: str, closed: Issue) -> None:
        assert closed_by(text, PULL, SITE) == (closed,)

    def test_several_issues_are_linked_once_each(self) -> None:
        text = "Resolves #10, resolves #123, fixes #10 and resolves octo-org/octo-repo#100"
        assert [issue.number for issue in closed_by(text, PULL, SITE)] == [10, 123, 100]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "#10",
            "See #10",
            "Closes 10",
            "Closes\n#10",
            "Closes #10a",
            "Closes #0",
            "Closes #2",
            "Discloses #10",
            "auto-close #10",
            "Closes https://github.com/octo-org/octo-repo/pull/100",
            "Closes https://github.com/octo-org/octo-repo/issues/100/edit",
            "Closes https://example.com/octo-org/octo-repo/issues/100",
            "<!-- Closes #10 -->",
            "<!-- Closes #10",
            "`Closes #10`",
            "```\nCloses #10\n```",
            "~~~~\nCloses #10\n~~~\n",
        ],
    )
    def test_another_text_links_nothing(self, text: str) -> None:
        assert closed_by(text, PULL, SITE) == ()

    def test_text_after_code_and_comments_links(self) -> None:
        text = "<!-- Closes #10 --> ```\nCloses #11\n``` `Closes #12` Closes #13"
        assert [issue.number for issue in closed_by(text, PULL, SITE)] == [13]

    @pytest.mark.parametrize(
        "text",
        [
            "<!--" * 16_000 + "#",
            "```" * 21_000 + "#",
            "`" * 65_000 + "#",
            "close " * 10_000 + "#",
            "closes #1 " * 6_000,
            "closes:" + "\t" * 65_000 + "#1",
            "closes https://github.com/" * 2_500 + "#",
            "~~~`" * 16_000 + "#",
            "".join(f"closes #{number} " for number in range(3, 4_000)),
        ],
        ids=lambda text: text[:20],
    )
    def test_a_long_body_is_read_quickly(self, text: str) -> None:
        began = time.process_time()
        assert len(closed_by(text, PULL, SITE)) <= MAX_CLOSES
        assert time.process_time() - began < 0.2
