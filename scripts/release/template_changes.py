"""Changes of template.yaml that CloudFormation refuses, or that delete a running stack's data."""

from collections.abc import Iterator
from typing import Any

from release.translation import Translation

# Resources that hold data, or an address or key that others know.
_STATEFUL = {
    "AWS::ApiGatewayV2::Api",
    "AWS::CloudFront::Distribution",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}
# Properties whose change replaces the data, although AWS's schemas do not list them. DynamoDB creates local
# indexes only together with their table. CloudFormation generates a new secret when the way to generate it
# changes.
_REPLACING_PROPERTIES = {
    "AWS::DynamoDB::Table": ["/properties/LocalSecondaryIndexes"],
    "AWS::SecretsManager::Secret": ["/properties/GenerateSecretString"],
}
# The properties that have to be unique, of types whose schema names a generated identifier only.
_UNIQUE = {
    "AWS::CloudFront::Function": ["/properties/Name"],
    "AWS::CloudFront::OriginAccessControl": ["/properties/OriginAccessControlConfig/Name"],
    "AWS::CloudFront::ResponseHeadersPolicy": ["/properties/ResponseHeadersPolicyConfig/Name"],
    "AWS::Lambda::Alias": ["/properties/FunctionName", "/properties/Name"],
    "AWS::Lambda::EventSourceMapping": ["/properties/EventSourceArn", "/properties/FunctionName"],
}

_Resource = dict[str, Any]


def upgrade_traps(before: Translation, after: Translation) -> Iterator[str]:
    """Yield what an upgrade of a running stack from one template to the other would meet.

    Properties are compared as they are written, so a different expression of the same value is reported too.
    """
    old: dict[str, _Resource] = before.template["Resources"]
    new: dict[str, _Resource] = after.template["Resources"]
    yield from _parameters(before.template.get("Parameters", {}), after.template.get("Parameters", {}))
    for name, former in old.items():
        present = new.get(name, {})
        if former["Type"] in _STATEFUL:
            yield from _replacements(name, former, present, after.schemas)
        if former["Type"] == "AWS::DynamoDB::Table" == present.get("Type"):
            yield from _table(name, former, present)
    yield from _names(before, after)
    yield from _route_settings(old, new)


def _parameters(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name in old.keys() - new.keys():
        yield f"The parameter {name} is removed: CloudFormation refuses a deployment that still sets it."
    for name in new.keys() - old.keys():
        if "Default" not in new[name]:
            yield f"The new parameter {name} has no default: CloudFormation refuses updates without a value."


def _replacements(
    name: str, old: _Resource, new: _Resource, schemas: dict[str, dict[str, list[str]]]
) -> Iterator[str]:
    kind = old["Type"]
    if new.get("Type") != kind or new.get("Condition") != old.get("Condition"):
        yield f"{name} ({kind}) is removed, or has another condition: its data is deleted."
        return
    fixed = [*schemas[kind]["createOnlyProperties"], *schemas[kind]["conditionalCreateOnlyProperties"]]
    for path in [*fixed, *_REPLACING_PROPERTIES.get(kind, [])]:
        if _at(old, path) != _at(new, path):
            changed = path.removeprefix("/properties/")
            yield f"{name} ({kind}): another {changed} replaces it, and its data is deleted."


def _table(name: str, old: _Resource, new: _Resource) -> Iterator[str]:
    """Compare a table's attributes and global indexes."""
    before, after = (
        {index["IndexName"]: index for index in _at(one, "/properties/GlobalSecondaryIndexes") or []}
        for one in (old, new)
    )
    types, new_types = (
        {
            each["AttributeName"]: each["AttributeType"]
            for each in _at(one, "/properties/AttributeDefinitions")
        }
        for one in (old, new)
    )
    for attribute in sorted(types.keys() & new_types.keys()):
        if types[attribute] != new_types[attribute]:
            yield f"{name}: another type of {attribute} replaces it, and its data is deleted."
    changed = sorted(before.keys() ^ after.keys())
    if len(changed) > 1:
        yield (
            f"{name}: {', '.join(changed)} are created or deleted in one update: DynamoDB refuses more than "
            "one global index at a time."
        )
    for index in before.keys() & after.keys():
        if any(before[index].get(key) != after[index].get(key) for key in ("KeySchema", "Projection")):
            yield f"{name}: the index {index} changes: DynamoDB refuses that; create one of another name."


def _names(before: Translation, after: Translation) -> Iterator[str]:
    """Find unique names that move to another logical id."""
    former = {identity: name for name, identity in _identities(before)}
    for name, identity in _identities(after):
        if former.get(identity, name) != name:
            yield (
                f"{former[identity]} becomes {name} ({identity[0]}) with the same name: CloudFormation would "
                "create the new one before it deletes the old one, and fails."
            )


def _identities(translation: Translation) -> Iterator[tuple[str, tuple[str, str]]]:
    for name, resource in translation.template["Resources"].items():
        kind = resource["Type"]
        schema = translation.schemas[kind]
        paths = _UNIQUE.get(kind, schema["primaryIdentifier"])
        values = [_at(resource, path) for path in paths]
        if None not in values and not set(paths) & set(schema["readOnlyProperties"]):
            yield name, (kind, repr(values))


def _route_settings(old: dict[str, _Resource], new: dict[str, _Resource]) -> Iterator[str]:
    """Compare the settings of routes.

    API Gateway keeps a stage's settings of a route until DeleteRouteSettings, also when the template no
    longer has them, and refuses updates of the stage if there is no such route ("Unable to find Route by
    key").
    """
    for name, stage in old.items():
        if stage["Type"] != "AWS::ApiGatewayV2::Stage":
            continue
        kept = _at(new.get(name, {}), "/properties/RouteSettings") or {}
        for key in (_at(stage, "/properties/RouteSettings") or {}).keys() - kept.keys():
            yield (
                f"The settings of the route {key} are removed: API Gateway keeps them until "
                "`aws apigatewayv2 delete-route-settings`, and refuses updates once the route is gone."
            )
    routes = {
        f"{'ANY' if method == 'x-amazon-apigateway-any-method' else method.upper()} {path}"
        for resource in new.values()
        if resource["Type"] == "AWS::ApiGatewayV2::Api"
        # A WebSocket API has no body.
        for path, methods in (_at(resource, "/properties/Body/paths") or {}).items()
        for method in methods
    }
    for stage in new.values():
        if stage["Type"] == "AWS::ApiGatewayV2::Stage":
            for key in (_at(stage, "/properties/RouteSettings") or {}).keys() - routes:
                yield f"The settings of {key} name no route: API Gateway refuses them."


def _at(resource: _Resource, path: str) -> Any:
    """Return the value at a JSON pointer such as ``/properties/Name``, or None."""
    value: Any = resource.get("Properties", {})
    for key in path.split("/")[2:]:
        value = value.get(key) if isinstance(value, dict) else None
    return value
