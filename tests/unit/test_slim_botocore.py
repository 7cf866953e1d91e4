"""botocore's data in the layer, as layers/slim_botocore.py reduces it, and the clients made from it."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import pytest
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, StructureShape
from botocore.session import Session

from deployed_stack.paths import ROOT
from tests.support.permissions import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape

DATA = Path(botocore.__file__).with_name("data")
SLIM: dict[str, Any] = runpy.run_path(str(ROOT / "layers/slim_botocore.py"))
# A region of each partition, with the domain of its endpoints.
REGIONS = {
    "cn-north-1": "amazonaws.com.cn",
    "eu-central-1": "amazonaws.com",
    "eusc-de-east-1": "amazonaws.eu",
    "us-gov-west-1": "amazonaws.com",
    "us-iso-east-1": "c2s.ic.gov",
    "us-isob-east-1": "sc2s.sgov.gov",
}


def reduced(folder: Path) -> Path:
    """Reduce a copy of the data, in which one unused service stands for all others."""
    services = {*OPERATIONS, "ec2"}
    folder.mkdir()
    for source in DATA.iterdir():
        if source.name in services:
            shutil.copytree(source, folder / source.name)
        elif source.is_file():
            shutil.copy(source, folder)
    SLIM["slim"](folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reduced(tmp_path_factory.mktemp("botocore") / "data")


def session_of(*folders: Path) -> Session:
    session = Session()
    session.set_credentials("testing", "testing")
    loader = Loader(list(map(str, folders)), include_default_search_paths=False)
    session.register_component("data_loader", loader)
    return session


@pytest.fixture(scope="module")
def slim(data: Path) -> Session:
    return session_of(data)


@pytest.fixture(scope="module")
def full() -> Session:
    return session_of(DATA)


def described(shape: Shape | None, seen: tuple[str, ...] = ()) -> Any:
    """Return everything that serializing and parsing a shape depends on."""
    if shape is None or shape.name in seen:
        return shape and shape.name
    within = (*seen, shape.name)
    parts: dict[str, Any] = {}
    if isinstance(shape, StructureShape):
        parts = {name: described(member, within) for name, member in shape.members.items()}
    elif isinstance(shape, ListShape):
        parts = {"member": described(shape.member, within)}
    elif isinstance(shape, MapShape):
        parts = {"key": described(shape.key, within), "value": described(shape.value, within)}
    return shape.name, shape.type_name, shape.serialization, shape.metadata, parts


@pytest.mark.parametrize(
    ("service", "operation"),
    [(service, name) for service in sorted(OPERATIONS) for name in sorted(OPERATIONS[service])],
)
def test_a_reduced_model_describes_an_operation_as_the_full_model_does(
    slim: Session, full: Session, service: str, operation: str
) -> None:
    one, other = (session.get_service_model(service).operation_model(operation) for session in (slim, full))
    for shape in ("input_shape", "output_shape"):
        assert described(getattr(one, shape)) == described(getattr(other, shape))
    assert list(map(described, one.error_shapes)) == list(map(described, other.error_shapes))
    assert (one.http, one.auth_type, one.idempotent_members) == (
        other.http,
        other.auth_type,
        other.idempotent_members,
    )
    assert one.service_model.metadata == other.service_model.metadata


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", sorted(OPERATIONS))
def test_a_client_of_every_partition_has_the_endpoint_of_the_full_data(
    slim: Session, full: Session, service: str, region: str
) -> None:
    url, expected = (session.create_client(service, region).meta.endpoint_url for session in (slim, full))
    assert url == expected
    assert url.endswith(REGIONS[region])


def test_the_data_has_no_other_services_and_is_small(data: Path) -> None:
    assert {folder.name for folder in data.iterdir() if folder.is_dir()} == {*OPERATIONS}
    assert sum(file.stat().st_size for file in data.rglob("*") if file.is_file()) < 150_000


def test_the_same_data_is_reduced_to_the_same_bytes(data: Path, tmp_path: Path) -> None:
    again = reduced(tmp_path / "data")
    assert dict(contents(data)) == dict(contents(again))


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    return (
        (str(file.relative_to(folder)), file.read_bytes()) for file in folder.rglob("*") if file.is_file()
    )
