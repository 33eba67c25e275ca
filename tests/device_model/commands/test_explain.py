"""`explain` on the command line: the text as a promise, the same as JSON, and one line for what cannot be asked."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_model.__main__ import main
from device_model.commands.explain import WIDTH, text
from device_model.publish.calls import CALLS
from device_model.scenario import load
from device_model.simulation import Simulation
from tests.conftest import Golden
from tests.device_model.daemons import call, running, short_directory, socket_in
from tests.device_model.hosts import forward


@pytest.fixture(scope="module")
def model() -> Iterator[Path]:
    with short_directory() as directory, running(directory, "--scenario", "two-tenants", "--stepped"):
        yield directory


@pytest.mark.parametrize(
    ("scenario", "instance", "seconds", "core", "name"),
    [
        ("opt-30b", None, 60, 0, "opt-30b"),
        ("two-tenants", None, 3, 0, "two-tenants.loading"),
        ("idle", None, 60, 7, "idle"),
        ("opt-30b", "trn2.48xlarge", 60, 3, "opt-30b.trn2.48xlarge"),
        ("two-tenants", "inf1.24xlarge", 60, 0, "two-tenants.inf1.24xlarge"),
        ("link-contention", None, 300, 0, "link-contention"),
    ],
)
def test_a_core_is_explained_on_a_screen(
    scenario: str, instance: str | None, seconds: int, core: int, name: str, golden: Golden
) -> None:
    model = forward(Simulation(load(scenario), instance), seconds)
    shown = text(json.loads(CALLS["explain"](model, {"core": core})), model.instance)
    assert max(map(len, shown.splitlines())) <= WIDTH
    golden(f"neuron-model/explain.{name}.txt", shown + "\n")


def test_a_stepped_model_at_its_start_says_how_to_move_it(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explain", "--core", "0", "--socket", socket_in(model)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "SIMULATED inf2.48xlarge, scenario two-tenants, up 0s\nNeuronCore 0: its process loads a model"
    )
    assert "There are no rates: no time has passed since the host's start." in out
    assert out.endswith("next     This model is stepped, move it with: neuron-model advance 1s\n")
    call(socket_in(model), "advance", duration_ns=10**9)
    assert main(arguments) == 0
    assert "next " not in capsys.readouterr().out


def test_json_has_the_facts_and_the_sentences(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = call(socket_in(model), "snapshot")
    assert main(["explain", "--core", "5", "--json", "--socket", socket_in(model)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == call(socket_in(model), "explain", core=5)
    assert (found["core"], found["device"], found["state"], found["holder"]["tag"]) == (5, 2, "loading", "batch-eval")
    assert found["head"]["origin"]["simulated"] is True
    assert found["step"] is None, "what is unknown is there as null"
    assert [sentence["topic"] for sentence in found["sentences"]][:3] == ["headline", "core", "held by"]
    assert call(socket_in(model), "snapshot") == before


def test_an_unknown_core_gets_the_range_of_those_that_there_are(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "--core", "24", "--socket", socket_in(model)]) == 1
    assert capsys.readouterr() == ("", "neuron-model: there is no NeuronCore 24, inf2.48xlarge has 0 to 23\n")
