"""The table's stream stores days of working time, through the emulator's own event source mapping."""

from datetime import UTC, datetime, timedelta

from tests.e2e.conftest import ANN, Site, eventually

# A limit for a busy machine; `python -m bench timesheets` measures the time.
STREAM_S = 60


def test_the_stream_stores_the_days_of_a_change(site: Site) -> None:
    day = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=777)

    def stored() -> set[str]:
        return {item["sk"]["S"] for item in site.items(f"user#{ANN[0]}")} & {f"day#{day:%Y-%m-%d}"}

    assert stored() == set()
    body = {"start_time": day.isoformat(), "end_time": (day + timedelta(hours=3)).isoformat()}
    answer = site.send("POST", "/api/timelogs/", body)
    assert answer.status == 201, answer
    assert eventually(stored, seconds=STREAM_S)
