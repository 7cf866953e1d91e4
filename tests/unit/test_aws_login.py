"""The tools accept the credentials of ``aws login``; the deployed layers do not contain the library for them.

https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html
"""

import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from deployed_stack.paths import ROOT, SAM

SESSION = "arn:aws:iam::123456789012:user/octocat"


@pytest.mark.parametrize(
    "python", [ROOT / ".venv/bin/python", SAM.with_name("python")], ids=["tools", "SAM CLI"]
)
def test_credentials_of_aws_login_are_read(python: Path, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"[default]\nregion = us-east-1\nlogin_session = {SESSION}\n")
    token = {
        "accessToken": {
            "accessKeyId": "ASIAEXAMPLE",
            "secretAccessKey": "secret",
            "sessionToken": "session",
            "accountId": "123456789012",
            "expiresAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        },
        "clientId": "arn:aws:signin:::devtools/same-device",
        "refreshToken": "refresh",
        "dpopKey": "key",
    }
    (tmp_path / f"{sha256(SESSION.encode()).hexdigest()}.json").write_text(json.dumps(token))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_LOGIN_CACHE_DIRECTORY": str(tmp_path),
    }
    code = "import boto3; print(boto3.Session().get_credentials().get_frozen_credentials().access_key)"
    finished = subprocess.run(
        [python, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert finished.stdout.strip() == "ASIAEXAMPLE", finished.stderr


def test_no_layer_contains_the_library_for_aws_login() -> None:
    for lock in (ROOT / "layers").glob("*/requirements.txt"):
        assert re.search(r"^awscrt==", lock.read_text(), flags=re.MULTILINE) is None
