"""Many simultaneous cold starts, and cold starts without the session key."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import boto3

from tests.support.app import App
from tests.support.gateway import Client
from tests.support.handlers import loaded
from timer_core.clock import now_ms
from timer_core.store.people import Person
from timer_core.store.table import Table
from timer_core.store.tokens import TokenStore

COLD_STARTS = 8


def test_simultaneous_cold_starts_create_one_timer_and_every_request_succeeds(
    shared_table: Table, new_person: Callable[[], Person]
) -> None:
    token = TokenStore(shared_table).mint(new_person(), name="test", now_ms=now_ms())[1]
    body = {"github_repo": "octocat/hello-world", "github_issue_number": 7}
    with ExitStack() as stack:
        cold = [
            Client(stack.enter_context(loaded("timelogs.api", shared_table.name)).handler, token)
            for _ in range(COLD_STARTS)
        ]
        with ThreadPoolExecutor(COLD_STARTS) as pool:
            answers = list(pool.map(lambda client: client("POST", "/api/timelogs/start/", body), cold))
            lists = list(pool.map(lambda client: client("GET", "/api/timelogs/"), cold))
    assert Counter(answer.status for answer in answers) == {201: 1, 200: COLD_STARTS - 1}
    (timer_id,) = {answer.json()["id"] for answer in answers}
    assert [[timer["id"] for timer in each.json()["results"]] for each in lists] == [[timer_id]] * COLD_STARTS


class TestSessionKey:
    def test_without_the_session_key_tokens_work_and_sessions_get_a_server_error(self, app: App) -> None:
        browser, _ = app.signed_in()
        program = app.caller(app.token(browser))
        client = boto3.client("secretsmanager")
        client.delete_secret(SecretId=app.secret_arn, RecoveryWindowInDays=7)
        try:
            app.cold_start()
            assert program("GET", "/api/timelogs/").status == 200
            answer = browser("GET", "/api/timelogs/")
            assert answer.status == 500
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["request_id"]
            assert app.secret_arn not in answer.body
        finally:
            client.restore_secret(SecretId=app.secret_arn)
        # The session is valid again, without a new sign-in.
        assert browser("GET", "/api/timelogs/").status == 200

    def test_a_cached_session_key_stays_in_use(self, app: App) -> None:
        browser, _ = app.signed_in()
        client = boto3.client("secretsmanager")
        client.delete_secret(SecretId=app.secret_arn, RecoveryWindowInDays=7)
        try:
            app.seconds.now += 600
            assert browser("GET", "/api/timelogs/").status == 200
        finally:
            client.restore_secret(SecretId=app.secret_arn)
