"""Run a built function as Lambda does, on this machine and without Docker.

AWS's runtime interface emulator, which the SAM CLI contains, starts AWS's runtime interface client in an
environment with the packages of Lambda's runtime. The function can import these, its package and its layers,
and nothing else.
"""

import json
import os
import platform
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.error import URLError
from urllib.request import Request, urlopen

from deployed_stack.errors import ToolError
from deployed_stack.paths import SAM
from deployed_stack.stack import LIVE
from local_stack.build import build
from local_stack.ministack import HOST, free_port
from local_stack.paths import LAMBDA_PYTHON
from local_stack.stack import DEMO_LOGIN, DEMO_USER_ID, LocalStack
from timer_core.github.webhooks.signature import sign

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef

_START_SECONDS = 30
# Placeholders in the sample events for values that depend on the stack.
_TOKEN, _SIGNATURE = "$TOKEN", "$SIGNATURE"


# The SAM CLI's emulators, and the architecture in their file names for each machine type that Python reports.
_EMULATORS = "lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-"
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}


def functions_of(stack: LocalStack) -> list[str]:
    """Return the logical ids of a stack's functions."""
    paginator = stack.aws.client("cloudformation").get_paginator("list_stack_resources")
    return sorted(
        resource["LogicalResourceId"]
        for page in paginator.paginate(StackName=stack.name)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    )


def environment_of(stack: LocalStack, function: str) -> dict[str, str]:
    """Return the environment of a function on a stack, with the emulator in place of AWS."""
    aws = {name: value for name, value in stack.environment.items() if name.startswith("AWS_")}
    variables = _configuration(stack, function)["Environment"]["Variables"]
    return aws | {"AWS_REGION": aws["AWS_DEFAULT_REGION"]} | variables


def _configuration(stack: LocalStack, function: str) -> "FunctionConfigurationResponseTypeDef":
    return stack.aws.client("lambda").get_function_configuration(
        FunctionName=stack.resources[function], Qualifier=LIVE
    )


def filled_in(event: Any, stack: LocalStack) -> Any:
    """Return a sample event with the placeholders replaced by a demo user's token and GitHub's signature."""
    headers = event.get("headers", {})
    if _TOKEN in headers.get("authorization", ""):
        token = stack.recall("demo-token") or stack.mint_token(DEMO_USER_ID, login=DEMO_LOGIN, name="invoke")
        headers["authorization"] = headers["authorization"].replace(_TOKEN, token)
    if headers.get("x-hub-signature-256") == _SIGNATURE:
        headers["x-hub-signature-256"] = sign(stack.webhook_secret(), event["body"].encode())
    return event


class BuiltFunction:
    """One instance of a function, built for this machine, on the tables and queues of a local stack.

    Parameters
    ----------
    function
        The function's logical id in template.yaml.
    log
        The file that receives the function's log; by default the terminal's error output.

    Raises
    ------
    ToolError
        The stack has no such function, or this machine cannot run AWS's emulator.
    """

    def __init__(self, stack: LocalStack, function: str, log: IO[bytes] | None = None) -> None:
        if sys.platform != "linux":
            raise ToolError("AWS's emulator runs on Linux only; elsewhere, use sam local invoke.")
        if function not in functions_of(stack):
            raise ToolError(f"{function!r} is none of {', '.join(functions_of(stack))}.")
        [self._emulator] = SAM.parents[1].glob(_EMULATORS + _ARCHITECTURES[platform.machine()])
        self._configuration = _configuration(stack, function)
        self._environment = environment_of(stack, function)
        # A layer's folder in the build has its logical id, to which SAM adds ten characters.
        self._layers = {physical_id: name[:-10] for name, physical_id in stack.resources.items()}
        self._function = function
        self._log = log
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        package = build().parent
        layers = [self._layers[layer["Arn"]] for layer in self._configuration["Layers"]]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(str(package / layer / "python") for layer in layers),
            "PYTHONUNBUFFERED": "1",
            # X-Ray's SDK, which calls a service of its own elsewhere, recognizes Lambda by this variable.
            "LAMBDA_TASK_ROOT": str(package / self._function),
            "AWS_LAMBDA_FUNCTION_NAME": self._function,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self._configuration["Timeout"]),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._configuration["MemorySize"]),
        }
        self._process = subprocess.Popen(
            [
                *(self._emulator, "--log-level", "error"),
                *("--runtime-interface-emulator-address", f"{HOST}:{self._port}"),
                *("--runtime-api-address", f"{HOST}:{free_port()}"),
                *(LAMBDA_PYTHON, "-m", "awslambdaric", self._configuration["Handler"]),
            ],
            cwd=package / self._function,
            env=environment | self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log or sys.stderr.fileno(),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_exc_info: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def invoke(self, event: Any) -> Any:
        """Return the function's response to an event, or Lambda's description of its failure.

        Raises
        ------
        ToolError
            The emulator did not start.
        """
        url = f"http://{HOST}:{self._port}/2015-03-31/functions/function/invocations"
        request = Request(url, data=json.dumps(event).encode())
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                with urlopen(request, timeout=self._configuration["Timeout"] + _START_SECONDS) as answer:  # noqa: S310
                    return json.load(answer)
            except URLError as error:
                if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > deadline:
                    raise ToolError(f"The function could not be run: {error}") from error
                time.sleep(0.05)
