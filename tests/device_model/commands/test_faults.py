"""The verbs inject, heal and faults: what they print, and one line of cause and one of advice for every wrong use."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_model.__main__ import main
from device_model.commands.injected import short
from device_model.faults.table import FAULTS
from tests.conftest import Golden
from tests.device_model.daemons import call, running, short_directory, socket_in

WRONG: tuple[list[str], ...] = (
    ["inject"],
    ["inject", "stragler", "--core", "1"],
    ["inject", "straggler"],
    ["inject", "straggler", "--device", "1"],
    ["inject", "straggler", "--core", "nc1"],
    ["inject", "straggler", "--core", "1", "--device", "1"],
    ["inject", "driver-missing", "--core", "1"],
    ["inject", "link-down", "--link", "0"],
    ["inject", "link-down", "--link", "0-x"],
    ["inject", "straggler", "--core", "1", "--factor", "0.5"],
    ["inject", "straggler", "--core", "1", "--factor", "slow"],
    ["inject", "straggler", "--core", "1", "--share", "0.5"],
    ["inject", "straggler", "--core", "1", "--facter", "2"],
    ["inject", "straggler", "--core", "1", "--for", "soon"],
    ["inject", "crash", "--process", "a", "--signal", "HUP"],
    ["inject", "crash", "--process", "a", "--for", "3s"],
    ["inject", "leak", "--process", "a", "--bytes", "much"],
    ["inject", "driver-old", "--version", "2"],
    ["heal"],
    ["heal", "3", "--all"],
    ["heal", "hnag"],
)


@pytest.fixture(scope="module")
def model() -> Iterator[Path]:
    """The directory of a stepped model that is there for all tests of this module."""
    with short_directory() as directory, running(directory, "--scenario", "two-tenants", "--stepped"):
        call(socket_in(directory), "advance", duration_ns=30 * 10**9)
        yield directory


def test_every_wrong_use_gets_a_cause_and_a_next_step(golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for arguments in WRONG:
        code = main([*arguments, "--socket", "/nowhere/model.sock"])
        out, err = capsys.readouterr()
        assert (code, out) == (64, ""), arguments
        assert err.startswith("neuron-model: ")
        told.append(f"$ neuron-model {' '.join(arguments)}\n{err}")
    golden("neuron-model/faults-usage.txt", "\n".join(told))


def test_a_life_of_faults(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    socket = ["--socket", socket_in(model)]

    def told(*arguments: str) -> tuple[str, str]:
        assert main([*arguments, *socket]) == 0
        out, err = capsys.readouterr()
        return out, err

    assert told("inject", "straggler", "--core", "1", "--factor", "3", "--for", "5m") == (
        "injected: 1 straggler on core 1, factor 3, for 5m\n",
        "end it with: neuron-model heal 1\n",
    )
    assert told("inject", "link-degraded", "--link", "2-1")[0] == "injected: 2 link-degraded on link 2-1, factor 4\n"
    assert told("inject", "leak", "--process", "chat", "--bytes", "1MB")[0] == (
        "injected: 3 leak on process chat, bytes 1000000\n"
    )
    assert told("inject", "device-reset", "--device", "9", "--fails")[0] == (
        "injected: 4 device-reset on device 9, seconds 20, fails true\n"
    )
    assert told("inject", "driver-old", "--version", "2.26.5")[0] == (
        "injected: 5 driver-old on the node, version 2.26.5\n"
    )
    assert told("inject", "sram-uncorrected", "--core", "20") == ("injected: sram-uncorrected on core 20, once\n", "")
    told("advance", "90s")
    listed = told("faults")[0].splitlines()
    assert listed[:6] == [
        "injected now:",
        "  1 straggler on core 1, factor 3 (1m30s so far, 3m30s left)",
        "  2 link-degraded on link 1-2, factor 4 (1m30s so far)",
        "  3 leak on process chat, bytes 1000000 (1m30s so far)",
        "  4 device-reset on device 9, seconds 20, fails true (1m30s so far)",
        "  5 driver-old on node, version 2.26.5 (1m30s so far)",
    ]
    assert "faults: 1 straggler on core 1, factor 3 (1m30s so far, 3m30s left); 2 link-degraded" in told("status")[0]
    assert [fault["id"] for fault in json.loads(told("status", "--json")[0])["faults"]] == [1, 2, 3, 4, 5]
    assert told("heal", "2") == ("healed: 2\n", "")
    assert told("heal", "leak") == ("healed: 3\n", "")
    assert told("heal", "--all") == ("healed: 1, 4, 5\n", "")
    assert told("heal", "--all") == ("nothing is injected\n", "")
    assert told("faults")[0].splitlines()[0] == "nothing is injected now"
    assert "faults:" not in told("status")[0]


def test_what_the_model_refuses_is_told(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = {
        ("inject", "hang", "--core", "24"): "there is no NeuronCore 24, inf2.48xlarge has 0 to 23",
        ("inject", "crash", "--process", "cat"): "no process 'cat' runs (did you mean 'chat'?)",
        ("inject", "hbm-repairable", "--core", "1"): "Inferentia2 has no hbm-repairable: only Trainium2 and Trainium3",
        ("heal", "99"): "no fault 99 is active; none is",
        ("heal", "crash"): "crash happens once: there is nothing to heal",
    }
    for arguments, reason in refused.items():
        assert main([*arguments, "--socket", socket_in(model)]) == 1
        out, err = capsys.readouterr()
        assert (out, err.startswith(f"neuron-model: {reason}")) == ("", True)


def test_all_kinds_are_listed_with_what_they_show(golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "--socket", "/nowhere/model.sock"]) == 0
    out, err = capsys.readouterr()
    assert err == "neuron-model: cannot read the device model at /nowhere/model.sock: there is no such socket\n"
    assert max(map(len, out.splitlines())) <= 100
    assert [line.split()[0] for line in out.splitlines() if line and not line.startswith(" ")] == list(FAULTS)
    golden("neuron-model/faults.txt", out)


def test_the_kinds_as_json_have_every_path_that_they_change(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "--json", "--socket", socket_in(model)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["active"] == []
    kinds = {kind["name"]: kind for kind in document["kinds"]}
    assert kinds.keys() == FAULTS.keys()
    assert {"path": "devices/*/reset_state", "where": "target", "families": None} in kinds["device-reset"]["changes"]
    (parameter,) = kinds["throttle"]["parameters"]
    assert (parameter["name"], parameter["default"]) == ("factor", 1.5)
    assert all(kind["shows"] and kind["recovery"] and kind["changes"] for kind in kinds.values())


def test_a_flag_that_is_not_given_is_not_spoken_of() -> None:
    fault = {"id": 4, "fault": "device-reset", "target": "device 9", "parameters": {"seconds": 20.0, "fails": False}}
    assert short(fault | {"since_ns": 0, "until_ns": 20 * 10**9}, 5 * 10**9) == (
        "4 device-reset on device 9, seconds 20 (5s so far, 15s left)"
    )
