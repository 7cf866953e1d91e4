"""The effect of a change of a timer on its owner's timeline."""

from collections.abc import Iterator

from timer_core.domain.schedule import Span, joined
from timer_core.domain.timers import Timer, stretches, without


def changed_from_ms(before: Timer | None, after: Timer | None) -> int | None:
    """Return the instant before which a change of a timer leaves the timeline as it was.

    Parameters
    ----------
    before, after
        The timer before and after the change; None if it did not exist, or does not exist any more.

    Returns
    -------
    int | None
        The instant (ms since the epoch); None if the timeline stays as it was.
    """
    differences = set(_times(before)) ^ set(_times(after))
    return min((from_ms for from_ms, _ in differences), default=None)


def _times(timer: Timer | None) -> Iterator[tuple[int, object]]:
    """Yield each contribution of a timer to the timeline, with the instant from which it matters."""
    if timer is None:
        return
    yield timer.start_ms, "start"
    yield timer.reach.since_ms, "since"
    if timer.end_ms is not None:
        yield timer.end_ms, "end"
        # After its reach, the state of a timer is not carried on.
        yield timer.reach.until_ms, "reach"
    for transition in timer.history:
        yield transition.at_ms, transition
    for claim in timer.claims:
        yield min(claim.since_ms, claim.made_ms), claim
    for sign_ms in timer.signs:
        yield sign_ms, "sign"
    if timer.confirmed_span is not None:
        # The slices of another timer on confirmed days belong to this one.
        yield from ((timer.confirmed_span.since_ms, ulid) for ulid in timer.absorbed)


def touched_spans(before: Timer | None, after: Timer, now_ms: int) -> list[Span]:
    """Return the time in which a timer has run, or has been claimed, differently since a correction.

    Parameters
    ----------
    before, after
        The timer before and after the correction; None if it did not exist.
    """
    found: list[Span] = []
    for old, new in zip(_states(before, now_ms), _states(after, now_ms), strict=True):
        found += [*without(old, new), *without(new, old)]
    return list(joined(sorted(found)))


def _states(timer: Timer | None, now_ms: int) -> tuple[list[Span], list[Span], list[Span]]:
    """Return the time in which a timer ran, in which it counts by a claim, and in which it does not."""
    if timer is None:
        return [], [], []
    counts, gaps = list[Span](), list[Span]()
    # The latest claim replaces the earlier ones.
    for claim in timer.claims:
        span = Span(claim.since_ms, claim.until_ms)
        counts = [*without(counts, [span]), *([span] if claim.counts else ())]
        gaps = [*without(gaps, [span]), *(() if claim.counts else [span])]
    ran = [Span(*stretch) for stretch in stretches(timer, now_ms)]
    return ran, list(joined(sorted(counts))), list(joined(sorted(gaps)))
