"""Installation of GitHub's own descriptions of its GraphQL API and its webhooks, and of example payloads.

``python -m tests.support.install_github_schema`` installs them before the tests. Otherwise the first test
that needs them installs them. GitHub publishes them as npm packages (MIT licence), which are downloaded once,
into ``.cache/github``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.support.npm_package import CACHE, InstallError, NpmPackage, installed

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = CACHE / "github"
GRAPHQL = NpmPackage(
    "@octokit/graphql-schema@15.26.1",
    "RFDC2MpRBd4AxSRvUeBIVeBU7ojN/SxDfALUd7iVYOSeEK3gZaqR2MGOysj4Zh2xj2RY5fQAUT+Oqq7hWTraMA==",
    "schema.graphql",
)
WEBHOOKS = NpmPackage(
    "@octokit/openapi-webhooks@12.1.0",
    "Z5eDsLCUNbx1zHpZb1LNQirADqdMTvWJQ/deahi0ws+tWWnwHXB+Pr4jfmM9OrETS9Y5iW8ZRu1fdbudObhLrg==",
    "generated/api.github.com.json",
)

EXAMPLES = NpmPackage(
    "@octokit/webhooks-examples@7.6.1",
    "De6U3XB6O3DtCa7bKgCMzTHdeopqqZ6SNivMYJnK65ierKL1AnNIA0tkRYCRS7lwGT792d+Ps1WbfHlso6MynQ==",
    "api.github.com/index.json",
)


def graphql_schema() -> Path:
    """Return the public schema of GitHub's GraphQL API, after installing it if it is missing.

    Raises
    ------
    InstallError
        The download failed.
    """
    return _installed(GRAPHQL) / "schema.graphql"


def webhook_payloads() -> Path:
    """Return the OpenAPI description of GitHub's webhook payloads, after installing it if it is missing.

    Raises
    ------
    InstallError
        The download failed.
    """
    return _installed(WEBHOOKS) / "api.github.com.json"


def webhook_examples() -> Path:
    """Return examples of webhook payloads, after installing them if they are missing.

    Raises
    ------
    InstallError
        The download failed.
    """
    return _installed(EXAMPLES) / "index.json"


def _installed(package: NpmPackage) -> Path:
    return installed(FOLDER / package.name.replace("/", "-"), package.unpack)


if __name__ == "__main__":
    try:
        print(f"GitHub's descriptions: {graphql_schema()}, {webhook_payloads()}, {webhook_examples()}")
    except InstallError as error:
        sys.exit(f"GitHub's descriptions, which the tests need, could not be installed: {error}")
