"""Import and initialization of each handler's module, compared with one bare boto3 client."""

import os
import subprocess
import sys

_ROUNDS = 11
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "DELIVERY_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/bench.fifo",
    "LAMBDA_TASK_ROOT": "/var/task",
    "TABLE_NAME": "bench",
    "WEBHOOK_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:bench",
}
_BASE = "boto3.client('dynamodb')"
_PROGRAMS = {
    "nothing": "pass",
    _BASE: "import boto3; boto3.client('dynamodb')",
    "boto3.client('sqs')": "import boto3; boto3.client('sqs')",
    "timelogs.api": "import timelogs.api as handler; handler.table.connection.client",
    "webhook.receive": "import webhook.receive",
    "webhook.process": "import webhook.process as handler; handler.table.connection.client",
    "stale_sweeper.sweep": "import stale_sweeper.sweep as handler; handler.table.connection.client",
}


def measure() -> str:
    """Return the table: the least processor time of several fresh interpreters, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in _PROGRAMS}
    for _ in range(_ROUNDS):
        for name, program in _PROGRAMS.items():
            times[name].append(_cpu_seconds(program))
    least = {name: min(seconds) for name, seconds in times.items()}
    interpreter = least.pop("nothing")
    base = least[_BASE] - interpreter
    rows = [f"| module | ms of processor time | ratio to `{_BASE}` |", "| --- | ---: | ---: |"]
    for name, seconds in least.items():
        own = seconds - interpreter
        rows.append(f"| `{name}` | {own * 1000:.0f} | {own / base:.2f} |")
    return "\n".join(rows)


def _cpu_seconds(program: str) -> float:
    process = subprocess.Popen([sys.executable, "-c", program], env=_ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"{program!r} failed")
    return usage.ru_utime + usage.ru_stime
