"""``make build`` and ``make deploy``: run the SAM CLI, with layers for the functions' platform.

The layers' wheels are built for one architecture and one version of Python, which are also parameters of the
template. The command line or the stage in samconfig.toml names both; this tool passes them to the build and
to the template, with the values of all other parameters.
"""

import argparse
import os
import subprocess
import sys

import boto3
from botocore.exceptions import NoRegionError

from deployed_stack import DeployedStack
from deployed_stack.byte_code import compile_build, find_python
from deployed_stack.packing import pack_build
from deployed_stack.parameters import Parameters
from deployed_stack.paths import ROOT, SAM
from deployed_stack.stages import read_stage
from deployed_stack.state import discard_change_sets, require_updatable, waiting_change_sets
from deployed_stack.tool import run_tool
from deployed_stack.web import deploy_page

_CONFIG = ROOT / "samconfig.toml"
_AWS_SAM = ROOT / ".aws-sam"
# Each architecture's name in Lambda, and its name in the file names of Python wheels.
_PLATFORMS = {"arm64": "aarch64", "x86_64": "x86_64"}
_NO_BYTE_CODE = """
Python {version} is not installed on this machine, so the packages contain no byte code for it: every cold
start compiles the modules that it imports. Install Python {version}, so that python{version} is on PATH,
and build again.
"""


def main() -> int:
    """Build, and deploy unless ``--build-only`` is given; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", required=True, help="a section of samconfig.toml")
    parser.add_argument("--arch", help="arm64 or x86_64; by default that of samconfig.toml")
    parser.add_argument("--runtime", help="such as python3.13; by default that of samconfig.toml")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--yes", action="store_true", help="do not ask before changes, also in prod")
    options = parser.parse_args()
    stage = read_stage(_CONFIG, options.stage, options.arch, options.runtime)
    version = stage.runtime.removeprefix("python")
    parameters = Parameters(ROOT / "template.yaml", stage.configured)
    environment = {
        "LAYER_PLATFORM": _PLATFORMS[stage.architecture],
        "LAYER_PYTHON": version,
        "PYTHON": str(SAM.with_name("python")),
    }
    _AWS_SAM.mkdir(exist_ok=True)
    sam_options = ["--config-file", str(_CONFIG), "--config-env", options.stage]
    sam_options += ["--parameter-overrides", parameters.write(_AWS_SAM / "parameters.yaml")]

    session = boto3.Session(profile_name=stage.profile, region_name=stage.region)
    stack = DeployedStack(session, stage.stack_name)
    if not options.build_only:
        # The build takes minutes, so check first whether the deployment can begin.
        _require_account(session)
        _print_changes(stack, parameters)
    build = _AWS_SAM / "build"
    status = _build("--build-dir", str(build), *sam_options, environment=environment)
    if status != 0:
        return status
    if python := find_python(version):
        compile_build(build, python)
    else:
        print(_NO_BYTE_CODE.format(version=version), file=sys.stderr)
    template = pack_build(build, _AWS_SAM / "packages", parameters.values)
    if options.build_only:
        print(f"The packages are in {template.parent.relative_to(ROOT)}; `make deploy` deploys them.")
        return 0
    if options.yes:
        sam_options.append("--no-confirm-changeset")
    deploy = ["deploy", "--template-file", str(template), *sam_options]
    waited_before = waiting_change_sets(stack)
    status = subprocess.call([SAM, *deploy], cwd=ROOT, env=os.environ | environment)
    if status != 0:
        print('docs/deploying.md, "If a deployment fails", lists known reasons.', file=sys.stderr)
        return status
    deployed = DeployedStack(session, stage.stack_name)
    if discard_change_sets(deployed, waited_before=waited_before):
        print("Nothing was changed.", file=sys.stderr)
        return 1
    if parameters.values["Stage"] == "prod":
        deployed.protect_from_termination()
    # The first access creates the webhook's secret.
    deployed.webhook_secret()
    print(deploy_page(deployed))
    print(_next_steps(deployed))
    return 0


def _print_changes(stack: DeployedStack, parameters: Parameters) -> None:
    exists = require_updatable(stack)
    compared_with = stack.parameters if exists else Parameters(ROOT / "template.yaml", {}).values
    changes = list(parameters.changes(compared_with))
    what = "change" if exists else "differ from the defaults"
    if changes:
        print(f"Parameters of {stack.name} that {what}:", *changes, sep="\n  ", flush=True)
    else:
        print(f"No parameters of {stack.name} {what}.", flush=True)


def _build(*arguments: str, environment: dict[str, str]) -> int:
    """Run ``sam build``, without the commands that it suggests at its end, which are not ours."""
    process = subprocess.run(
        [SAM, "build", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(process.stdout.partition("\nCommands you can use next")[0], flush=True)
    return process.returncode


def _next_steps(stack: DeployedStack) -> str:
    domain = stack.parameters["DomainName"]
    record = (
        f"\nPoint the DNS name {domain} at {stack.outputs['DistributionDomainName']} (CNAME or alias)."
        if domain
        else ""
    )
    return f"""{record}
Issue Timer is at {stack.url}
  its API          {stack.url}/api/, described in {stack.url}/api/openapi.json
  GitHub's webhook {stack.outputs["WebhookUrl"]}

Next, if you have not done it yet:
  make github-app STACK={stack.name}         connects GitHub: webhook, signing in, cards and comments
  make token STACK={stack.name} USER=<login> registers a person and creates an API token
  make logs STACK={stack.name}               prints the functions' logs"""


def _require_account(session: boto3.Session) -> None:
    if session.region_name is None:
        raise NoRegionError
    session.client("sts").get_caller_identity()


if __name__ == "__main__":
    run_tool(main)
