"""The response to a refused request."""

import json

from timer_core.api import errors
from timer_core.domain.errors import TooManyTransitions
from timer_core.observability import make_logger


def test_a_transition_beyond_the_limit_is_a_bad_request_that_says_what_to_do() -> None:
    event = {
        "rawPath": "/api/timelogs/1/pause/",
        "headers": {},
        "requestContext": {"http": {"method": "POST"}},
    }
    response = errors.error_response(
        TooManyTransitions("pause", "150 manual transitions"), event, make_logger("test")
    )
    assert response["statusCode"] == 400
    assert json.loads(response["body"])["detail"] == (
        "Cannot pause a timer that has 150 manual transitions, which is the limit. "
        "Stop it and start another one."
    )
