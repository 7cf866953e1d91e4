"""The state of a stack before a deployment."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from deployed_stack.errors import ToolError
from deployed_stack.stack import DeployedStack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

# The states after a first deployment that failed. CloudFormation cannot update such a stack:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-stack-status-codes
_NEVER_CREATED = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
# The reason of resources that failed only because another one did.
_CANCELLED = "Resource creation cancelled"
# The beginning of the names of the SAM CLI's change sets.
_OF_SAM_CLI = "samcli-deploy"


def require_updatable(stack: DeployedStack) -> bool:
    """Return whether the stack exists.

    Raises
    ------
    ToolError
        The stack exists, and CloudFormation cannot update it; the message says what to do.
    """
    try:
        status = stack.status
    except ClientError as error:
        if not _is_about_missing_stack(error):
            raise
        return False
    if status in _NEVER_CREATED:
        raise ToolError(_about_failed_creation(stack, status))
    if status.startswith("DELETE_"):
        raise ToolError(f"The stack {stack.name} is being deleted ({status}): wait, or delete it again.")
    if status == "UPDATE_ROLLBACK_FAILED":
        raise ToolError(
            f"The last update of {stack.name} failed, and so did its rollback. Fix the cause, then: "
            f"aws cloudformation continue-update-rollback --stack-name {stack.name}"
        )
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        raise ToolError(f"The stack {stack.name} is being changed ({status}): wait until that has finished.")
    return status != "REVIEW_IN_PROGRESS"


def waiting_change_sets(stack: DeployedStack) -> set[str]:
    """Return the ids of the change sets that SAM CLIs have created and that nobody has executed."""
    pages = stack.aws.client("cloudformation").get_paginator("list_change_sets")
    try:
        return {
            one["ChangeSetId"]
            for page in pages.paginate(StackName=stack.name)
            for one in page["Summaries"]
            if one["ExecutionStatus"] == "AVAILABLE" and one["ChangeSetName"].startswith(_OF_SAM_CLI)
        }
    except ClientError as error:
        if not _is_about_missing_stack(error):
            raise
        return set()


def discard_change_sets(stack: DeployedStack, *, waited_before: set[str]) -> bool:
    """Delete the change sets that a deployment has created and not executed; return whether there were any.

    The SAM CLI keeps a change set that the person declines, and exits with status 0. Change sets of other
    people are not deleted: those that ``waited_before`` the deployment, and those that other tools created.
    """
    declined = waiting_change_sets(stack) - waited_before
    for change_set in declined:
        stack.aws.client("cloudformation").delete_change_set(ChangeSetName=change_set)
    return bool(declined)


def _is_about_missing_stack(error: ClientError) -> bool:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html;
    # ListChangeSets of a missing stack fails with the same code.
    return error.response["Error"]["Code"] == "ValidationError"


def _about_failed_creation(stack: DeployedStack, status: str) -> str:
    reasons = "".join(f"\n  {one['LogicalResourceId']}: {_reason(one)}" for one in _failures(stack))
    return (
        f"The first deployment of {stack.name} failed ({status}):{reasons}\n"
        'Fix the cause (docs/deploying.md, "If a deployment fails"). CloudFormation can only delete such a '
        "stack, which has no data yet. Then deploy again:\n"
        f"  aws cloudformation delete-stack --stack-name {stack.name}\n"
        f"  aws cloudformation wait stack-delete-complete --stack-name {stack.name}"
    )


def _failures(stack: DeployedStack) -> list["StackEventTypeDef"]:
    """Return the events of the resources that failed, the first failure first."""
    pages = (
        stack.aws.client("cloudformation")
        .get_paginator("describe_stack_events")
        .paginate(StackName=stack.name)
    )
    failed = [
        event
        for page in pages
        for event in page["StackEvents"]
        if event.get("ResourceStatus", "").endswith("_FAILED") and not _reason(event).startswith(_CANCELLED)
    ]
    return failed[::-1]


def _reason(event: "StackEventTypeDef") -> str:
    return event.get("ResourceStatusReason", "unknown reason")
