"""The credential in Parameter Store; moto replaces SSM."""

import json
import traceback
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from timer_core.github.api.credentials import App, CredentialParameter, Token
from timer_core.github.api.errors import InvalidCredential, Unavailable

NAME = "/issue-timer/github"
SECRET = "github_pat_11ABCDE0123456789"
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----\n"


class ParameterStore:
    """The parameter in moto's SSM, and the clock. A test can make the parameter unreachable."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.readings = 0
        self.failure: Exception | None = None
        self.now_s = 1_000_000.0
        self.parameter = CredentialParameter(NAME, client, now_s=lambda: self.now_s)

    def put(self, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self.client.put_parameter(Name=NAME, Value=text, Type="SecureString", Overwrite=True)

    def make_unreachable(self) -> None:
        self.failure = EndpointConnectionError(endpoint_url="https://ssm")

    def before_send(self, **_: object) -> None:
        self.readings += 1
        if self.failure is not None:
            raise self.failure


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        # Disable the SDK's retries, so that the tests of outages are fast.
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield boto3.client("ssm")


@pytest.fixture
def ssm(client: Any) -> Iterator[ParameterStore]:
    """A reachable SSM that does not contain the parameter."""
    store = ParameterStore(client)
    client.meta.events.register("before-send.ssm.GetParameter", store.before_send)
    yield store
    client.meta.events.unregister("before-send.ssm.GetParameter", store.before_send)
    client.delete_parameters(Names=[NAME])


class TestForms:
    def test_a_token_is_read_decrypted(self, ssm: ParameterStore) -> None:
        ssm.put({"token": SECRET})
        assert ssm.parameter.get() == Token(SECRET)

    @pytest.mark.parametrize("app_id", [123456, "123456", "Iv23liABCDEF"])
    def test_an_app_is_read_with_its_id_as_text(self, ssm: ParameterStore, app_id: int | str) -> None:
        ssm.put({"app_id": app_id, "private_key": PRIVATE_KEY})
        assert ssm.parameter.get() == App(str(app_id), PRIVATE_KEY)

    def test_the_parameter_is_read_without_a_given_client(self, ssm: ParameterStore) -> None:
        ssm.put({"token": SECRET})
        assert CredentialParameter(NAME).get() == Token(SECRET)

    @pytest.mark.parametrize(
        "content",
        [
            SECRET,
            f'{{"token": "{SECRET}"',
            f'["{SECRET}"]',
            "null",
            "{}",
            {"token": ""},
            {"token": None},
            {"token": 5},
            {"token": f"{SECRET}\n"},
            {"token": f"{SECRET} {SECRET}"},
            {"token": f"{SECRET}é"},
            {"token": SECRET, "app_id": 1, "private_key": PRIVATE_KEY},
            {"app_id": 1},
            {"private_key": PRIVATE_KEY},
            {"app_id": "", "private_key": PRIVATE_KEY},
            {"app_id": True, "private_key": PRIVATE_KEY},
            {"app_id": 1.5, "private_key": PRIVATE_KEY},
            {"app_id": 1, "private_key": ""},
            {"app_id": 1, "private_key": SECRET},
            {"app_id": 1, "private_key": [PRIVATE_KEY]},
        ],
    )
    def test_an_invalid_value_is_reported_without_showing_it(self, ssm: ParameterStore, content: Any) -> None:
        ssm.put(content)
        with pytest.raises(InvalidCredential) as caught:
            ssm.parameter.get()
        assert isinstance(caught.value, ValueError)
        assert str(caught.value).startswith("The GitHub credential")
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert SECRET not in shown
        assert "MIIEow" not in shown
        assert caught.value.__context__ is None

    def test_a_repr_contains_no_secret(self) -> None:
        assert SECRET not in repr(Token(SECRET))
        assert "MIIEow" not in repr(App("1", PRIVATE_KEY))


class TestAbsence:
    def test_a_missing_parameter_means_no_credential(self, ssm: ParameterStore) -> None:
        assert ssm.parameter.get() is None

    def test_absence_is_cached_for_half_a_minute(self, ssm: ParameterStore) -> None:
        assert ssm.parameter.get() is None
        ssm.put({"token": SECRET})
        ssm.now_s += 29
        assert ssm.parameter.get() is None
        assert ssm.readings == 1
        ssm.now_s += 1
        assert ssm.parameter.get() == Token(SECRET)

    def test_without_a_name_no_request_is_sent(self, ssm: ParameterStore) -> None:
        assert CredentialParameter("", ssm.client).get() is None
        assert ssm.readings == 0


class TestAge:
    def test_a_value_is_fetched_again_after_five_minutes(self, ssm: ParameterStore) -> None:
        ssm.put({"token": "old"})
        assert ssm.parameter.get() == Token("old")
        ssm.put({"token": "new"})
        ssm.now_s += 299
        assert ssm.parameter.get() == Token("old")
        ssm.now_s += 1
        assert ssm.parameter.get() == Token("new")
        assert ssm.readings == 2

    def test_a_removed_value_is_not_used_any_more(self, ssm: ParameterStore) -> None:
        ssm.put({"token": SECRET})
        assert ssm.parameter.get() == Token(SECRET)
        ssm.client.delete_parameter(Name=NAME)
        ssm.now_s += 300
        assert ssm.parameter.get() is None

    def test_an_invalid_value_is_cached_too(self, ssm: ParameterStore) -> None:
        ssm.put("wrong")
        for _ in range(3):
            with pytest.raises(InvalidCredential):
                ssm.parameter.get()
        assert ssm.readings == 1


class TestOutage:
    def test_the_previous_value_is_used_during_an_outage(self, ssm: ParameterStore) -> None:
        ssm.put({"token": SECRET})
        ssm.parameter.get()
        ssm.make_unreachable()
        ssm.now_s += 300
        assert ssm.parameter.get() == Token(SECRET)

    def test_absence_is_remembered_during_an_outage(self, ssm: ParameterStore) -> None:
        ssm.parameter.get()
        ssm.make_unreachable()
        ssm.now_s += 300
        assert ssm.parameter.get() is None

    def test_ssm_gets_a_request_at_most_every_ten_seconds_during_an_outage(self, ssm: ParameterStore) -> None:
        ssm.put({"token": "old"})
        ssm.parameter.get()
        ssm.make_unreachable()
        ssm.now_s += 300
        assert [ssm.parameter.get() for _ in range(3)] == [Token("old")] * 3
        assert ssm.readings == 2
        ssm.failure = None
        ssm.put({"token": "new"})
        ssm.now_s += 10
        assert ssm.parameter.get() == Token("new")

    @pytest.mark.parametrize(
        "failure",
        [
            EndpointConnectionError(endpoint_url="https://ssm"),
            ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParameter"),
        ],
    )
    def test_a_value_that_was_never_fetched_is_unavailable(
        self, ssm: ParameterStore, failure: Exception
    ) -> None:
        ssm.put({"token": SECRET})
        ssm.failure = failure
        with pytest.raises(Unavailable) as caught:
            ssm.parameter.get()
        assert caught.value.retry_after_s == 10
        ssm.now_s += 4
        with pytest.raises(Unavailable) as caught:
            ssm.parameter.get()
        assert caught.value.retry_after_s == 6
        assert ssm.readings == 1
        ssm.failure = None
        ssm.now_s += 6
        assert ssm.parameter.get() == Token(SECRET)
