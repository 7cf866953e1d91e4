"""Reduce botocore in a layer to the operations that the functions call.

botocore's data describes 400 services in 28 MB. Each cold start lists the services, and parses the endpoints
of all of them and the models of the used ones. These models are stored without their descriptions, without
the operations that no function calls, and uncompressed, so that a client is created in a tenth of the time.
`tests/unit/test_slim_botocore.py` makes each client from the reduced data; the functions' tests fail if a
function calls an operation that is not in `OPERATIONS`.
"""

import gzip
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

OPERATIONS = {
    "apigatewaymanagementapi": {"DeleteConnection", "PostToConnection"},
    "dynamodb": {
        "BatchGetItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
    },
    "lambda": {"Invoke"},
    "secretsmanager": {"GetSecretValue"},
    "sqs": {"ChangeMessageVisibility", "DeleteMessage", "SendMessage", "SendMessageBatch"},
    "ssm": {"GetParameter"},
}
# The models that botocore reads to create a client. The others describe paginators, waiters and examples.
_MODELS = ("service-2", "endpoint-rule-set-1", "service-2.sdk-extras")


def slim(data: Path) -> None:
    """Reduce the folder ``botocore/data``.

    Raises
    ------
    KeyError, FileNotFoundError
        The folder does not contain what `OPERATIONS` names.
    """
    for folder in data.iterdir():
        if folder.is_dir():
            if folder.name in OPERATIONS:
                _slim_service(folder, OPERATIONS[folder.name])
            else:
                shutil.rmtree(folder)
    endpoints = data / "endpoints.json"
    document = json.loads(endpoints.read_bytes())
    for partition in document["partitions"]:
        partition["services"] = {
            name: endpoints for name, endpoints in partition["services"].items() if name in OPERATIONS
        }
    _write(endpoints, document)


def _slim_service(folder: Path, operations: Iterable[str]) -> None:
    *old_versions, version = sorted(folder.iterdir())
    for old in old_versions:
        shutil.rmtree(old)
    models = {name: _read(version / name) for name in _MODELS}
    shutil.rmtree(version)
    version.mkdir()
    for name, model in models.items():
        if model is not None:
            _write(version / f"{name}.json", _reduced(model, operations) if name == "service-2" else model)


def _reduced(model: dict[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    """Return a service's model with some operations, the shapes of these, and no descriptions."""
    model = _without_descriptions(model)
    model["operations"] = {name: model["operations"][name] for name in sorted(operations)}
    used: set[str] = set()
    pending = set(_shapes_in(model["operations"]))
    while pending:
        used |= pending
        pending = {shape for name in pending for shape in _shapes_in(model["shapes"][name])} - used
    model["shapes"] = {name: shape for name, shape in model["shapes"].items() if name in used}
    return model


def _without_descriptions(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: _without_descriptions(value)
            for key, value in node.items()
            # A member of a structure may have the same name; its value is not a text.
            if not (key == "documentation" and isinstance(value, str))
        }
    return [_without_descriptions(value) for value in node] if isinstance(node, list) else node


def _shapes_in(node: Any) -> Iterator[str]:
    """Yield the names of the shapes that a part of a model refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("shape"), str):
            yield node["shape"]
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from _shapes_in(value)


def _read(path: Path) -> Any:
    """Return a model, which may be compressed; None if there is no such model."""
    plain, compressed = Path(f"{path}.json"), Path(f"{path}.json.gz")
    if plain.exists():
        return json.loads(plain.read_bytes())
    return json.loads(gzip.decompress(compressed.read_bytes())) if compressed.exists() else None


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, separators=(",", ":")))


if __name__ == "__main__":
    slim(Path(sys.argv[1], "botocore/data"))
