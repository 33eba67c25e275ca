"""Saving and restoring: the same model afterwards, or one clear line why not."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.save import SaveError, restore, saved
from device_model.scenario import NamedScenario
from device_model.simulation import NS, Simulation
from tests.device_model.hosts import busy_host, costly, forward, host, process_of, readings, server


def text_of(model: Simulation) -> str:
    return json.dumps(saved(model))


@given(st.integers(0, 12 * NS), st.sampled_from(["a", "b", "c", None]), st.integers(0, 6 * NS), st.integers(0, 6 * NS))
@costly
def test_a_restored_model_goes_on_as_the_saved_one(first: int, victim: str | None, second: int, third: int) -> None:
    model = busy_host()
    model.advance(model.now_ns + first)
    process = process_of(model, victim) if victim else None
    if process is not None:
        model.signal(process.pid, 15)
    model.advance(model.now_ns + second)
    again = restore(text_of(model), "file.json")
    assert readings(again) == readings(model)
    for each in (model, again):
        each.advance(each.now_ns + third)
    assert readings(again) == readings(model)


def test_writes_to_the_drivers_files_are_replayed() -> None:
    model = forward(host(server("a", first_core=0)), 6)
    model.write(0, 1, "stats/other_info/inference_count/total")
    model.write(0, None, "stats/memory_usage/host_mem/dma_buffers/peak")
    forward(model, 1).write(11, None, "reset")
    again = restore(text_of(forward(model, 2)), "file.json")
    assert readings(again) == readings(model)
    assert again.snapshot().devices[11].reset_state == "reset"


def test_instance_seed_and_start_are_restored() -> None:
    named = NamedScenario("x", host(server("a")).scenario)
    model = forward(Simulation(named, instance="trn2.48xlarge", seed=99, epoch_ns=1_800_000_000 * NS), 3)
    again = restore(text_of(model), "x")
    assert (again.instance, again.seed, again.epoch_ns) == ("trn2.48xlarge", 99, 1_800_000_000 * NS)
    assert readings(again) == readings(model)


def edited(**changes: Any) -> str:
    return json.dumps(saved(forward(host(server("a")), 3)) | changes)


GOOD = saved(forward(host(server("a")), 3))
SIGNAL = {"command": "signal", "time_ns": GOOD["time_ns"], "pid": 4096, "number": 9}

BAD = {
    "not json": ("{", "f.json is not a readable saved model"),
    "nothing": ("", "f.json is not a readable saved model"),
    "another document": ('{"version": 1}', "f.json is not a saved model: make one with `neuron-model save FILE`"),
    "a list": ("[]", "f.json is not a readable saved model"),
    "deep": ("[" * 100_000, "f.json is not a readable saved model"),
    "version": (edited(version=2), "f.json has version 2, this release restores version 1"),
    "no digest": (json.dumps({k: v for k, v in GOOD.items() if k != "digest"}), "missing required field `digest`"),
    "seed as text": (edited(seed="1"), r"Expected `int`, got `str` - at `\$.seed`"),
    "other seed": (edited(seed=2), "does not lead to the state that was saved"),
    "other name": (edited(name="x"), "does not lead to the state that was saved"),
    "other time": (edited(time_ns=GOOD["time_ns"] + 1), "does not lead to the state that was saved"),
    "past": (edited(time_ns=5), "f.json: time goes only forward"),
    "extra signal": (edited(journal=[SIGNAL]), "does not lead to the state that was saved"),
    "signal to nobody": (edited(journal=[SIGNAL | {"pid": 7}]), "f.json: no simulated process has pid 7"),
    "unknown command": (edited(journal=[SIGNAL | {"command": "x"}]), "Invalid value 'x'"),
    "instance": (edited(instance="inf2.49xlarge"), "unknown instance type 'inf2.49xlarge'"),
    "small instance": (edited(instance="inf1.xlarge", scenario=GOOD["scenario"] | {"processes": [server(tp=8)]}),
                       r"f.json: test: processes\[0\] \(a\): tp = 8 does not fit"),
    "scenario": (edited(scenario={"instanse": "x"}), "f.json: scenario: .*instanse: no such key"),
    "far future": (edited(epoch_ns=10**18 * 9, time_ns=10**18 * 9 + 1), "does not lead to|is no model that can run"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_restored_gives_one_clear_line(case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(SaveError, match=message) as caught:
        restore(text, "f.json")
    assert str(caught.value).startswith("f.json")
    assert "\n" not in str(caught.value)


def test_keys_of_a_later_minor_version_are_ignored() -> None:
    assert restore(edited(note="x"), "f").now_ns == GOOD["time_ns"]
