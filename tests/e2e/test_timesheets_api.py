"""Timesheets over HTTP: read a day, confirm it, and reopen it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.conftest import Site


def test_a_day_can_be_read_confirmed_and_reopened(site: Site) -> None:
    # Ann has no working hours, so her dates are those of UTC. No other test uses this day.
    begins = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=555)
    day = f"{begins:%Y-%m-%d}"
    path = f"/api/timesheets/{day}/confirm/"

    def read() -> dict[str, Any]:
        (found,) = site.get(f"/api/timesheets/?from={day}&to={day}")["days"]
        return dict(found)

    def add(hour: int) -> Any:
        start, end = (begins + timedelta(hours=hour + length) for length in (0, 1))
        body = {"start_time": start.isoformat(), "end_time": end.isoformat(), "description": "Planning"}
        return site.send("POST", "/api/timelogs/", body)

    assert read()["issues"] == []
    timer = json.loads(add(9).body)
    seen = read()
    assert (seen["state"], seen["working_duration"], seen["balance_duration"]) == ("over", 3600, None)
    assert seen["issues"] == [
        {
            "issue": None,
            "description": "Planning",
            "working_duration": 3600,
            "overtime_duration": 0,
            "timers": [timer["id"]],
        }
    ]
    assert add(11).status == 201
    assert site.send("POST", path).status == 428
    assert site.send("POST", path, if_match=seen["etag"]).status == 412
    answer = site.send("POST", path, if_match=read()["etag"])
    assert answer.status == 200
    confirmed = json.loads(answer.body)
    assert (confirmed["state"], confirmed["working_duration"]) == ("confirmed", 7200)
    assert confirmed == read()

    shorter = {"end_time": (begins + timedelta(hours=9, minutes=30)).isoformat()}
    for answer in (site.send("PATCH", f"/api/timelogs/{timer['id']}/", shorter), add(13)):
        assert answer.status == 409, answer
        problem = json.loads(answer.body)
        assert (problem["code"], problem["date"]) == ("day_confirmed", day)

    assert site.send("DELETE", path, if_match=seen["etag"]).status == 412
    reopened = site.send("DELETE", path, if_match=confirmed["etag"])
    assert (reopened.status, json.loads(reopened.body)["state"]) == (200, "over")
    assert site.send("PATCH", f"/api/timelogs/{timer['id']}/", shorter).status == 200
    assert read()["working_duration"] == 5400
    assert site.send("DELETE", path, if_match="*").status == 404


def test_the_week_is_answered_with_304_until_something_happens(site: Site) -> None:
    path = "/api/timesheets?from=2020-02-24&to=2020-03-01"
    tag = site.send("GET", path).headers["ETag"]
    assert site.send("GET", path, if_none_match=tag).status == 304
    assert site.send("HEAD", path).status == 200
    assert site.send("PUT", path).status == 405
    entry = {"start_time": "2020-02-29T23:30:00Z", "end_time": "2020-03-01T00:30:00Z"}
    assert site.send("POST", "/api/timelogs/", entry).status == 201
    answer = site.send("GET", path, if_none_match=tag)
    assert answer.status == 200
    found = [day["working_duration"] for day in json.loads(answer.body)["days"]]
    assert found == [0, 0, 0, 0, 0, 1800, 1800]
