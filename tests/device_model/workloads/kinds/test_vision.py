"""The vision server's table: networks and transformers, what each refuses, its memory, and what its cores do."""

from typing import Any

import pytest

from device_model.scenario import ScenarioError
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.cnn import cnn_step
from device_model.workloads.cost.encoder import encoder_step
from device_model.workloads.cost.rates import rates_for
from device_model.workloads.models.cnns import cnn_for
from device_model.workloads.models.shapes import shape_for
from tests.device_model.hosts import forward, host, process_of, workload_of
from tests.device_model.workloads.servers import INF1, INF2, Executions, executed, loaded, vision

USERS = {"kind": "closed", "users": 16}
VIT = "vit-base-patch16-224"


@pytest.mark.parametrize(
    ("changes", "instance", "message"),
    [
        ({"model": "opt-1.3b"}, INF2, r'workload\.model: opt-1.3b generates text: give it kind = "llm"'),
        ({"model": "bert-base-uncased"}, INF2, r'bert-base-uncased reads text: give it kind = "encoder"'),
        ({"model": "resnet51"}, INF2, r"no model is called 'resnet51'; did you mean 'resnet50'"),
        ({"tp": 2}, INF2, r"workload\.tp: resnet50 runs on one NeuronCore: expected 1, and workers for more"),
        ({"pipeline": 4}, INF1, r"workload\.pipeline: resnet50 runs on one NeuronCore"),
        ({"model": "vit-base-patch16-224", "pipeline": 64}, "inf1.24xlarge", r"can be divided into 1 to 48 stages"),
        ({"data_type": "fp8"}, INF1, r"workload\.data_type: Inferentia does not compute in fp8"),
        ({"tokens": {"mean": 3}}, INF2, r"workload\.tokens: no such key"),
    ],
)
def test_what_cannot_be_served_is_refused_by_its_key(changes: dict[str, Any], instance: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        host(vision(**changes), instance=instance)


def durations(instance: str = INF2, **changes: Any) -> set[int]:
    """The lengths of the batches that a server computes."""
    with pytest.MonkeyPatch.context() as patch:
        executions = Executions(patch)
        forward(loaded(host(vision(**changes), instance=instance)), 0.3)
    return {works[0].duration_ns for _, _, works in executions.started}


def test_every_batch_is_computed_as_large_as_the_compiled_one() -> None:
    rates, constants = rates_for(INF2), constants_for("v2")
    network = cnn_step(cnn_for("resnet50"), rates, constants, 4).work.duration_ns
    assert durations(arrivals=USERS) == durations(arrivals={"kind": "closed", "users": 1}) == {network}
    shape = shape_for(VIT)
    transformer = encoder_step(shape, rates, constants, 1, 1, 4, shape.max_context).work.duration_ns
    assert durations(model=VIT, arrivals=USERS) == {transformer}


def test_images_have_no_tokens() -> None:
    workload = workload_of(forward(host(vision(arrivals=USERS), instance=INF2), 1))
    assert workload.completed > 100
    assert (workload.prompt_tokens, workload.generated_tokens, workload.time_to_first_token) == (0, 0, None)


def test_a_network_sends_nothing_and_fills_few_of_its_flops() -> None:
    model = forward(host(vision(workers=4, arrivals=USERS | {"users": 64}), instance="inf2.24xlarge"), 2)
    devices = model.snapshot().devices
    assert all(not link.transmitted_bytes for device in devices for link in device.links or ())
    core = devices[0].cores[0]
    assert (core.busy_ns or 0) > 1.6e9
    assert core.flops is not None
    assert 0.05 < core.flops / (95e12 * (core.busy_ns or 0) / 1e9) < 0.3, "busy is not model FLOPs utilization"
    assert len(set(executed(model)[:4])) == 1


def test_a_network_of_fewer_bytes_takes_less_memory() -> None:
    held = []
    for name, data_type in (("vgg16", "bf16"), ("resnet152", "bf16"), ("resnet50", "bf16"), ("resnet50", "int8")):
        process = process_of(loaded(host(vision(model=name, data_type=data_type), instance=INF2)), "a")
        assert process is not None
        held.append((process.memory or {})[0]["constants"])
    assert held == [pytest.approx(size, rel=0.03) for size in (2 * 138.4e6, 2 * 60.2e6, 2 * 25.6e6, 25.6e6)]


def test_the_physical_cores_of_a_logical_one_divide_the_images() -> None:
    network = cnn_step(cnn_for("resnet50"), rates_for("trn2.3xlarge"), constants_for("v3"), 2).work
    assert durations("trn2.3xlarge", arrivals=USERS) == {network.duration_ns}


def test_a_transformer_goes_through_a_pipeline() -> None:
    model = forward(host(vision(model=VIT, pipeline=16, arrivals=USERS | {"users": 80}), instance=INF1), 1)
    counts = executed(model)
    assert workload_of(model).completed > 0
    assert max(counts) - min(counts) <= 16
