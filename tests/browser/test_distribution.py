"""CloudFront rewrites requests for the API before it forwards them."""

import pytest
from playwright.sync_api import Browser

from tests.support.template import template


@pytest.mark.parametrize(
    ("requested", "forwarded"),
    [
        ("/api/timelogs/", "/api/timelogs"),
        ("/api/timelogs", "/api/timelogs"),
        ("/api/auth/callback/", "/api/auth/callback"),
        ("/api/github-timer-webhook/", "/api/github-timer-webhook"),
        ("/api/timelogs//", "/api/timelogs/"),
        ("/api/openapi.json", "/api/openapi.json"),
    ],
)
def test_the_api_receives_the_viewers_host_and_a_path_without_its_trailing_slash(
    browser: Browser, requested: str, forwarded: str
) -> None:
    function = template().of_type("AWS::CloudFront::Function")["ForwardFunction"]["FunctionCode"]
    request = {
        "method": "GET",
        "uri": requested,
        "querystring": {"cursor": {"value": "a/"}},
        "headers": {"host": {"value": "d1.cloudfront.net"}, "x-viewer-host": {"value": "evil.example"}},
    }
    page = browser.new_page()
    result = page.evaluate(f"event => {{ {function} return handler(event); }}", {"request": request})
    page.close()
    assert result == request | {
        "uri": forwarded,
        "headers": {"host": {"value": "d1.cloudfront.net"}, "x-viewer-host": {"value": "d1.cloudfront.net"}},
    }
