"""The deployed stack on an emulator, with the steps that MiniStack omits."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

from demo_github import DemoSite, is_demo
from demo_github.team import PEOPLE
from deployed_stack import DeployedStack
from deployed_stack.deliveries import WEBHOOK_PATH
from deployed_stack.errors import ToolError
from deployed_stack.http_client import request
from deployed_stack.packing import pack_build
from deployed_stack.paths import ROOT
from deployed_stack.sign_in import LOGIN_PATH
from deployed_stack.web import deploy_page
from local_stack.build import build, run_sam, sources_digest
from local_stack.cdn import serve_locally
from local_stack.front_door import FrontDoor, Target, ViewersCallback
from local_stack.http_api import allow_origins, create_routes
from local_stack.ministack import MiniStack
from local_stack.paths import findable

DEMO_USER_ID, DEMO_LOGIN = PEOPLE[0].id, PEOPLE[0].login

# The defaults of these parameters. Without explicit values, CloudFormation would keep the previous values.
_REAL_GITHUB = {"GitHubUrl": "https://github.com", "GitHubApiUrl": "https://api.github.com"}
_NAME = "issue-timer"
_ARTIFACTS = "sam-artifacts"
_DEMO_PATH = "/demo"
_LOST = "The emulator has lost its data, with all timers and tokens: deploying the stack anew"
# The errors of services that do not know a stack, a table or a queue.
_MISSING = {
    *("ValidationError", "ResourceNotFoundException"),
    *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
}
_SUPERVISION_SECONDS = 0.5
_CHECK_SECONDS = 10.0
_MINUTE = 60.0
_READY_SECONDS = 60
_SERVER_ERROR = 500


class LocalStack(DeployedStack):
    """Issue Timer on this machine.

    Parameters
    ----------
    port
        The port to listen on, on the loopback interface only.
    state_dir
        Folder that keeps the whole state for the next start.
    report
        Called with a line of text at the beginning of each slow step.
    parameters
        Parameters of template.yaml to set; the others keep their values, which are initially the defaults.
    with_demo_github
        Whether people sign in at a demo on this machine until the stack has credentials for GitHub. If False,
        the parameters name the site where people sign in.
    """

    def __init__(
        self,
        port: int,
        state_dir: Path,
        report: Callable[[str], None] = lambda _line: None,
        parameters: Mapping[str, str] | None = None,
        *,
        with_demo_github: bool = False,
    ) -> None:
        self.port = port
        self.emulator = MiniStack(state_dir, report)
        super().__init__(self.emulator.session, _NAME)
        self.demo_github: DemoSite | None = None
        # Bound to the port while the stack runs.
        self._door: FrontDoor | None = None
        self._run = contextlib.ExitStack()
        self._report = report
        self._parameters = dict(parameters or {})
        self._with_demo_github = with_demo_github
        self._is_restored = False

    @property
    def url(self) -> str:
        """The address of the page; the API is below it, under ``/api/``."""
        return f"http://localhost:{self.port}"

    @property
    def codespace_url(self) -> str | None:
        """The address of the page for the owner of the codespace that runs the stack."""
        return self._door.codespace_url if self._door else None

    @property
    def make_option(self) -> str:
        """The option with which the Makefile's targets work on this stack."""
        return f"PORT={self.port}"

    @property
    def endpoint_url(self) -> str:
        """The URL that all AWS services share."""
        return self.emulator.endpoint_url

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables for a process that uses this stack."""
        return self.emulator.environment | self.own_variables

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the emulator, and deploy the sources to it if they have changed.

        Raises
        ------
        ToolError
            The stack cannot start or be deployed; the message is for the terminal.
        """
        self._door = FrontDoor(self.port, os.environ)
        self._run.enter_context(self._door)
        self._run.enter_context(findable(self.port, self.emulator.state_dir))
        self._run.callback(self.emulator.stop)
        try:
            self._report("Starting MiniStack, the AWS emulator")
            self.emulator.start()
            self._restore()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the emulator, which saves its state."""
        if self.demo_github is not None:
            self.demo_github.close()
            self.demo_github = None
        self._run.close()
        self._door = None

    def supervise(self) -> None:
        """Recover the stack whenever that is necessary; never return.

        Raises
        ------
        ToolError
            The emulator has ended twice, or could not be restored twice, within a minute; the message names
            its log.
        """
        last_end = last_failure = -_MINUTE
        last_check = time.monotonic()
        while True:
            time.sleep(_SUPERVISION_SECONDS)
            now = time.monotonic()
            if not self.emulator.is_running:
                if now - last_end < _MINUTE:
                    raise ToolError(f"MiniStack ended unexpectedly; its log is {self.emulator.log_file}")
                last_end = now
            elif now - last_check < _CHECK_SECONDS:
                continue
            try:
                self.recover()
            except (ClientError, BotoCoreError) as error:
                # The emulator is busy, or has ended again.
                if time.monotonic() - last_failure < _MINUTE:
                    raise ToolError(
                        f"The stack cannot be restored; MiniStack's log is {self.emulator.log_file}: {error}"
                    ) from error
                last_failure = time.monotonic()
                self._report(f"The stack could not be restored, and is tried again: {error}")
            last_check = time.monotonic()

    def recover(self) -> None:
        """Start the emulator again if its process has ended, and deploy anew if it has lost its data.

        Raises
        ------
        ClientError, BotoCoreError
            The stack could not be restored; the next call tries it again.
        """
        if not self.emulator.is_running:
            self._report("MiniStack ended unexpectedly: starting it again, with its data")
            self.emulator.stop()
            self.emulator.start()
        elif self._is_restored:
            try:
                if self._has_data():
                    return
            except (ClientError, BotoCoreError):
                # The emulator is busy, or has just ended.
                return
        self._restore()
        self._report("The stack is up again")

    def wait_until_ready(self) -> None:
        """Wait until the page, the API and the sign-in answer.

        Raises
        ------
        ToolError
            One of them still fails after a while.
        """
        deadline = time.monotonic() + _READY_SECONDS
        # Without credentials for signing in at GitHub, the sign-in rightly answers 503.
        for path in ("/", "/api/openapi.json", *([LOGIN_PATH] if self.demo_github else [])):
            while (status := request("GET", self.url + path).status) >= _SERVER_ERROR:
                if time.monotonic() > deadline:
                    raise ToolError(f"{self.url}{path} answers {status}; see `make logs {self.make_option}`")
                time.sleep(0.2)

    def mint_token(self, user_id: int, *, login: str, name: str = "local") -> str:
        """Register a user and return a new API token of that user."""
        tool = ROOT / "scripts/manage_people.py"
        command = [sys.executable, str(tool), "--port", str(self.port), "token", "mint"]
        command += ["--user", str(user_id), "--login", login, "--name", name]
        finished = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if finished.returncode != 0:
            raise ToolError(f"The token could not be created:\n{finished.stderr}")
        return finished.stdout.strip()

    def wait_for_queue(self, seconds: float) -> bool:
        """Wait until all queued deliveries are processed; return False if some remain at the time limit."""
        sqs, queue = self.aws.client("sqs"), self.resources["DeliveryQueue"]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            counts = sqs.get_queue_attributes(
                QueueUrl=queue,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"]
            if not any(map(int, counts.values())):
                return True
            time.sleep(0.1)
        return False

    def redrive(self) -> int:
        """Move each dead letter back to its queue, because MiniStack has no StartMessageMoveTask."""
        sqs = self.aws.client("sqs")
        dead = self.resources["DeliveryDeadLetterQueue"]
        written = self.resources["WriteBackQueue"]
        count = 0
        while letters := sqs.receive_message(
            QueueUrl=dead,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["MessageGroupId", "DeadLetterQueueSourceArn"],
        ).get("Messages"):
            for letter in letters:
                source = letter["Attributes"].get("DeadLetterQueueSourceArn", "").rpartition(":")[2]
                is_written = written.endswith(f"/{source}")
                sqs.send_message(
                    QueueUrl=written if is_written else self.resources["DeliveryQueue"],
                    MessageBody=letter["Body"],
                    MessageGroupId=letter["Attributes"]["MessageGroupId"],
                    MessageDeduplicationId=letter["MessageId"],
                )
                sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
            count += len(letters)
        return count

    def recall(self, key: str) -> str | None:
        """Return the text that ``remember`` stored under a key, or None."""
        ssm = self.aws.client("ssm")
        try:
            return ssm.get_parameter(Name=f"/{_NAME}/{key}", WithDecryption=True)["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            return None

    def remember(self, key: str, value: str) -> None:
        """Store a text in the emulator, so that the text is saved or lost together with the stack."""
        self.aws.client("ssm").put_parameter(
            Name=f"/{_NAME}/{key}", Value=value, Type="String", Overwrite=True
        )

    def _choose_github(self) -> None:
        """Choose the site where people sign in: GitHub if the stack has credentials for it, else a demo."""
        self._recall_parameters()
        # The SSM parameters in which the template expects GitHub's credentials.
        api, oauth = self.recall("github"), self.recall("oauth")
        stored = {name: text for name, text in (("github", api), ("oauth", oauth)) if text is not None}
        left_by_demo = [name for name, text in stored.items() if is_demo(text)]
        if len(left_by_demo) == len(stored):
            demo_url = f"{self.url}{_DEMO_PATH}"
            # The demo keeps its sign-ins while the emulator restarts.
            self.demo_github = self.demo_github or DemoSite(
                base_url=demo_url, state_file=self.emulator.state_dir / "demo-github.json"
            )
            self._parameters |= {"GitHubUrl": demo_url, "GitHubApiUrl": demo_url}
            # Somebody of the demo sees the pages for admins and the time of the team.
            self._parameters.setdefault("AdminLogins", DEMO_LOGIN)
            if kept := self.demo_github.github.set_aside:
                self._report(
                    f"The demo GitHub starts anew; its former state, which is not usable, is in {kept}"
                )
            return
        was_demo = self._parameters.get("GitHubUrl", "").endswith(_DEMO_PATH)
        if was_demo and self._parameters.get("AdminLogins") == DEMO_LOGIN:
            # At GitHub, this is somebody else's login.
            self._parameters["AdminLogins"] = ""
        for name in left_by_demo:
            self.aws.client("ssm").delete_parameter(Name=f"/{_NAME}/{name}")
        self._parameters |= _REAL_GITHUB

    def _connect_demo(self, door: FrontDoor, demo: DemoSite) -> None:
        demo.callback_urls = ViewersCallback()
        demo.connect(webhook_url=self.url + WEBHOOK_PATH, webhook_secret=self.webhook_secret())
        door.mounted[_DEMO_PATH] = demo
        credentials = {
            "OAuthCredentialName": {"client_id": demo.client_id, "client_secret": demo.client_secret},
            "GitHubCredentialName": demo.api_credential,
        }
        for output, credential in credentials.items():
            self.aws.client("ssm").put_parameter(
                Name=self.outputs[output],
                Value=json.dumps(credential),
                Type="SecureString",
                Overwrite=True,
            )

    @property
    def _deployment_mark(self) -> Path:
        """A file outside of the emulator's own state, which exists if the stack was deployed."""
        return self.emulator.state_dir / "deployed"

    def _has_data(self) -> bool:
        """Whether the emulator has the stack and its table."""
        try:
            self.aws.client("dynamodb").describe_table(TableName=self.table_name)
            self.aws.client("sqs").get_queue_attributes(QueueUrl=self.resources["DeliveryQueue"])
            return self.recall("deployed") is not None
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MISSING:
                raise
            return False

    def _restore(self) -> None:
        """Deploy what is new or lost, and open the front door to it."""
        self._is_restored = False
        self._forget_description()
        if self._deployment_mark.exists() and not self._has_data():
            self._report(_LOST)
            self.emulator.reset()
        self._forget_description()
        if self._with_demo_github:
            self._choose_github()
        self._deploy_changes()
        self._deployment_mark.touch()
        self._open_door()
        self._is_restored = True

    def _open_door(self) -> None:
        if self._door is None:
            return
        self._door.target = Target(
            self.emulator.access, self.outputs["DistributionDomainName"], self.resources.get("LiveApi")
        )
        # The demo sends what it could not send before, so the webhook has to be reachable.
        if self.demo_github:
            self._connect_demo(self._door, self.demo_github)

    def _forget_description(self) -> None:
        for name in ("resources", "outputs", "parameters", "_description", "webhook_pair"):
            self.__dict__.pop(name, None)

    def _recall_parameters(self) -> None:
        """Add the parameters that were deployed last, unless they have other values now."""
        if (deployed := self.recall("deployed")) is not None:
            self._parameters = json.loads(deployed)["parameters"] | self._parameters

    def _deploy_changes(self) -> None:
        self._recall_parameters()
        self._parameters["ConnectionsUrl"] = f"{self.endpoint_url}/_aws/execute-api"
        self._parameters["LocalPort"] = str(self.port)
        wanted = json.dumps({"sources": sources_digest(), "parameters": self._parameters}, sort_keys=True)
        if wanted != self.recall("deployed"):
            self._report("Building the functions and their layer (sam build)")
            template = build()
            self._report("Deploying template.yaml to the emulator (sam deploy)")
            self.aws.client("s3").create_bucket(Bucket=_ARTIFACTS)
            self.deploy(template, self._parameters)
            self.remember("deployed", wanted)
        # The first access creates the webhook's secret.
        self.webhook_secret()
        serve_locally(self)
        deploy_page(self)

    def deploy(self, template: Path, parameters: Mapping[str, str]) -> None:
        """Deploy a built template; a stack that runs continues to serve requests."""
        overrides = [f'{name}="{value}"' for name, value in parameters.items()]
        with tempfile.TemporaryDirectory() as folder:
            # Packages that never leave this machine may be larger.
            packed = pack_build(template.parent, Path(folder), parameters, level=1)
            run_sam(
                "deploy",
                *("--template-file", str(packed)),
                *("--stack-name", _NAME),
                *("--s3-bucket", _ARTIFACTS),
                *("--capabilities", "CAPABILITY_IAM"),
                *(["--parameter-overrides", *overrides] if overrides else []),
                "--no-confirm-changeset",
                "--no-fail-on-empty-changeset",
                "--no-progressbar",
                environment=self.emulator.environment,
            )
        # The functions' versions and so on may have changed.
        self._forget_description()
        create_routes(self, "HttpApi")
        allow_origins(self, "HttpApi")
