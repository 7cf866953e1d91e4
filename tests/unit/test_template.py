"""What template.yaml takes for its parameters, and what of API Gateway no function sees."""

import re

import pytest
import yaml

from tests.support.table import TEMPLATE, TemplateLoader

SOURCE = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)  # noqa: S506
API = SOURCE["Resources"]["HttpApi"]["Properties"]


@pytest.mark.parametrize(
    ("origins", "is_allowed"),
    [
        ("", True),
        ("https://wiki.example.org", True),
        ("https://wiki.example.org:8443,https://other.example.org", True),
        ("http://localhost", True),
        ("http://localhost:8000", True),
        ("https://wiki.example.org,http://wiki.localhost:8765", True),
        ("http://wiki.example.org", False),
        ("https://wiki.example.org,http://other.example.org", False),
        ("http://localhost.example.org", False),
        ("http://evillocalhost", False),
        ("http://localhost:8000.example.org", False),
        ("http://localhost@example.org", False),
        ("https://wiki.example.org/", False),
        ("https://*.example.org", False),
        ("https://wiki.example.org, https://other.example.org", False),
        ("*", False),
        ("null", False),
    ],
)
def test_pages_that_embed_the_widget_come_over_tls_or_from_ones_own_machine(
    origins: str, is_allowed: bool
) -> None:
    # CloudFormation matches all of the value.
    pattern = SOURCE["Parameters"]["AllowedOrigins"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, origins)) is is_allowed


def test_signing_in_is_throttled_more_than_all_else() -> None:
    routes = {
        f"{event['Properties'].get('Method')} {event['Properties'].get('Path')}"
        for resource in SOURCE["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "HttpApi"
    }
    public = {"GET /api/auth/login", "GET /api/auth/callback"}
    declared = {route for route in routes if route.rstrip("/") in public}
    assert {route.rstrip("/") for route in declared} == public
    # API Gateway refuses settings for a route that it does not have.
    assert API["RouteSettings"].keys() == declared
    default = API["DefaultRouteSettings"]
    for settings in API["RouteSettings"].values():
        for limit in ("ThrottlingBurstLimit", "ThrottlingRateLimit"):
            assert 0 < settings[limit] <= default[limit] / 10
