"""``make openapi``: generate docs/openapi.json from the routes."""

import os
from pathlib import Path

# The handler's module needs these variables; nothing is called.
os.environ |= {"TABLE_NAME": "none", "AWS_DEFAULT_REGION": "us-east-1"}

from timelogs import api, specification


def main() -> None:
    """Write the file."""
    document = specification.document(api.app)
    (Path(__file__).parents[1] / "docs" / "openapi.json").write_text(document)


if __name__ == "__main__":
    main()
