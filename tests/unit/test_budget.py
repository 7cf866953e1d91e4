"""The comparison of cold starts with the instruction budget."""

from bench.budget import Start, by_line, describe, growth, is_over
from bench.fresh_process import Part

PARTS = {
    "timer_core.api.models": Part(executed=600_000),
    "botocore.hooks": Part(executed=300_000, loaded=20_000),
    "botocore/data/endpoints.json": Part(loaded=980_000),
}


def test_three_percent_more_than_the_budget_are_allowed_and_no_more() -> None:
    assert not is_over(1.0, 1.029)
    assert is_over(1.0, 1.031)


def test_a_cold_start_far_below_its_budget_asks_for_a_lower_budget() -> None:
    assert "`make budget`" in describe("auth.api", 1.0, 0.96)
    assert "`make budget`" not in describe("auth.api", 1.0, 0.98)


def test_ten_bytes_that_are_loaded_count_as_one_instruction_of_byte_code() -> None:
    assert by_line(PARTS) == {
        "botocore.hooks": 302,
        "botocore/data/endpoints.json": 98,
        "timer_core.api.models": 600,
    }


def test_small_modules_share_the_line_of_their_package_and_small_packages_share_one() -> None:
    small = {f"email.part{number}": Part(executed=2_000) for number in range(10)}
    assert by_line(PARTS | small | {"heapq": Part(executed=1_000)}) == {
        **by_line(PARTS),
        "email.*": 20,
        "others": 1,
    }


def test_the_modules_that_have_grown_are_named_those_with_the_largest_growth_first() -> None:
    budget = Start(1.0, by_line(PARTS))
    grown = PARTS | {"botocore.hooks": Part(executed=400_000), "email.header": Part(executed=250_000)}
    assert growth(budget, grown).splitlines() == [
        "  email.header: 250 thousand instructions of byte code, new",
        "  botocore.hooks: 400 thousand instructions of byte code, 98 more",
    ]


def test_a_module_that_has_shrunk_below_the_size_of_a_line_is_compared_by_itself() -> None:
    budget = Start(1.0, by_line(PARTS))
    assert growth(budget, PARTS | {"botocore.hooks": Part(executed=1_000)}) == "  no module has grown"
