"""`make restore` on the deployed stack. The emulator restores the present state, whichever time is given."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

from deployed_stack import restore
from deployed_stack.paths import ROOT
from tests.e2e.conftest import ANN, Site, eventually, payload


def settings(site: Site) -> dict[str, Any]:
    """Return the settings of the stack's table that DynamoDB does not restore."""
    client, name = site.stack.aws.client("dynamodb"), site.stack.table_name
    table = client.describe_table(TableName=name)["Table"]
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    return {
        "arn": table["TableArn"],
        "indexes": [one["IndexName"] for one in table["GlobalSecondaryIndexes"]],
        "protection": table["DeletionProtectionEnabled"],
        "stream": table.get("StreamSpecification"),
        "ttl": client.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
        "backups": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        "tags": client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"],
    }


def test_a_restore_ends_with_the_earlier_data_in_the_stacks_own_table(site: Site) -> None:
    repo = "octo-org/restored"
    body = {"github_issue_url": f"https://github.com/{repo}/issues/1"}
    assert site.send("POST", "/api/timelogs/start/", body).status == 201
    [before] = site.timers(repo, 1)
    settings_before = settings(site)

    table = restore.restored_table(site.stack, datetime.now(UTC))
    assert site.send("POST", f"/api/timelogs/{before['id']}/stop/").status == 200
    later = {"github_issue_url": f"https://github.com/{repo}/issues/2"}
    assert site.send("POST", "/api/timelogs/start/", later).status == 201

    site.process_everything()
    restore.pause(site.stack, drain_s=0)
    # The emulator stores the concurrency, and does not apply it to requests.
    functions = site.stack.aws.client("lambda")
    for name in restore.INVOKED_FUNCTIONS:
        limit = functions.get_function_concurrency(FunctionName=site.stack.resources[name])
        assert limit["ReservedConcurrentExecutions"] == 0
    assigned = payload("issues.assigned", repo, 3, assignee=None)
    assert site.deliver("issues", assigned).status == 202

    command = ["scripts/operate.py", "--port", str(site.stack.port), "restore"]
    command += ["--table", table, "--yes", "--drain-seconds", "1"]
    finished = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "The functions run again." in finished.stdout

    for name in restore.INVOKED_FUNCTIONS:
        limit = functions.get_function_concurrency(FunctionName=site.stack.resources[name])
        assert limit.get("ReservedConcurrentExecutions") is None
    [after] = site.timers(repo, 1)
    assert (after["id"], after["status"]) == (before["id"], "running")
    assert site.timers(repo, 2) == []
    # The delivery waited in the queue.
    assert eventually(lambda: site.timers(repo, 3), seconds=60)
    # The emulator's CloudFormation does not enable time to live and backups; the restore does.
    assert settings(site) == settings_before | {
        "ttl": {"AttributeName": "expires_at", "TimeToLiveStatus": "ENABLED"},
        "backups": "ENABLED",
    }


def test_a_restore_needs_a_confirmation(site: Site) -> None:
    table = restore.restored_table(site.stack, datetime(2026, 1, 1, tzinfo=UTC))
    command = ["scripts/operate.py", "--port", str(site.stack.port), "restore", "--table", table]
    finished = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    again = f"make restore PORT={site.stack.port} TABLE={table}"
    assert f"Nothing was changed. To continue later: {again}" in finished.stderr
    assert site.get("/api/auth/me/")["id"] == ANN[0]
