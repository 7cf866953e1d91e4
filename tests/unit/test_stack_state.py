"""The states in which `make deploy` can update a stack. tests/e2e/test_stack_states.py fails creations."""

import boto3
import pytest

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from deployed_stack.state import require_updatable


def stack_in(status: str) -> DeployedStack:
    stack = DeployedStack(boto3.Session(region_name="us-east-1"), "issue-timer-dev")
    stack.__dict__["_description"] = {"StackStatus": status}
    return stack


@pytest.mark.parametrize(
    "status",
    ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED", "IMPORT_COMPLETE"],
)
def test_an_existing_stack_is_updated(status: str) -> None:
    assert require_updatable(stack_in(status)) is True


def test_a_stack_whose_first_change_set_was_declined_does_not_exist_yet() -> None:
    assert require_updatable(stack_in("REVIEW_IN_PROGRESS")) is False


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("UPDATE_IN_PROGRESS", "is being changed"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "is being changed"),
        ("ROLLBACK_IN_PROGRESS", "is being changed"),
        ("DELETE_IN_PROGRESS", "is being deleted"),
        ("DELETE_FAILED", "is being deleted"),
        (
            "UPDATE_ROLLBACK_FAILED",
            "aws cloudformation continue-update-rollback --stack-name issue-timer-dev",
        ),
    ],
)
def test_other_states_are_explained(status: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        require_updatable(stack_in(status))
