"""Execute `github_action/action.yml` as GitHub's runner does.

https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ACTION = Path(__file__).parents[2] / "github_action"
METADATA: dict[str, Any] = yaml.safe_load((ACTION / "action.yml").read_text())
# The command that GitHub documents for `shell: bash`.
_SHELLS = {"bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}
_REPOSITORY_ID = "186853002"


class Run(NamedTuple):
    """The result of a workflow step that uses the action."""

    exit_status: int
    log: str
    outputs: dict[str, str]


def run_action(
    folder: Path,
    event: str,
    payload: bytes,
    *,
    run_id: int = 1658821493,
    attempt: int = 1,
    **inputs: str,
) -> Run:
    """Run the action in a workflow that an event started.

    The runner's files are created in ``folder``. Underscores in the names of inputs become hyphens.
    """
    given = {name: str(spec.get("default", "")) for name, spec in METADATA["inputs"].items()}
    given |= {name.replace("_", "-"): value for name, value in inputs.items()}
    context = {f"inputs.{name}": value for name, value in given.items()}
    event_file, output_file, script = (folder / name for name in ("event.json", "output", "script.sh"))
    event_file.write_bytes(payload)
    log, exit_status = "", 0
    for step in METADATA["runs"]["steps"]:
        output_file.write_text("")
        script.write_text(_evaluate(step["run"], context))
        done = subprocess.run(
            [*_SHELLS[step["shell"]], str(script)],
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "GITHUB_ACTIONS": "true",
                "GITHUB_ACTION_PATH": str(ACTION),
                "GITHUB_EVENT_NAME": event,
                "GITHUB_EVENT_PATH": str(event_file),
                "GITHUB_OUTPUT": str(output_file),
                "GITHUB_REPOSITORY_ID": _REPOSITORY_ID,
                "GITHUB_RUN_ATTEMPT": str(attempt),
                "GITHUB_RUN_ID": str(run_id),
                **{name: _evaluate(value, context) for name, value in step["env"].items()},
            },
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        log, exit_status = log + done.stdout, exit_status or done.returncode
        for line in output_file.read_text().splitlines():
            name, _, value = line.partition("=")
            context[f"steps.{step['id']}.outputs.{name}"] = value
    outputs = {name: _evaluate(spec["value"], context) for name, spec in METADATA["outputs"].items()}
    return Run(exit_status, log, outputs)


def _evaluate(text: str, context: Mapping[str, str]) -> str:
    """Replace the expressions in a text; an undefined input or output raises `KeyError`."""
    return re.sub(r"\$\{\{\s*([^}]*?)\s*\}\}", lambda expression: context[expression[1]], text)
