"""Connections to a local DynamoDB: DynamoDB Local or MiniStack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGION = "eu-west-1"
# DynamoDB Local accepts any access key.
ACCESS_KEY = "testing"


def environment(endpoint_url: str, access_key: str = ACCESS_KEY) -> dict[str, str]:
    """Return the environment variables that make AWS SDKs use this DynamoDB, with fake credentials."""
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint_url,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def connect(endpoint_url: str, access_key: str = ACCESS_KEY, *, max_connections: int = 64) -> DynamoDBClient:
    """Return a client that threads can share.

    Parameters
    ----------
    endpoint_url
        The URL of the back end.
    access_key
        The access key id, and also the secret.
    max_connections
        The maximum number of concurrent requests; further threads wait.
    """
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=access_key,
        config=Config(max_pool_connections=max_connections),
    )
