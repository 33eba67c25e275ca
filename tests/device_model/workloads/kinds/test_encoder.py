"""The encoder's table: what it refuses, the shapes it compiles, its cores, and what those cost."""

from typing import Any

import pytest

from device_model.scenario import ScenarioError
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.encoder import encoder_step
from device_model.workloads.cost.footprint import encoder_image, serving_image
from device_model.workloads.cost.rates import rates_for
from device_model.workloads.models.datatypes import DATA_TYPES
from device_model.workloads.models.shapes import shape_for
from tests.device_model.hosts import forward, host, process_of, workload_of
from tests.device_model.workloads.servers import INF1, INF2, Executions, encoder, loaded

USERS = {"kind": "closed", "users": 8}


@pytest.mark.parametrize(
    ("changes", "instance", "message"),
    [
        ({"model": "opt-1.3b"}, INF2, r'workload\.model: opt-1.3b generates text: give it kind = "llm"'),
        ({"model": "vit-base-patch16-224"}, INF2, r'vit-base-patch16-224 looks at images: give it kind = "vision"'),
        ({"model": "resnet50"}, INF2, r'resnet50 looks at images: give it kind = "vision"'),
        ({"model": "bert-base-uncast"}, INF2, r"no model is called 'bert-base-uncast'; did you mean 'bert-base-un"),
        ({"context": 513}, INF2, r"workload\.context: bert-base-uncased has positions for 512 tokens, not 513"),
        ({"data_type": "fp32"}, INF1, r"workload\.data_type: Inferentia does not compute in fp32"),
        ({"workers": 3}, INF2, r"tp x pipeline x workers = 3 does not fit on inf2.xlarge: expected one of 1, 2"),
        (
            {"tp": 3, "workers": 4},
            "inf2.48xlarge",
            r"workload\.tp: 3 NeuronCores would split a device: Inferentia2 has",
        ),
        ({"pipeline": 3, "workers": 4}, INF1, r"workload\.pipeline: 3 NeuronCores would split a device"),
        ({"pipeline": 64}, "inf1.24xlarge", r"workload\.pipeline: bert-base-uncased can be divided into 1 to 48"),
        ({"pipeline": 4, "shapes": "bucket"}, INF1, r'workload\.shapes: a pipeline keeps one beat: expected "fixed"'),
        ({"pipeline": 16}, INF2, r"tp x pipeline x workers = 16 does not fit on inf2.xlarge"),
        ({"queue": 16}, INF2, r"workload\.queue: no such key \(did you mean 'queue_limit'\?\)"),
    ],
)
def test_what_cannot_be_served_is_refused_by_its_key(changes: dict[str, Any], instance: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        host(encoder(**changes), instance=instance)


def durations(seconds: float = 1.0, **changes: Any) -> set[int]:
    """The lengths of the batches that a server computes."""
    with pytest.MonkeyPatch.context() as patch:
        executions = Executions(patch)
        forward(loaded(host(encoder(arrivals=USERS, **changes), instance=INF2)), seconds)
    return {works[0].duration_ns for _, _, works in executions.started}


def length_of(batch: int, tokens: int) -> int:
    rates = rates_for(INF2)
    return encoder_step(
        shape_for("bert-base-uncased"), rates, constants_for("v2"), 1, 1, batch, tokens
    ).work.duration_ns


LENGTHS = {"mean": 60, "cv": 1.0, "most": 512}


def test_fixed_shapes_cost_the_same_whatever_comes() -> None:
    assert durations(tokens=LENGTHS, context=512) == {length_of(4, 512)}
    assert durations(tokens=LENGTHS) == {length_of(4, 128)}, "as in the published runs"


def test_buckets_follow_the_longest_sequence() -> None:
    assert durations(tokens=LENGTHS, context=400, shapes="bucket") <= {
        length_of(4, tokens) for tokens in (16, 32, 64, 128, 256, 400)
    }
    assert durations(tokens={"mean": 33}, context=400, shapes="bucket") == {length_of(4, 64)}
    assert durations(tokens={"mean": 300}, context=400, shapes="bucket") == {length_of(4, 400)}


def test_dynamic_shapes_vary_by_batch() -> None:
    found = durations(tokens=LENGTHS, context=512, shapes="dynamic")
    assert len(found) > 50
    assert durations(tokens={"mean": 33}, batch=16, shapes="dynamic") == {length_of(8, 33)}, "nothing is padded"


def test_tokens_are_counted_without_padding_and_cut_to_what_was_compiled() -> None:
    workload = workload_of(forward(host(encoder(arrivals=USERS, tokens={"mean": 50}), instance=INF2), 1))
    assert workload.prompt_tokens == 50 * workload.completed > 0
    workload = workload_of(forward(host(encoder(arrivals=USERS, tokens={"mean": 500}), instance=INF2), 1))
    assert workload.prompt_tokens == 128 * workload.completed > 0
    assert (workload.generated_tokens, workload.cached_tokens, workload.time_to_first_token) == (0, None, None)


def test_a_trace_says_how_long_sequences_are() -> None:
    rows = [[0.1 * number, 20, 5] for number in range(10)]
    workload = workload_of(forward(host(encoder(arrivals={"kind": "trace", "rows": rows}), instance=INF2), 5))
    assert (workload.submitted, workload.completed, workload.prompt_tokens) == (10, 10, 200)


def test_lengths_do_not_depend_on_workers_batches_and_shapes() -> None:
    once = {"kind": "closed", "users": 40, "think": "1h"}
    tokens = set()
    for changes in ({}, {"workers": 2}, {"batch": 1}, {"shapes": "dynamic"}, {"wait": "5ms", "batch": 7}):
        workload = workload_of(forward(host(encoder(arrivals=once, **changes), instance=INF2), 5))
        assert workload.completed == 40
        tokens.add(workload.prompt_tokens)
    assert len(tokens) == 1


def test_a_split_encoder_works_in_groups_of_its_workers() -> None:
    model = forward(host(encoder(tp=4, workers=2, arrivals=USERS), instance="inf2.48xlarge"), 2)
    process = process_of(model, "a")
    assert process is not None
    assert process.groups == ((0, 1, 2, 3), (4, 5, 6, 7))
    sent = {(device.index, link.peer) for device in model.snapshot().devices for link in device.links or ()
            if link.transmitted_bytes}  # fmt: skip
    assert sent == {(0, 1), (1, 0), (2, 3), (3, 2)}, "all-reduces stay within a worker's devices"


def test_both_physical_cores_of_a_logical_one_share_the_work() -> None:
    model = forward(host(encoder(workers=2, arrivals=USERS), instance="trn2.3xlarge"), 2)
    process = process_of(model, "a")
    assert process is not None
    assert process.groups == ((0, 1), (2, 3))


def test_the_planner_and_the_server_take_the_same_memory() -> None:
    shape = shape_for("bert-large-uncased")
    assert encoder_image(shape, 2, 8, 384, DATA_TYPES["bf16"]) == serving_image(
        shape, 2, 8, 384, 384, DATA_TYPES["bf16"]
    )
