"""The resources of template.yaml; tests/integration/ covers permissions and monitoring."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bench.cost import Assumptions
from deployed_stack.stack import LIVE
from release.translation import translate
from tests.support.connection import REGION
from tests.support.table import TEMPLATE, TemplateLoader
from tests.support.template import STACK, template, translated
from timer_core.store import report_exports

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.template import Template

# Resources that contain timers, unprocessed deliveries, or a key that GitHub or sessions need.
KEPT = {"TimerTable", "DeliveryQueue", "DeliveryDeadLetterQueue", "SigningKeys"}


@pytest.mark.parametrize("source", [template, translated])
@pytest.mark.parametrize(
    ("policy", "retained"), [("DeletionPolicy", "RetainExceptOnCreate"), ("UpdateReplacePolicy", "Retain")]
)
def test_production_retains_resources_that_cannot_be_recreated(
    source: Callable[..., Template], policy: str, retained: str
) -> None:
    """A failed first deployment deletes what it created. Replacements have no such policy."""
    prod, dev = source(Stage="prod"), source(Stage="dev")
    policies = {name: prod.value(one.get(policy)) for name, one in prod.resources.items()}
    assert {name for name, value in policies.items() if value not in (None, "Delete")} == KEPT
    assert {policies[name] for name in KEPT} == {retained}
    assert {dev.value(dev.resources[name][policy]) for name in KEPT} == {"Delete"}


def test_the_only_transform_is_sam() -> None:
    """CloudFormation accepts conditions in deletion policies without another transform (SAM's PR 3317)."""
    source = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)  # noqa: S506
    assert source["Transform"] == "AWS::Serverless-2016-10-31"


def test_the_contents_comment_lists_the_sections_of_the_resources_in_order() -> None:
    text = TEMPLATE.read_text()
    contents = text[text.index("#   Resources\n") : text.index("#   Outputs\n")]
    listed = re.findall(r"^#     (\S.*?)  ", contents, flags=re.MULTILINE)
    headings = re.findall(r"^  # -{64} (.*)$", text, flags=re.MULTILINE)
    assert len(headings) > 10
    assert listed == headings


def test_names_that_are_unique_in_an_account_contain_the_region() -> None:
    """Names of CloudFront's resources and of dashboards are unique in an account, not in a region."""
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
        # CloudFront allows 64 characters, enough for a stack name of 40 characters and a long region name.
        assert len(name.removeprefix(f"{STACK}-{REGION}")) + len("-ap-southeast-1") + 40 <= 64


@pytest.mark.parametrize(
    ("kind", "of", "resources"),
    [
        ("AWS::S3::BucketPolicy", "Bucket", {"WebBucket"}),
        (
            "AWS::SQS::QueuePolicy",
            "Queues",
            {
                "DeliveryQueue",
                "DeliveryDeadLetterQueue",
                "WriteBackQueue",
                "TimesheetQueue",
                "HookQueue",
                "BackgroundDeadLetterQueue",
            },
        ),
        ("AWS::SNS::TopicPolicy", "Topics", {"AlarmTopic"}),
    ],
)
def test_resource_policies_deny_requests_without_tls(kind: str, of: str, resources: set[str]) -> None:
    (policy,) = template().of_type(kind).values()
    named = policy[of] if isinstance(policy[of], list) else [policy[of]]
    assert {one["!Ref"] for one in named} == resources
    denied = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
    assert [(one["Principal"], one["Condition"]) for one in denied] == [
        ("*", {"Bool": {"aws:SecureTransport": "false"}})
    ]


def test_the_dashboard_shows_throttling_of_the_table_and_every_index() -> None:
    (table,) = template().of_type("AWS::DynamoDB::Table").values()
    indexes = {one["IndexName"] for one in table["GlobalSecondaryIndexes"]}
    (dashboard,) = template().of_type("AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(template().value(dashboard["DashboardBody"]))["widgets"]
    # A line is a namespace, a metric's name, pairs of a dimension and its value, and options.
    shown = {
        (line[1], *line[5:-1])
        for widget in widgets
        for line in widget["properties"].get("metrics", ())
        if line[0] == "AWS/DynamoDB"
    }
    events = ("ReadThrottleEvents", "WriteThrottleEvents")
    assert shown == {(event, *of) for event in events for of in [(), *((index,) for index in indexes)]}


def test_the_cost_model_counts_the_metrics_of_alarms() -> None:
    """CloudWatch charges for each metric in an alarm."""
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
def test_embedding_origins_use_tls_unless_they_are_local(origins: str, is_allowed: bool) -> None:
    source = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)  # noqa: S506
    # CloudFormation anchors the pattern at both ends.
    pattern = source["Parameters"]["AllowedOrigins"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, origins)) is is_allowed


def test_sign_in_routes_have_a_tenth_of_the_default_limits() -> None:
    stages = translated().of_type("AWS::ApiGatewayV2::Stage").values()
    (stage,) = (one for one in stages if "RouteSettings" in one)
    limits, default = stage["RouteSettings"], stage["DefaultRouteSettings"]
    assert {"GET /api/auth/login", "GET /api/auth/callback"} <= limits.keys()
    for settings in limits.values():
        for limit in ("ThrottlingBurstLimit", "ThrottlingRateLimit"):
            assert 0 < settings[limit] <= default[limit] / 10


DOMAIN = {
    "DomainName": "timer.example.com",
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000",
}


def test_a_domain_is_the_distributions_alias_and_the_stacks_address() -> None:
    source = template(**DOMAIN)
    (distribution,) = source.of_type("AWS::CloudFront::Distribution").values()
    config = distribution["DistributionConfig"]
    assert source.value(config["Aliases"]) == ["timer.example.com"]
    assert source.value(config["ViewerCertificate"]) == {
        "AcmCertificateArn": DOMAIN["CertificateArn"],
        "SslSupportMethod": "sni-only",
        "MinimumProtocolVersion": "TLSv1.2_2021",
    }
    outputs = {name: one["Value"] for name, one in source.outputs.items()}
    assert source.value(outputs["Url"]) == "https://timer.example.com"
    assert source.value(outputs["WebhookUrl"]) == "https://timer.example.com/api/github-timer-webhook/"


def test_without_a_domain_the_distribution_has_no_alias() -> None:
    (distribution,) = template().of_type("AWS::CloudFront::Distribution").values()
    config = distribution["DistributionConfig"]
    assert template().value(config["Aliases"]) is None
    assert template().value(config["ViewerCertificate"]) is None


@pytest.mark.parametrize(
    ("given", "is_allowed"),
    [(set(), True), (set(DOMAIN), True), ({"DomainName"}, False), ({"CertificateArn"}, False)],
)
def test_a_domain_and_its_certificate_are_given_together(given: set[str], is_allowed: bool) -> None:
    source = template(**{name: value for name, value in DOMAIN.items() if name in given})
    rule = source.rules["DomainHasCertificate"]
    assert [source.value(one["Assert"]) for one in rule["Assertions"]] == [is_allowed]


@pytest.mark.parametrize(("field", "is_allowed"), [("", True), ("Time spent", True), ("Estimate", False)])
def test_the_field_of_time_is_not_that_of_estimates(field: str, is_allowed: bool) -> None:
    source = template(TimeField=field)
    rule = source.rules["TimeIsNoEstimate"]
    assert [source.value(one["Assert"]) for one in rule["Assertions"]] == [is_allowed]


@pytest.mark.parametrize(
    ("parameters", "queuing", "is_read"),
    [
        ({}, set(), False),
        ({"TimeField": "Time spent"}, {"StaleSweeperFunction", "TimesheetsFunction"}, True),
        (
            {"ClosingComment": "true"},
            {"StaleSweeperFunction", "TimesheetsFunction", "WebhookProcessFunction"},
            True,
        ),
    ],
)
def test_a_stack_that_writes_nothing_back_queues_nothing_and_reads_no_queue(
    parameters: dict[str, str], queuing: set[str], is_read: bool
) -> None:
    source = template(**parameters)
    functions = source.of_type("AWS::Serverless::Function")
    urls = {
        name: source.value(one["Environment"]["Variables"]).get("WRITE_BACK_QUEUE_URL")
        for name, one in functions.items()
    }
    assert {name for name, url in urls.items() if url} == queuing | {"WriteBackFunction"}
    (mapping,) = functions["WriteBackFunction"]["Events"].values()
    assert source.value(mapping["Properties"]["Enabled"]) is is_read


def test_messages_of_issues_are_received_after_the_deduplication_interval() -> None:
    """SQS drops a message that is sent within five minutes of one with the same deduplication id."""
    queue = template().of_type("AWS::SQS::Queue")["WriteBackQueue"]
    assert 300 < queue["DelaySeconds"] <= 330
    # In high-throughput mode, the deduplication ids of other owners would count too, or not: it is off.
    assert "DeduplicationScope" not in queue


@pytest.mark.parametrize(
    ("name", "value", "is_allowed"),
    [
        ("DomainName", "", True),
        ("DomainName", "timer.example.com", True),
        ("DomainName", "xn--zeit-5qa.example", True),
        ("DomainName", "https://timer.example.com", False),
        ("DomainName", "timer.example.com/", False),
        ("DomainName", "timer.example.com:443", False),
        ("DomainName", "*.example.com", False),
        ("DomainName", "Timer.example.com", False),
        ("DomainName", "localhost", False),
        ("CertificateArn", DOMAIN["CertificateArn"], True),
        ("CertificateArn", DOMAIN["CertificateArn"].replace("us-east-1", "eu-central-1"), False),
        ("CertificateArn", "00000000-0000-0000-0000-000000000000", False),
    ],
)
def test_a_domain_is_a_host_name_and_its_certificate_is_in_us_east_1(
    name: str, value: str, is_allowed: bool
) -> None:
    pattern = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)["Parameters"][name]["AllowedPattern"]  # noqa: S506
    assert bool(re.fullmatch(pattern, value)) is is_allowed


def test_a_new_accounts_quota_suffices_for_the_defaults() -> None:
    """A new account may run ten functions at once, and Lambda refuses every reservation in it."""
    source = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)["Parameters"]  # noqa: S506
    assert source["ProcessorConcurrency"]["Default"] <= 5
    assert source["ProcessorConcurrency"]["MinValue"] == 2
    assert source["ReservedForWebhook"]["Default"] == 0


def test_names_of_layers_contain_the_name_of_the_stack() -> None:
    layers = translated().of_type("AWS::Lambda::LayerVersion").values()
    names = {translated().value(layer["LayerName"]) for layer in layers}
    assert names == {f"{STACK}-timer-core", f"{STACK}-background", f"{STACK}-holidays", f"{STACK}-reports"}


def test_lambda_retries_a_failed_sweep_twice() -> None:
    """The retries of EventBridge Scheduler end when Lambda has accepted an asynchronous invocation."""
    retries = _invocations_of("StaleSweeperFunction")
    assert retries["MaximumRetryAttempts"] == 2
    assert "MaximumEventAgeInSeconds" not in retries


def test_an_export_that_is_not_finished_in_time_has_failed() -> None:
    """An invocation waits, and then runs until its timeout."""
    invocations = _invocations_of("ReportExportFunction")
    assert invocations["MaximumRetryAttempts"] == 0
    timeout_s = template().resources["ReportExportFunction"]["Properties"]["Timeout"]
    longest_s = invocations["MaximumEventAgeInSeconds"] + timeout_s
    assert longest_s * 1000 <= report_exports.LONGEST_MS


def _invocations_of(function: str) -> dict[str, Any]:
    """Return the configuration of a function's asynchronous invocations."""
    source = translated()
    (found,) = (
        properties
        for properties in source.of_type("AWS::Lambda::EventInvokeConfig").values()
        if source.value(properties["FunctionName"]) == function
    )
    return found


def test_everything_that_calls_a_function_calls_its_alias() -> None:
    """An alias moves to a new version in one step; a function is updated by several calls."""
    source = translated()
    functions = set(source.of_type("AWS::Lambda::Function"))
    aliases = {f"{name}Aliaslive" for name in functions}
    assert set(source.of_type("AWS::Lambda::Alias")) == aliases
    kinds = {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Authorizer",
        "AWS::ApiGatewayV2::Integration",
        "AWS::IAM::Role",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
        "AWS::Scheduler::Schedule",
    }
    callers = json.dumps([one["Properties"] for one in source.resources.values() if one["Type"] in kinds])
    # Names of resources in Ref, Fn::GetAtt and Fn::Sub.
    called = set(re.findall(r'["{](\w+)["}.]', callers))
    assert called & (functions | aliases) == aliases
    for config in source.of_type("AWS::Lambda::EventInvokeConfig").values():
        assert config["Qualifier"] == LIVE


def test_versions_that_are_no_longer_called_are_deleted() -> None:
    source = translated()
    kinds = ("AWS::Lambda::Version", "AWS::Lambda::LayerVersion")
    versions = [one for one in source.resources.values() if one["Type"] in kinds]
    functions = [one for one in source.resources.values() if one["Type"] == "AWS::Lambda::Function"]
    layers = [one for one in versions if one["Type"] == "AWS::Lambda::LayerVersion"]
    assert len(versions) == len(functions) + len(layers)
    assert {one["DeletionPolicy"] for one in versions} == {"Delete"}


def test_a_change_of_a_layer_publishes_versions_of_its_functions() -> None:
    """SAM derives the logical id of a version from what the function and its layers are made of."""
    before, after = (
        translate(text).template["Resources"]
        for text in (TEMPLATE.read_text(), TEMPLATE.read_text().replace("timer_core and its", "Another"))
    )
    kept = {name for name in before.keys() & after.keys() if before[name]["Type"] == "AWS::Lambda::Version"}
    assert kept == set()


@pytest.mark.parametrize("source", [template, translated])
def test_snapstart_is_off_by_default_and_applies_to_the_functions_that_somebody_waits_for(
    source: Callable[..., Template],
) -> None:
    kind = "AWS::Serverless::Function" if source is template else "AWS::Lambda::Function"

    def applied(**parameters: str) -> dict[str, str]:
        found = source(**parameters)
        return {
            name: found.value(one["SnapStart"])["ApplyOn"]
            for name, one in found.of_type(kind).items()
            if "SnapStart" in one
        }

    waited_for = {"TimelogsFunction", "AuthFunction", "ScheduleFunction", "WebhookReceiveFunction"}
    assert applied() == dict.fromkeys(waited_for, "None")
    assert applied(SnapStart="true") == dict.fromkeys(waited_for, "PublishedVersions")


def test_nothing_in_the_template_excludes_snapstart() -> None:
    """SnapStart supports Python from 3.12 on, and none of these ("Lambda SnapStart", on its limitations)."""
    source = template()
    parameters = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)["Parameters"]  # noqa: S506
    runtimes = parameters["PythonRuntime"]["AllowedValues"]
    assert min(int(runtime.removeprefix("python3.")) for runtime in runtimes) >= 12
    unsupported = {"EphemeralStorage", "FileSystemConfigs", "ImageUri", "ProvisionedConcurrencyConfig"}
    for one in source.of_type("AWS::Serverless::Function").values():
        assert unsupported & one.keys() == set()
