"""What a change of a timer means for its owner's timeline."""

from collections.abc import Iterator

from timer_core.domain.timers import Timer


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
