"""Numbers of examples for property tests that cost much more, or find much less, than others."""

from hypothesis import settings


def examples(share: float) -> int:
    """Return a share of the examples that the hypothesis profile draws, at least one.

    `tests.conftest` has the profiles ``dev``, ``ci`` and ``nightly``; ``--hypothesis-profile`` names one.
    """
    return max(1, round(settings().max_examples * share))
