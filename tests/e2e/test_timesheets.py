"""The table's stream stores days of working time, through the emulator's own event source mapping."""

from datetime import UTC, datetime, timedelta

from tests.e2e.conftest import ANN, Site, eventually

# A busy machine starts the function's process in some seconds; later changes take a fraction of one.
STREAM_S = 20


def test_the_days_of_a_change_are_stored_within_seconds(site: Site) -> None:
    day = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=777)

    def stored() -> set[str]:
        return {item["sk"]["S"] for item in site.items(f"user#{ANN[0]}")} & {f"day#{day:%Y-%m-%d}"}

    assert stored() == set()
    body = {"start_time": day.isoformat(), "end_time": (day + timedelta(hours=3)).isoformat()}
    answer = site.send("POST", "/api/timelogs/", body)
    assert answer.status == 201, answer
    assert eventually(stored, seconds=STREAM_S)
