"""The planner: what it says of memory is what the simulated runtime then takes, and its answers are consistent."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_model.launch_talk import HYPOTHESIS, claims
from device_model.plan import (
    GROUPS,
    RUNTIME,
    DegreeError,
    Question,
    answer,
    auto_degrees,
    memory,
    plan,
    speed,
    trust,
    unit_of,
    valid_degrees,
)
from device_model.workloads.models.cnns import CNNS
from device_model.workloads.models.datatypes import DATA_TYPES
from device_model.workloads.models.shapes import shape_for
from neurontools.hardware.instances import lookup
from tests.device_model.hosts import forward, host, server, workload_of

LENGTHS: dict[str, Any] = {"prompt": {"mean": 100}, "output": {"mean": 10}}


def question(
    model: str = "opt-66b",
    degree: int = 24,
    batch: int = 8,
    context: int = 2048,
    prompt: int = 1024,
    data_type: str = "bf16",
    instance: str = "inf2.48xlarge",
) -> Question:
    shape = CNNS[model] if model in CNNS else shape_for(model)
    return Question(shape, lookup(instance), DATA_TYPES[data_type], degree, batch, context, prompt)


@pytest.mark.parametrize(
    ("instance", "model", "degree", "data_type"),
    [
        ("inf2.48xlarge", "opt-13b", 8, "bf16"),
        ("inf2.48xlarge", "opt-2.7b", 1, "int8"),
        ("inf2.xlarge", "Llama-2-7b", 2, "fp16"),
        ("trn1.32xlarge", "Llama-2-13b", 32, "bf16"),
        ("trn2.3xlarge", "opt-6.7b", 2, "bf16"),
    ],
)
def test_a_simulated_load_takes_what_the_plan_says(instance: str, model: str, degree: int, data_type: str) -> None:
    served = server(model=model, tp=degree, batch=4, context=2048, data_type=data_type, **LENGTHS)
    loaded = forward(host(served, instance=instance), 120)
    planned = memory(question(model, degree, 4, 2048, 100, data_type, instance))
    (process,) = loaded.snapshot().processes or ()
    assert process.memory
    for held in process.memory.values():
        groups = dict.fromkeys((*GROUPS.values(), RUNTIME), 0)
        for category, size in held.items():
            groups[GROUPS.get(category, RUNTIME)] += size
        assert groups == planned.per_core
    bank = loaded.allocations(0).banks[0]
    assert bank.reserved_bytes + sum(block.size for block in bank.allocations) == planned.needed_bytes
    assert planned.fits


@pytest.mark.parametrize(
    ("instance", "kind", "model", "degree"),
    [
        ("inf2.xlarge", "vision", "resnet50", 1),
        ("inf2.xlarge", "vision", "vit-base-patch16-224", 2),
        ("trn2.3xlarge", "vision", "resnet152", 1),
        ("inf2.48xlarge", "encoder", "bert-large-uncased", 1),
        ("trn1.32xlarge", "encoder", "roberta-large", 8),
    ],
)
def test_a_simulated_batch_server_has_the_memory_and_the_speed_of_the_plan(
    instance: str, kind: str, model: str, degree: int
) -> None:
    workload: dict[str, Any] = {"kind": kind, "model": model, "tp": degree, "batch": 4}
    workload["arrivals"] = {"kind": "closed", "users": 16}
    if kind == "encoder":
        workload |= {"context": 128, "tokens": {"mean": 128}}
    loaded = forward(host({"name": "s", "workload": workload}, instance=instance), 4)
    planned = answer(question(model, degree, 4, 128, 128, instance=instance))
    bank = loaded.allocations(0).banks[0]
    assert bank.reserved_bytes + sum(block.size for block in bank.allocations) == planned.memory.needed_bytes
    before, after = workload_of(loaded, "s"), workload_of(forward(loaded, 4), "s")
    per_second = (after.completed - before.completed) / 4 * planned.speed.replicas
    assert per_second == pytest.approx(planned.speed.per_second, rel=0.01)


def test_a_convolutional_network_runs_on_one_core_and_several_times() -> None:
    asked = question("resnet50", 1, batch=64)
    assert auto_degrees(asked) == (1,)
    assert speed(asked).replicas == 24
    with pytest.raises(DegreeError, match="tp = 2: resnet50 is a convolutional network and runs on one NeuronCore"):
        answer(asked._replace(degree=2))


@pytest.mark.parametrize(
    ("model", "unit"),
    [("opt-30b", "tokens"), ("roberta-base", "sequences"), ("vit-base-patch16-224", "images"), ("vgg16", "images")],
)
def test_speed_counts_what_a_model_does(model: str, unit: str) -> None:
    assert unit_of(question(model).shape) == unit


def test_a_plan_that_does_not_fit_ends_a_simulated_load() -> None:
    asked = question("opt-66b", 12, 16, 2048, 100, instance="inf2.24xlarge")
    planned = memory(asked)
    assert not planned.fits
    assert planned.spare_bytes < 0
    served = server(model="opt-66b", tp=12, batch=16, context=2048, **LENGTHS)
    loaded = forward(host(served, instance="inf2.24xlarge"), 300)
    assert loaded.snapshot().processes == ()


@settings(max_examples=30)
@given(
    st.sampled_from(["opt-30b", "Llama-3-8B", "gpt2", "bert-large-uncased", "vit-base-patch16-224", "resnet50"]),
    st.sampled_from([1, 2, 8, 24]),
    st.integers(1, 64),
    st.integers(16, 2048),
    st.sampled_from(["fp32", "bf16", "int8"]),
)
def test_memory_adds_up_and_more_needs_more(model: str, degree: int, batch: int, context: int, name: str) -> None:
    asked = question(model, 1 if model in CNNS else degree, batch, context, 8, name)
    found = memory(asked)
    assert found.fits is (found.spare_bytes >= 0)
    assert found.needed_bytes == sum(found.per_core.values()) * found.cores_per_bank + (16 << 20)
    larger = memory(asked._replace(batch=batch + 8))
    assert larger.needed_bytes >= found.needed_bytes
    fast, full = speed(asked), speed(asked._replace(batch=batch + 8))
    assert full.step_seconds >= fast.step_seconds
    assert fast.per_second == pytest.approx(fast.replicas * batch / fast.step_seconds)


def test_automatic_degrees_are_the_fewest_that_fit_and_all() -> None:
    small, whole = auto_degrees(question(degree=1))
    assert whole == 24
    assert memory(question(degree=small)).fits
    assert not any(memory(question(degree=d)).fits for d in valid_degrees(lookup("inf2.48xlarge")) if d < small)
    assert auto_degrees(question("opt-175b", data_type="fp32")) == (24,)


def test_a_wrong_degree_gets_the_valid_ones() -> None:
    with pytest.raises(DegreeError, match=r"tp = 7 does not fit on inf2\.48xlarge: expected one of 1, 2, 4, 6, 8"):
        answer(question(degree=7))


def test_a_plan_has_a_row_for_every_type_degree_and_batch() -> None:
    types = [DATA_TYPES["bf16"], DATA_TYPES["int8"]]
    rows = plan(question(), types, [8, 24], [1, 32])
    assert {(r.question.data_type.name, r.question.degree, r.question.batch) for r in rows} == {
        (kind, degree, batch) for kind in ("bf16", "int8") for degree in (8, 24) for batch in (1, 32)
    }


def test_trust_names_every_reason_to_doubt() -> None:
    assert not trust(question()).extrapolated
    doubtful = trust(question("opt-125m", 1, 512, 32768, data_type="fp32", instance="trn2.48xlarge"))
    assert doubtful.extrapolated
    assert len(doubtful.reasons) == 6
    assert "NeuronCore-v3" in doubtful.reasons[0]
    assert trust(question("bert-base-uncased", 1, context=128)).reasons == ()
    assert trust(question("resnet50", 1)).reasons == ()
    assert trust(question("encoder-1b", 2)).extrapolated


def test_the_talk_has_every_claim_with_its_standing() -> None:
    rows = claims()
    assert len(rows) == 15
    assert all(row.note and row.standing for row in rows)
    checked = [row for row in rows if row.error is not None]
    assert all(abs(row.error or 0) <= 0.1 for row in checked)
    rates = [row for row in rows if row.unit == "tokens/s"]
    assert [row.standing for row in rates] == [HYPOTHESIS, HYPOTHESIS]
    by_name = {row.claim: row for row in rows}
    assert by_name["data types"].note == "FP32, TF32, BF16, FP16, cFP8, INT8"
    assert "out of memory follows" in by_name["opt-66b on the GPU instance: out of memory"].note
    encoder = by_name["1-billion-parameter encoder in single-digit milliseconds"]
    assert 1 < (encoder.predicted or 0) < 10
    assert (by_name["a 100-billion-parameter model needs tensor parallelism"].predicted or 0) > 1
