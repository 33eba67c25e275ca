"""The tables of arrivals: each mistake is told by its key, and a checked table is written down as it was read."""

import os
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import TypeAdapter

from device_model.scenario import ScenarioError, from_document
from device_model.workloads.spec import ArrivalSpec
from tests.conftest import Golden
from tests.device_model.hosts import document, server
from tests.device_model.workloads.arrivals.streams import (
    BURSTY,
    CLOSED,
    CONSTANT,
    DIURNAL,
    GAMMA,
    OPEN,
    POISSON,
    TRACE,
    arrivals_for,
    stream,
)

ROWS = {"kind": "trace"}
MISTAKES: dict[str, dict[str, Any]] = {
    "an unknown kind": POISSON | {"kind": "gama"},
    "a kind left out": {"per_second": 2.0},
    "a key of another kind": POISSON | {"cv": 2.0},
    "a rate of nothing": POISSON | {"per_second": 0.0},
    "a rate beyond a MHz": CONSTANT | {"per_second": 2e6},
    "a rate as a text": CONSTANT | {"per_second": "2/s"},
    "a variation left out": {"kind": "gamma", "per_second": 2.0},
    "a negative variation": GAMMA | {"cv": -1.0},
    "a variation beyond its range": CLOSED | {"think_cv": 11.0},
    "a think time without unit": CLOSED | {"think": "3"},
    "a burst that is none": BURSTY | {"burst_per_second": 0.5},
    "phases that nobody sees": BURSTY | {"base_lasts": "1ms", "burst_lasts": "1ms"},
    "a phase of no time": BURSTY | {"burst_lasts": "0s"},
    "a phase as a number": BURSTY | {"burst_lasts": 5},
    "a negative base": BURSTY | {"base_per_second": -1.0},
    "an hour that no day has": DIURNAL | {"peak": "24:00"},
    "an hour without minutes": DIURNAL | {"peak": "14"},
    "a peak below the trough": DIURNAL | {"ratio": 0.5},
    "a trace of nothing": ROWS,
    "a trace of both": TRACE | {"file": "good.csv"},
    "a file that is not there": ROWS | {"file": "absent.csv"},
    "a file with another table": ROWS | {"file": "table.csv"},
    "a file that goes back in time": ROWS | {"file": "back.csv"},
    "a directory": ROWS | {"file": "."},
    "a path of two lines": ROWS | {"file": "a\nb"},
    "a path that is a number": ROWS | {"file": 7},
    "rows that are none": ROWS | {"rows": []},
    "rows as a text": ROWS | {"rows": "trace.csv"},
    "a row that is too short": ROWS | {"rows": [[0, 1, 1], [0, 1]]},
    "a row with a fraction of a token": ROWS | {"rows": [[0, 1, 1.5]]},
    "a row with a truth value": ROWS | {"rows": [[0, True, 1]]},
    "a row that is a number": ROWS | {"rows": [1]},
    "rows that go back in time": ROWS | {"rows": [[1, 1, 1], [0.5, 1, 1]]},
    "a row before the beginning": ROWS | {"rows": [[-1, 1, 1]]},
    "a row without an answer": ROWS | {"rows": [[0, 1, 0]]},
    "a row that is nowhere in time": ROWS | {"rows": [[float("nan"), 1, 1]]},
    "a loop of one time": ROWS | {"rows": [[1, 1, 1], [1, 2, 2]], "loop": True},
    "a trace that stands still": TRACE | {"speed": 0.0},
}
FILES = {
    "good.csv": "TIMESTAMP,ContextTokens,GeneratedTokens\n5.5,10,2\n",
    "table.csv": "time,tokens\n0,1\n",
    "back.csv": "TIMESTAMP,ContextTokens,GeneratedTokens\n5.5,10,2\n5.25,10,2\n",
}
PLACE = "host.toml: processes[0].workload.arrivals"
SPECS: TypeAdapter[Any] = TypeAdapter(ArrivalSpec)


@pytest.fixture
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)


def complaint(table: dict[str, Any]) -> str:
    with pytest.raises(ScenarioError) as caught:
        from_document(document(server(arrivals=table)), "host.toml")
    return str(caught.value)


@pytest.mark.usefixtures("_files")
def test_every_mistake_is_told_by_its_key(golden: Golden) -> None:
    told = {title: complaint(table).splitlines() for title, table in MISTAKES.items()}
    assert all(line.startswith(PLACE) for lines in told.values() for line in lines)
    text = "\n".join(f"{title}\n" + "".join(f"  {line}\n" for line in lines) for title, lines in told.items())
    golden("neuron-model/arrival-mistakes.txt", text)


@pytest.mark.parametrize("table", [CLOSED, *OPEN.values()], ids=["closed", *OPEN])
def test_a_table_is_written_as_it_was_read(table: dict[str, Any]) -> None:
    spec = SPECS.validate_python(table)
    assert spec.model_dump(mode="json", exclude_unset=True) == table
    assert SPECS.validate_python(spec.model_dump(mode="json")) == spec


@pytest.mark.usefixtures("_files")
def test_a_path_starts_at_the_current_directory() -> None:
    Path("below").mkdir()
    Path("below", "trace.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,3\n")
    table = {"kind": "trace", "file": os.path.join("below", "trace.csv")}
    assert SPECS.validate_python(table).model_dump(exclude_unset=True) == {"kind": "trace", "rows": ((1.0, 2, 3),)}


@given(st.integers(0, 23), st.integers(0, 59))
def test_every_minute_can_be_the_peak(hour: int, minute: int) -> None:
    assert stream(DIURNAL | {"peak": f"{hour:02d}:{minute:02d}"}).after_arrival(0, 0) is not None


durations = st.sampled_from(["1ns", "1ms", "1s", "1h", "3650d"])
tables = st.one_of(
    st.builds(lambda rate: POISSON | {"per_second": rate}, st.floats(1e-6, 1e6)),
    st.builds(lambda rate, cv: GAMMA | {"per_second": rate, "cv": cv}, st.floats(1e-6, 1e6), st.floats(0, 10)),
    st.builds(lambda rate: CONSTANT | {"per_second": rate}, st.floats(1e-6, 1e6)),
    st.builds(
        lambda base, burst, calm, busy: BURSTY
        | {"base_per_second": base, "burst_per_second": burst, "base_lasts": calm, "burst_lasts": busy},
        st.floats(0, 1e6), st.floats(1e-6, 1e6), durations, durations,
    ),
    st.builds(
        lambda rate, ratio, cv: DIURNAL | {"per_second": rate, "ratio": ratio, "cv": cv},
        st.floats(1e-6, 1e6), st.floats(1, 1000), st.floats(0, 10),
    ),
)  # fmt: skip


@given(tables, st.integers(0, 2**63 - 1))
def test_whatever_a_table_allows_can_run(table: dict[str, Any], seed: int) -> None:
    try:
        SPECS.validate_python(table)
    except ValueError:
        assert table["kind"] == "bursty"
        return
    times_ns = arrivals_for(stream(table, seed), 1e-5)
    assert times_ns == sorted(times_ns)
    following = stream(table, seed).after_arrival(3, 10**18)
    assert following is not None
    assert following > 10**18


@pytest.mark.parametrize(
    ("written", "name"), [("cFP8", "fp8"), ("BF16", "bf16"), ("bfloat16", "bf16"), ("int8", "int8")]
)
def test_a_data_type_may_be_spelled_as_data_sheets_do(written: str, name: str) -> None:
    checked = from_document(document(server("a", data_type=written)), "host")
    assert checked.model_dump()["processes"][0]["workload"]["data_type"] == name
