"""`status`: what is known is shown, what is not yet is said; every column is where its heading is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device_model.__main__ import main
from device_model.commands.status import _progress, _rate
from neurontools.schema.interval import DeviceInterval, Interval, ProcessInterval, WorkloadInterval
from neurontools.schema.snapshot import Head, Origin
from neurontools.units import GIB
from tests.conftest import Golden
from tests.device_model.daemons import call, running, short_directory, socket_in
from tests.device_model.hosts import host, server


@pytest.fixture(scope="module")
def model() -> Iterator[Path]:
    with short_directory() as directory, running(directory, "--scenario", "two-tenants", "--stepped"):
        yield directory


def shown(model: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What status prints, without what differs from run to run."""
    path = socket_in(model)
    assert main(["status", "--socket", path, *options]) == 0
    pid = call(path, "status")["pid"]
    return capsys.readouterr().out.replace(path, "SOCKET").replace(f"pid {pid}", "pid PID")


def test_status_from_the_first_instant_on(model: Path, capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    texts = [shown(model, capsys)]
    assert "no rates yet, they are over 1s of the model's time: neuron-model advance 1s" in texts[0]
    for duration_ns in (500 * 10**6, 3600 * 10**9):
        call(socket_in(model), "advance", duration_ns=duration_ns)
        texts.append(shown(model, capsys))
    golden("neuron-model/status.txt", "\n".join(texts[:2]))
    *_, progress, _, heading, batch, chat = texts[2].splitlines()
    assert re.fullmatch(
        r" +\d+ tokens/s   memory +\d.* of 384 GiB   busiest core nc\d .* running, \d+ queued", progress
    )
    # Every column of figures ends where its heading ends.
    for name in ("PID", "MEMORY", "RATE", "RUNNING", "QUEUED"):
        end = heading.index(name) + len(name)
        assert [(line[end - 1].isspace(), line[end]) for line in (batch, chat)] == [(False, " ")] * 2
    assert all(re.search(r"iB +\d+\.\d tok/s +\d", line) for line in (batch, chat))


def test_status_as_json_is_one_document(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json", "--socket", socket_in(model)]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about == call(socket_in(model), "status")
    assert (about["mode"], about["speed"], about["instance"]) == ("stepped", 0.0, "inf2.48xlarge")


@pytest.mark.slow
def test_following_a_model_that_stands_still_says_how_to_move_it(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--follow", "--for", "1s", "--socket", socket_in(model)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("SIMULATED inf2.48xlarge, scenario two-tenants: ")
    assert err == "neuron-model: this model moves by `neuron-model advance` only\n"


@pytest.mark.parametrize(("capacity_gib", "text"), [(384, "384 GiB"), (1536, "1.50 TiB"), (2304, "2.25 TiB")])
def test_the_capacity_is_not_rounded_to_another_number(capacity_gib: int, text: str) -> None:
    device = DeviceInterval(device=0, memory_used_bytes=0, memory_total_bytes=capacity_gib * GIB)
    assert f"0 B of {text}   busiest" in _progress(interval_of(devices=(device,)))


def interval_of(*workloads: WorkloadInterval, devices: tuple[DeviceInterval, ...] = ()) -> Interval:
    """A second with a process for each workload."""
    head = Head(time_ns=10**9, boot_id="b", origin=Origin(kind="model", simulated=True))
    processes = tuple(ProcessInterval(pid=i, started_ns=0, workload=work) for i, work in enumerate(workloads))
    return Interval(head=head, duration_ns=10**9, devices=devices, processes=processes)


@pytest.mark.parametrize(
    ("kind", "rates", "cell"),
    [
        ("llm", {"generated_tokens_per_s": 179.81, "requests_per_s": 1.5}, "179.8 tok/s"),
        ("llm", {"generated_tokens_per_s": 0.0}, "0.0 tok/s"),
        ("encoder", {"generated_tokens_per_s": 0.0, "requests_per_s": 412.0}, "412.0 req/s"),
        ("vision", {"requests_per_s": 12345.6}, "12,345.6 req/s"),
        ("custom-operator", {"requests_per_s": 3.04}, "3.0 req/s"),
        ("collectives", {"requests_per_s": 41.0}, "41.0 coll/s"),
        ("training", {"requests_per_s": 0.0787}, "0.079 steps/s"),
        ("training", {}, "–"),
        ("idle", {"requests_per_s": 0.0}, "–"),
        ("a-later-kind", {"requests_per_s": 1.0}, "1.0 req/s"),
    ],
)
def test_a_rate_is_in_the_unit_of_its_kind(kind: str, rates: dict[str, Any], cell: str) -> None:
    assert _rate(ProcessInterval(pid=1, started_ns=0, workload=WorkloadInterval(kind=kind, **rates))) == cell


ENCODER = WorkloadInterval(kind="encoder", generated_tokens_per_s=0.0, requests_per_s=400.0)
TRAINING = WorkloadInterval(kind="training", generated_tokens_per_s=0.0, requests_per_s=0.25)
LLM = WorkloadInterval(kind="llm", generated_tokens_per_s=1234.0, requests_per_s=9.0)


@pytest.mark.parametrize(
    ("workloads", "text"),
    [
        ((LLM, ENCODER, LLM), "  2,468 tokens/s   "),
        ((ENCODER, TRAINING, ENCODER), "  800 requests/s   "),
        ((TRAINING,), "    0.25 steps/s   "),
        ((WorkloadInterval(kind="idle"),), "      – tokens/s   "),
        ((), "      – tokens/s   "),
    ],
)
def test_a_line_adds_up_what_is_alike(workloads: tuple[WorkloadInterval, ...], text: str) -> None:
    assert _progress(interval_of(*workloads)).startswith(f"{text}memory ")


@pytest.mark.slow
def test_a_running_model_that_kept_no_past_is_looked_at_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on the way of the long advances of an accelerated model."""
    simulation = host(server())
    simulation.advance(simulation.now_ns + 60 * 10**9)
    looks = [simulation.snapshot()]
    simulation.advance(simulation.now_ns + 5 * 10**9)
    looks.append(simulation.snapshot())
    with short_directory() as directory, running(directory, "--scenario", "idle"):
        path = socket_in(directory)
        monkeypatch.setattr("device_model.commands.status._past", lambda _: None)
        monkeypatch.setattr("device_model.commands.status._snapshot", lambda _: looks.pop(0))
        assert main(["status", "--socket", path]) == 0
    out = capsys.readouterr().out
    assert " tokens/s   memory " in out
    assert "no rates yet" not in out
