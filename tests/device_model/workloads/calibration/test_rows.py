"""The published rows as files: what is bundled, what order and gaps are allowed, and errors that name the place."""

from pathlib import Path

import pytest

from device_model.workloads.calibration import rows
from device_model.workloads.calibration.rows import RowError, load_rows, load_unseen_rows

HEADER = "kind,model,inst,tp,dp,batch,seq,inp,out,wbytes,tpot_ms,ttft_ms,thr,sdk,src"
LINE = "decode,opt-13b,inf2.48xlarge,8,1,1,2048,9,2039,2,17.9,,54.8,2.14.0,table"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_bundled_rows_are_all_there() -> None:
    found = load_rows()
    kinds = [row.kind for row in found]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"decode": 66, "encoder": 22, "cnn": 6}
    assert sum(row.first_ms is not None for row in found if row.kind == "decode") == 58
    assert all(row.sdk and row.source and row.throughput for row in found)


def test_no_bundled_row_is_both_fitted_to_and_unseen() -> None:
    fitted, unseen = load_rows(), load_unseen_rows()
    alike = [row for row in unseen if row.instance in {row.instance for row in fitted}]
    kinds = [row.kind for row in alike]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"decode": 20, "encoder": 8, "cnn": 8}
    assert {row.model for row in fitted}.isdisjoint(row.model for row in alike)
    assert {row.source for row in alike} <= {row.source for row in fitted}
    assert {row.instance for row in unseen if row not in alike} == {"inf1.xlarge", "trn2.48xlarge"}


@pytest.mark.parametrize("name", ["calibration_rows.csv", "unseen_rows.csv"])
def test_the_bundled_rows_name_their_publisher_and_licence(name: str) -> None:
    header = (Path(rows.__file__).parent / "data" / name).read_text().split("kind,", 1)[0]
    assert "Amazon" in header
    assert "CC BY-SA 4.0" in header


def test_columns_may_come_in_any_order_and_figures_may_be_missing(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "# a note",
        "batch,tpot_ms,model,kind,inst,dp,tp,note",
        "",
        "# another",
        "8,17.5,opt-13b,decode,x,1,24,n",
    )
    (row,) = load_rows(path)
    assert (row.batch, row.token_ms, row.model, row.tp) == (8, 17.5, "opt-13b", 24)
    assert (row.first_ms, row.throughput, row.prompt, row.sequence) == (None, None, None, None)
    assert (row.weight_bytes, row.line) == (2.0, 5)


def test_a_row_equals_the_same_row_with_its_columns_turned_round(tmp_path: Path) -> None:
    (forward,) = load_rows(written(tmp_path, HEADER, LINE))
    turned = (",".join(reversed(text.split(","))) for text in (HEADER, LINE))
    (backward,) = load_rows(written(tmp_path, *turned))
    assert forward == backward


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ((HEADER, LINE.replace(",8,1,1,", ",many,1,1,")), "line 2, column tp: expected a whole number from 1"),
        (("# note", HEADER, LINE, LINE.replace("17.9", "fast")), "line 4, column tpot_ms: expected a number above 0"),
        ((HEADER, LINE.replace("17.9", "nan")), "line 2, column tpot_ms"),
        ((HEADER, LINE.replace("17.9", "-1")), "line 2, column tpot_ms"),
        ((HEADER, LINE.replace("decode", "video")), "line 2, column kind: expected one of decode, encoder, cnn"),
        ((HEADER, LINE.replace("opt-13b", "")), "line 2, column model: expected a model's name, found nothing"),
        ((HEADER, LINE + ",more"), "line 2: 16 fields, but the header names 15"),
        ((HEADER.replace("batch,", ""), LINE), "line 1: the header lacks the column batch"),
        (("# nothing",), "no header line"),
    ],
)
def test_a_wrong_line_is_named_with_its_column(tmp_path: Path, lines: tuple[str, ...], place: str) -> None:
    with pytest.raises(RowError) as refusal:
        load_rows(written(tmp_path, *lines))
    assert place in str(refusal.value)
    assert "rows.csv" in str(refusal.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RowError, match="not UTF-8"):
        load_rows(path)
