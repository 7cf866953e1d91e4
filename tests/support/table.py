"""Create tables with the properties in template.yaml, so that tests use the deployed layout."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = Path(__file__).parents[2] / "template.yaml"

# The properties that CreateTable accepts and that concern the data. Other properties, such as backups,
# encryption and deletion protection, would hinder tests.
_CREATE_TABLE_PROPERTIES = (
    "AttributeDefinitions",
    "KeySchema",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexes",
    "BillingMode",
)


class TemplateLoader(yaml.SafeLoader):
    """Reads short-form intrinsic functions as dictionaries: ``!Ref X`` is ``{"!Ref": "X"}``."""


def _intrinsic(loader: yaml.SafeLoader, tag_suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {f"!{tag_suffix}": value}


TemplateLoader.add_multi_constructor("!", _intrinsic)


@cache
def table_properties(logical_id: str = "TimerTable") -> dict[str, Any]:
    """Return the properties of a table in template.yaml."""
    template = yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader=TemplateLoader)  # noqa: S506
    properties: dict[str, Any] = template["Resources"][logical_id]["Properties"]
    return properties


def create_table(client: DynamoDBClient, name: str) -> None:
    """Create the timer table with its indexes and time to live, and wait until it is usable."""
    properties = table_properties()
    client.create_table(
        TableName=name,
        **{key: properties[key] for key in _CREATE_TABLE_PROPERTIES if key in properties},
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"])


def delete_table(client: DynamoDBClient, name: str) -> None:
    """Delete a table."""
    client.delete_table(TableName=name)


def empty_table(client: DynamoDBClient, name: str) -> None:
    """Delete all items of a small table; this is faster than creating another table."""
    for item in client.scan(TableName=name)["Items"]:
        client.delete_item(TableName=name, Key={"pk": item["pk"], "sk": item["sk"]})
