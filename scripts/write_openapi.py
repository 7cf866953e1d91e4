"""``make openapi``: write docs/openapi.json, which the API serves, from the routes."""

from deployed_stack.paths import ROOT
from release.openapi_document import openapi_document


def main() -> None:
    """Write the file."""
    (ROOT / "docs" / "openapi.json").write_text(openapi_document())


if __name__ == "__main__":
    main()
