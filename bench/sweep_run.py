"""Run the sweeper once in this process, and print its summary and cost as JSON.

`bench.sweep` starts it as ``python -m bench.sweep_run SECONDS EVENT``.
"""

import json
import resource
import sys
import time

import boto3
from moto import mock_aws

from bench.stage import Meter
from tests.support.gateway import Context


class _Limited(Context):
    """The context of an invocation with a time limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self._end - time.monotonic()) * 1000))


def main(seconds: float, event: dict[str, bool]) -> None:
    # moto replaces SSM only; the table is in DynamoDB Local.
    with mock_aws(config={"core": {"mock_credentials": False}}):
        credential = json.dumps({"token": "github_pat_bench"})
        boto3.client("ssm").put_parameter(Name="/bench/github", Value=credential, Type="SecureString")
        from stale_sweeper import sweep

        meter = Meter()
        meter.watch(sweep.table.connection.client)
        began = time.process_time()
        summary = sweep.handler(event, _Limited(seconds))
        figures = {
            "summary": summary,
            "requests": len(meter.calls),
            "read_units": meter.read_units,
            "write_units": meter.write_units,
            "cpu_s": time.process_time() - began,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(float(sys.argv[1]), json.loads(sys.argv[2]))
