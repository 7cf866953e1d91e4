"""Fewer or more examples for property tests whose costs or benefits differ from those of others."""

from hypothesis import settings


def examples(share: float) -> int:
    """Return a share of the examples of the hypothesis profile, at least one.

    `tests.conftest` has the profiles ``dev``, ``ci`` and ``nightly``; ``--hypothesis-profile`` names one.
    """
    return max(1, round(settings().max_examples * share))
