"""`neuron-model plan`: tables and JSON for models by name and by config.json, and one line for a wrong use."""

import argparse
import json
from pathlib import Path

import pytest

from device_model.commands.failure import Failure
from device_model.commands.plan import add_arguments, plan
from device_model.workloads.calibration.rows import load_rows


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


@pytest.mark.parametrize(("batch", "too_long"), [("64", False), ("64,128", True)])
def test_a_prefill_that_would_time_out_is_spoken_of(
    batch: str, too_long: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """It takes 24 s with a batch of 64, and twice as long with one of 128."""
    assert run("--model", "opt-66b", "--batch", batch) == 0
    out = capsys.readouterr().out
    assert ("Longer than 30 s: " in out) == ("NEURON_RT_EXEC_TIMEOUT" in out) == too_long


def test_an_encoder_is_planned_in_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "bert-large-uncased", "--instance", "inf2.xlarge", "--batch", "4", "--context", "128") == 0
    out = capsys.readouterr().out
    assert "Per s: sequences" in out
    assert "–" in out


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("resnet50", "resnet50: 25.6 million parameters, 54 layers, on inf2.xlarge; images of 224 × 224\n"),
        ("google/vit-base-patch16-224", "12 layers, on inf2.xlarge; images of 197 tokens\n"),
        ("bert-large-uncased", "335.1 million parameters, 24 layers, on inf2.xlarge; sequences of 128 tokens\n"),
    ],
)
def test_what_is_no_language_model_is_planned_in_its_own_unit(
    model: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--model", model, "--instance", "inf2.xlarge", "--batch", "4", "--context", "128")
    assert run(*arguments) == 0
    out = capsys.readouterr().out
    unit = "sequences" if "sequences" in words else "images"
    assert words in out
    assert f"Per s: {unit} of all replicas" in out
    assert "Step ms: one batch.\n" in out
    assert "first token" not in out
    assert max(map(len, out.splitlines())) <= 160
    assert run(*arguments, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"]["unit"] == unit
    assert found["plan"][0]["first_token_ms"] is None
    assert found["plan"][0]["trust"]["standing"] == "calibrated"


def test_a_published_run_of_a_convolutional_network_is_planned_alike(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = (row for row in load_rows() if (row.model, row.batch) == ("resnet50", 8))
    assert run("--model", row.model, "--instance", row.instance, "--batch", str(row.batch), "--json") == 0
    (planned,) = json.loads(capsys.readouterr().out)["plan"]
    assert (planned["tp"], planned["replicas"]) == (1, row.replicas)
    assert planned["per_second"] == pytest.approx(row.throughput, rel=planned["trust"]["leave_one_model_out"]["p90"])


def test_a_family_that_is_not_supported_gets_those_that_are(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "resnet", "hidden_sizes": [256]}))
    with pytest.raises(Failure, match=r"model_type: expected one of llama, mistral, .*, vit, deit, found 'resnet'"):
        run("--model", str(path))


def test_a_config_file_is_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.json"
    document = {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257, "n_ctx": 1024}
    path.write_text(json.dumps(document))
    assert run("--model", str(path), "--batch", "1", "--tp", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"]["parameters"] == 124_439_808
    assert found["model"]["context"] == 1024


def test_a_checkpoints_directory_is_a_model_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257, "n_ctx": 1024}
    (tmp_path / "config.json").write_text(json.dumps(document))
    assert run("--model", str(tmp_path), "--batch", "1", "--tp", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["model"]["parameters"] == 124_439_808


@pytest.mark.parametrize(
    ("model", "context", "planned", "note"),
    [
        ("opt-66b", None, 2048, ""),
        ("opt-66b", "4096", 2048, "opt-66b has positions for 2048 tokens, not 4096: planned with 2048"),
        ("bert-large-uncased", None, 512, ""),
        ("bert-large-uncased", "2048", 512, "bert-large-uncased has positions for 512 tokens, not 2048"),
        ("Llama-2-13b", "16384", 16384, "Llama-2-13b was made for 4096 tokens: beyond them its positions have to be"),
        ("Llama-2-13b", "4096", 4096, ""),
        ("vit-base-patch16-224", "2048", 197, ""),
    ],
)
def test_a_context_that_the_model_was_not_made_for_is_spoken_of(
    model: str, context: str | None, planned: int, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--model", model, "--batch", "1", "--json", *([] if context is None else ["--context", context])) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["model"]["context"] == planned
    assert (note in err) if note else not err


def test_nothing_is_called_calibrated_where_nothing_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "opt-66b", "--instance", "trn2.48xlarge", "--batch", "8") == 0
    out = capsys.readouterr().out
    assert "Calibrated" not in out
    assert "Extrapolated: no published run on NeuronCore-v3 was fitted." in out
    assert run("--model", "opt-66b", "--dtype", "cfp8", "--batch", "8") == 0
    assert "Extrapolated: no published run in cFP8." in capsys.readouterr().out


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
        (("--model", "resnet5"), "no model is called 'resnet5'; did you mean 'resnet50'?"),
        (
            ("--model", "resnet50", "--tp", "2"),
            "tp = 2: resnet50 is a convolutional network and runs on one NeuronCore",
        ),
        (("--model", "opt-13b", "--tp", "7"), "expected one of 1, 2, 4, 6, 8"),
        (("--model", "opt-13b", "--instance", "inf3.xlarge"), "unknown instance type 'inf3.xlarge'"),
        (("--model", "opt-13b", "--instance", "trn2.48xlarge", "--dtype", "int8"), "expected one of fp32, bf16"),
        (("--model", "opt-13b", "--batch", "1,many"), "--batch: expected a whole number"),
        (("--model", "opt-13b", "--context", "1"), "--context: expected at least 2 tokens"),
        (("--model", "opt-13b", "--prompt", "4096"), "--prompt: expected less than the context of 2048"),
        (("--model", "none.json"), "cannot read none.json"),
        (("--model", "opt-13b", "--dtype", "fp4"), "expected one of fp32, tf32, bf16, fp16, cfp8, int8"),
        (("--model", "opt-13b", "--talk"), "--talk goes without --model"),
    ],
)
def test_wrong_use_gets_one_line(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(Failure) as failure:
        run(*words)
    assert message in failure.value.message
    assert "\n" not in failure.value.message
