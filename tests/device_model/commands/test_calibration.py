"""`neuron-model calibration`: rows, totals and TOML from any file of rows, and one line for a wrong one."""

import argparse
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from device_model.commands.calibration import add_arguments, calibration
from device_model.commands.failure import Failure
from device_model.workloads.cost.steps import CostConstants

ROWS = """# published
sdk,model,kind,inst,tp,dp,batch,inp,out,tpot_ms,seq,thr
2.14.0,opt-13b,decode,inf2.48xlarge,8,1,1,9,2039,17.9,2048,54.8
2.18.0,meta-llama/Llama-2-7b-hf,decode,inf2.48xlarge,24,1,1,128,3968,6.47,4096,156
2.18.0,Lama-2-7b,decode,inf2.48xlarge,24,1,1,128,3968,6.47,4096,156
2.18.0,opt-30b,decode,inf2.48xlarge,8,1,1,9,2039,,2048,
2.21.0,resnet34,cnn,inf2.xlarge,1,2,8,,,,,5000
"""


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return calibration(parser.parse_args(words))


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    return str(path)


def test_every_row_is_in_the_json_and_only_known_models_count(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--rows", rows, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    by_line = {row["line"]: row for row in found["rows"]}
    assert sorted(by_line) == [3, 4, 5, 6, 7]
    assert by_line[4]["model"] == "meta-llama/Llama-2-7b-hf"
    assert by_line[4]["quantity"] == "tpot_ms"
    assert by_line[7]["quantity"] == "thr"
    for line in (3, 4, 7):
        row = by_line[line]
        assert row["error"] == pytest.approx(row["predicted"] / row["published"] - 1)
        assert abs(row["error"]) < 0.5
    assert by_line[5]["predicted"] is None
    assert "did you mean 'Llama-2-7b'" in by_line[5]["problem"]
    assert (by_line[6]["published"], by_line[6]["problem"]) == (None, "no tpot_ms")
    assert found["totals"]["decode"]["given_constants"]["rows"] == 2
    assert found["totals"]["cnn"]["given_constants"]["rows"] == 1


def test_the_table_lists_what_it_cannot_predict(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--rows", rows) == 0
    out = capsys.readouterr().out
    assert "no shape: no model is called 'Lama-2-7b'" in out
    assert "2 rows have no prediction and count in no total" in out
    assert "leave one model out" in out


def test_the_bundled_rows_are_followed_by_those_that_nothing_was_fitted_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    fitted, unseen = capsys.readouterr().out.split("Published runs of models to which nothing was fitted:")
    assert "Llama-2-70b" in fitted
    assert "Llama-3-70B" not in fitted
    rows, totals = unseen.split("CONSTANTS")
    assert "Llama-3-70B" in rows
    assert "Llama-2-70b" not in rows
    assert re.search(r"^decode +unseen models +20 ", totals, re.MULTILINE)


def test_rows_of_ones_own_are_shown_alone(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--rows", rows, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["unseen_rows"], found["unseen_first_tokens"]) == ([], [])
    assert all("unseen_models" not in scores for scores in found["totals"].values())


def test_one_row_is_one_row(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(rows)
    path.write_text("".join(line for line in ROWS.splitlines(keepends=True) if "opt-30b" not in line))
    assert run("--rows", rows) == 0
    assert "1 row has no prediction and counts in no total" in capsys.readouterr().out


def test_a_fit_prints_constants_in_the_shipped_format(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--rows", rows, "--fit") == 0
    table = tomllib.loads(capsys.readouterr().out)["v2"]
    assert set(CostConstants._fields) <= set(table)
    assert table["residuals"]["decode_in_sample"]["median"] < 0.2
    assert table["fitted_on"] == "1 cnn, 2 decode"


def test_a_fit_names_its_rows_and_what_they_do_not_tell(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--rows", rows, "--fit") == 0
    out = capsys.readouterr().out
    assert tomllib.loads(out)["v2"]["origin"] == f"fit of {rows}"
    (untold,) = (line for line in out.splitlines() if line.startswith("# No row tells these"))
    assert "encoder_seconds" in untold
    assert "prefill_seconds" in untold
    assert "weights_efficiency," not in untold.replace("encoder_weights_efficiency,", "")


@pytest.mark.parametrize(("was", "now"), [("inf2", "trn2"), ("inf2", "p5"), ("opt-13b", "opt-14b")])
def test_rows_that_tell_nothing_are_not_fitted(was: str, now: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(ROWS.splitlines()[:3]).replace(was, now))
    with pytest.raises(Failure, match="nothing can be fitted to these rows") as failure:
        run("--rows", str(path), "--fit")
    assert failure.value.code == 64
    assert run("--rows", str(path)) == 0


def test_a_model_alone_is_not_predicted_from_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(ROWS.splitlines()[:3]))
    assert run("--rows", str(path)) == 0
    out = capsys.readouterr().out
    assert "in sample" in out
    assert "leave one" not in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind,model\n", "the header lacks the column inst"),
        (
            ROWS.replace(",8,1,1,9", ",0,1,1,9"),
            "line 3, column tp: expected a whole number from 1 to 10,000,000, found '0'",
        ),
        (ROWS.replace(",2048,54.8", ",1e24,54.8"), "line 3, column seq: expected a whole number from 1 to 10,000,000"),
        (ROWS.split("2.14.0")[0], "there are no rows"),
    ],
)
def test_a_wrong_file_is_a_usage_error(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(Failure) as failure:
        run("--rows", str(path))
    assert message in failure.value.message
    assert failure.value.code == 64


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"cannot read .*none\.csv: No such file"):
        run("--rows", str(tmp_path / "none.csv"))
