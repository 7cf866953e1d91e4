"""``make release-check``: check that the current commit can be released under its version number.

The command runs no tests; run ``make test EXAMPLES=nightly`` first.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from release.checks import changelog, checks


def main() -> int:
    """Print the complaints, or the next step if there are none, and return the exit status."""
    root = Path(__file__).parents[1]
    failed = 0
    for name, check in checks(root, datetime.now(UTC).date()).items():
        complaints = list(check())
        failed += len(complaints)
        print(f"{name}: {'ok' if not complaints else ''}")
        for complaint in complaints:
            print(f"  {complaint}")
    if failed:
        return 1
    version = next(release.version for release in changelog(root) if release.version != "Unreleased")
    print(f"\nThis can be released: git tag v{version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
