"""Events found only in GitHub's timeline are sorted among the delivered events of the same second."""

import uuid
from dataclasses import replace
from itertools import pairwise

from timer_core.domain.events import Event, guid_time
from timer_core.github.api.timeline import missing
from timer_core.github.messages import IssueEvent

T0 = 1_763_900_000_000
KINDS = ["assigned", "unassigned", "closed", "reopened"]


def guid(at_ms: int) -> str:
    """Return the GUID of a delivery that was sent at this time."""
    time = 0x01B21DD213814000 + at_ms * 10_000
    fields = (time & 0xFFFFFFFF, time >> 32 & 0xFFFF, time >> 48 & 0x0FFF, 0x80, 1, 5)
    return str(uuid.UUID(fields=fields, version=1))


def timeline(at_ms: int = T0) -> list[IssueEvent]:
    """Return four events that occurred in the same second."""
    return [
        IssueEvent(
            f"node-{number}", kind, 1296269, "octocat/Hello-World", 7, at_ms, (1,), fetched_ms=T0 + 9_000
        )
        for number, kind in enumerate(KINDS)
    ]


def logged(events: list[IssueEvent], *numbers: int) -> list[Event]:
    """Return some events of a timeline as GitHub delivers them, at intervals of a tenth of a second."""
    return [
        Event(guid(one.at_ms + 100 * number), one.kind, one.at_ms, frozenset({1}))
        for number, one in enumerate(events)
        if number in numbers
    ]


def order(events: list[IssueEvent], log: list[Event]) -> list[str]:
    """Return the kinds of the stored and the missing events, in the order in which they are applied."""
    found = [
        Event(one.delivery, one.kind, one.at_ms, frozenset(one.users or ()), order=one.order)
        for one in missing(events, log)
    ]
    return [event.kind for event in sorted([*log, *found], key=lambda event: event.sort_key)]


def test_without_any_delivery_they_keep_the_order_of_the_timeline() -> None:
    events = timeline()
    assert order(events, []) == KINDS
    assert [one.delivery for one in missing(events, [])] == [one.delivery for one in events]


def test_between_deliveries_of_the_same_second_they_keep_their_places() -> None:
    events = timeline()
    for numbers in ([0], [1], [2], [3], [0, 3], [1, 2], [0, 2], [1, 3]):
        assert order(events, logged(events, *numbers)) == KINDS


def test_a_delivery_that_arrives_later_may_come_after_them() -> None:
    events = timeline()[:1]
    (found,) = missing(events, [])
    assert found.order is not None
    assert found.order < (guid_time(guid(T0 + 100)) or 0)


def test_of_two_events_of_one_kind_and_second_the_places_decide_which_one_is_missing() -> None:
    kinds = ["closed", "reopened", "assigned", "closed"]
    events = [replace(one, kind=kind) for one, kind in zip(timeline(), kinds, strict=True)]
    for numbers in ([2, 3], [1, 3], [0, 2], [0, 1]):
        assert order(events, logged(events, *numbers)) == kinds


def test_nothing_is_missing_when_all_were_delivered() -> None:
    events = timeline()
    assert missing(events, logged(events, 0, 1, 2, 3)) == []


def test_events_of_other_seconds_do_not_decide_the_order() -> None:
    events = [*timeline(), *timeline(T0 + 60_000)]
    orders = [one.order or 0 for one in missing(events, [])]
    assert all(before < after for before, after in pairwise(orders))
