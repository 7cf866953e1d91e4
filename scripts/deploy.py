"""``make build`` and ``make deploy``: run the SAM CLI, with layers for the functions' platform.

The layers' wheels are built for one architecture and one version of Python, which are also parameters of the
template. The command line or the stage in samconfig.toml names both; this tool passes them to the build and
to the template.
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
from deployed_stack.paths import ROOT, SAM
from deployed_stack.stages import read_stage
from deployed_stack.tool import run_tool
from deployed_stack.web import deploy_web

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
    options = parser.parse_args()
    stage = read_stage(_CONFIG, options.stage, options.arch, options.runtime)
    version = stage.runtime.removeprefix("python")
    environment = {
        "LAYER_PLATFORM": _PLATFORMS[stage.architecture],
        "LAYER_PYTHON": version,
        "PYTHON": str(SAM.with_name("python")),
    }
    parameters = [
        *stage.overrides,
        f"Architecture={stage.architecture}",
        f"PythonRuntime={stage.runtime}",
    ]
    sam_options = ["--config-file", str(_CONFIG), "--config-env", options.stage]
    sam_options += ["--parameter-overrides", *parameters]

    session = boto3.Session()
    if not options.build_only:
        _require_account(session)
    build = _AWS_SAM / "build"
    status = _sam("build", "--build-dir", str(build), *sam_options, environment=environment)
    if status != 0:
        return status
    if python := find_python(version):
        compile_build(build, python)
    else:
        print(_NO_BYTE_CODE.format(version=version), file=sys.stderr)
    template = pack_build(build, _AWS_SAM / "packages", parameters)
    if options.build_only:
        return 0
    status = _sam("deploy", "--template-file", str(template), *sam_options, environment=environment)
    if status != 0:
        return status
    stack = DeployedStack(session, stage.stack_name)
    print(deploy_web(stack, ROOT / "web"))
    print(_next_steps(stack))
    return 0


def _sam(*command: str, environment: dict[str, str]) -> int:
    return subprocess.call([SAM, *command], cwd=ROOT, env=os.environ | environment)


def _next_steps(stack: DeployedStack) -> str:
    return f"""
Issue Timer is at {stack.url}
  its API          {stack.url}/api/, described in {stack.url}/api/openapi.json
  GitHub's webhook {stack.outputs["WebhookUrl"]}

Next, if you have not done it yet:
  make github-app STACK={stack.name}         connects GitHub: webhook, signing in, cards and comments
  make token STACK={stack.name} USER=<login> registers a person and creates an API token
  make logs STACK={stack.name}               prints the functions' logs"""


def _require_account(session: boto3.Session) -> None:
    """Check credentials and region first, because the build takes minutes."""
    if session.region_name is None:
        raise NoRegionError
    session.client("sts").get_caller_identity()


if __name__ == "__main__":
    run_tool(main)
