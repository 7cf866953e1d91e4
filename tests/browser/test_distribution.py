"""What CloudFront does to a request for the API before it passes it on."""

import pytest
from playwright.sync_api import Browser

from tests.support.template import template


@pytest.mark.parametrize(
    ("asked", "forwarded"),
    [
        ("/api/timelogs/", "/api/timelogs"),
        ("/api/timelogs", "/api/timelogs"),
        ("/api/auth/callback/", "/api/auth/callback"),
        ("/api/github-timer-webhook/", "/api/github-timer-webhook"),
        ("/api/timelogs//", "/api/timelogs/"),
        ("/api/openapi.json", "/api/openapi.json"),
    ],
)
def test_the_api_gets_the_viewers_host_and_a_path_without_its_last_slash(
    browser: Browser, asked: str, forwarded: str
) -> None:
    function = template().of_type("AWS::CloudFront::Function")["ForwardFunction"]["FunctionCode"]
    request = {
        "method": "GET",
        "uri": asked,
        "querystring": {"cursor": {"value": "a/"}},
        "headers": {"host": {"value": "d1.cloudfront.net"}, "x-viewer-host": {"value": "evil.example"}},
    }
    page = browser.new_page()
    answer = page.evaluate(f"event => {{ {function} return handler(event); }}", {"request": request})
    page.close()
    assert answer == request | {
        "uri": forwarded,
        "headers": {"host": {"value": "d1.cloudfront.net"}, "x-viewer-host": {"value": "d1.cloudfront.net"}},
    }
