"""Pipelines: blocks divided over stages, and a beat in which all stages together do what the whole model does."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.runtime.execution import busy_ns
from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost.encoder import encoder_step
from device_model.workloads.cost.pipeline import Line, divided, handover, pipeline_beat
from device_model.workloads.cost.rates import rates_for
from device_model.workloads.models.datatypes import DATA_TYPES
from device_model.workloads.models.shapes import SHAPES, shape_for
from neurontools.hardware.instances import lookup
from neurontools.hardware.topology import adjacency

ENCODERS = sorted(name for name, shape in SHAPES.items() if shape.kind == "encoder")
BF16 = DATA_TYPES["bf16"]
BERT = shape_for("bert-base-uncased")


def line(instance: str = "inf1.24xlarge", stages: int = 1, cores_per_device: int = 4) -> Line:
    """A line of single cores, filled device by device."""
    rates = rates_for(instance)
    crossings = tuple(stage % cores_per_device == 0 for stage in range(1, stages))
    return Line(rates, constants_for(rates.generation), 1, 1, crossings)


@given(st.sampled_from(ENCODERS), st.integers(1, 512), st.integers(1, 48))
def test_every_block_is_in_one_stage_and_the_largest_is_no_larger_than_it_must_be(
    name: str, tokens: int, stages: int
) -> None:
    shape = shape_for(name)
    whole, parts = divided(shape, tokens, 1)[0], divided(shape, tokens, min(stages, 4 * shape.layers))
    assert len(parts) == min(stages, 4 * shape.layers)
    assert sum(part.multiplications for part in parts) == whole.multiplications
    assert whole.parameters == shape.streamed_parameters
    scores = 2 * shape.layers * tokens * shape.heads * shape.head_dim
    assert whole.multiplications == shape.multiplied_parameters + scores
    if not shape.layers_share_weights:
        assert sum(part.parameters for part in parts) == whole.parameters
    assert min(part.multiplications for part in parts) > 0
    block = max(part.multiplications for part in divided(shape, tokens, 4 * shape.layers))
    largest = max(part.multiplications for part in parts)
    assert whole.multiplications / len(parts) <= largest < whole.multiplications / len(parts) + block


def test_layers_that_fit_evenly_are_divided_evenly() -> None:
    for stages in (1, 2, 3, 4, 6, 12):
        assert len(set(divided(BERT, 128, stages))) == 1


def test_more_stages_leave_the_largest_no_more_to_do() -> None:
    largest = [max(stage.multiplications for stage in divided(BERT, 128, stages)) for stages in range(1, 49)]
    assert largest == sorted(largest, reverse=True)


@pytest.mark.parametrize("stages", [0, 49])
def test_there_are_not_more_stages_than_blocks(stages: int) -> None:
    with pytest.raises(ValueError, match="bert-base-uncased can be divided into 1 to 48 stages"):
        divided(BERT, 128, stages)


def test_a_stage_of_shared_layers_reads_them_once() -> None:
    albert = shape_for("albert-base-v2")
    parts = divided(albert, 128, 4)
    assert [part.parameters for part in parts] == [albert.streamed_parameters] * 4


@given(st.sampled_from(ENCODERS), st.integers(1, 64), st.integers(1, 512))
def test_one_stage_is_the_whole_model(name: str, batch: int, tokens: int) -> None:
    beat = pipeline_beat(shape_for(name), line("inf2.24xlarge"), batch, tokens, BF16)
    where = line("inf2.24xlarge")
    assert beat.stages == (encoder_step(shape_for(name), where.rates, where.constants, 1, 1, batch, tokens),)
    assert [busy_ns(work) for work in beat.empty] == [0]


@given(st.sampled_from(ENCODERS), st.sampled_from(["inf1.24xlarge", "inf2.48xlarge"]), st.integers(2, 24),
       st.integers(1, 64), st.integers(1, 512))  # fmt: skip
def test_the_stages_do_what_the_whole_model_does(
    name: str, instance: str, stages: int, batch: int, tokens: int
) -> None:
    shape = shape_for(name)
    where = line(instance, stages, 4 if instance.startswith("inf1") else 2)
    whole = encoder_step(shape, where.rates, where.constants, 1, 1, batch, tokens).work
    beat = pipeline_beat(shape, where, batch, tokens, BF16)
    works = [cost.work for cost in beat.stages]
    assert 0 <= whole.flops - sum(work.flops for work in works) <= stages
    assert 0 <= whole.tensor_ns - sum(work.tensor_ns for work in works) <= stages
    edge = batch * tokens * shape.width * 2
    streamed = sum(work.hbm_read_bytes - edge for work in works)
    if not shape.layers_share_weights:
        assert abs(whole.hbm_read_bytes - edge - streamed) <= stages
    assert [work.hbm_written_bytes for work in works] == [edge] * stages
    assert [work.traffic[-1] for work in works[:-1]] == [edge] * (stages - 1)
    assert {work.duration_ns for work in works} == {beat.duration_ns}
    assert works[beat.slowest].idle_ns == min(work.idle_ns for work in works) == 0
    needed = [work.duration_ns - work.idle_ns for work in works]
    fixed_ns = where.constants.encoder_seconds * 1e9
    # Weights of one stage may bound it where computing bounds the whole, so the sum can only be more.
    crossing_ns = sum(where.crossings) * edge / where.rates.link_bytes_per_s * 1e9
    assert sum(needed) >= whole.duration_ns + (stages - 1) * fixed_ns + crossing_ns - 1
    assert [busy_ns(work) > 0 for work in (*works, *beat.empty)] == [True] * stages + [False] * stages


@given(st.sampled_from(ENCODERS), st.integers(2, 24), st.integers(1, 64), st.integers(1, 512))
def test_a_stage_stays_within_the_data_sheet(name: str, stages: int, batch: int, tokens: int) -> None:
    where = line("inf2.48xlarge", stages, 2)
    for cost in pipeline_beat(shape_for(name), where, batch, tokens, BF16).stages:
        seconds = (cost.work.duration_ns - cost.work.idle_ns) / 1e9
        assert cost.work.flops <= where.rates.peak_flops * seconds
        assert cost.work.hbm_read_bytes + cost.work.hbm_written_bytes <= where.rates.hbm_bytes_per_s * seconds
        assert cost.work.traffic[-1] <= where.rates.link_bytes_per_s * seconds or not sum(where.crossings)


def test_sending_to_another_device_takes_as_long_as_the_link() -> None:
    within, across = (
        pipeline_beat(BERT, line(stages=2, cores_per_device=count), 8, 128, BF16).stages[0] for count in (4, 1)
    )
    sent_ns = 8 * 128 * BERT.width * 2 / rates_for("inf1.24xlarge").link_bytes_per_s * 1e9
    assert across.work.duration_ns - within.work.duration_ns == pytest.approx(sent_ns, abs=2)
    assert across.work.collectives_ns - within.work.collectives_ns == pytest.approx(sent_ns, abs=2)


@pytest.mark.parametrize("instance", ["inf1.24xlarge", "inf2.48xlarge", "trn1.32xlarge", "trn2.48xlarge"])
def test_a_handover_takes_a_shortest_way_over_links(instance: str) -> None:
    neighbours = adjacency(lookup(instance))
    for sender, receiver in pairwise(range(len(neighbours))):
        pattern = handover(neighbours, sender, receiver)
        edges = [edge for edge, share in pattern.crossings if share == pattern.parts]
        assert len(edges) == len(pattern.crossings) <= 2
        assert edges[0][0] == sender
        assert edges[-1][1] == receiver
        assert all(b in neighbours[a] for a, b in edges)
    assert handover(neighbours, 0, 0).crossings == ()
