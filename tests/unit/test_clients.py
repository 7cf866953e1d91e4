"""The session that makes the functions' AWS clients."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import botocore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.permissions import OPERATIONS
from timer_core import clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.session import Session

# SHA-256 of each root's public key, from https://www.amazontrust.com/repository/.
PUBLISHED = {
    "Amazon Root CA 1": "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
    "Amazon Root CA 2": "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
    "Amazon Root CA 3": "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
    "Amazon Root CA 4": "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
    "Starfield Services Root Certificate Authority - G2": (
        "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92"
    ),
}


@pytest.fixture
def new_session(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The environment of the next session, which a test changes."""
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    clients.session.cache_clear()
    yield monkeypatch
    clients.session.cache_clear()


def roots_of(session: Session) -> str | None:
    roots: str | None = session.get_config_variable("ca_bundle")
    return roots


class TestRoots:
    def test_the_roots_are_those_that_amazon_publishes(self) -> None:
        roots = x509.load_pem_x509_certificates(clients.AMAZON_ROOTS.read_bytes())
        names = [root.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value for root in roots]
        keys = [
            root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for root in roots
        ]
        assert dict(zip(names, (hashlib.sha256(key).hexdigest() for key in keys), strict=True)) == PUBLISHED

    def test_the_roots_are_among_those_of_botocore(self) -> None:
        known = ssl.create_default_context(cafile=Path(botocore.__file__).with_name("cacert.pem"))
        context = ssl.create_default_context(cafile=clients.AMAZON_ROOTS)
        roots = context.get_ca_certs(binary_form=True)
        assert len(roots) == 5
        assert {*roots} <= {*known.get_ca_certs(binary_form=True)}

    @pytest.mark.usefixtures("new_session")
    def test_amazons_roots_alone_are_trusted(self) -> None:
        assert roots_of(clients.session()) == str(clients.AMAZON_ROOTS)

    @pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "eusc-de-east-1", "elsewhere"])
    def test_other_partitions_have_botocores_roots(
        self, new_session: pytest.MonkeyPatch, region: str
    ) -> None:
        new_session.setenv("AWS_DEFAULT_REGION", region)
        assert roots_of(clients.session()) is None

    def test_the_environment_may_name_other_roots(self, new_session: pytest.MonkeyPatch) -> None:
        new_session.setenv("AWS_CA_BUNDLE", "/etc/proxy.pem")
        assert roots_of(clients.session()) == "/etc/proxy.pem"

    @pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"])
    def test_other_endpoints_have_botocores_roots(
        self, new_session: pytest.MonkeyPatch, variable: str
    ) -> None:
        new_session.setenv(variable, "https://localhost:4566")
        assert roots_of(clients.session()) is None

    def test_without_a_region_the_session_is_made(self, new_session: pytest.MonkeyPatch) -> None:
        new_session.delenv("AWS_DEFAULT_REGION")
        new_session.setenv("AWS_CONFIG_FILE", "/nonexistent")
        assert roots_of(clients.session()) is None


@pytest.mark.usefixtures("new_session")
def test_the_session_has_the_handlers_of_all_services_in_the_layer() -> None:
    models = [clients.client(service).meta.service_model for service in OPERATIONS]
    assert {model.service_id.hyphenize() for model in models} == clients.SERVICES


def test_clients_call_the_endpoints_of_the_environment(new_session: pytest.MonkeyPatch) -> None:
    new_session.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    assert clients.client("sqs").meta.endpoint_url == "http://localhost:4566"
