"""The life of a stack in the emulator: a failed first deployment, protection, deletion.

The stacks have no functions, so that they need no build.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from deployed_stack.paths import ROOT, SAM
from deployed_stack.state import discard_change_sets, require_updatable, waiting_change_sets
from tests.support.template import translation, without_functions

if TYPE_CHECKING:
    from pathlib import Path

    from local_stack import MiniStack

_numbers = itertools.count(1)
# SQS refuses this retention period.
FAILING = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Resources": {
        "First": {"Type": "AWS::SQS::Queue"},
        "Second": {
            "Type": "AWS::SQS::Queue",
            "DependsOn": "First",
            "Properties": {"MessageRetentionPeriod": 1},
        },
    },
}


def new_stack(ministack: MiniStack) -> DeployedStack:
    return DeployedStack(ministack.session, f"states-{next(_numbers)}")


def create(stack: DeployedStack, template: dict[str, Any], **parameters: str) -> None:
    """Create a stack, and wait until CloudFormation has finished."""
    cloudformation = stack.aws.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack.name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=stack.name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def delete(stack: DeployedStack) -> None:
    cloudformation = stack.aws.client("cloudformation")
    cloudformation.delete_stack(StackName=stack.name)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=stack.name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def sam_deploy(stack: DeployedStack, environment: dict[str, str], stage: str, folder: Path) -> int:
    """Deploy a failing template with a stage's options, and return the SAM CLI's status."""
    template = folder / "template.json"
    template.write_text(json.dumps(FAILING))
    command = [SAM, "deploy", "--template-file", template, "--stack-name", stack.name]
    command += ["--config-file", ROOT / "samconfig.toml", "--config-env", stage]
    command += ["--parameter-overrides", "Stage=dev", "--no-confirm-changeset"]
    return subprocess.call(
        [str(word) for word in command],
        cwd=folder,
        env=environment | {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5", "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
    )


def test_a_failed_first_deployment_of_dev_leaves_nothing(ministack: MiniStack, tmp_path: Path) -> None:
    stack = new_stack(ministack)
    assert sam_deploy(stack, ministack.environment, "dev", tmp_path) != 0
    assert require_updatable(stack) is False


def test_a_failed_first_deployment_is_explained(ministack: MiniStack, tmp_path: Path) -> None:
    stack = new_stack(ministack)
    assert sam_deploy(stack, ministack.environment, "prod", tmp_path) != 0
    with pytest.raises(ToolError) as raised:
        require_updatable(stack)
    message = str(raised.value)
    assert f"The first deployment of {stack.name} failed (ROLLBACK_COMPLETE):\n  Second: " in message
    assert "MessageRetentionPeriod" in message
    assert f"aws cloudformation delete-stack --stack-name {stack.name}\n" in message
    delete(stack)
    assert require_updatable(DeployedStack(ministack.session, stack.name)) is False


def test_only_the_change_set_that_a_deployment_created_is_discarded(ministack: MiniStack) -> None:
    stack = new_stack(ministack)
    assert waiting_change_sets(stack) == set()
    template: dict[str, Any] = {"Resources": {"First": {"Type": "AWS::SQS::Queue"}}}
    create(stack, template)
    cloudformation = ministack.session.client("cloudformation")
    template["Resources"]["Second"] = {"Type": "AWS::SQS::Queue"}

    def propose(name: str) -> str:
        change_set = cloudformation.create_change_set(
            StackName=stack.name, ChangeSetName=name, TemplateBody=json.dumps(template)
        )["Id"]
        cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=change_set)
        return change_set

    of_another_person = propose("samcli-deploy1700000000")
    before = waiting_change_sets(stack)
    assert before == {of_another_person}
    of_another_tool = propose("from-the-console")
    assert not discard_change_sets(stack, waited_before=before)

    propose("samcli-deploy1700000001")
    assert discard_change_sets(stack, waited_before=before)
    remaining = cloudformation.list_change_sets(StackName=stack.name)["Summaries"]
    waiting = {one["ChangeSetId"] for one in remaining if one["ExecutionStatus"] == "AVAILABLE"}
    assert waiting == {of_another_person, of_another_tool}
    assert require_updatable(stack) is True


# ---------------------------------------------------------------- deletion


def kept(ministack: MiniStack, stack: DeployedStack) -> list[int]:
    """Return the numbers of a stack's tables, queues and secrets that exist."""
    aws, prefix = ministack.session, f"{stack.name}-"
    return [
        sum(name.startswith(prefix) for name in aws.client("dynamodb").list_tables()["TableNames"]),
        len(aws.client("sqs").list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])),
        sum(
            {"Key": "aws:cloudformation:stack-name", "Value": stack.name} in one["Tags"]
            for one in aws.client("secretsmanager").list_secrets(MaxResults=100)["SecretList"]
        ),
    ]


@pytest.mark.parametrize(("stage", "remaining"), [("prod", [1, 2, 1]), ("dev", [0, 0, 0])])
def test_only_a_production_stack_leaves_its_data_when_it_is_deleted(
    ministack: MiniStack, stage: str, remaining: list[int]
) -> None:
    stack = new_stack(ministack)
    create(stack, without_functions(translation()), Stage=stage)
    # Only the deliveries and their dead letters contain what the table does not.
    assert kept(ministack, stack) == [1, 6, 1]
    delete(stack)
    assert kept(ministack, stack) == remaining


def test_a_failed_first_deployment_of_production_deletes_its_queues_and_secrets(ministack: MiniStack) -> None:
    """Tables are not compared, because the emulator's CloudFormation deletes protected ones too."""
    stack = new_stack(ministack)
    template = without_functions(translation())
    data = [name for name, one in template["Resources"].items() if "DeletionPolicy" in one]
    assert len(data) == 4
    failing = FAILING["Resources"]["Second"] | {"DependsOn": data}  # type: ignore[index]
    template["Resources"] = template["Resources"] | {"Second": failing}
    with pytest.raises(WaiterError):
        create(stack, template, Stage="prod")
    assert kept(ministack, stack)[1:] == [0, 0]


def test_a_protected_stack_cannot_be_deleted(ministack: MiniStack) -> None:
    stack = new_stack(ministack)
    create(stack, {"Resources": {"First": {"Type": "AWS::SQS::Queue"}}})
    stack.protect_from_termination()
    with pytest.raises(ClientError, match="TerminationProtection is enabled"):
        delete(stack)


@pytest.mark.parametrize(
    "given",
    [
        {"DomainName": "timer.example.com"},
        {"CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/0"},
    ],
)
def test_a_domain_without_a_certificate_is_refused(ministack: MiniStack, given: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="DomainName and CertificateArn must both be set, or neither"):
        create(new_stack(ministack), without_functions(translation()), **given)
