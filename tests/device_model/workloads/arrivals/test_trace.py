"""Recorded clients: every row at its time to the ns, from a file as from a scenario, and saved with it."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.clock import NS
from device_model.save import restore, saved
from device_model.workloads.arrivals import Row, read_rows
from device_model.workloads.arrivals.trace import HEADER, MAX_ROWS, MAX_SECONDS
from device_model.workloads.spec import MAX_TOKENS
from tests.device_model.hosts import forward, host, readings, server, workload_of
from tests.device_model.workloads.arrivals.streams import arrivals, arrivals_for, stream

LINES = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:15:50.9951690,879,55
2023-11-16 18:16:07,91,16
"""
TIMES_NS = [0, 4_314_579_000, 4_314_579_000, 20_319_410_000]
LENGTHS = [(374, 44), (396, 109), (879, 55), (91, 16)]
SECONDS = f"{HEADER}\n0.5,374,44\n4.314579,396,109\n4.314579000,879,55\n20,91,16"

times = st.lists(st.integers(0, MAX_SECONDS * NS), min_size=1, max_size=20).map(sorted)


def trace_file(folder: Path, text: str) -> str:
    path = folder / "trace.csv"
    path.write_text(text)
    return str(path)


def of_file(folder: Path, text: str, **changes: Any) -> dict[str, Any]:
    return {"kind": "trace", "file": trace_file(folder, text)} | changes


def test_every_row_comes_at_its_time_with_its_lengths(tmp_path: Path) -> None:
    source = stream(of_file(tmp_path, LINES))
    assert list(arrivals(source, 10**15)) == [10**15 + time_ns for time_ns in TIMES_NS]
    assert [source.lengths_of(i) for i in range(4)] == LENGTHS


def test_seconds_count_from_the_beginning_of_service(tmp_path: Path) -> None:
    assert list(arrivals(stream(of_file(tmp_path, SECONDS)), 0)) == [500_000_000, *TIMES_NS[1:3], 20 * NS]


@given(times)
def test_dates_and_seconds_are_exact_to_the_nanosecond(tmp_path_factory: pytest.TempPathFactory, at: list[int]) -> None:
    folder = tmp_path_factory.getbasetemp()
    begin = datetime(2023, 11, 16, 18, 15, 46, tzinfo=UTC)
    days = (begin + timedelta(seconds=time_ns // NS) for time_ns in at)
    dated = [f"{day:%Y-%m-%d %H:%M:%S}.{time_ns % NS:09d},1,1" for day, time_ns in zip(days, at, strict=True)]
    numbered = [f"{time_ns // NS}.{time_ns % NS:09d},1,1" for time_ns in at]
    written = [[time_ns / NS, 1, 1] for time_ns in at]
    assert list(arrivals(stream(of_file(folder, "\n".join([HEADER, *numbered]))), 0)) == at
    assert list(arrivals(stream({"kind": "trace", "rows": written}), 0)) == at
    since_first = [time_ns - at[0] for time_ns in at]
    assert list(arrivals(stream(of_file(folder, "\n".join([HEADER, *dated]))), 0)) == since_first


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + LINES,
        LINES.replace("\n", "\r\n"),
        LINES.rstrip(),
        LINES + "\n\n",
        LINES.replace(",3", ", 3"),
        LINES.replace(" 18:", "T18:"),
        LINES.replace("07,", "07Z,"),
        LINES.replace("2023-11-16 18:16:07", "2023-11-16 19:16:07+01:00"),
    ],
)
def test_files_are_read_as_they_are_written_elsewhere(tmp_path: Path, text: str) -> None:
    assert read_rows(trace_file(tmp_path, text), MAX_TOKENS) == read_rows(trace_file(tmp_path, LINES), MAX_TOKENS)


@given(times, st.floats(1e-3, 1e3))
def test_speed_divides_every_time(at: list[int], speed: float) -> None:
    numerator, denominator = speed.as_integer_ratio()
    table = {"kind": "trace", "rows": [[time_ns / NS, 1, 1] for time_ns in at], "speed": speed}
    assert list(arrivals(stream(table), 0)) == [time_ns * denominator // numerator for time_ns in at]


@given(times.filter(lambda at: at[0] < at[-1]), st.integers(0, 10**6))
def test_a_loop_repeats_the_rows_at_their_mean_rate(at: list[int], rounds: int) -> None:
    rows = [[time_ns / NS, number + 1, 1] for number, time_ns in enumerate(at)]
    source = stream({"kind": "trace", "rows": rows, "loop": True})
    index = rounds * len(at)
    # One arrival leads to the next: this one stands for the last of the round before.
    first = source.opening(0)[0] if not rounds else source.after_arrival(index - 1, 0)
    assert first is not None
    again = [first]
    for i in range(index, index + len(at) - 1):
        again.append(source.after_arrival(i, again[-1]) or 0)
    assert [after - before for before, after in pairwise(again)] == [after - before for before, after in pairwise(at)]
    assert [source.lengths_of(index + i) for i in range(len(at))] == [(i + 1, 1) for i in range(len(at))]
    if rounds:
        assert abs(first - (at[-1] - at[0]) / (len(at) - 1)) <= 1


def test_a_trace_without_loop_ends() -> None:
    table = {"kind": "trace", "rows": [[0, 1, 1], [1, 1, 1]]}
    assert list(arrivals(stream(table), 0)) == [0, NS]
    assert len(list(islice(arrivals(stream(table | {"loop": True}), 0), 9))) == 9


def test_a_saved_model_needs_the_file_no_more(tmp_path: Path) -> None:
    table = of_file(tmp_path, LINES, speed=2.0, loop=True)
    model = forward(host(server("a", arrivals=table)), 12)
    text = json.dumps(saved(model))
    os.remove(table["file"])
    again = restore(text, "file.json")
    assert readings(again) == readings(model)
    assert readings(forward(again, 9)) == readings(forward(model, 9))
    assert json.dumps(saved(again)) == json.dumps(saved(model))


def test_a_file_and_its_rows_are_one_scenario(tmp_path: Path) -> None:
    rows = [[time_ns / NS, *lengths] for time_ns, lengths in zip(TIMES_NS, LENGTHS, strict=True)]
    models = [
        forward(host(server("a", arrivals=table)), 12)
        for table in (of_file(tmp_path, LINES), {"kind": "trace", "rows": rows})
    ]
    assert models[0].snapshot() == models[1].snapshot()
    assert models[0].snapshot().head.boot_id != forward(host(server("a")), 12).snapshot().head.boot_id


def test_a_server_answers_with_the_lengths_of_the_rows() -> None:
    rows = [[0, 20, 5], [0.25, 30, 8], [0.25, 9, 1], [3, 60, 40]]
    workload = workload_of(forward(host(server("a", arrivals={"kind": "trace", "rows": rows})), 60))
    assert (workload.submitted, workload.completed) == (4, 4)
    assert (workload.prompt_tokens, workload.generated_tokens) == (119, 54)


def nothing(path: Path) -> None:
    """Makes nothing."""


def latin(path: Path) -> None:
    path.write_bytes(HEADER.encode() + b"\n\xe9,1,1")


def huge(path: Path) -> None:
    path.write_text(HEADER + "\n" * (100 * MAX_ROWS))


def long(path: Path) -> None:
    path.write_text(HEADER + "\n0,1,1" * (MAX_ROWS + 1))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (nothing, r"cannot read .*trace.csv: No such file or directory; a path starts at the current directory"),
        (Path.mkdir, r"cannot read .*trace.csv: it is not a file"),
        (os.mkfifo, r"cannot read .*trace.csv: it is not a file"),
        (latin, r"cannot read .*trace.csv: it is not UTF-8 text"),
        (huge, r"cannot read .*trace.csv: it has more than 10000000 characters"),
        (long, r"trace.csv: expected at most 100000 rows, found 100001"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    path = tmp_path / "trace.csv"
    make(path)
    with pytest.raises(ValueError, match=reason):
        read_rows(str(path), MAX_TOKENS)


WRONG_LINES = {
    "0,1,1": "",
    "yesterday,1,1": "line 2: expected a line such as",
    "1,1": "line 2: expected a line such as",
    "1,1,1,1": "line 2: expected a line such as",
    "1,-1,1": "line 2: expected a line such as",
    "1,1.5,1": "line 2: expected a line such as",
    "-1,1,1": "line 2: expected a line such as",
    "1e3,1,1": "line 2: expected a line such as",
    "2023-02-30 00:00:00,1,1": "line 2: expected a line such as",
    "2023-01-01 00:00:00,1,1\n5,1,1": "line 3: expected a line such as",
    "5,1,1\n2023-01-01 00:00:00,1,1": "line 3: expected a line such as",
    "5,1,1\n\n6,1,1": "line 3: expected a line such as",
    "5,1,1\n4.999999999,1,1": "line 3: expected a time that is not before the row above, found '4.999999999,1,1'",
    "2000000.1,1,1": "line 2: expected a time from 0 to 2000000 seconds",
    "1700158546,1,1": "line 2: expected a time from 0 to 2000000 seconds",
    "5,0,1": "line 2: expected 1 to 1048576 tokens, found '5,0,1'",
    "5,1,0": "line 2: expected 1 to 1048576 tokens",
    "5,1,1048577": "line 2: expected 1 to 1048576 tokens",
}


@pytest.mark.parametrize(("lines", "reason"), WRONG_LINES.items())
def test_a_wrong_line_is_told_by_its_number(tmp_path: Path, lines: str, reason: str) -> None:
    path = trace_file(tmp_path, f"{HEADER}\n{lines}\n")
    if not reason:
        assert read_rows(path, MAX_TOKENS) == (Row(0.0, 1, 1),)
        return
    with pytest.raises(ValueError, match=r"trace\.csv, line") as caught:
        read_rows(path, MAX_TOKENS)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "0,1,1\n", "TIMESTAMP,ContextTokens\n0,1\n", f"{HEADER}\n", f"\n{LINES}"])
def test_a_file_without_its_first_line_or_rows_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=f"expected {HEADER} in line 1 and rows below, found '"):
        read_rows(trace_file(tmp_path, text), MAX_TOKENS)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, one: str, two: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(f"{HEADER}\n0,1,1\n{one},1,1\n{two}".encode(errors="surrogatepass"))
    try:
        rows = read_rows(str(path), MAX_TOKENS)
    except ValueError as error:
        assert str(error).isprintable()
    else:
        assert arrivals_for(stream({"kind": "trace", "rows": rows}), 1)
