"""`make demo` fills the stack with a month of work, and removes it again."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from demo_github.team import PEOPLE
from demo_month.plan import DAYS, month
from deployed_stack.paths import ROOT
from tests.e2e.conftest import ANN, Site
from tests.support import plain_hours

MEI = next(person for person in PEOPLE if person.login == "octo-mei")


def make_demo(site: Site, *options: str) -> str:
    command = [sys.executable, str(ROOT / "scripts/fill_demo.py"), *options]
    command += ["--port", str(site.stack.port)]
    return subprocess.run(
        command, env=site.stack.environment, capture_output=True, text=True, check=True
    ).stdout


def test_the_demo_is_recorded_and_removed(site: Site) -> None:
    assert site.timers("octo-demo/storefront", 8) == []
    printed = make_demo(site)
    assert f"Open {site.url} and sign in as Codertocat" in printed
    assert len(site.timers("octo-demo/storefront", 8)) == 1

    now = datetime.now(UTC)
    yesterday = (now.astimezone(ZoneInfo(MEI.time_zone)) - timedelta(days=1)).date()
    expected = plain_hours.pieces(MEI, month(int(now.timestamp() * 1000)), int(now.timestamp() * 1000))
    token = site.stack.mint_token(MEI.id, login=MEI.login)
    first = yesterday - timedelta(days=DAYS - 2)
    days = site.get(f"/api/timesheets/?from={first}&to={yesterday}", token)["days"]
    assert len(days) == DAYS - 1
    for day in days:
        shown = Counter({_label(row): row["working_duration"] * 1000 for row in day["issues"]})
        assert shown == plain_hours.sums(expected, MEI.time_zone, date.fromisoformat(day["date"]))

    assert "timers of an earlier run" in make_demo(site)
    assert len(site.timers("octo-demo/storefront", 8)) == 1
    assert "Removed the demo's" in make_demo(site, "--remove")
    assert site.timers("octo-demo/storefront", 8) == []
    assert site.get("/api/timelogs/", token)["results"] == []
    assert [item for item in site.items(f"user#{ANN[0]}") if "demo" in item] == []


def _label(row: dict[str, Any]) -> str:
    issue = row["issue"]
    if issue is None:
        return str(row["description"])
    return f"{issue['github_repo']}#{issue['github_issue_number']}"
