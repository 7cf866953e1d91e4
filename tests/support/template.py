"""Evaluate template.yaml as CloudFormation does, with logical ids as the names of resources."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import yaml

from release.translation import translate
from tests.support.connection import REGION
from tests.support.table import TEMPLATE, TemplateLoader

ACCOUNT = "123456789012"
STACK = "issue-timer"
_PSEUDO = {
    "AWS::StackName": STACK,
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": None,
}
# The ARNs of resources, with their logical ids as names.
_ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{}}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{}}",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{{}}-AbCdEf",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{}}:*",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
    "AWS::Lambda::Alias": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
    "AWS::Serverless::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{}}",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{}}",
}
_REFS_ARE_ARNS = {"AWS::Lambda::Alias", "AWS::SecretsManager::Secret", "AWS::SNS::Topic"}


class Template:
    """A template and the values of its parameters.

    Parameters
    ----------
    source
        The parsed template, with intrinsic functions in their short or long form.
    parameters
        Values other than the defaults.
    """

    def __init__(self, source: dict[str, Any], **parameters: Any) -> None:
        self.resources: dict[str, dict[str, Any]] = source["Resources"]
        self.outputs: dict[str, dict[str, Any]] = source["Outputs"]
        self.rules: dict[str, dict[str, Any]] = source["Rules"]
        self.parameters = {
            name: one.get("Default") for name, one in source["Parameters"].items()
        } | parameters
        self._conditions = source.get("Conditions", {})

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the unevaluated properties of all resources of a type, by logical id."""
        return {
            name: one.get("Properties", {}) for name, one in self.resources.items() if one["Type"] == kind
        }

    def exists(self, logical_id: str) -> bool:
        """Whether a resource is created with these parameters."""
        condition = self.resources[logical_id].get("Condition")
        return condition is None or bool(self.value({"Condition": condition}))

    def value(self, written: Any) -> Any:
        """Evaluate the intrinsic functions in a value.

        Raises
        ------
        LookupError
            A name does not exist, or an attribute is not supported here.
        """
        if isinstance(written, list):
            return [value for one in written if (value := self.value(one)) is not None]
        if not isinstance(written, dict):
            return written
        if len(written) == 1:
            ((name, argument),) = written.items()
            function = getattr(self, f"_{name.removeprefix('!').removeprefix('Fn::').lower()}", None)
            if function is not None and (
                name[0] == "!" or name.startswith("Fn::") or name in {"Ref", "Condition"}
            ):
                return function(argument)
        return {name: value for name, one in written.items() if (value := self.value(one)) is not None}

    def _ref(self, name: str) -> Any:
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.parameters:
            return self.parameters[name]
        if name.endswith(".Alias"):
            # SAM's name of the alias that AutoPublishAlias adds to a function.
            return _ARNS["AWS::Lambda::Alias"].format(f"{name.removesuffix('.Alias')}Aliaslive")
        kind = self.resources[name]["Type"]
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
        return _ARNS[kind].format(name) if kind in _REFS_ARE_ARNS else name

    def _getatt(self, path: str | list[str]) -> str:
        name, attribute = path.split(".", 1) if isinstance(path, str) else path
        if attribute == "QueueName":
            return name
        if attribute == "StreamArn":
            return f"{self._getatt([name, 'Arn'])}/stream/2026-01-01T00:00:00.000"
        if attribute != "Arn":
            raise LookupError(f"{attribute} of {name}")
        return _ARNS[self.resources[name]["Type"]].format(name)

    def _sub(self, argument: str | list[Any]) -> str:
        text, values = (argument, {}) if isinstance(argument, str) else argument

        def replaced(match: re.Match[str]) -> str:
            name = match.group(1)
            if name in values:
                return str(self.value(values[name]))
            return str(self._getatt(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^!}]+)\}", replaced, text)

    def _if(self, branches: list[Any]) -> Any:
        name, then, otherwise = branches
        return self.value(then if self._condition(name) else otherwise)

    def _condition(self, name: str) -> bool:
        return bool(self.value(self._conditions[name]))

    def _equals(self, sides: list[Any]) -> bool:
        left, right = (str(self.value(side)) for side in sides)
        return left == right

    def _and(self, operands: list[Any]) -> bool:
        return all(self.value(operands))

    def _or(self, operands: list[Any]) -> bool:
        return any(self.value(operands))

    def _not(self, operands: list[Any]) -> bool:
        return not self.value(operands[0])


@cache
def template(**parameters: Any) -> Template:
    """Return template.yaml with these parameters, and defaults for the others."""
    return Template(yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader), **parameters)  # noqa: S506


def translated(**parameters: Any) -> Template:
    """Return template.yaml after the SAM transform, with these parameters, and defaults for the others."""
    return Template(translation(), **parameters)


@cache
def translation() -> dict[str, Any]:
    """Return template.yaml after the SAM transform, with the functions' code at ``s3://bucket/key``."""
    return translate(TEMPLATE.read_text()).template


def without_functions(source: dict[str, Any]) -> dict[str, Any]:
    """Return a translated template without its functions, everything that refers to them, and outputs."""
    resources = source["Resources"]
    removed = {name for name, one in resources.items() if one["Type"].startswith("AWS::Lambda::")}
    while found := {
        name
        for name, one in resources.items()
        if name not in removed
        and re.search(rf'["{{](?:{"|".join(removed)})["}}.]', json.dumps([one, one.get("DependsOn")]))
    }:
        removed |= found
    kept = {name: one for name, one in resources.items() if name not in removed}
    return {name: part for name, part in source.items() if name != "Outputs"} | {"Resources": kept}
