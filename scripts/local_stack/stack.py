"""The deployed stack on an emulator, with the steps that MiniStack omits."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from deployed_stack.packing import pack_build
from deployed_stack.paths import ROOT
from deployed_stack.sign_in import CALLBACK_PATH
from deployed_stack.web import deploy_page
from local_stack.build import build, run_sam, sources_digest
from local_stack.cdn import local_url, serve_locally
from local_stack.demo_github import PEOPLE, DemoGitHub, is_demo
from local_stack.http_api import allow_origins, create_routes
from local_stack.ministack import MiniStack

DEMO_USER_ID, DEMO_LOGIN = PEOPLE[0]

# The defaults of these parameters. Without explicit values, CloudFormation would keep the previous values.
_REAL_GITHUB = {"GitHubUrl": "https://github.com", "GitHubApiUrl": "https://api.github.com"}
_NAME = "issue-timer"
_ARTIFACTS = "sam-artifacts"


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

    Notes
    -----
    Browsers and curl resolve the URL's host name under ``.localhost``; Python's resolver may not. Use
    ``deployed_stack.http_client``, or connect to ``127.0.0.1`` with the URL's host as the Host header.
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
        self.emulator = MiniStack(port, state_dir)
        super().__init__(self.emulator.session, _NAME)
        self.demo_github: DemoGitHub | None = None
        self._report = report
        self._parameters = dict(parameters or {})
        self._with_demo_github = with_demo_github

    @property
    def url(self) -> str:
        """The address of the page; the API is below it, under ``/api/``."""
        return local_url(self.outputs["DistributionDomainName"], self.emulator.port)

    @property
    def make_option(self) -> str:
        """The option with which the Makefile's targets work on this stack."""
        return f"PORT={self.emulator.port}"

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
        self.emulator.require_free_port()
        self._report("Starting MiniStack, the AWS emulator")
        self.emulator.start()
        try:
            if self._with_demo_github:
                self._choose_github()
            self._deploy_changes()
            if self.demo_github:
                self._sign_in_at(self.demo_github)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the emulator, which saves its state."""
        self.emulator.stop()
        if self.demo_github:
            self.demo_github.stop()
            self.demo_github = None

    def mint_token(self, user_id: int, *, login: str, name: str = "local") -> str:
        """Register a user and return a new API token of that user."""
        tool = ROOT / "scripts/manage_people.py"
        command = [sys.executable, str(tool), "--port", str(self.emulator.port), "token", "mint"]
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
        dead, queue = self.resources["DeliveryDeadLetterQueue"], self.resources["DeliveryQueue"]
        count = 0
        while letters := sqs.receive_message(
            QueueUrl=dead, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
        ).get("Messages"):
            for letter in letters:
                sqs.send_message(
                    QueueUrl=queue,
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
        # The SSM parameters in which the template expects GitHub's credentials.
        api, oauth = self.recall("github"), self.recall("oauth")
        is_left_by_demo = oauth is not None and is_demo(oauth)
        if api is None and (oauth is None or is_left_by_demo):
            self.demo_github = self._start_demo_github()
            self._parameters |= {"GitHubUrl": self.demo_github.url, "GitHubApiUrl": self.demo_github.url}
            return
        if is_left_by_demo:
            self.aws.client("ssm").delete_parameter(Name=f"/{_NAME}/oauth")
        self._parameters |= _REAL_GITHUB

    def _start_demo_github(self) -> DemoGitHub:
        """Start the demo, on its last port if possible, because another port requires a deployment."""
        try:
            demo = DemoGitHub(int(self.recall("demo-github-port") or 0))
        except OSError:
            demo = DemoGitHub(0)
        demo.start()
        self.remember("demo-github-port", str(demo.server_port))
        return demo

    def _sign_in_at(self, demo: DemoGitHub) -> None:
        demo.callback_url = self.url + CALLBACK_PATH
        self.aws.client("ssm").put_parameter(
            Name=self.outputs["OAuthCredentialName"],
            Value=json.dumps({"client_id": demo.client_id, "client_secret": demo.client_secret}),
            Type="SecureString",
            Overwrite=True,
        )

    def _deploy_changes(self) -> None:
        deployed = self.recall("deployed")
        if deployed is not None:
            self._parameters = json.loads(deployed)["parameters"] | self._parameters
        wanted = json.dumps({"sources": sources_digest(), "parameters": self._parameters}, sort_keys=True)
        if wanted != deployed:
            self._report("Building the functions and their layer (sam build)")
            template = build()
            self._report("Deploying template.yaml to the emulator (sam deploy)")
            self.aws.client("s3").create_bucket(Bucket=_ARTIFACTS)
            self.deploy(template, self._parameters)
            self.remember("deployed", wanted)
        # The first access creates the webhook's secret.
        self.webhook_secret()
        serve_locally(self, self.emulator.port)
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
        self.__dict__.pop("resources", None)
        create_routes(self, "HttpApi")
        allow_origins(self, "HttpApi")
