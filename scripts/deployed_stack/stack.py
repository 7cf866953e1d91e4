"""A deployed stack, found by its name through CloudFormation."""

import json
import os
import secrets
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from deployed_stack.secret_pair import SecretPair
from timer_core.github.messages import from_json
from timer_core.secrets import WEBHOOK_STAGE

# The template's AutoPublishAlias: the version of a function that everything calls.
LIVE = "live"

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from mypy_boto3_sqs.type_defs import MessageTypeDef


class DeployedStack:
    """A deployment of template.yaml.

    Parameters
    ----------
    aws
        Account and region, with credentials.
    name
        The stack's name in CloudFormation.
    """

    def __init__(self, aws: boto3.Session, name: str) -> None:
        self.aws = aws
        self.name = name

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        outputs = self._description.get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The values of the stack's parameters by name."""
        parameters = self._description.get("Parameters", [])
        return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in parameters}

    @property
    def status(self) -> str:
        """The stack's status in CloudFormation."""
        return self._description["StackStatus"]

    @cached_property
    def _description(self) -> "StackTypeDef":
        return self.aws.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]

    @cached_property
    def resources(self) -> dict[str, str]:
        """The physical ids of the stack's resources, by their logical ids."""
        paginator = self.aws.client("cloudformation").get_paginator("list_stack_resources")
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in paginator.paginate(StackName=self.name)
            for resource in page["StackResourceSummaries"]
            if "PhysicalResourceId" in resource
        }

    @property
    def url(self) -> str:
        """The address of the page; the API is below it, under ``/api/``."""
        return self.outputs["Url"]

    @property
    def table_name(self) -> str:
        """The DynamoDB table of the timers."""
        return self.outputs["TableName"]

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables for a process that uses this stack."""
        return os.environ | self.own_variables

    @property
    def own_variables(self) -> dict[str, str]:
        """The functions' environment variables, limited to those that operators' tools need."""
        return {
            "TABLE_NAME": self.table_name,
            "TRACK_UNREGISTERED": self.parameters["TrackUnregistered"],
            "LIVE_ENDPOINT": self.outputs["LiveEndpoint"],
        }

    @property
    def make_option(self) -> str:
        """The option with which the Makefile's targets work on this stack."""
        return f"STACK={self.name}"

    def make_command(self, target: str, *options: str) -> str:
        """Return the command that runs a target of the Makefile on this stack."""
        return " ".join(["make", target, self.make_option, *options])

    def protect_from_termination(self) -> None:
        """Make CloudFormation refuse to delete the stack, until its termination protection is disabled."""
        self.aws.client("cloudformation").update_termination_protection(
            StackName=self.name, EnableTerminationProtection=True
        )

    @cached_property
    def webhook_pair(self) -> SecretPair:
        """The secret that GitHub signs deliveries with, and the previous one.

        The pair is created if there is none yet, because CloudFormation generates the session key only.
        """
        pair = SecretPair(self.aws, self.outputs["SigningKeysArn"], WEBHOOK_STAGE)
        if not pair.exists:
            pair.replace(secrets.token_hex(32))
        return pair

    def webhook_secret(self) -> str:
        """Return the secret that signs GitHub's deliveries."""
        return self.webhook_pair.current

    def sweep(self, *, dry_run: bool) -> Any:
        """Run the sweeper, and return its summary or error; with ``dry_run``, the sweeper only counts."""
        # The function may take 5 minutes. A retry would start a second sweep while the first one runs.
        config = Config(read_timeout=310, retries={"total_max_attempts": 1})
        answer = self.aws.client("lambda", config=config).invoke(
            FunctionName=self.resources["StaleSweeperFunction"],
            Qualifier=LIVE,
            Payload=json.dumps({"dry_run": dry_run}),
        )
        return json.load(answer["Payload"])

    def dead_letters(self) -> list[dict[str, Any]]:
        """Return up to ten of the deliveries that failed ten times, without removing them.

        `sent_ms` is the time at which SQS moved them to the dead-letter queue, after the last attempt.
        """
        sqs = self.aws.client("sqs")
        letters = sqs.receive_message(
            QueueUrl=self.resources["DeliveryDeadLetterQueue"],
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["MessageDeduplicationId", "SentTimestamp"],
            VisibilityTimeout=0,
        ).get("Messages", [])
        return [
            {
                "delivery": _delivery_of(letter),
                "sent_ms": int(letter["Attributes"]["SentTimestamp"]),
                "message": letter["Body"],
            }
            for letter in letters
        ]

    def redrive(self) -> int:
        """Move the dead letters back to their queue; return their approximate number."""
        sqs = self.aws.client("sqs")
        attributes = sqs.get_queue_attributes(
            QueueUrl=self.resources["DeliveryDeadLetterQueue"],
            AttributeNames=["QueueArn", "ApproximateNumberOfMessages"],
        )["Attributes"]
        count = int(attributes["ApproximateNumberOfMessages"])
        if count:
            sqs.start_message_move_task(SourceArn=attributes["QueueArn"])
        return count


def _delivery_of(letter: "MessageTypeDef") -> str:
    """Return a delivery's GUID, or the id that SQS gave the message if the message cannot be read.

    The deduplication id of a message is the GUID. In a FIFO dead-letter queue, SQS replaces the deduplication
    id with the message's id ("Configure a dead-letter queue redrive").
    """
    try:
        return from_json(letter["Body"]).delivery
    except (ValueError, TypeError, KeyError):
        return letter["Attributes"]["MessageDeduplicationId"]
