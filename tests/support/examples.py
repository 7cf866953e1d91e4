"""The number of examples for property tests that need fewer or more than the profile's number."""

from hypothesis import settings


def examples(share: float) -> int:
    """Return the profile's number of examples multiplied by ``share``, but at least 1.

    `tests.conftest` defines the profiles ``dev``, ``ci`` and ``nightly``;
    ``--hypothesis-profile`` selects one.
    """
    return max(1, round(settings().max_examples * share))
