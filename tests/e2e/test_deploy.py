"""`make build` makes the same packages on every host; `make deploy` deploys a stack with its page."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from deployed_stack import DeployedStack
from deployed_stack.byte_code import compile_build, find_python
from deployed_stack.http_client import request
from deployed_stack.packing import pack_build
from deployed_stack.paths import ROOT, SAM
from deployed_stack.stack import LIVE
from local_stack import MiniStack
from tests.support.permissions import OPERATIONS
from tests.support.template import template

# The value of e_machine in the header of an ELF file, for each platform of a wheel.
MACHINES = {"aarch64": 183, "x86_64": 62}
# The packages of botocore, and those that Lambda's runtime has in addition.
BOTOCORE = {"botocore", "jmespath", "dateutil", "six.py", "urllib3"}
BOTO3 = {"boto3", "s3transfer"}


def run(*command: str | Path, umask: int = 0o022, **environment: str) -> None:
    subprocess.run(
        command,
        env=os.environ | {"SAM_CLI_TELEMETRY": "0", "PYTHON": str(SAM.with_name("python"))} | environment,
        stdin=subprocess.DEVNULL,
        umask=umask,
        check=True,
    )


def deploy(environment: Mapping[str, str]) -> str:
    return subprocess.run(
        [sys.executable, "scripts/deploy.py", "--stage", "dev"],
        cwd=ROOT,
        env={**environment, "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def printed(ministack: MiniStack) -> str:
    """The output of the first deployment to an account."""
    return deploy(ministack.environment)


# ---------------------------------------------------------------- packages


@pytest.fixture(scope="module")
def packages(printed: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of two builds: the deployed packages, and a build in another folder with another umask."""
    assert printed
    home = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(ROOT / "template.yaml", home)
    for sources in ("functions", "layers"):
        shutil.copytree(ROOT / sources, home / sources)
    build = home / "build"
    run(SAM, "build", "--template-file", home / "template.yaml", "--build-dir", build, umask=0o077)
    python = find_python("3.13")
    if python:
        compile_build(build, python)
    pack_build(build, home / "packages", json.loads((ROOT / ".aws-sam/parameters.yaml").read_text()))
    return [ROOT / ".aws-sam/packages", home / "packages"]


def test_the_same_sources_make_the_same_bytes(packages: list[Path]) -> None:
    first, second = (
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        for folder in packages
    )
    kinds = ("AWS::Serverless::Function", "AWS::Serverless::LayerVersion")
    packaged = [name for kind in kinds for name in template().of_type(kind)]
    assert sorted(first) == sorted(["template.yaml", *(f"{name}.zip" for name in packaged)])
    assert first == second


def assert_contains_description(package: Path) -> None:
    description = package / "timelogs/openapi.json"
    assert not description.is_symlink()
    assert description.read_bytes() == (ROOT / "docs/openapi.json").read_bytes()


def test_the_package_of_the_api_contains_its_description(printed: str) -> None:
    assert printed
    assert_contains_description(ROOT / ".aws-sam/build/TimelogsFunction")


def test_links_are_packaged_as_files_even_if_the_sources_contain_links(tmp_path: Path) -> None:
    run("make", "-s", "-C", ROOT / "functions", "build-TimelogsFunction", f"ARTIFACTS_DIR={tmp_path}")
    assert_contains_description(tmp_path)


def test_every_packaged_file_is_readable_by_all_users(packages: list[Path]) -> None:
    for archive in packages[1].glob("*.zip"):
        with zipfile.ZipFile(archive) as packed:
            assert all(entry.external_attr >> 16 == 0o100644 for entry in packed.infolist())


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("TimerCoreLayer", BOTOCORE),
        ("BackgroundLayer", set()),
        ("HolidaysLayer", set()),
        ("ReportsLayer", set()),
    ],
)
def test_only_the_layer_of_all_functions_contains_botocore_and_none_boto3(
    packages: list[Path], layer: str, expected: set[str]
) -> None:
    names = zipfile.ZipFile(packages[0] / f"{layer}.zip").namelist()
    assert names
    assert {name.split("/")[1] for name in names} & (BOTOCORE | BOTO3) == expected


def test_botocore_in_the_layer_has_the_data_of_the_used_services_only(packages: list[Path]) -> None:
    names = zipfile.ZipFile(packages[0] / "TimerCoreLayer.zip").namelist()
    folder = "python/botocore/data/"
    services = {
        name.removeprefix(folder).split("/")[0]
        for name in names
        if name.startswith(folder) and name.count("/") > 3
    }
    assert services == {*OPERATIONS}


@pytest.mark.skipif(find_python("3.13") is None, reason="Python 3.13 is not installed")
def test_every_module_is_packaged_with_byte_code_of_the_runtimes_python(packages: list[Path]) -> None:
    python = find_python("3.13")
    assert python
    magic = subprocess.run(
        [python, "-c", "import importlib.util as u; print(u.MAGIC_NUMBER.hex())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    for archive in packages[0].glob("*.zip"):
        with zipfile.ZipFile(archive) as packed:
            names = set(packed.namelist())
            modules = {name for name in names if name.endswith(".py")}
            compiled = {name for name in names if name.endswith(".pyc")}
            assert compiled == {
                re.sub(r"([^/]+)\.py$", r"__pycache__/\1.cpython-313.pyc", name) for name in modules
            }
            # The second word of the header: hash-based, and not compared with the source (PEP 552).
            assert {packed.read(name)[:8].hex() for name in compiled} == {f"{magic}01000000"}


def test_only_functions_that_sign_in_to_github_as_an_app_have_cryptography(packages: list[Path]) -> None:
    def holds(layer: str, package: str) -> bool:
        names = zipfile.ZipFile(packages[0] / f"{layer}.zip").namelist()
        return any(name.startswith(f"python/{package}/") for name in names)

    assert holds("BackgroundLayer", "cryptography")
    assert holds("HolidaysLayer", "holidays")
    assert holds("ReportsLayer", "xlsxwriter")
    assert not holds("TimerCoreLayer", "cryptography")
    assert not holds("BackgroundLayer", "timer_core")
    template = (packages[0] / "template.yaml").read_text()
    assert template.count("Ref: BackgroundLayer") == template.count("GITHUB_CREDENTIAL:") > 0


@pytest.mark.parametrize(
    ("layer", "platform", "python"),
    [("BackgroundLayer", "aarch64", "3.12"), ("TimerCoreLayer", "x86_64", "3.14")],
)
def test_compiled_modules_are_for_the_architecture_and_the_runtime(
    layer: str, platform: str, python: str, tmp_path: Path
) -> None:
    command = ("make", "-s", "-C", ROOT / "layers", f"build-{layer}", f"ARTIFACTS_DIR={tmp_path}")
    run(*command, LAYER_PLATFORM=platform, LAYER_PYTHON=python)
    modules = list(tmp_path.rglob("*.so"))
    machines = {int.from_bytes(module.read_bytes()[18:20], "little") for module in modules}
    assert machines == {MACHINES[platform]}
    # An example is pydantic_core/_pydantic_core.cpython-312-aarch64-linux-gnu.so. The name of cryptography's
    # module contains no Python version, because the module works with any Python 3.
    pythons = {match[1] for module in modules if (match := re.search(r"\.cpython-(\d+)-", module.name))}
    assert pythons == {python.replace(".", "")}


def test_a_package_with_another_hash_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    layers = tmp_path / "layers"
    shutil.copytree(ROOT / "layers", layers)
    requirements = layers / "timer_core/requirements.txt"
    requirements.write_text(re.sub(r"sha256:\w{8}", "sha256:00000000", requirements.read_text()))
    with pytest.raises(subprocess.CalledProcessError):
        run("make", "-s", "-C", layers, "build-TimerCoreLayer", f"ARTIFACTS_DIR={tmp_path / 'built'}")


def test_two_processes_can_build_for_this_machine_concurrently(tmp_path: Path) -> None:
    code = """
import pathlib, sys, time
from local_stack import build

def sam(_command, *arguments):
    folder = pathlib.Path(arguments[-1])
    folder.mkdir()
    (folder / "template.yaml").touch()
    deadline = time.monotonic() + 30
    while len(list(folder.parents[1].iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)  # Wait until the other process builds too.

build.run_sam, build._BUILDS = sam, pathlib.Path(sys.argv[1])
print(build.build())
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    templates = {process.communicate()[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    [template] = templates
    assert Path(template).exists()
    assert [path.name for path in tmp_path.iterdir()] == [Path(template).parent.name]


# ---------------------------------------------------------------- make deploy


def test_make_deploy_deploys_a_stack_and_its_page(ministack: MiniStack, printed: str) -> None:
    stack = DeployedStack(ministack.session, "issue-timer-dev")
    assert f"Issue Timer is at {stack.url}\n" in printed
    assert stack.outputs["WebhookUrl"] in printed
    assert "make github-app STACK=issue-timer-dev" in printed

    functions = ministack.session.client("lambda")
    for name in ("TimelogsFunction", "StaleSweeperFunction"):
        deployed = functions.get_function_configuration(FunctionName=stack.resources[name], Qualifier=LIVE)
        assert (deployed["Architectures"], deployed["Runtime"]) == (["arm64"], "python3.13")
        package = (ROOT / ".aws-sam/packages" / f"{name}.zip").read_bytes()
        assert deployed["CodeSha256"] == base64.b64encode(hashlib.sha256(package).digest()).decode()

    objects = ministack.session.client("s3").list_objects_v2(Bucket=stack.outputs["WebBucketName"])
    assert "index.html" in {item["Key"] for item in objects["Contents"]}
    # The stack's address redirects plain HTTP to TLS, as in AWS.
    answer = request(
        "GET",
        ministack.endpoint_url,
        headers={"Host": stack.outputs["DistributionDomainName"], "X-Front-Door": ministack.access.secret},
    )
    assert (answer.status, answer.headers["Location"][:8]) == (301, "https://")


def test_make_deploy_suggests_only_its_own_next_steps(printed: str) -> None:
    assert "Built Template" in printed
    assert "Commands you can use next" not in printed
    assert "sam deploy --guided" not in printed


@pytest.mark.usefixtures("printed")
def test_deploying_the_same_sources_again_changes_only_what_samconfig_toml_does_not_set(
    ministack: MiniStack,
) -> None:
    before = DeployedStack(ministack.session, "issue-timer-dev")
    resources, parameters = before.resources, before.parameters
    cloudformation = ministack.session.client("cloudformation")
    cloudformation.update_stack(
        StackName=before.name,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": "octocat"}
            if name == "AdminLogins"
            else {"ParameterKey": name, "UsePreviousValue": True}
            for name in parameters
        ],
    )
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName=before.name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    printed = deploy(ministack.environment)
    assert "Parameters of issue-timer-dev that change:\n  AdminLogins: 'octocat' -> ''\n" in printed
    assert "web/: 0 uploaded, 0 deleted" in printed
    after = DeployedStack(ministack.session, "issue-timer-dev")
    assert (after.resources, after.parameters) == (resources, parameters)


@pytest.mark.usefixtures("printed")
def test_an_unchanged_deployment_succeeds_while_another_change_set_waits(ministack: MiniStack) -> None:
    cloudformation = ministack.session.client("cloudformation")
    waiting = cloudformation.create_change_set(
        StackName="issue-timer-dev",
        ChangeSetName="samcli-deploy1700000000",
        TemplateBody=json.dumps({"Resources": {"Other": {"Type": "AWS::SQS::Queue"}}}),
    )["Id"]
    assert "web/: 0 uploaded, 0 deleted" in deploy(ministack.environment)
    remaining = cloudformation.describe_change_set(ChangeSetName=waiting)
    assert remaining["ExecutionStatus"] == "AVAILABLE"
    cloudformation.delete_change_set(ChangeSetName=waiting)
