"""docs/runbook.md quotes log lines that the functions write, and names metrics that they publish."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNBOOK = " ".join((ROOT / "docs/runbook.md").read_text().split())
SOURCES = "".join(
    path.read_text() for folder in ("functions", "layers") for path in (ROOT / folder).rglob("*.py")
)


def test_every_quoted_log_line_is_in_the_code() -> None:
    shown = re.findall(r"`make logs` (?:after `make sweep` )?shows ([^.]*)", RUNBOOK)
    quoted = [line for sentence in shown for line in re.findall(r"`([A-Z][^`]+)`", sentence)]
    assert len(quoted) > 5
    assert [line for line in quoted if f'"{line}"' not in SOURCES] == []


def test_every_metric_is_in_the_code() -> None:
    table = RUNBOOK.partition("| metric | of | |")[2].partition("Everything else")[0]
    metrics = re.findall(r"`([A-Z]\w+)`", table)
    assert len(metrics) > 5
    assert [metric for metric in metrics if f'"{metric}"' not in SOURCES] == []
