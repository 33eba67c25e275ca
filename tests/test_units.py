"""Text of sizes, durations and percentages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.units import (
    GIB,
    KIB,
    MIB,
    NS_PER_MS,
    NS_PER_S,
    TIB,
    format_bytes,
    format_capacity,
    format_duration_ns,
    format_percent,
    format_time_ns,
    parse_bytes,
    parse_duration_ns,
    parse_time_ns,
)

MINUTE = 60 * NS_PER_S
DAY = 86_400 * NS_PER_S


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1000, "1000 B"),
        (KIB, "1.00 KiB"),
        (MIB - 1, "1.00 MiB"),
        (14 * GIB + 768 * MIB, "14.75 GiB"),
        (-3 * GIB, "-3.00 GiB"),
        (5000 * TIB, "5000.00 TiB"),
    ],
)
def test_bytes_are_written_in_the_largest_fitting_binary_unit(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_the_number_of_decimals_can_be_chosen() -> None:
    assert format_bytes(32 * GIB, digits=0) == "32 GiB"
    assert format_bytes(768 * GIB, digits=0) == "768 GiB"
    assert format_bytes(1024 * GIB - 1, digits=0) == "1 TiB"


def test_a_capacity_has_only_decimals_that_mean_something() -> None:
    assert format_capacity(384 * GIB) == "384 GiB"
    assert format_capacity(1536 * GIB) == "1.50 TiB"
    assert format_capacity(500) == "500 B"
    assert format_percent(56.857) == "56.86%"
    assert format_percent(100, digits=0) == "100%"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1GB", 10**9),
        ("512MiB", 512 * MIB),
        ("10k", 10 * KIB),
        ("1.5 K", 1536),
        ("14.75 GiB", 14 * GIB + 768 * MIB),
        ("4096", 4096),
        ("7 b", 7),
        ("9007199254740993", 2**53 + 1),
    ],
)
def test_sizes_are_read(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize(
    "text", ["", "GB", "-1k", "1.2.3", "1 x", "1e3", ".", "1 2", "١k", "9" * 5000], ids=lambda text: text[:9]
)
def test_a_bad_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size such as 512MiB"):
        parse_bytes(text)


@given(st.integers(min_value=0, max_value=2**63))
def test_a_written_size_survives_reading_and_writing(count: int) -> None:
    text = format_bytes(count)
    assert format_bytes(parse_bytes(text)) == text


@given(st.integers(min_value=0, max_value=2**63), st.integers(min_value=0, max_value=4))
def test_a_written_size_is_right_within_its_last_digit(count: int, digits: int) -> None:
    text = format_bytes(count, digits)
    half_of_the_last_digit = parse_bytes("1 " + text.split()[1]) * 0.5 / 10**digits
    assert abs(parse_bytes(text) - count) <= half_of_the_last_digit + 1 + count * 1e-15


@pytest.mark.parametrize(
    ("text", "duration_ns"),
    [
        ("10m", 10 * MINUTE),
        ("1m30s", 90 * NS_PER_S),
        ("500ms", 500 * NS_PER_MS),
        ("1.0s", NS_PER_S),
        ("24h", DAY),
        ("7d", 7 * DAY),
        ("0", 0),
        (".5s", 500 * NS_PER_MS),
        ("3us", 3000),
        ("3\N{MICRO SIGN}s", 3000),
        ("3\N{GREEK SMALL LETTER MU}s", 3000),
        ("1h15m30.918273645s", 75 * MINUTE + 30_918_273_645),
    ],
)
def test_durations_are_read_as_go_reads_them_and_days_besides(text: str, duration_ns: int) -> None:
    assert parse_duration_ns(text) == duration_ns


@pytest.mark.parametrize("text", ["", "s", "5", "-5s", "1x", "1.2.3s", ".s", "1m 3s", "1e3s", "1sm"])
def test_a_bad_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 10m"):
        parse_duration_ns(text)


@pytest.mark.parametrize(
    ("duration_ns", "digits", "text"),
    [
        (0, None, "0s"),
        (1, None, "1ns"),
        (1500, None, "1.5\N{MICRO SIGN}s"),
        (90 * NS_PER_S, None, "1m30s"),
        (MINUTE + 500 * NS_PER_MS, None, "1m0.5s"),
        (7 * DAY, None, "7d"),
        (-90 * NS_PER_S, None, "-1m30s"),
        (1_234_567, 2, "1.23ms"),
        (999_999_999, 2, "1s"),
        (59_996_000_000, 2, "1m"),
    ],
)
def test_durations_are_written(duration_ns: int, digits: int | None, text: str) -> None:
    assert format_duration_ns(duration_ns, digits) == text


@given(st.integers(min_value=0, max_value=2**63))
def test_a_written_duration_reads_back_exactly(duration_ns: int) -> None:
    assert parse_duration_ns(format_duration_ns(duration_ns)) == duration_ns


@given(st.integers(min_value=0, max_value=2**63), st.integers(min_value=0, max_value=6))
def test_rounding_a_duration_twice_is_rounding_it_once(duration_ns: int, digits: int) -> None:
    text = format_duration_ns(duration_ns, digits)
    assert format_duration_ns(parse_duration_ns(text), digits) == text


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_767_571_215 * NS_PER_S, "2026-01-05T00:00:15Z"),
        (1_767_571_215 * NS_PER_S + 250 * NS_PER_MS, "2026-01-05T00:00:15.25Z"),
    ],
)
def test_instants_are_written(time_ns: int, text: str) -> None:
    assert format_time_ns(time_ns) == text


@given(st.integers(min_value=0, max_value=2**62))
def test_a_written_instant_reads_back_exactly(time_ns: int) -> None:
    assert parse_time_ns(format_time_ns(time_ns)) == time_ns


@pytest.mark.parametrize("text", ["2026-01-05", "2026-01-05 00:00", "2026-01-05T00:00:00", " 2026-01-05T00:00:00.0Z"])
def test_instants_are_read_with_what_they_leave_out(text: str) -> None:
    assert format_time_ns(parse_time_ns(text)) == "2026-01-05T00:00:00Z"


@pytest.mark.parametrize(
    "text", ["", "now", "2026-13-01", "2026-01-05T25:00:00Z", "2026-01-05T00:00:00.x", "2026-01-05."]
)
def test_a_bad_instant_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="expected an instant such as 2026-01-05T00:10:00Z"):
        parse_time_ns(text)
