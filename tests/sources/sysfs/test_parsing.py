"""The driver's files as bytes: what is written is read again, and nonsense is refused, never taken for a number."""

from __future__ import annotations

import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from neurontools.hardware.driver import ATTRIBUTES, POWER_STATUSES
from neurontools.sources.sysfs.kernel_log import parse
from neurontools.sources.sysfs.parsing import MOST, PARSERS, integer, integers, pe_counters, shown

COUNTS = st.integers(0, MOST)
PERCENTS = st.integers(0, 100_00).map(lambda hundredths: hundredths / 100)
HEAD = b"xrow_grp,mm_active,wl_active,idle\n"
ROWS = st.lists(st.tuples(COUNTS, COUNTS, COUNTS), min_size=1, max_size=4)
NONSENSE = (
    st.binary(max_size=80) | st.text(max_size=40).map(str.encode) | st.from_regex(rb"-?\d{0,40}[,.\n ]?\d{0,30}\n?")
)
A_MILLION = 1_000_000


def written(rows: list[tuple[int, int, int]]) -> bytes:
    return HEAD + "".join(f"{i},{','.join(map(str, row))}\n" for i, row in enumerate(rows)).encode()


def check_survives(raw: bytes) -> None:
    """Every parser gives a value that a snapshot can hold, or refuses."""
    for kind, parse_kind in PARSERS.items():
        try:
            value = parse_kind(raw)
        except (ValueError, OverflowError):
            continue
        values = value if isinstance(value, tuple) else (value,)
        flat = [each for part in values for each in (part if isinstance(part, tuple) else (part,))]
        assert all(each is None or isinstance(each, str) or 0 <= each <= max(MOST, 10**6) for each in flat), kind
    parse(raw)


@given(COUNTS)
def test_a_count_is_read_as_it_is_written(count: int) -> None:
    assert integer(f"{count}\n".encode()) == integer(str(count).encode()) == count


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"-1\n", b"12a\n", b"1.5\n", b"0x10\n", b"busy\n", str(MOST + 1).encode(), b"9" * 64]
)
def test_no_other_text_is_a_count(raw: bytes) -> None:
    with pytest.raises(ValueError):
        integer(raw)
    assert integers([b"1\n", raw]) is None


@given(st.lists(COUNTS.map(lambda count: f"{count}\n".encode()) | NONSENSE, max_size=5))
def test_many_counts_are_read_as_each_of_them(raws: list[bytes]) -> None:
    try:
        expected: list[int] | None = [integer(raw) for raw in raws]
    except ValueError:
        expected = None
    assert integers(raws) == expected


def test_an_error_among_counts_is_no_count() -> None:
    assert integers([b"1\n", OSError(5, "Input/output error")]) is None
    assert integers([]) == []


@given(ROWS, st.data())
def test_rows_of_pe_counters_before_a_cut_are_read(rows: list[tuple[int, int, int]], data: st.DataObject) -> None:
    whole = written(rows)
    assert pe_counters(whole) == tuple(rows)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    ended = cut[len(HEAD) :].count(b"\n")
    if ended:
        assert pe_counters(cut) == tuple(rows[:ended])
    else:
        with pytest.raises(ValueError):
            pe_counters(cut)


@pytest.mark.parametrize("row", [b"1,x,2,3\n", b"7,1,2,3\n", b"1,2,3\n", b"1,2,3,4,5\n", b"1,-2,3,4\n", b"\n"])
def test_rows_after_a_torn_one_do_not_count(row: bytes) -> None:
    assert pe_counters(HEAD + b"0,5,6,7\n" + row + b"2,8,9,10\n") == ((5, 6, 7),)


@given(st.sampled_from(POWER_STATUSES), st.integers(0, 2**33), PERCENTS, PERCENTS, PERCENTS)
def test_power_is_read_as_it_is_written(status: str, epoch_s: int, low: float, high: float, mean: float) -> None:
    raw = f"{status},{epoch_s},{low:.2f},{high:.2f},{mean:.2f}\n".encode()
    assert PARSERS["power"](raw) == (status, epoch_s, low, high, mean)


@pytest.mark.parametrize(
    "raw",
    [
        b"POWER_STATUS_VALID,1750000000,1.00,2.00\n",
        b"POWER_STATUS_VALID,1750000000,nan,2.00,1.00\n",
        b"POWER_STATUS_VALID,1750000000,-1.00,2.00,1.00\n",
        b"POWER_STATUS_FINE,1750000000,1.00,2.00,1.00\n",
        b"\n",
        b"",
    ],
)
def test_power_that_is_none(raw: bytes) -> None:
    with pytest.raises(ValueError):
        PARSERS["power"](raw)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("numbers", b"12, 3, 4, 1\n", (12, 3, 4, 1)),
        ("numbers", b"\n", ()),
        ("hex16", b"9ff5434815c8bd80\n", "9ff5434815c8bd80"),
        ("hex16", b"\n", ""),
        ("int", b"8", 8),
        ("text", b"Trainium1\n", "Trainium1"),
    ],
)
def test_other_kinds(kind: str, raw: bytes, value: object) -> None:
    assert PARSERS[kind](raw) == value


@pytest.mark.parametrize(
    ("kind", "raw"), [("numbers", b"1, 1\n"), ("numbers", b"-1\n"), ("numbers", b"64\n"), ("hex16", b"12\n")]
)
def test_what_no_driver_writes_is_refused(kind: str, raw: bytes) -> None:
    with pytest.raises(ValueError):
        PARSERS[kind](raw)


def test_every_kind_that_is_read_can_be_read() -> None:
    read = {attribute.kind for attribute in ATTRIBUTES if attribute.path.startswith("stats/")}
    assert read - {"power_raw"} <= set(PARSERS)


@given(NONSENSE)
@example(b"3,1,5,-;neuron nd99999999999 nc4\n")
def test_no_content_is_too_strange(raw: bytes) -> None:
    check_survives(raw)


@pytest.mark.nightly
@settings(max_examples=A_MILLION)
@given(NONSENSE)
def test_a_million_contents(raw: bytes) -> None:
    check_survives(raw)


@given(NONSENSE)
def test_what_is_shown_of_content_is_a_short_line(raw: bytes) -> None:
    text = shown(raw)
    assert text.isprintable() and len(text) < 200
    assert os.linesep not in text
