"""What template.yaml makes, apart from the functions' rights and what is watched (tests/integration/)."""

from __future__ import annotations

import re

import pytest
import yaml

from bench.cost import Assumptions
from tests.support.connection import REGION
from tests.support.table import TEMPLATE, TemplateLoader
from tests.support.template import STACK, template, translated

# What cannot be made again: times, what GitHub told and is not in them yet, and what others signed with.
KEPT = {"TimerTable", "DeliveryQueue", "DeliveryDeadLetterQueue", "WebhookSecret", "SessionSecret"}


@pytest.mark.parametrize("policy", ["DeletionPolicy", "UpdateReplacePolicy"])
def test_production_keeps_what_cannot_be_made_again(policy: str) -> None:
    prod, dev = template(Stage="prod"), template(Stage="dev")
    assert {name for name, one in prod.resources.items() if prod.value(one.get(policy)) == "Retain"} == KEPT
    assert {dev.value(dev.resources[name][policy]) for name in KEPT} == {"Delete"}


def test_it_needs_no_transform_but_sams() -> None:
    """CloudFormation itself takes conditions in deletion policies (SAM's pull request 3317)."""
    source = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)  # noqa: S506
    assert source["Transform"] == "AWS::Serverless-2016-10-31"


def test_the_contents_comment_lists_the_sections_of_the_resources_in_order() -> None:
    text = TEMPLATE.read_text()
    contents = text[text.index("#   Resources\n") : text.index("#   Outputs\n")]
    listed = re.findall(r"^#     (\S.*?)  ", contents, flags=re.MULTILINE)
    headings = re.findall(r"^  # -{64} (.*)$", text, flags=re.MULTILINE)
    assert len(headings) > 10
    assert listed == headings


def test_a_second_region_of_the_account_has_names_of_its_own() -> None:
    """CloudFront's names are the account's, not the region's, and so is a dashboard's."""
    source = template()
    named = [
        *source.of_type("AWS::CloudFront::Function").values(),
        *(
            one["OriginAccessControlConfig"]
            for one in source.of_type("AWS::CloudFront::OriginAccessControl").values()
        ),
        *(
            one["ResponseHeadersPolicyConfig"]
            for one in source.of_type("AWS::CloudFront::ResponseHeadersPolicy").values()
        ),
    ]
    names = [source.value(one["Name"]) for one in named]
    names += [
        source.value(one["DashboardName"]) for one in source.of_type("AWS::CloudWatch::Dashboard").values()
    ]
    assert len(names) == 5
    for name in names:
        assert name.startswith(f"{STACK}-{REGION}")
        # CloudFront's limit, the longest names of regions, and what docs/deploying.md allows a stack.
        assert len(name.removeprefix(f"{STACK}-{REGION}")) + len("-ap-southeast-1") + 40 <= 64


@pytest.mark.parametrize(
    ("kind", "of", "resources"),
    [
        ("AWS::S3::BucketPolicy", "Bucket", {"WebBucket"}),
        ("AWS::SQS::QueuePolicy", "Queues", {"DeliveryQueue", "DeliveryDeadLetterQueue"}),
        ("AWS::SNS::TopicPolicy", "Topics", {"AlarmTopic"}),
    ],
)
def test_what_is_spoken_to_is_spoken_to_over_tls_only(kind: str, of: str, resources: set[str]) -> None:
    (policy,) = template().of_type(kind).values()
    named = policy[of] if isinstance(policy[of], list) else [policy[of]]
    assert {one["!Ref"] for one in named} == resources
    denied = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
    assert [(one["Principal"], one["Condition"]) for one in denied] == [
        ("*", {"Bool": {"aws:SecureTransport": "false"}})
    ]


def test_the_alarm_for_throttles_watches_the_table_and_every_index_that_is_throttled_by_itself() -> None:
    (table,) = template().of_type("AWS::DynamoDB::Table").values()
    indexes = {one["IndexName"] for one in table["GlobalSecondaryIndexes"]}
    alarm = template().of_type("AWS::CloudWatch::Alarm")["TableThrottleAlarm"]
    watched = {
        (metric["MetricName"], *(one["Value"] for one in metric["Dimensions"] if one["Name"] != "TableName"))
        for query in alarm["Metrics"]
        if "MetricStat" in query
        for metric in [query["MetricStat"]["Metric"]]
    }
    events = ("ReadThrottleEvents", "WriteThrottleEvents")
    assert watched == {(event, *of) for event in events for of in [(), *((index,) for index in indexes)]}


def test_the_cost_model_counts_what_alarms_read() -> None:
    """CloudWatch charges an alarm for each metric that it reads."""
    alarms = template().of_type("AWS::CloudWatch::Alarm").values()
    read = sum(max(1, sum("MetricStat" in one for one in alarm.get("Metrics", ()))) for alarm in alarms)
    assert read == Assumptions().alarm_metrics


@pytest.mark.parametrize(
    ("origins", "is_allowed"),
    [
        ("", True),
        ("https://wiki.example.org", True),
        ("https://wiki.example.org:8443,https://other.example.org", True),
        ("http://localhost", True),
        ("http://localhost:8000", True),
        ("https://wiki.example.org,http://wiki.localhost:8765", True),
        ("http://wiki.example.org", False),
        ("https://wiki.example.org,http://other.example.org", False),
        ("http://localhost.example.org", False),
        ("http://evillocalhost", False),
        ("http://localhost:8000.example.org", False),
        ("http://localhost@example.org", False),
        ("https://wiki.example.org/", False),
        ("https://*.example.org", False),
        ("https://wiki.example.org, https://other.example.org", False),
        ("*", False),
        ("null", False),
    ],
)
def test_pages_that_embed_the_widget_come_over_tls_or_from_ones_own_machine(
    origins: str, is_allowed: bool
) -> None:
    source = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)  # noqa: S506
    # CloudFormation matches all of the value.
    pattern = source["Parameters"]["AllowedOrigins"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, origins)) is is_allowed


def test_signing_in_is_throttled_more_than_all_else() -> None:
    (stage,) = translated().of_type("AWS::ApiGatewayV2::Stage").values()
    limits, default = stage["RouteSettings"], stage["DefaultRouteSettings"]
    assert {"GET /api/auth/login", "GET /api/auth/callback"} <= limits.keys()
    for settings in limits.values():
        for limit in ("ThrottlingBurstLimit", "ThrottlingRateLimit"):
            assert 0 < settings[limit] <= default[limit] / 10
