"""Addresses of outgoing webhooks, the waits between attempts, and what a change of a timer tells."""

from dataclasses import replace

import pytest

from hooks.addresses import is_public
from hooks.slack import message
from timer_core.domain.errors import InvalidInput
from timer_core.domain.ids import new_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.notifications import Happening, happening_of
from timer_core.domain.outgoing_webhooks import RETRIED_FOR_MS, Target, parse_address, wait_s
from timer_core.domain.state import Action, Transition
from timer_core.domain.timers import Timer

START = 1_795_424_400_000
ISSUE = Issue("octo-org", "app", 12, "Fix the login", 7)


# ---------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com", Target(True, "example.com", 443, "/")),
        ("https://Hooks.Example.com/a/b?c=d&e", Target(True, "hooks.example.com", 443, "/a/b?c=d&e")),
        ("https://example.com:8443/x", Target(True, "example.com", 8443, "/x")),
        ("https://xn--zeit-5qa.example/", Target(True, "xn--zeit-5qa.example", 443, "/")),
    ],
)
def test_an_https_address_of_a_host_name_is_accepted(url: str, target: Target) -> None:
    assert parse_address(url) == target


REFUSED = [
    "",
    "example.com",
    "//example.com/",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "https://",
    "https:///path",
    "https://localhost/",
    "https://intranet/",
    "https://127.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://0x7f.1/",
    "https://example.com:22/",
    "https://example.com:80/",
    "https://example.com:6379/",
    "https://example.com:65536/",
    "https://example.com:x/",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://example.com@169.254.169.254/",
    "https://example.com/#fragment",
    "https://example.com/#",
    "https://example.com\\@169.254.169.254/",
    "https://example.com/\r\nX-Injected: 1",
    "https://example.com/ a",
    "https://exa\tmple.com/",
    "https://exämple.com/",
    "https://example.com。evil/",
    "https://.example.com/",
    "https://example..com/",
    "https://-example.com/",
    "https://example.com./",
    "https://exam%70le.com/",
    f"https://{'a' * 64}.com/",
    f"https://example.com/{'a' * 2000}",
]


@pytest.mark.parametrize("url", REFUSED)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        parse_address(url)


@pytest.mark.parametrize("url", [one for one in REFUSED if "127.0.0.1" not in one])
def test_on_the_local_stack_too(url: str) -> None:
    with pytest.raises(InvalidInput):
        parse_address(url, allow_local=True)


def test_on_the_local_stack_this_machine_may_receive_over_http() -> None:
    assert parse_address("http://localhost:8000/x", allow_local=True) == Target(
        False, "localhost", 8000, "/x"
    )
    with pytest.raises(InvalidInput):
        parse_address("http://localhost:8000/x")


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450::1"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a9fe:a9fe::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:2800::1%eth0",
        "fec0::1",
        "ff02::1",
        "",
        "example.com",
    ],
)
def test_all_other_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


# ---------------------------------------------------------------------- retries


def test_the_waits_double_from_a_minute_to_six_hours() -> None:
    assert [wait_s(attempt, 0) for attempt in (1, 2, 3, 4, 9, 10, 99)] == [
        60,
        120,
        240,
        480,
        15_360,
        21_600,
        21_600,
    ]


def test_up_to_half_of_a_wait_is_omitted() -> None:
    assert (wait_s(2, 0.5), wait_s(2, 1)) == (90, 60)


def test_the_attempts_of_three_days_are_fewer_than_the_queue_allows() -> None:
    """The queue would move a message to the dead letters after 100 (template.yaml)."""
    waits, number = 0, 0
    while waits * 1000 < RETRIED_FOR_MS:
        number += 1
        waits += wait_s(number, 1)
    assert number < 40


# ---------------------------------------------------------------------- what a change tells


def timer(**changes: object) -> Timer:
    one = Timer.start(
        user_id=1, ulid=new_ulid(START), at_ms=START, now_ms=START, by="assigned", issue=ISSUE, cause="a"
    )
    return replace(one, **changes)  # type: ignore[arg-type]


RUNNING = timer()
PAUSED = RUNNING.pause(START + 1000, "manual")
STOPPED = RUNNING.stop(START + 5000, "closed")
RESUMED = PAUSED.apply(Transition(START + 2000, Action.RESUME, "manual", ""))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, RUNNING, Happening.STARTED),
        (None, PAUSED, Happening.PAUSED),
        (None, STOPPED, Happening.STOPPED),
        (RUNNING, PAUSED, Happening.PAUSED),
        (PAUSED, RESUMED, Happening.RESUMED),
        (RUNNING, STOPPED, Happening.STOPPED),
        (PAUSED, STOPPED, Happening.STOPPED),
        # A late event shows that a timer had not ended.
        (STOPPED, RUNNING, Happening.RESUMED),
        (RUNNING, RESUMED, Happening.CORRECTED),
        (RUNNING, replace(RUNNING, start_ms=START - 1), Happening.CORRECTED),
        (STOPPED, replace(STOPPED, end_ms=START + 6000), Happening.CORRECTED),
        (RUNNING, replace(RUNNING, description="other"), Happening.CORRECTED),
        (RUNNING, replace(RUNNING, issue=Issue("octo-org", "app", 13, "", 7)), Happening.CORRECTED),
        (RUNNING, replace(RUNNING, issue=None), Happening.CORRECTED),
        (RUNNING, RUNNING, None),
        (RUNNING, replace(RUNNING, version=2, signs=(START + 7,)), None),
        (RUNNING, replace(RUNNING, issue=replace(ISSUE, title="Renamed")), None),
        (RUNNING, replace(RUNNING, issue=replace(ISSUE, repo="renamed")), None),
        # The first delivery of a repository tells its id.
        (replace(RUNNING, issue=replace(ISSUE, repo_id=0)), RUNNING, None),
        # The details of a timer were deleted, which usually gives it another id.
        (None, replace(STOPPED, is_reduced=True), None),
        (STOPPED, replace(STOPPED, end_ms=START + 6000, is_reduced=True), None),
    ],
)
def test_the_state_after_a_write_decides_what_is_told(
    before: Timer | None, after: Timer, told: Happening | None
) -> None:
    assert happening_of(before, after) is told


# ---------------------------------------------------------------------- messages of Slack


def shown(**members: object) -> dict[str, object]:
    return {
        "github_issue_url": "https://github.com/octo-org/app/issues/12",
        "github_repo": "octo-org/app",
        "github_issue_number": 12,
        "github_issue_title": "Fix the login",
        "description": "",
        "duration": None,
        "working_duration": 0.0,
        **members,
    }


def test_a_message_names_the_person_and_links_to_the_issue() -> None:
    body = {"event": "timer.started", "person": {"login": "ann"}, "timer": shown()}
    assert message(body) == {
        "text": "ann started <https://github.com/octo-org/app/issues/12|octo-org/app#12 Fix the login>"
    }


def test_a_message_about_a_stopped_timer_has_its_working_time() -> None:
    stopped = shown(duration=9000.0, working_duration=5400.0)
    body = {"event": "timer.stopped", "person": {"login": "ann"}, "timer": stopped}
    assert message(body)["text"].endswith(": 1h 30m")


@pytest.mark.parametrize(
    ("title", "escaped"),
    [
        ("a & b", "a &amp; b"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("<https://evil.example|here>", "&lt;https://evil.example|here&gt;"),
        ("x>\nann stopped", "x&gt; ann stopped"),
    ],
)
def test_titles_cannot_mention_link_or_begin_a_line(title: str, escaped: str) -> None:
    body = {"event": "timer.started", "person": {"login": "ann"}, "timer": shown(github_issue_title=title)}
    assert message(body)["text"].endswith(f"#12 {escaped}>")


def test_a_message_about_time_without_an_issue_has_its_description() -> None:
    without = shown(github_issue_url=None, description="Phone <call>")
    body = {"event": "timer.paused", "person": {"login": "ann"}, "timer": without}
    assert message(body) == {"text": "ann paused Phone &lt;call&gt;"}


def test_a_message_about_a_confirmed_day_has_its_working_time() -> None:
    day = {"date": "2026-11-27", "working_duration": 27_000.0}
    body = {"event": "timesheet.confirmed", "person": {"login": "ann"}, "day": day}
    assert message(body) == {"text": "ann confirmed 2026-11-27: 7h 30m"}
