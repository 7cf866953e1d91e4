"""Conditional requests: entity tags and 304 (RFC 9110, section 13.1.2)."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import act, patch, problem, start
from tests.support.app import App
from tests.support.gateway import Answer, Client, Context, request_event
from tests.support.handlers import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

LIST = "/api/timelogs/"


def tag_of(client: Client, target: str = LIST) -> str:
    answer = client("GET", target)
    assert answer.status == 200, answer.body
    tag = answer.headers["etag"]
    assert re.fullmatch(r'W/"[0-9a-f]{32}"', tag)
    return tag


def ask(client: Client, tag: str, target: str = LIST) -> Answer:
    return client("GET", target, if_none_match=tag)


def url(timer: dict[str, Any]) -> str:
    return f"/api/timelogs/{timer['id']}/"


@pytest.mark.parametrize("actions", [[], ["pause"], ["pause", "resume"], ["stop"]])
def test_an_unchanged_representation_is_a_304(api: Api, clock: Clock, actions: list[str]) -> None:
    timer = start(api.ann, 7)
    for action in actions:
        clock.advance(60)
        act(api.ann, timer, action)
    for target in (LIST, url(timer)):
        tag = tag_of(api.ann, target)
        clock.advance(3600)
        answer = ask(api.ann, tag, target)
        assert (answer.status, answer.body) == (304, "")
        assert (answer.headers["etag"], answer.headers["cache-control"]) == (tag, "no-store")
        assert "content-type" not in answer.headers


def test_each_change_changes_the_tag(api: Api, clock: Clock) -> None:
    timer = start(api.ann, 7)
    tags = [(tag_of(api.ann), tag_of(api.ann, url(timer)))]
    changes: tuple[Callable[[], Answer], ...] = (
        lambda: act(api.ann, timer, "pause"),
        lambda: act(api.ann, timer, "resume"),
        lambda: patch(api.ann, timer, {"description": "x"}),
        lambda: act(api.ann, timer, "stop"),
        lambda: patch(api.ann, timer, {"start_time": "2026-01-01T00:00:00Z"}),
    )
    for change in changes:
        clock.advance(1)
        assert change().status == 200
        tags.append((tag_of(api.ann), tag_of(api.ann, url(timer))))
    assert all(len(set(seen)) == len(tags) for seen in zip(*tags, strict=True))
    assert ask(api.ann, tags[0][0]).status == 200


def test_adding_or_deleting_a_timer_changes_the_tag_of_the_list(api: Api) -> None:
    first = start(api.ann, 7)
    act(api.ann, first, "stop")
    one, own = tag_of(api.ann), tag_of(api.ann, url(first))
    second = start(api.ann, 8)
    two = tag_of(api.ann)
    assert two != one
    assert ask(api.ann, own, url(first)).status == 304
    api.ann("DELETE", url(second))
    assert tag_of(api.ann) == one


OPEN = f"{LIST}?end_time__isnull=true"
# 11 March 2026 at 12:00 UTC.
NOON_MS = 1_773_230_400_000


def test_the_tag_of_the_open_timers_tells_of_changes_of_all_other_time(api: Api, clock: Clock) -> None:
    """A page that shows more than the open timers learns from one request whether it has missed a change."""
    clock.ms = NOON_MS

    def add(date: str) -> Answer:
        return api.ann("POST", LIST, {"start_time": f"{date}T09:00:00Z", "duration": 600})

    today, earlier = add("2026-03-11").json(), add("2026-03-02").json()
    start(api.ann, 7)
    day = "/api/timesheets/2026-03-{}/confirm/"
    changes: tuple[Callable[[], Answer], ...] = (
        lambda: patch(api.ann, today, {"description": "x"}),
        lambda: patch(api.ann, today, {"end_time": "2026-03-11T10:00:00Z"}),
        lambda: add("2026-03-10"),
        lambda: patch(api.ann, earlier, {"end_time": "2026-03-02T10:00:00Z"}),
        lambda: add("2026-03-03"),
        lambda: api.ann("POST", day.format("02"), if_match="*"),
        lambda: api.ann("POST", day.format("03"), if_match="*"),
        lambda: api.ann("DELETE", day.format("03"), if_match="*"),
        lambda: api.ann("DELETE", url(today)),
    )
    tags = [tag_of(api.ann, OPEN)]
    for number, change in enumerate(changes):
        answer = change()
        assert answer.status < 300, (number, answer.body)
        tags.append(tag_of(api.ann, OPEN))
        assert tags[-1] != tags[-2], number
    clock.advance(3600)
    assert ask(api.ann, tags[-1], OPEN).status == 304


def test_storing_days_leaves_the_tag_of_the_open_timers_as_it_is(api: Api, clock: Clock) -> None:
    clock.ms = NOON_MS
    entry = {"start_time": "2026-03-02T09:00:00Z", "duration": 600}
    assert api.ann("POST", LIST, entry).status == 201
    tag = tag_of(api.ann, OPEN)
    assert api.module.shared.timesheets.refresh(api.ann_id, now_ms=clock.ms)
    assert ask(api.ann, tag, OPEN).status == 304


def test_two_people_without_timers_have_different_tags(api: Api) -> None:
    tag = tag_of(api.ann)
    assert ask(api.ann, tag).status == 304
    assert ask(api.bob, tag).status == 200


def test_the_tag_depends_on_the_filters(api: Api) -> None:
    for number in range(3):
        start(api.ann, number + 1)
    assert tag_of(api.ann, f"{LIST}?page_size=2") != tag_of(api.ann)
    assert tag_of(api.ann, f"{LIST}?github_issue_number=2") != tag_of(api.ann)
    # Both pages contain the same timers, but different links.
    assert tag_of(api.ann, f"{LIST}?page_size=2&end_time__isnull=true") != tag_of(
        api.ann, f"{LIST}?page_size=2"
    )


def test_the_tag_does_not_depend_on_the_host(api: Api) -> None:
    for number in range(3):
        start(api.ann, number + 1)
    target = f"{LIST}?page_size=2"
    elsewhere = api.ann("GET", target, x_viewer_host="d1.cloudfront.net")
    assert elsewhere.json()["next"].startswith("https://d1.cloudfront.net/")
    assert elsewhere.headers["etag"] == tag_of(api.ann, target)


@pytest.mark.parametrize(
    "form", ["{}", " {} ", '"other", {}', '{},W/"x"', "*", " * ", '"a,b" , {}', "strong"]
)
def test_any_weakly_matching_tag_gets_a_304(api: Api, form: str) -> None:
    tag = tag_of(api.ann)
    sent = tag.removeprefix("W/") if form == "strong" else form.format(tag)
    assert ask(api.ann, sent).status == 304


@pytest.mark.parametrize("sent", ["", '"other"', 'W/"*"', '"*"', "x", "W/", '"', "W/*", "\x00é"])
def test_other_and_malformed_tags_get_the_representation(api: Api, sent: str) -> None:
    assert ask(api.ann, sent).status == 200


def test_a_tag_without_quotes_does_not_match(api: Api) -> None:
    assert ask(api.ann, tag_of(api.ann)[3:-1]).status == 200


def test_a_tag_is_no_substitute_for_credentials(api: Api) -> None:
    timer = start(api.ann, 7)
    tag = tag_of(api.ann, url(timer))
    problem(ask(api.nobody, tag, url(timer)), 401)
    problem(ask(api.bob, tag, url(timer)), 403)
    problem(ask(api.bob, "*", url(timer)), 403)
    api.ann("DELETE", url(timer))
    problem(ask(api.ann, "*", url(timer)), 404)


def test_changes_ignore_tags(api: Api) -> None:
    timer = start(api.ann, 7)
    answer = api.ann("POST", url(timer) + "pause/", if_none_match="*")
    assert (answer.status, answer.json()["status"]) == (200, "paused")
    assert "etag" not in answer.headers


def test_the_header_is_not_a_query_parameter(api: Api) -> None:
    refused = problem(api.ann("GET", f"{LIST}?if_none_match=*"), 400)
    assert refused["errors"][0]["loc"] == ["query", "if_none_match"]


def test_a_conditional_request_reads_what_the_tag_depends_on_once(api: Api, calls: list[str]) -> None:
    timer = start(api.ann, 7)
    tags = {target: tag_of(api.ann, target) for target in (LIST, url(timer))}
    calls.clear()
    for target, tag in tags.items():
        assert ask(api.ann, tag, target).status == 304
    # A timer's answer depends on the calendar and on all timers of the present.
    assert calls == ["Query", "Query", "GetItem", "Query"]


def test_a_304_has_the_format_of_api_gateway(api: Api) -> None:
    headers = {"authorization": f"Token {api.ann.token}", "if-none-match": "*"}
    answer = api.module.handler(request_event("GET", LIST, headers=headers), Context())
    assert (answer["statusCode"], answer["body"], answer["isBase64Encoded"]) == (304, "", False)


def test_a_304_renews_the_session_in_a_cookie(app: App) -> None:
    browser, _ = app.signed_in()
    tag = browser("GET", LIST).headers["etag"]
    app.clock.advance(900)
    answer = browser("GET", LIST, if_none_match=tag)
    assert (answer.status, len(browser.set_cookies)) == (304, 1)
