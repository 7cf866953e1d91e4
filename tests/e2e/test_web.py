"""The page, served by CloudFront from the API's domain, and its upload."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployed_stack.http_client import Response, request
from deployed_stack.paths import ROOT
from deployed_stack.sign_in import CALLBACK_PATH
from deployed_stack.web import UnknownFileType, deploy_page, deploy_web, served
from local_stack.front_door import cookie_name
from tests.e2e.conftest import Site
from timer_core.api.sessions import SESSION_COOKIE

ELSEWHERE = "https://wiki.example"


def get(site: Site, path: str, **headers: str) -> Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return request("GET", site.url + path, headers=sent)


# ---------------------------------------------------------------- headers


def served_files() -> list[str]:
    files = (path.relative_to(ROOT / "web") for path in (ROOT / "web").rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in files if not path.name.startswith("."))


@pytest.mark.parametrize("name", served_files())
def test_every_file_is_served(site: Site, name: str) -> None:
    answer = get(site, f"/{name}")
    assert answer.status == 200
    assert answer.body == served(ROOT / "web" / name)
    if name.endswith(".js"):
        # The upload removes comments.
        assert b"/**" not in answer.body
        assert not [line for line in answer.body.splitlines() if line.lstrip().startswith(b"//")]


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("docs/index.html", "text/html; charset=utf-8"),
        ("docs/decisions/0001-events-and-replay.html", "text/html; charset=utf-8"),
        ("docs/screenshots/page-present-1280-light.png", "image/png"),
        ("docs/screenshots/demo.webp", "image/webp"),
        ("swagger-ui/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("swagger-ui/swagger-ui.css", "text/css; charset=utf-8"),
        ("swagger-ui/LICENSE.txt", "text/plain; charset=utf-8"),
    ],
)
def test_the_documentation_and_the_viewer_of_the_api_are_served(
    site: Site, name: str, content_type: str
) -> None:
    answer = get(site, f"/{name}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)


def test_the_page_is_at_the_root(site: Site) -> None:
    assert get(site, "/").body == (ROOT / "web/index.html").read_bytes()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("page/styles/base.css", "text/css; charset=utf-8"),
        ("signed-in.js", "text/javascript; charset=utf-8"),
    ],
)
def test_files_name_their_type_and_are_revalidated(site: Site, name: str, content_type: str) -> None:
    headers = get(site, f"/{name}").headers
    assert headers["Content-Type"] == content_type
    assert headers["Cache-Control"] == "public, max-age=0, s-maxage=3600, must-revalidate"


def test_an_unchanged_copy_is_answered_with_304(site: Site) -> None:
    first = get(site, "/")
    again = get(site, "/", If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert get(site, "/", If_None_Match='"another"').status == 200


def test_a_page_may_load_nothing_from_other_sites(site: Site) -> None:
    policy = get(site, "/").headers["Content-Security-Policy"]
    directives = dict(directive.strip().split(" ", 1) for directive in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }


def test_the_page_has_security_headers(site: Site) -> None:
    headers = get(site, "/").headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert "camera=()" in headers["Permissions-Policy"]


def test_pages_of_other_sites_may_load_the_modules(site: Site) -> None:
    headers = get(site, "/index.js", Origin=ELSEWHERE).headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/nothing.html",
        "/account",
        "/widget/nothing.js",
        "/widget/",
        "/a/b/c.html?x=1",
        "/%C3%B6",
        "/api",
        "/api/",
        "//",
    ],
)
@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
def test_a_wrong_address_is_a_page(site: Site, path: str, accept: str) -> None:
    answer = get(site, path, Accept=accept)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert b"<h1>Page not found</h1>" in answer.body
    assert b'<a href="/">Issue Timer</a>' in answer.body
    assert b"/sign-in.css" in answer.body
    assert b"<?xml" not in answer.body
    assert answer.headers["X-Frame-Options"] == "DENY" or path == "/api/"
    head = request("HEAD", site.url + path, headers={"Accept": accept})
    assert (head.status, head.body) == (404, b"")


def test_a_page_that_was_missing_is_served_after_its_upload(site: Site, folder: Path) -> None:
    assert get(site, "/new.html").status == 404
    (folder / "new.html").write_text("<!doctype html><title>New</title>")
    deploy_web(site.stack, folder)
    assert get(site, "/new.html").status == 200


@pytest.mark.parametrize(("path", "status"), [("/api/nothing/", 404), ("/api/timelogs/1-a/", 404)])
def test_the_apis_errors_are_not_replaced(site: Site, path: str, status: int) -> None:
    answer = site.send("GET", path)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    finished = {"start_time": "2026-01-01T00:00:00Z", "duration": 1}
    theirs = json.loads(site.send("POST", "/api/timelogs/", finished, token=site.bob).body)["id"]
    answer = site.send("GET", f"/api/timelogs/{theirs}/")
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/problem+json")


def test_a_person_who_opens_an_address_of_the_api_gets_its_errors_as_pages(site: Site) -> None:
    for path, status in (("/api/timelogs/", 401), ("/api/nothing/", 404), ("/api/timelogs/start/", 405)):
        answer = get(site, path, Accept=BROWSER)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
        assert "style-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["", "index.html", "index.js", "icon.svg", "page/styles/base.css"])
def test_head_of_a_file_is_answered_as_get_without_a_body(site: Site, name: str) -> None:
    got, head = (request(method, f"{site.url}/{name}") for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (200, b"")
    for header in ("Content-Type", "Cache-Control", "ETag", "Content-Security-Policy"):
        assert head.headers[header] == got.headers[header]


# ---------------------------------------------------------------- the API on the same domain


def test_the_api_is_on_the_same_domain(site: Site) -> None:
    answer = get(site, "/api/health/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_the_cors_headers_of_the_bucket_do_not_apply_to_the_api(site: Site) -> None:
    assert "Access-Control-Allow-Origin" not in get(site, "/api/health/", Origin=ELSEWHERE).headers


def test_query_and_credentials_reach_the_api(site: Site) -> None:
    page = json.loads(site.send("GET", "/api/timelogs/?page_size=1&github_repo=octo-org/nobodys").body)
    assert page["results"] == []


def test_two_session_cookies_reach_the_api_and_are_refused(site: Site) -> None:
    """CloudFront and API Gateway pass all cookies of one name on, in their order."""
    name = cookie_name(SESSION_COOKIE, site.stack.port)
    for cookies in (f"{name}=a.b.c; {name}=d.e.f", f"x=1; {name}=a.b.c; y=2; {name}="):
        answer = get(site, "/api/auth/me/", Cookie=cookies)
        assert answer.status == 401
        assert "more than one session cookie" in json.loads(answer.body)["detail"]
    # Cookies of other names do not matter.
    answer = get(site, "/api/auth/me/", Cookie=f"x=1; x=2; {name}=a.b.c")
    assert "The session is not valid" in json.loads(answer.body)["detail"]


def test_sign_in_pages_have_their_own_policy_and_keep_their_opener(site: Site) -> None:
    ssm, name = site.stack.aws.client("ssm"), site.stack.outputs["OAuthCredentialName"]
    credentials = {"client_id": "Ov23liAAAAAAAAAAAAAA", "client_secret": "secret"}
    ssm.put_parameter(Name=name, Value=json.dumps(credentials), Type="SecureString")
    site.restart("AuthFunction")
    headers = get(site, f"{CALLBACK_PATH}?code=1&state=unknown").headers
    ssm.delete_parameter(Name=name)
    site.restart("AuthFunction")
    assert "style-src 'self'; script-src 'self'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Cross-Origin-Opener-Policy" not in headers


# ---------------------------------------------------------------- uploading


class Calls:
    """Records the write calls of `deploy_web` to AWS."""

    def __init__(self, site: Site) -> None:
        self.recorded: list[tuple[str, Any]] = []
        for operation in ("s3.PutObject", "s3.DeleteObject", "cloudfront.CreateInvalidation"):
            site.stack.aws.events.register(f"provide-client-params.{operation}", self._record)

    def _record(self, params: dict[str, Any], model: Any, **_: object) -> None:
        target = (
            params["InvalidationBatch"]["Paths"]["Items"] if "InvalidationBatch" in params else params["Key"]
        )
        self.recorded.append((model.name, target))


@pytest.fixture
def folder(site: Site, tmp_path: Path) -> Iterator[Path]:
    """The files of a second page, which replaces the deployed page until the test ends."""
    folder = tmp_path / "web"
    (folder / "widget").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>One</title>")
    (folder / "entry.js").write_text('import "./widget/view.js";')
    (folder / "widget/view.js").write_text("export {};")
    (folder / "icon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / ".index.html.swp").write_text("an editor's swap file")
    deploy_web(site.stack, folder)
    yield folder
    deploy_page(site.stack)


def test_unchanged_files_are_not_uploaded(site: Site, folder: Path) -> None:
    calls = Calls(site)
    assert str(deploy_web(site.stack, folder)) == "web/: 0 uploaded, 0 deleted, 4 unchanged"
    assert calls.recorded == []


def test_only_changed_files_are_uploaded_and_invalidated(site: Site, folder: Path) -> None:
    (folder / "index.html").write_text("<!doctype html><title>Two</title>")
    (folder / "widget/view.js").write_text("export const two = 2;")
    calls = Calls(site)
    assert str(deploy_web(site.stack, folder)) == (
        "web/: 2 uploaded (widget/view.js, index.html), 0 deleted, 2 unchanged"
    )
    # Modules are uploaded before the pages that load them.
    assert calls.recorded == [
        ("PutObject", "widget/view.js"),
        ("PutObject", "index.html"),
        ("CreateInvalidation", ["/widget/view.js", "/index.html", "/"]),
    ]
    assert b"Two" in get(site, "/").body


def test_removed_files_are_deleted(site: Site, folder: Path) -> None:
    shutil.rmtree(folder / "widget")
    calls = Calls(site)
    assert str(deploy_web(site.stack, folder)) == "web/: 0 uploaded, 1 deleted (widget/view.js), 3 unchanged"
    assert calls.recorded == [("DeleteObject", "widget/view.js"), ("CreateInvalidation", ["/widget/view.js"])]
    assert get(site, "/widget/view.js").status in {403, 404}


def test_a_file_with_other_headers_in_the_bucket_is_uploaded_again(site: Site, folder: Path) -> None:
    bucket = site.stack.outputs["WebBucketName"]
    body = (folder / "entry.js").read_bytes()
    site.stack.aws.client("s3").put_object(
        Bucket=bucket, Key="entry.js", Body=body, ContentType="text/plain", CacheControl="no-store"
    )
    assert deploy_web(site.stack, folder).uploaded == ["entry.js"]
    assert get(site, "/entry.js").headers["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.usefixtures("folder")
def test_pictures_are_cached_for_a_day(site: Site) -> None:
    assert get(site, "/icon.svg").headers["Cache-Control"] == "public, max-age=86400"


def test_a_file_of_an_unknown_type_is_refused_before_anything_changes(site: Site, folder: Path) -> None:
    (folder / "index.html").write_text("<!doctype html><title>Three</title>")
    (folder / "notes.docx").write_text("")
    with pytest.raises(UnknownFileType, match=r"notes\.docx"):
        deploy_web(site.stack, folder)
    assert b"One" in get(site, "/").body


def test_hidden_files_are_not_uploaded(site: Site, folder: Path) -> None:
    assert (folder / ".index.html.swp").exists()
    assert get(site, "/.index.html.swp").status in {403, 404}


def test_only_cloudfront_may_read_the_bucket(site: Site) -> None:
    s3, bucket = site.stack.aws.client("s3"), site.stack.outputs["WebBucketName"]
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    statements = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    [statement] = [one for one in statements if one["Effect"] == "Allow"]
    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    distribution = statement["Condition"]["StringEquals"]["AWS:SourceArn"]
    assert distribution.endswith(f":distribution/{site.stack.resources['WebDistribution']}")
