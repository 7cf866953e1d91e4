"""The emulator answers the functions and tools of its run, and nobody else (docs/security.md, "Attacks").

tests/browser/test_emulator_access.py tries the same in a browser.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from deployed_stack.deliveries import WEBHOOK_PATH
from deployed_stack.http_client import Response, request
from local_stack import LocalStack

if TYPE_CHECKING:
    from local_stack.ministack import Access
    from tests.e2e.conftest import Site

# Requests that MiniStack itself answers, with nothing but a path.
OWN_ADDRESSES = [
    ("POST", "/_ministack/reset"),
    ("GET", "/_ministack/health"),
    ("GET", "/_ministack/ready"),
    ("GET", "/_ministack/sqs/messages"),
    ("GET", "/_localstack/health"),
    ("GET", "/health"),
    ("GET", "/?Action=ListQueues"),
    ("GET", "/issue-timer-web"),
    ("POST", "/2015-03-31/functions/issue-timer-TimelogsFunction/invocations"),
    ("GET", "/2015-03-31/functions/"),
    ("GET", "/v2/apis"),
    ("GET", "/oauth2/authorize"),
]


def signature(access_key_id: str, service: str = "secretsmanager") -> str:
    """Return a header as AWS SDKs send it; the emulator does not verify the signature itself."""
    scope = f"{access_key_id}/20261130/us-east-1/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def ask_for_secrets(url: str, **headers: str) -> Response:
    """Ask Secrets Manager for its list of secrets."""
    sent = {"X-Amz-Target": "secretsmanager.ListSecrets", "Content-Type": "application/x-amz-json-1.1"}
    return request(
        "POST", url, body=b"{}", headers=sent | {n.replace("_", "-"): v for n, v in headers.items()}
    )


def access(site: Site) -> Access:
    return site.stack.emulator.access


def assert_nothing_was_changed(site: Site) -> None:
    assert site.get("/api/auth/me/")["login"] == "Codertocat"


# ---------------------------------------------------------------- the emulator's own port


def test_tools_of_the_run_are_answered(site: Site) -> None:
    keys = access(site)
    assert "SecretList" in json.loads(
        ask_for_secrets(keys.endpoint_url, Authorization=signature(keys.access_key_id)).body
    )


@pytest.mark.parametrize("key", ["test", "local", "000000000000", "", "AKIAIOSFODNN7EXAMPLE"])
def test_other_access_keys_are_refused(site: Site, key: str) -> None:
    assert ask_for_secrets(access(site).endpoint_url, Authorization=signature(key)).status == 403
    assert ask_for_secrets(access(site).endpoint_url).status == 403
    presigned = (
        f"{access(site).endpoint_url}/?X-Amz-Credential={key}%2F20261130%2Fus-east-1%2Fs3%2Faws4_request"
    )
    assert request("GET", presigned).status == 403


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": "https://evil.example/"},
        {"Host": "evil.example"},
        {"Host": "rebound.localhost"},
    ],
)
def test_browsers_and_other_hosts_are_refused_even_with_the_key(site: Site, header: dict[str, str]) -> None:
    keys = access(site)
    answer = ask_for_secrets(keys.endpoint_url, Authorization=signature(keys.access_key_id), **header)
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(("method", "path"), OWN_ADDRESSES)
def test_its_own_addresses_are_closed(site: Site, method: str, path: str) -> None:
    assert request(method, access(site).endpoint_url + path).status == 403
    assert request("OPTIONS", access(site).endpoint_url + path).status == 403
    assert_nothing_was_changed(site)


@pytest.mark.parametrize("host", ["{0}", "{1}.execute-api.localhost", "127.0.0.1"])
@pytest.mark.parametrize("secret", [{}, {"X-Front-Door": ""}, {"X-Front-Door": "guess"}])
def test_distributions_and_apis_need_the_front_doors_secret(
    site: Site, host: str, secret: dict[str, str]
) -> None:
    distribution, api = site.stack.outputs["DistributionDomainName"], site.stack.resources["HttpApi"]
    url = f"{access(site).endpoint_url}/_aws/execute-api/{api}/$default/api/health/"
    assert request("GET", url, headers={"Host": host.format(distribution, api)} | secret).status == 403


def test_the_front_doors_secret_opens_neither_services_nor_own_addresses(site: Site) -> None:
    keys = access(site)
    secret = {"X-Front-Door": keys.secret}
    assert (
        ask_for_secrets(keys.endpoint_url, Authorization=signature(keys.access_key_id), **secret).status
        == 403
    )
    for method, path in OWN_ADDRESSES:
        assert request(method, keys.endpoint_url + path, headers=secret).status == 403


@pytest.mark.parametrize("path", ["/_aws/execute-api/a1b2c3d4/live", "/", "/graphql/realtime"])
def test_websockets_need_the_front_doors_secret(site: Site, path: str) -> None:
    for headers in ({}, {"X-Front-Door": "guess"}, {"Origin": "https://evil.example"}):
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(f"ws://127.0.0.1:{access(site).port}{path}", additional_headers=headers),
        ):
            pass
        assert refused.value.response.status_code == 403


def test_only_the_user_can_read_the_keys_which_are_of_this_run(site: Site) -> None:
    folder = site.stack.emulator.state_dir
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "emulator.json").stat().st_mode) == 0o600
    for journal in folder.glob("services/journal/*"):
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    another = LocalStack(site.stack.port, folder).emulator.access
    assert another == access(site)
    assert len({*another}) == len(another)


def test_functions_have_the_runs_access_key(site: Site) -> None:
    # The front door's secret is not in their environment.
    processes = [Path(entry.path) for entry in os.scandir("/proc") if entry.name.isdecimal()]
    environments = []
    for process in processes:
        try:
            if str(site.stack.emulator.state_dir).encode() in (process / "cmdline").read_bytes():
                environments.append((process / "environ").read_bytes())
        except OSError:
            continue
    workers = [each for each in environments if b"AWS_LAMBDA_FUNCTION_NAME=" in each]
    assert workers
    for worker in workers:
        assert access(site).access_key_id.encode() in worker
        assert access(site).secret.encode() not in worker


def test_the_emulator_listens_on_no_other_port(site: Site) -> None:
    process = site.stack.emulator._process
    assert process
    inodes = set()
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            inodes.add(link.readlink().name.removeprefix("socket:[").removesuffix("]"))
        except OSError:
            continue
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]
    ]
    # 0A is the state LISTEN.
    listening = {
        (row[1].split(":")[0], int(row[1].split(":")[1], 16))
        for row in rows
        if row[3] == "0A" and row[9] in inodes
    }
    assert listening == {("0100007F", access(site).port)}


# ---------------------------------------------------------------- the front door


@pytest.mark.parametrize(("method", "path"), OWN_ADDRESSES)
def test_own_addresses_of_the_emulator_do_not_answer_at_the_front_door(
    site: Site, method: str, path: str
) -> None:
    keys = access(site)
    for headers in (
        {},
        {"X-Front-Door": keys.secret},
        {"Authorization": signature(keys.access_key_id, "s3"), "X-Front-Door": keys.secret},
    ):
        answer = request(method, site.url + path, headers=headers)
        # The answer is a page, "Page not found", or the bucket's refusal, from the distribution.
        assert answer.status in {200 if path.startswith("/?") else 404, 403}
        assert answer.headers["Via"].endswith("(CloudFront)")
        for own in (b'{"reset"', b'{"services"', b"<ListQueuesR", b"<ListAllMyBuckets", b'"Functions"'):
            assert own not in answer.body
    assert_nothing_was_changed(site)


def test_services_do_not_answer_at_the_front_door(site: Site) -> None:
    keys = access(site)
    hosts = [
        "secretsmanager.us-east-1.amazonaws.com",
        f"{site.stack.resources['HttpApi']}.execute-api.localhost",
    ]
    answer = ask_for_secrets(site.url, Authorization=signature(keys.access_key_id))
    assert answer.headers["Via"].endswith("(CloudFront)")
    assert b"SecretList" not in answer.body
    for host in hosts:
        assert ask_for_secrets(site.url, Authorization=signature(keys.access_key_id), Host=host).status == 421


def test_apis_do_not_answer_at_the_front_door_by_their_emulated_address(site: Site) -> None:
    api = site.stack.resources["HttpApi"]
    for path in (
        f"/_aws/execute-api/{api}/$default/api/health/",
        f"/restapis/{api}/$default/_user_request_/api/health/",
    ):
        assert request("GET", site.url + path).status == 404


def test_through_a_tunnel_only_the_webhook_answers(site: Site) -> None:
    tunnel = {"Host": "your-tunnel.example"}
    assert request("POST", site.url + WEBHOOK_PATH, body=b"{}", headers=tunnel).status == 401
    for method, path in [*OWN_ADDRESSES, ("GET", "/"), ("GET", "/api/health/"), ("GET", "/api/auth/login/")]:
        assert request(method, site.url + path, headers=tunnel).status == 421
    assert_nothing_was_changed(site)
