"""Time and memory for loading each handler's module, compared with bare boto3 clients."""

import os
import re
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
_BASES = ("boto3.client('dynamodb')", "boto3.client('sqs')")
_PROGRAMS = {
    "nothing": "pass",
    **{base: f"import boto3; {base}" for base in _BASES},
    "timelogs.api": "import timelogs.api as handler; handler.table.connection.client",
    "auth.api": "import auth.api as handler; handler.table.connection.client",
    "webhook.receive": "import webhook.receive",
    "webhook.process": "import webhook.process as handler; handler.table.connection.client",
    "stale_sweeper.sweep": "import stale_sweeper.sweep as handler; handler.table.connection.client",
}


# Print the status of the process, which contains its peak memory in KB. The peak that `os.wait4` returns
# would include the parent process.
_PRINT_PEAK = "; print(open('/proc/self/status').read())"


def measure() -> str:
    """Return a table of each module's lowest processor time in several fresh interpreters."""
    times: dict[str, list[float]] = {name: [] for name in _PROGRAMS}
    peaks: dict[str, float] = {}
    for _ in range(_ROUNDS):
        for name, program in _PROGRAMS.items():
            seconds, peaks[name] = _run(program)
            times[name].append(seconds)
    least = {name: min(seconds) for name, seconds in times.items()}
    interpreter = least.pop("nothing")
    columns = " | ".join(f"ratio to `{base}`" for base in _BASES)
    rows = [f"| module | ms of processor time | {columns} | peak MB |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, seconds in least.items():
        own = seconds - interpreter
        ratios = " | ".join(f"{own / (least[base] - interpreter):.2f}" for base in _BASES)
        rows.append(f"| `{name}` | {own * 1000:.0f} | {ratios} | {peaks[name]:.0f} |")
    return "\n".join(rows)


def _run(program: str) -> tuple[float, float]:
    """Return the processor time of a fresh interpreter in seconds, and its peak memory in MB."""
    process = subprocess.Popen(
        [sys.executable, "-c", program + _PRINT_PEAK], env=_ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"{program!r} failed")
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", output, re.MULTILINE)
    return usage.ru_utime + usage.ru_stime, int(kilobytes) / 1024
