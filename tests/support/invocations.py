"""Lambda's API, as far as the functions use it."""

import json
from typing import Any

from timer_core.settings import settings


class Invocations:
    """Accepts asynchronous invocations of the function that makes the files of reports, and keeps them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.is_down = False

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: str) -> None:  # noqa: N803 - boto3's
        assert (FunctionName, InvocationType) == (settings().export_function, "Event")
        if self.is_down:
            raise ConnectionError
        self.events.append(json.loads(Payload))
