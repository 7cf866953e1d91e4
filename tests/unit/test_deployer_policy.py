"""docs/deployer-policy.json allows all that CloudFormation needs to deploy the template."""

import json
from fnmatch import fnmatchcase
from typing import Any

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


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def is_allowed(action: str) -> bool:
    # The names of actions are not case sensitive.
    return any(
        fnmatchcase(action.lower(), pattern.lower())
        for statement in STATEMENTS
        for pattern in listed(statement["Action"])
    )


def required() -> set[str]:
    permissions = translate(TEMPLATE.read_text()).permissions
    assert all(permissions.values())
    return {action for actions in permissions.values() for action in actions}


def test_every_permission_of_the_templates_resource_types_is_allowed() -> None:
    refused = {action for action in required() if not is_allowed(action)}
    assert {action for action in refused if action.partition(":")[0] not in UNUSED} == set()
    assert {action.partition(":")[0] for action in refused} == UNUSED


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
