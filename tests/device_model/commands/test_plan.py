"""`neuron-model plan`: tables and JSON for models by name and by config.json, and one line for a wrong use."""

import argparse
import json
from pathlib import Path

import pytest

from device_model.commands.failure import Failure
from device_model.commands.plan import add_arguments, plan


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return plan(parser.parse_args(words))


def test_all_data_types_of_a_model_are_planned(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "facebook/opt-66b", "--dtype", "all", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"]["name"] == "opt-66b"
    assert {row["dtype"] for row in found["plan"]} == {"fp32", "tf32", "bf16", "fp16", "fp8", "int8"}
    assert {row["batch"] for row in found["plan"]} == {1, 8, 32}
    for row in found["plan"]:
        assert row["fits"] is (row["spare_bytes"] >= 0)
        assert set(row["memory"]["per_core_bytes"]) == {"constants", "kv_tensors", "scratchpad", "code", "runtime"}
        assert row["per_second"] > 0
        assert row["trust"]["standing"] in ("calibrated", "extrapolated")


def test_a_table_says_what_does_not_fit_and_whom_to_trust(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "opt-66b", "--instance", "inf2.24xlarge", "--batch", "16", "--tp", "12") == 0
    out = capsys.readouterr().out
    assert "opt-66b: 65.72 billion parameters, 64 layers, on inf2.24xlarge" in out
    assert "GiB short" in out
    assert "Calibrated: error 3 % in the median" in out
    assert max(map(len, out.splitlines())) <= 160


def test_an_encoder_is_planned_in_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "bert-large-uncased", "--instance", "inf2.xlarge", "--batch", "4", "--context", "128") == 0
    out = capsys.readouterr().out
    assert "Per s: sequences" in out
    assert "–" in out


def test_a_config_file_is_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.json"
    document = {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257, "n_ctx": 1024}
    path.write_text(json.dumps(document))
    assert run("--model", str(path), "--batch", "1", "--tp", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"]["parameters"] == 124_439_808
    assert found["model"]["context"] == 1024


def test_the_talk_is_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--talk") == 0
    table = capsys.readouterr().out
    assert "opt-66b generation" in table
    assert "hypothesis" in table
    assert run("--talk", "--json") == 0
    found = json.loads(capsys.readouterr().out)["claims"]
    assert len(found) == len(table.splitlines()) - 1
    assert {"claim", "claimed", "predicted", "error", "standing", "note", "unit"} == set(found[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "plan needs --model NAME or --talk"),
        (("--model", "opt-67b"), "no model is called 'opt-67b'; did you mean"),
        (("--model", "opt-13b", "--tp", "7"), "expected one of 1, 2, 4, 6, 8"),
        (("--model", "opt-13b", "--instance", "inf3.xlarge"), "unknown instance type 'inf3.xlarge'"),
        (("--model", "opt-13b", "--instance", "trn2.48xlarge", "--dtype", "int8"), "expected one of fp32, bf16"),
        (("--model", "opt-13b", "--batch", "1,many"), "--batch: expected a whole number"),
        (("--model", "opt-13b", "--context", "1"), "--context: expected at least 2 tokens"),
        (("--model", "opt-13b", "--prompt", "4096"), "--prompt: expected less than the context of 2048"),
        (("--model", "none.json"), "cannot read none.json"),
    ],
)
def test_wrong_use_gets_one_line(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(Failure) as failure:
        run(*words)
    assert message in failure.value.message
    assert "\n" not in failure.value.message
