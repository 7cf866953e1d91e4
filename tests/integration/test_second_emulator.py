"""moto, an emulator independent of MiniStack, accepts the transformed template's resources.

MiniStack creates the stack in the other tests. moto's CloudFormation does not support most types, so this
test calls the services themselves, as CloudFormation does; boto3 compares each call with AWS's definition of
the service. Functions, with their versions, layers, permissions and event sources, are omitted, because moto
runs them in Docker.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.validate import validate_parameters
from moto import mock_aws

from tests.support.connection import REGION
from tests.support.template import ACCOUNT, Template, translation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# With these parameters, the template has all of its resources and properties.
PARAMETERS = {
    "Stage": "prod",
    "AlarmEmail": "team@example.com",
    "AllowedOrigins": "https://wiki.example.com",
    "DomainName": "timer.example.com",
    "CertificateArn": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/example",
    "WebAclArn": f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/example/1",
}


class _Source(Template):
    """The template, with the names that moto gives to resources."""

    def __init__(self) -> None:
        super().__init__(translation(), **PARAMETERS)
        self.created: dict[str, dict[str, str]] = {}

    def _ref(self, name: str) -> Any:
        return self.created[name]["Ref"] if name in self.created else super()._ref(name)

    def _getatt(self, path: str | list[str]) -> str:
        name, attribute = path.split(".", 1) if isinstance(path, str) else path
        return self.created.get(name, {}).get(attribute) or super()._getatt(path)

    def _split(self, arguments: list[Any]) -> list[str]:
        separator, text = self.value(arguments)
        return str(text).split(separator)


def _counted(config: Any) -> Any:
    """Return a CloudFront configuration as its API has it: a list with its length.

    CloudFormation has lists without a length, except in origin groups.
    """
    if isinstance(config, dict) and config.keys() == {"Quantity", "Items"}:
        config = config["Items"]
    if isinstance(config, list):
        return {"Quantity": len(config), "Items": [_counted(one) for one in config]}
    if isinstance(config, dict) and config.keys() == {"Quantity", "Items"}:
        # CloudFormation has some lists in this form.
        return config | {"Items": [_counted(one) for one in config["Items"]]}
    if isinstance(config, dict):
        return {name: _counted(one) for name, one in config.items()}
    return config


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class _Account:
    """Creates resources in moto. Each method returns the values of Ref and GetAtt."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}

    def __getitem__(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(service, region_name=REGION)  # type: ignore[call-overload]
        return self._clients[service]

    def dynamodb_table(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        backups = given.pop("PointInTimeRecoverySpecification")
        expiry = given.pop("TimeToLiveSpecification")
        given["StreamSpecification"] |= {"StreamEnabled": True}
        given["SSESpecification"] = {"Enabled": given["SSESpecification"]["SSEEnabled"]}
        table = self["dynamodb"].create_table(TableName=name, **given)["TableDescription"]
        self["dynamodb"].update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=backups)
        self["dynamodb"].update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
        return {"Ref": name, "Arn": table["TableArn"]}

    def sqs_queue(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        attributes = {key: _text(value) for key, value in given.items()}
        url = self["sqs"].create_queue(QueueName=f"{name}.fifo", Attributes=attributes)["QueueUrl"]
        arn = self["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        return {"Ref": url, "Arn": arn, "QueueName": f"{name}.fifo"}

    def sqs_queuepolicy(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        for url in given.pop("Queues"):
            policy = json.dumps(given["PolicyDocument"])
            self["sqs"].set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return {}

    def secretsmanager_secret(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        wanted = given.pop("GenerateSecretString")
        secret = json.loads(wanted.pop("SecretStringTemplate"))
        key = wanted.pop("GenerateStringKey")
        secret[key] = self["secretsmanager"].get_random_password(**wanted)["RandomPassword"]
        created = self["secretsmanager"].create_secret(Name=name, SecretString=json.dumps(secret), **given)
        return {"Ref": created["ARN"]}

    def logs_loggroup(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        group = given["LogGroupName"]
        self["logs"].create_log_group(logGroupName=group)
        self["logs"].put_retention_policy(logGroupName=group, retentionInDays=given["RetentionInDays"])
        return {"Ref": group, "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"}

    def iam_managedpolicy(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        document = json.dumps(given.pop("PolicyDocument"))
        policy = self["iam"].create_policy(PolicyName=name, PolicyDocument=document, **given)["Policy"]
        return {"Ref": policy["Arn"]}

    def iam_role(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        trust = json.dumps(given["AssumeRolePolicyDocument"])
        role = self["iam"].create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
        for policy in given.get("Policies", ()):
            document = json.dumps(policy["PolicyDocument"])
            self["iam"].put_role_policy(
                RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document
            )
        for arn in given.get("ManagedPolicyArns", ()):
            self["iam"].attach_role_policy(RoleName=name, PolicyArn=arn)
        return {"Ref": name, "Arn": role["Arn"]}

    def kms_key(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        key = self["kms"].create_key(Policy=json.dumps(given["KeyPolicy"]), Description=given["Description"])[
            "KeyMetadata"
        ]
        self["kms"].enable_key_rotation(KeyId=key["KeyId"])
        return {"Ref": key["KeyId"], "Arn": key["Arn"]}

    def sns_topic(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        subscriptions = given.pop("Subscription")
        arn = self["sns"].create_topic(Name=name, Attributes=given)["TopicArn"]
        for one in subscriptions:
            self["sns"].subscribe(TopicArn=arn, **one)
        return {"Ref": arn}

    def sns_topicpolicy(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        for arn in given["Topics"]:
            policy = json.dumps(given["PolicyDocument"])
            self["sns"].set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
        return {}

    def cloudwatch_alarm(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        self["cloudwatch"].put_metric_alarm(AlarmName=name, **given)
        return {"Ref": name}

    def cloudwatch_dashboard(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        json.loads(given["DashboardBody"])
        self["cloudwatch"].put_dashboard(**given)
        return {"Ref": given["DashboardName"]}

    def s3_bucket(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        bucket = name.lower()
        self["s3"].create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        rules = [
            {"ApplyServerSideEncryptionByDefault": one["ServerSideEncryptionByDefault"]}
            for one in given["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        ]
        self["s3"].put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
        self["s3"].put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=given["OwnershipControls"])
        self["s3"].put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=given["PublicAccessBlockConfiguration"]
        )
        domain = f"{bucket}.s3.{REGION}.amazonaws.com"
        return {"Ref": bucket, "Arn": f"arn:aws:s3:::{bucket}", "RegionalDomainName": domain}

    def s3_bucketpolicy(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        self["s3"].put_bucket_policy(Bucket=given["Bucket"], Policy=json.dumps(given["PolicyDocument"]))
        return {}

    def cloudfront_originaccesscontrol(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        created = self["cloudfront"].create_origin_access_control(**given)["OriginAccessControl"]
        return {"Ref": created["Id"], "Id": created["Id"]}

    def cloudfront_responseheaderspolicy(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        config = given["ResponseHeadersPolicyConfig"]
        # CloudFormation names the lists' items, but not their numbers.
        for one in (*config.get("CorsConfig", {}).values(), config.get("CustomHeadersConfig")):
            if isinstance(one, dict):
                one["Quantity"] = len(one["Items"])
        # moto does not have this operation, so only AWS's definition is compared.
        operation = self["cloudfront"].meta.service_model.operation_model("CreateResponseHeadersPolicy")
        validate_parameters({"ResponseHeadersPolicyConfig": config}, operation.input_shape)
        return {"Ref": name}

    def cloudfront_function(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        code = given["FunctionCode"].encode()
        created = self["cloudfront"].create_function(
            Name=given["Name"], FunctionConfig=given["FunctionConfig"], FunctionCode=code
        )
        return {"FunctionMetadata.FunctionARN": created["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]}

    def cloudfront_distribution(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        # CloudFormation spells some names differently, and supplies default ports.
        text = json.dumps(_counted(given["DistributionConfig"]))
        for ours, apis in (
            ("AcmCertificateArn", "ACMCertificateArn"),
            ("IPV6Enabled", "IsIPV6Enabled"),
            ("OriginSSLProtocols", "OriginSslProtocols"),
            ("SslSupportMethod", "SSLSupportMethod"),
        ):
            text = text.replace(ours, apis)
        config = json.loads(text)
        for one in config["Origins"]["Items"]:
            if "CustomOriginConfig" in one:
                one["CustomOriginConfig"] |= {"HTTPPort": 80, "HTTPSPort": 443}
        for one in config["CacheBehaviors"]["Items"]:
            allowed = one["AllowedMethods"]
            allowed["CachedMethods"] = {"Quantity": 2, "Items": ["GET", "HEAD"]}
        config |= {"CallerReference": name, "Comment": ""}
        # moto looks for the target of the default behavior among the origins only, not among the groups.
        default, groups = config["DefaultCacheBehavior"], config["OriginGroups"]["Items"]
        (group,) = [one for one in groups if one["Id"] == default["TargetOriginId"]]
        default["TargetOriginId"] = group["Members"]["Items"][0]["OriginId"]
        created = self["cloudfront"].create_distribution(DistributionConfig=config)["Distribution"]
        return {"Ref": created["Id"], "DomainName": created["DomainName"]}

    def scheduler_schedule(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        self["scheduler"].create_schedule(**given)
        return {"Ref": name}

    def apigatewayv2_api(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        if given.get("ProtocolType") == "WEBSOCKET":
            return {"Ref": self["apigatewayv2"].create_api(**given)["ApiId"]}
        # moto imports definitions into existing APIs only.
        api = self["apigatewayv2"].create_api(Name=name, ProtocolType="HTTP")["ApiId"]
        self["apigatewayv2"].reimport_api(ApiId=api, Body=json.dumps(given["Body"]))
        routes = self["apigatewayv2"].get_routes(ApiId=api, MaxResults="100")["Items"]
        assert len(routes) > 20
        return {"Ref": api}

    def apigatewayv2_authorizer(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        return {"Ref": self["apigatewayv2"].create_authorizer(**given)["AuthorizerId"]}

    def apigatewayv2_integration(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        return {"Ref": self["apigatewayv2"].create_integration(**given)["IntegrationId"]}

    def apigatewayv2_integrationresponse(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        created = self["apigatewayv2"].create_integration_response(**given)
        return {"Ref": created["IntegrationResponseId"]}

    def apigatewayv2_route(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        return {"Ref": self["apigatewayv2"].create_route(**given)["RouteId"]}

    def apigatewayv2_routeresponse(self, _name: str, given: dict[str, Any]) -> dict[str, str]:
        return {"Ref": self["apigatewayv2"].create_route_response(**given)["RouteResponseId"]}

    def apigatewayv2_stage(self, name: str, given: dict[str, Any]) -> dict[str, str]:
        self["apigatewayv2"].create_stage(**given)
        return {"Ref": name}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield _Account()


def _creator(account: _Account, kind: str) -> Callable[[str, dict[str, Any]], dict[str, str]]:
    method = kind.removeprefix("AWS::").replace("::", "_").lower()
    creator: Callable[[str, dict[str, Any]], dict[str, str]] = getattr(account, method)
    return creator


def test_moto_accepts_every_resource_but_functions(account: _Account) -> None:
    source = _Source()
    waiting = {
        name: one for name, one in source.resources.items() if not one["Type"].startswith("AWS::Lambda::")
    }
    assert len(waiting) > 40
    assert all(source.exists(name) for name in waiting)
    while waiting:
        name = next(
            name for name, one in waiting.items() if not _references(one, source) & waiting.keys() - {name}
        )
        resource = waiting.pop(name)
        given = source.value(resource.get("Properties", {}))
        source.created[name] = _creator(account, resource["Type"])(f"issue-timer-{name}", given)


def _references(resource: Any, source: Template) -> set[str]:
    """Return the logical ids to which a resource refers."""
    text = json.dumps(resource)
    return {
        name
        for name in source.resources
        if f'"{name}"' in text or f"${{{name}}}" in text or f"{name}." in text
    }
