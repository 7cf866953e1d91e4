"""The API does what its description says, whatever is sent (schemathesis)."""

import json
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import CheckFunction, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.e2e.conftest import Site

_DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
_OPERATIONS = [
    (path, method, mode)
    for path, methods in _DOCUMENT["paths"].items()
    for method, operation in methods.items()
    for mode in GenerationMode
    # What takes nothing cannot be sent anything wrong.
    if mode.is_positive or operation.keys() & {"parameters", "requestBody"}
]


@pytest.mark.parametrize(("path", "method", "mode"), _OPERATIONS)
def test_the_api_keeps_to_its_description(site: Site, path: str, method: str, mode: GenerationMode) -> None:
    load_all_checks()
    schema = schemathesis.openapi.from_dict(_DOCUMENT)
    # The API's own address: schemathesis cannot resolve the names under .localhost.
    api_id = site.stack.resources["HttpApi"]
    base_url = f"{site.stack.endpoint_url}/_aws/execute-api/{api_id}/$default"
    credentials = {"Authorization": f"Token {site.ann}"}

    # A schema cannot say that of end and duration exactly one is needed, and the like.
    excluded: list[CheckFunction] = [positive_data_acceptance]
    if method == "get":
        # What breaks the schema may be valid in a query: a list of one is written like its element.
        excluded.append(negative_data_rejection)

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    def holds(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=base_url, headers=credentials, excluded_checks=excluded)

    holds()
