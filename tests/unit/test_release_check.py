"""`make release-check` finds mistakes before a release."""

import copy
import json
import re
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from release import checks
from release.openapi_changes import breaking_changes
from release.template_changes import upgrade_traps
from release.translation import Translation, translate

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 12, 1)


@pytest.mark.parametrize("check", [checks.check_versions, checks.check_licence, checks.check_docs])
def test_this_checkout_passes_the_checks_that_apply_between_releases(check: Callable[[Path], Any]) -> None:
    assert list(check(ROOT)) == []


def test_the_tests_named_in_docs_reliability_exist() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    named = re.findall(r"`(tests/\S+\.py)(?:::(\w+))?`", page)
    assert len(named) > 20
    for path, name in named:
        source = (ROOT / path).read_text()
        assert not name or re.search(rf"^\s*(def|class) {name}\b", source, re.MULTILINE), (path, name)


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


class TestTree:
    def test_uncommitted_files_are_reported(self, tmp_path: Path) -> None:
        git(tmp_path, "init")
        write(tmp_path, "a.txt", "a")
        assert list(checks.check_tree(tmp_path)) == ["1 files are not committed, among them a.txt."]
        git(tmp_path, "add", "a.txt")
        git(tmp_path, "commit", "-m", "A")
        assert list(checks.check_tree(tmp_path)) == []


class TestVersions:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        core = "layers/timer_core"
        for name in ("pyproject.toml", f"{core}/pyproject.toml"):
            write(tmp_path, name, '[project]\nversion = "1.2.3"\n')
        write(tmp_path, f"{core}/timer_core/__init__.py", '__version__ = "1.2.3"\n')
        write(tmp_path, "template.yaml", "Metadata:\n  IssueTimer:\n    Version: 1.2.3\nName: !Ref Stage\n")
        write(tmp_path, "docs/openapi.json", '{"info": {"version": "1.2.3"}}')
        return tmp_path

    def test_equal_versions_pass(self, root: Path) -> None:
        assert list(checks.check_versions(root)) == []

    @pytest.mark.parametrize(
        "place",
        [
            "pyproject.toml",
            "layers/timer_core/pyproject.toml",
            "layers/timer_core/timer_core/__init__.py",
            "template.yaml",
            "docs/openapi.json",
        ],
    )
    def test_a_different_version_is_reported(self, root: Path, place: str) -> None:
        write(root, place, (root / place).read_text().replace("1.2.3", "1.2.4"))
        (complaint,) = checks.check_versions(root)
        assert complaint.count("1.2.3") == 4
        assert complaint.count("1.2.4") == 1


@pytest.mark.parametrize(
    ("version", "releases", "complaints"),
    [
        ("1.2.3", ["1.2.3", "1.2.2"], []),
        ("1.2.4.dev0", ["1.2.3"], ["1.2.4.dev0 is not the version of a release, such as 1.2.3."]),
        ("1.2.3rc1", ["1.2.3rc1"], ["1.2.3rc1 is not the version of a release, such as 1.2.3."]),
        ("1.2.3", [], ["CHANGELOG.md: there is no section for 1.2.3."]),
        (
            "1.2.3",
            ["1.2.2"],
            ["The version is 1.2.3, and the newest release in CHANGELOG.md is 1.2.2."],
        ),
    ],
)
def test_the_version_must_equal_that_of_the_newest_section_in_the_changelog(
    tmp_path: Path, version: str, releases: list[str], complaints: list[str]
) -> None:
    write(tmp_path, "pyproject.toml", f'[project]\nversion = "{version}"\n')
    sections = "".join(f"\n## [{each}] - 2026-11-30\n- New\n" for each in releases)
    write(tmp_path, "CHANGELOG.md", f"# Changelog\n\n## [Unreleased]\n{sections}")
    assert list(checks.check_release(tmp_path)) == complaints


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("## [Unreleased]\n\n## [1.1.0] - 2026-11-30\n- New\n\n## [1.0.0] - 2026-11-01\n- First\n", None),
        ("## [1.0.0] - 2026-11-30\n- New\n", "the first section is not [Unreleased]"),
        ("## [Unreleased]\n- More\n\n## [1.0.0] - 2026-11-30\n- New\n", "belong under a version"),
        ("## [Unreleased]\n\n## [1.0.0] - 2026-11-30\n### Added\n", "1.0.0 has no entries"),
        ("## [Unreleased]\n\n## [1.0.0]\n- New\n", "has no date"),
        ("## [Unreleased]\n\n## [1.0.0] - 30.11.2026\n- New\n", "has no date"),
        ("## [Unreleased]\n\n## [1.0.0] - 2026-12-02\n- New\n", "in the future"),
        (
            "## [Unreleased]\n\n## [1.9.0] - 2026-11-30\n- New\n\n## [1.10.0] - 2026-11-01\n- Old\n",
            "1.9.0 does not come after 1.10.0",
        ),
    ],
)
def test_sections_of_the_changelog_must_be_in_order_dated_and_not_empty(
    tmp_path: Path, text: str, complaint: str | None
) -> None:
    write(tmp_path, "CHANGELOG.md", f"# Changelog\n\n{text}")
    complaints = list(checks.check_changelog(tmp_path, TODAY))
    if complaint is None:
        assert complaints == []
    else:
        (found,) = complaints
        assert complaint in found


class TestDocuments:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        git(tmp_path, "init")
        write(tmp_path, "Makefile", "deploy: build ## Deploy\nbuild:\ne2e:\n")
        write(tmp_path, "docs/other.md", "# Other\n## What it is, in `short`\n")
        return tmp_path

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("[o](docs/other.md) [h](docs/other.md#what-it-is-in-short) [w](https://a.example/x)", None),
            ("`make deploy STAGE=prod`, `make e2e`, make sure, `cmake other`", None),
            ("[o](docs/gone.md)", "README.md: the link to docs/gone.md leads nowhere."),
            ("[h](docs/other.md#gone)", "README.md: the link to docs/other.md#gone leads to no heading."),
            ("[h](#gone)", "README.md: the link to #gone leads to no heading."),
            ("`make gone`", "README.md: there is no `make gone`."),
            ("```\nSTAGE=prod make build\nmake gone  # away\n```", "README.md: there is no `make gone`."),
        ],
    )
    def test_broken_links_and_unknown_make_commands_are_reported(
        self, root: Path, text: str, complaint: str | None
    ) -> None:
        write(root, "README.md", text)
        assert list(checks.check_docs(root)) == ([] if complaint is None else [complaint])


@pytest.fixture(scope="module")
def present() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())
    return document


class TestApi:
    """Comparisons of the current OpenAPI document with modified copies."""

    def test_an_unchanged_document_breaks_no_client(self, present: dict[str, Any]) -> None:
        assert breaking_changes(present, present) == []

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            (lambda d: d["paths"].pop("/api/timelogs/start/"), "POST /api/timelogs/start/ is gone."),
            (
                lambda d: d["components"]["schemas"]["TimeLog"]["properties"].pop("duration"),
                "TimeLog in the response: duration is gone.",
            ),
            (
                lambda d: d["components"]["schemas"]["TimeLog"]["required"].remove("start_time"),
                "TimeLog in the response: start_time may be missing now.",
            ),
            (
                lambda d: d["components"]["schemas"]["TimeLog"]["properties"]["user"].update(type="string"),
                "TimeLog in the response, user may be of type string now.",
            ),
            (
                lambda d: d["components"]["schemas"]["Status"]["enum"].append("asleep"),
                "Status in the response: the values have changed.",
            ),
            (
                lambda d: d["components"]["schemas"]["StartRequest"].update(required=["github_repo"]),
                "POST /api/timelogs/start/: the body: github_repo is required now.",
            ),
            (
                lambda d: d["components"]["schemas"]["StartRequest"]["properties"]["description"].update(
                    maxLength=1
                ),
                "the body, description: maxLength has changed.",
            ),
            (
                lambda d: d["paths"]["/api/timelogs/"]["get"]["parameters"].append(
                    {"in": "query", "name": "team", "required": True, "schema": {"type": "string"}}
                ),
                "the query parameter team is required now.",
            ),
            (
                lambda d: d["paths"]["/api/timelogs/"]["get"]["responses"].pop("200"),
                "GET /api/timelogs/: the response 200 is gone.",
            ),
        ],
    )
    def test_changes_that_break_clients_are_reported(
        self, present: dict[str, Any], change: Callable[[dict[str, Any]], object], complaint: str
    ) -> None:
        changed = copy.deepcopy(present)
        change(changed)
        found = breaking_changes(present, changed)
        assert found
        assert all(each.endswith(complaint) for each in found)

    @pytest.mark.parametrize(
        "change",
        [
            lambda d: d["paths"].update({"/api/teams/": {"get": {"responses": {"200": {}}}}}),
            lambda d: d["components"]["schemas"]["TimeLog"]["properties"].update(team={"type": "string"}),
            lambda d: d["components"]["schemas"]["StartRequest"]["properties"].update(
                team={"type": "string"}
            ),
            lambda d: d["paths"]["/api/timelogs/"]["get"]["parameters"].append(
                {"in": "query", "name": "team", "schema": {"type": "string"}}
            ),
            lambda d: d["info"].update(version="1.1.0", description="Another text"),
        ],
        ids=["path", "response", "request", "parameter", "texts"],
    )
    def test_additions_break_no_client(
        self, present: dict[str, Any], change: Callable[[dict[str, Any]], object]
    ) -> None:
        changed = copy.deepcopy(present)
        change(changed)
        assert breaking_changes(present, changed) == []

    def test_breaking_changes_need_a_new_major_version(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TABLE_NAME", "none")
        present = (ROOT / "docs" / "openapi.json").read_text()
        former = json.loads(present)
        former["paths"]["/api/gone/"] = {"get": {"responses": {}}}
        write(tmp_path, "docs/openapi.json", json.dumps(former))
        git(tmp_path, "init")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-m", "A")
        git(tmp_path, "tag", "v1.0.0")
        write(tmp_path, "docs/openapi.json", present)

        def release(version: str, before: str = "1.0.0") -> list[str]:
            sections = (f"## [{each}] - 2026-11-30\n- New\n" for each in (version, before))
            write(tmp_path, "CHANGELOG.md", "## [Unreleased]\n" + "".join(sections))
            return list(checks.check_openapi(tmp_path))

        assert release("1.1.0") == ["Since 1.0.0, and not allowed in 1.1.0: GET /api/gone/ is gone."]
        assert release("2.0.0") == []
        write(tmp_path, "CHANGELOG.md", "## [Unreleased]\n## [1.0.0] - 2026-11-30\n- New\n")
        assert list(checks.check_openapi(tmp_path)) == []
        assert release("2.0.0", "1.5.0") == ["There is no tag v1.5.0 to compare docs/openapi.json with."]


@pytest.fixture(scope="module")
def translation() -> Translation:
    return translate((ROOT / "template.yaml").read_text())


def properties(template: dict[str, Any], name: str) -> Any:
    return template["Resources"][name]["Properties"]


def add_indexes(template: dict[str, Any], *names: str) -> list[Any]:
    indexes: list[Any] = properties(template, "TimerTable")["GlobalSecondaryIndexes"]
    indexes.extend({**copy.deepcopy(indexes[0]), "IndexName": name} for name in names)
    return indexes


def rename(template: dict[str, Any], name: str, other: str) -> None:
    template["Resources"][other] = template["Resources"].pop(name)


class TestTemplate:
    """Comparisons of the current template with modified copies."""

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            (
                lambda t: add_indexes(t, "a", "b"),
                "TimerTable: a, b are created or deleted in one update: DynamoDB refuses more than one",
            ),
            (
                lambda t: add_indexes(t, "a").pop(0),
                "TimerTable: a, open-timers are created or deleted in one update",
            ),
            (
                lambda t: properties(t, "TimerTable")["GlobalSecondaryIndexes"][0].update(
                    Projection={"ProjectionType": "ALL"}
                ),
                "TimerTable: the index open-timers changes: DynamoDB refuses that",
            ),
            (
                lambda t: properties(t, "TimerTable")["KeySchema"].pop(),
                "TimerTable (AWS::DynamoDB::Table): another KeySchema replaces it",
            ),
            (
                lambda t: properties(t, "TimerTable")["LocalSecondaryIndexes"].pop(),
                "TimerTable (AWS::DynamoDB::Table): another LocalSecondaryIndexes replaces it",
            ),
            (
                lambda t: properties(t, "TimerTable")["AttributeDefinitions"][0].update(AttributeType="B"),
                "TimerTable: another type of pk replaces it",
            ),
            (
                lambda t: properties(t, "TimerTable").update(TableName="timers"),
                "TimerTable (AWS::DynamoDB::Table): another TableName replaces it",
            ),
            (
                lambda t: rename(t, "TimerTable", "Table"),
                "TimerTable (AWS::DynamoDB::Table) is removed, or has another condition",
            ),
            (
                lambda t: t["Resources"]["WebBucket"].update(Condition="IsProd"),
                "WebBucket (AWS::S3::Bucket) is removed, or has another condition",
            ),
            (
                lambda t: properties(t, "DeliveryQueue").pop("FifoQueue"),
                "DeliveryQueue (AWS::SQS::Queue): another FifoQueue replaces it",
            ),
            (
                lambda t: properties(t, "SigningKeys")["GenerateSecretString"].update(PasswordLength=65),
                "SigningKeys (AWS::SecretsManager::Secret): another GenerateSecretString replaces it",
            ),
            (
                lambda t: rename(t, "StaleSweeperFunctionDaily", "StaleSweeperFunctionNightly"),
                "StaleSweeperFunctionDaily becomes StaleSweeperFunctionNightly (AWS::Scheduler::Schedule)",
            ),
            (
                lambda t: rename(t, "WebhookProcessFunctionDeliveries", "WebhookProcessFunctionQueue"),
                "WebhookProcessFunctionDeliveries becomes WebhookProcessFunctionQueue (AWS::Lambda::EventS",
            ),
            (
                lambda t: rename(t, "WebAccessControl", "Access"),
                "WebAccessControl becomes Access (AWS::CloudFront::OriginAccessControl) with the same name",
            ),
            (
                lambda t: properties(t, "HttpApi")["Body"]["paths"].pop("/api/auth/login"),
                "The settings of GET /api/auth/login name no route: API Gateway refuses them.",
            ),
            (
                lambda t: properties(t, "HttpApiApiGatewayDefaultStage")["RouteSettings"].pop(
                    "GET /api/auth/login"
                ),
                "The settings of the route GET /api/auth/login are removed: API Gateway keeps them until",
            ),
            (
                lambda t: t["Parameters"].pop("StatusField"),
                "The parameter StatusField is removed: CloudFormation refuses a deployment that still",
            ),
            (
                lambda t: t["Parameters"].update(Team={"Type": "String"}),
                "The new parameter Team has no default: CloudFormation refuses updates without a value.",
            ),
        ],
    )
    def test_changes_that_cloudformation_refuses_or_that_lose_data_are_reported(
        self, translation: Translation, change: Callable[[dict[str, Any]], object], complaint: str
    ) -> None:
        changed = copy.deepcopy(translation.template)
        change(changed)
        traps = list(upgrade_traps(translation, translation._replace(template=changed)))
        (found,) = [trap for trap in traps if trap.startswith(complaint)]
        assert {trap for trap in traps if "DynamoDB::Table" not in trap} <= {found}

    @pytest.mark.parametrize(
        "change",
        [
            dict,
            lambda t: add_indexes(t, "a"),
            lambda t: properties(t, "TimerTable")["GlobalSecondaryIndexes"].pop(),
            lambda t: properties(t, "TimerTable").update(BillingMode="PROVISIONED"),
            lambda t: properties(t, "DeliveryQueue").update(VisibilityTimeout=240),
            lambda t: properties(t, "StaleSweeperFunctionDaily").update(ScheduleExpression="rate(1 day)"),
            lambda t: properties(t, "HttpApiApiGatewayDefaultStage")["RouteSettings"].update(
                {"GET /api/auth/me": {"ThrottlingBurstLimit": 1}}
            ),
            lambda t: properties(t, "HttpApi")["Body"]["paths"].pop("/api/auth/me"),
            lambda t: rename(t, "DeliveryDeadLetterAlarm", "DeadLetterAlarm"),
            lambda t: t["Parameters"].update(Team={"Type": "String", "Default": ""}),
        ],
    )
    def test_changes_that_an_upgrade_survives_are_accepted(
        self, translation: Translation, change: Callable[[dict[str, Any]], object]
    ) -> None:
        changed = copy.deepcopy(translation.template)
        change(changed)
        assert list(upgrade_traps(translation, translation._replace(template=changed))) == []

    def test_the_former_release_is_compared_unless_the_major_version_changes(self, tmp_path: Path) -> None:
        present = (ROOT / "template.yaml").read_text()
        write(
            tmp_path,
            "template.yaml",
            present.replace("  TimerTable:\n", "  Timers:\n").replace("TimerTable", "Timers"),
        )
        git(tmp_path, "init")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-m", "A")
        git(tmp_path, "tag", "v1.0.0")
        write(tmp_path, "template.yaml", present)

        def release(version: str) -> list[str]:
            sections = (f"## [{each}] - 2026-11-30\n- New\n" for each in (version, "1.0.0"))
            write(tmp_path, "CHANGELOG.md", "## [Unreleased]\n" + "".join(sections))
            return list(checks.check_template(tmp_path))

        (trap,) = release("1.1.0")
        assert trap.startswith("template.yaml, since 1.0.0: Timers (AWS::DynamoDB::Table) is removed")
        assert release("2.0.0") == []
