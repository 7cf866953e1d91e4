"""The API's description, its routes in the template, and the checked-in document are the same."""

import json
import re
from pathlib import Path

import yaml

from tests.integration.conftest import Api
from tests.support.table import TEMPLATE, TemplateLoader
from timelogs import specification

_DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_checked_in_document_is_what_the_routes_say(api: Api) -> None:
    """If this fails, run `make openapi`."""
    assert _DOCUMENT.read_text() == specification.document(api.module.app)


def test_the_template_declares_every_route_with_and_without_its_slash() -> None:
    template = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)  # noqa: S506
    declared = {
        (event["Properties"]["Method"].lower(), event["Properties"]["Path"].replace("{id}", "{}"))
        for resource in template["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "HttpApi" and "Path" in event["Properties"]
    }
    described = {
        (method, re.sub(r"{\w+}", "{}", spelling))
        for path, methods in json.loads(_DOCUMENT.read_text())["paths"].items()
        for method in methods
        for spelling in (path, path.rstrip("/"))
    }
    # Pages, which nobody calls from a program.
    pages = {
        ("get", spelling)
        for page in ("/api/auth/login/", "/api/auth/callback/")
        for spelling in (page, page.rstrip("/"))
    }
    assert declared == described | pages | {("get", "/api/openapi.json")}
