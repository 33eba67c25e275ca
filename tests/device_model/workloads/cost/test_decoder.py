"""The cost of a step: physical limits and monotony over the whole input space, and the published facts behind it."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.workloads.calibration.constants import constants_for
from device_model.workloads.cost import decoder as cost
from device_model.workloads.cost.decoder import Chunk, CoreRates, StepCost, decode_step, mixed_step, prefill, rates_for
from device_model.workloads.cost.encoder import encoder_step
from device_model.workloads.cost.engines import heads_per_core
from device_model.workloads.models.families import llama
from device_model.workloads.models.shapes import SHAPES, ModelShape, shape_for

Step = Callable[..., StepCost]

DECODERS = [shape for shape in SHAPES.values() if shape.kind == "decoder"]
INF2 = rates_for("inf2.48xlarge")
RATES = [INF2, *map(rates_for, ("trn1.32xlarge", "trn1n.32xlarge", "trn2.48xlarge"))]
V2 = constants_for("v2")
AMOUNTS = ("duration_ns", "flops", "hbm_read_bytes", "hbm_written_bytes", "traffic")
ENGINES = ("tensor_ns", "vector_ns", "scalar_ns", "gpsimd_ns", "collectives_ns")

shapes = st.sampled_from(DECODERS)
rates = st.sampled_from(RATES)
tps = st.sampled_from([1, 2, 8, 10, 24, 32])
batches = st.integers(1, 512)
contexts = st.integers(1, 32768)
weight_bytes = st.sampled_from([0.5, 1.0, 2.0, 4.0])


def on_inf2(function: Step, shape: ModelShape, tp: int, batch: int, tokens: int, weights: float = 2.0) -> StepCost:
    return function(shape, INF2, V2, tp, min(12, max(1, tp // 2)), batch, tokens, weights)


def assert_physical(step: StepCost, core: CoreRates) -> None:
    seconds = step.work.duration_ns / 1e9
    assert all(type(value) is int for value in step.work if not isinstance(value, tuple))
    assert all(0 <= getattr(step.work, name) <= step.work.duration_ns for name in ENGINES)
    assert 0 < step.work.flops <= core.peak_flops * seconds
    assert step.work.hbm_read_bytes + step.work.hbm_written_bytes <= core.hbm_bytes_per_s * seconds


@given(shapes, rates, tps, batches, contexts, weight_bytes)
def test_a_decode_step_stays_within_the_data_sheet(
    shape: ModelShape, core: CoreRates, tp: int, batch: int, context: int, weights: float
) -> None:
    constants = constants_for(core.generation)
    step = decode_step(shape, core, constants, tp, min(12, max(1, tp // 2)), batch, context, weights)
    assert_physical(step, core)
    assert step.work.tensor_ns > 0


@given(shapes, rates, tps, st.integers(1, 64), st.integers(1, 16384), weight_bytes)
def test_a_prefill_stays_within_the_data_sheet(
    shape: ModelShape, core: CoreRates, tp: int, batch: int, prompt: int, weights: float
) -> None:
    constants = constants_for(core.generation)
    assert_physical(prefill(shape, core, constants, tp, min(12, max(1, tp // 2)), batch, prompt, weights), core)


@given(
    shapes, tps, batches, contexts, st.integers(0, 64), st.integers(0, 9999), st.sampled_from([decode_step, prefill])
)
def test_more_work_never_costs_less(
    shape: ModelShape, tp: int, batch: int, tokens: int, extra_batch: int, extra_tokens: int, function: Step
) -> None:
    small = on_inf2(function, shape, tp, batch, tokens)
    large = on_inf2(function, shape, tp, batch + extra_batch, tokens + extra_tokens)
    assert all(getattr(small.work, name) <= getattr(large.work, name) for name in (*ENGINES, *AMOUNTS))


@given(shapes, tps, batches, contexts)
def test_steps_of_one_context_bucket_cost_the_same(shape: ModelShape, tp: int, batch: int, context: int) -> None:
    edge = cost.context_bucket(context)
    assert on_inf2(decode_step, shape, tp, batch, context) == on_inf2(decode_step, shape, tp, batch, edge)


@given(st.integers(1, 1 << 20))
def test_a_context_bucket_is_the_smallest_power_of_two_that_holds_it(tokens: int) -> None:
    bucket = cost.context_bucket(tokens)
    assert bucket.bit_count() == 1
    assert tokens <= bucket < 2 * tokens


@given(shapes, tps, st.integers(1, 64), contexts)
def test_memory_is_the_sum_of_its_layers(shape: ModelShape, tp: int, sequences: int, length: int) -> None:
    layer = cost.kv_bytes_per_core_per_layer(shape, tp, sequences, length)
    assert cost.kv_bytes_per_core(shape, tp, sequences, length) == shape.layers * layer
    weights = cost.weights_bytes_per_core(shape, tp, 2)
    assert weights > shape.layers * cost.weights_bytes_per_core_per_layer(shape, tp, 2)
    assert 0 <= weights * tp - shape.parameters * 2 <= tp * (shape.layers + 1)


def test_query_heads_are_padded_and_each_keeps_its_own_keys_and_values() -> None:
    llama_70b = shape_for("Llama-2-70b")
    assert llama_70b.kv_heads == 8
    assert heads_per_core(llama_70b, 24) * 24 == 72
    per_token = sum(cost.kv_bytes_per_core(llama_70b, 24, 1, 1) for _ in range(24))
    assert per_token == 2 * 80 * 72 * 128 * 2


def test_opt_66b_at_batch_8_needs_the_memory_that_the_launch_talk_implies() -> None:
    shape = shape_for("opt-66b")
    assert 24 * cost.weights_bytes_per_core(shape, 24, 2) == pytest.approx(132e9, rel=0.01)
    assert 24 * cost.kv_bytes_per_core(shape, 24, 8, 2048) == pytest.approx(39e9, rel=0.02)


@pytest.mark.parametrize(
    ("step", "bound"),
    [
        (partial(decode_step, shape_for("Llama-2-70b"), INF2, V2, 24, 12, 1, 256, 2), "weights"),
        (partial(decode_step, shape_for("Llama-2-13b"), INF2, V2, 24, 12, 8, 8192, 2), "kv"),
        (partial(decode_step, shape_for("opt-1.3b"), INF2, V2, 24, 12, 1, 128, 2), "latency"),
        (partial(decode_step, shape_for("opt-30b"), INF2, V2, 2, 1, 512, 128, 2), "compute"),
        (partial(decode_step, shape_for("opt-66b"), INF2, V2, 24, 12, 256, 128, 2), "collectives"),
        (partial(decode_step, shape_for("Llama-2-70b"), INF2, V2, 24, 12, 1, 256, 1), "vector"),
    ],
)
def test_the_largest_part_is_named_as_the_bound(step: partial[StepCost], bound: str) -> None:
    assert step().bound == bound


def test_one_core_has_nothing_to_reduce_and_one_device_no_link_to_wait_for() -> None:
    shape = shape_for("opt-1.3b")
    alone = decode_step(shape, rates_for("inf2.xlarge"), V2, 1, 1, 4, 128, 2)
    assert (alone.work.traffic, alone.work.collectives_ns) == ((0,), 0)
    pair = decode_step(shape, rates_for("inf2.xlarge"), V2, 2, 1, 4, 128, 2)
    assert pair.work.traffic == (2 * 24 * 4 * 2048 * 2,)
    assert pair.work.collectives_ns == pytest.approx(24 * V2.layer_seconds * 1e9, abs=1)


def test_a_generation_without_an_engine_reports_no_time_for_it() -> None:
    step = decode_step(shape_for("opt-1.3b"), rates_for("inf1.xlarge"), constants_for("v1"), 4, 1, 1, 128, 2)
    assert (step.work.vector_ns, step.work.scalar_ns, step.work.gpsimd_ns) == (0, 0, 0)
    assert step.work.tensor_ns > 0


def test_rates_are_a_cores_share_of_the_data_sheet() -> None:
    expected = CoreRates("v2", 95e12, 410e9, 2.3e12, 2.9e12, 1.4e9 * 128, 96e9, "Inferentia2", "inf2.48xlarge")
    assert rates_for("inf2.48xlarge") == expected
    assert rates_for("trn1.32xlarge").link_bytes_per_s == 96e9
    assert rates_for("trn1n.32xlarge").link_bytes_per_s == 192e9
    assert rates_for("inf2.xlarge").link_bytes_per_s == 0
    assert rates_for("inf2.xlarge", "fp32").peak_flops == 23.75e12
    assert rates_for("inf1.xlarge", "fp32").peak_flops == 0


def test_one_byte_weights_are_widened_by_the_vector_engine() -> None:
    shape = shape_for("Llama-3-8B")
    wide, narrow = (on_inf2(decode_step, shape, 24, 1, 2048, weights) for weights in (2.0, 1.0))
    assert narrow.work.hbm_read_bytes < wide.work.hbm_read_bytes
    assert narrow.work.vector_ns > 5 * wide.work.vector_ns
    assert 0.9 * wide.work.duration_ns < narrow.work.duration_ns < wide.work.duration_ns


def test_inferentia2_computes_slower_than_trainium1_and_streams_as_fast() -> None:
    shape, inf2, trn1 = shape_for("bert-base-uncased"), rates_for("inf2.xlarge"), rates_for("trn1.2xlarge")
    slow, fast = (encoder_step(shape, core, V2, 1, 1, 64, 128) for core in (inf2, trn1))
    assert slow.work.tensor_ns == pytest.approx(fast.work.tensor_ns / V2.inferentia2_share, rel=1e-3)
    assert slow.work.hbm_read_bytes == fast.work.hbm_read_bytes


@pytest.mark.parametrize(("tp", "devices", "batch", "tokens"), [(0, 1, 1, 1), (2, 0, 1, 1), (2, 1, 0, 1), (2, 1, 1, 0)])
@pytest.mark.parametrize("function", [decode_step, prefill])
def test_a_count_below_one_is_refused(function: Step, tp: int, devices: int, batch: int, tokens: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        function(shape_for("opt-1.3b"), INF2, V2, tp, devices, batch, tokens, 2)


def test_a_replica_has_no_more_devices_than_its_instance() -> None:
    with pytest.raises(ValueError, match=r"13 devices does not fit: inf2.48xlarge has 12"):
        decode_step(shape_for("opt-1.3b"), INF2, V2, 26, 13, 1, 128, 2)


def test_devices_without_links_cannot_form_a_replica() -> None:
    with pytest.raises(ValueError, match="no links"):
        decode_step(shape_for("opt-1.3b"), rates_for("inf2.xlarge"), V2, 4, 2, 1, 128, 2)


def test_a_prefill_computes_the_padding_of_its_bucket_too() -> None:
    shape = llama("small", 4, 512, 8, 8, 1024, 1000, 2048)
    assert on_inf2(prefill, shape, 2, 1, 1025) == on_inf2(prefill, shape, 2, 1, 2048)
    assert on_inf2(prefill, shape, 2, 1, 1024).work.flops < on_inf2(prefill, shape, 2, 1, 1025).work.flops / 2 + 1


chunks = st.builds(lambda tokens, earlier: Chunk(tokens, tokens + earlier), st.integers(1, 2048), st.integers(0, 8192))


def mixed(shape: ModelShape, tp: int, batch: int, context: int, chunk: Chunk, weights: float = 2.0) -> StepCost:
    return mixed_step(shape, INF2, V2, tp, min(12, max(1, tp // 2)), batch, context, chunk, weights)


@given(shapes, rates, tps, st.integers(0, 512), contexts, chunks, weight_bytes)
def test_a_mixed_step_stays_within_the_data_sheet(
    shape: ModelShape, core: CoreRates, tp: int, batch: int, context: int, chunk: Chunk, weights: float
) -> None:
    constants, devices = constants_for(core.generation), min(12, max(1, tp // 2))
    assert_physical(mixed_step(shape, core, constants, tp, devices, batch, context, chunk, weights), core)


@given(shapes, tps, batches, contexts, weight_bytes)
def test_without_a_chunk_a_mixed_step_is_a_decode_step(
    shape: ModelShape, tp: int, batch: int, context: int, weights: float
) -> None:
    expected = on_inf2(decode_step, shape, tp, batch, context, weights)
    assert mixed(shape, tp, batch, context, Chunk(0, 0), weights) == expected


@given(shapes, tps, contexts, st.integers(0, 12), weight_bytes)
def test_without_sequences_a_chunk_of_a_whole_bucket_is_a_prefill(
    shape: ModelShape, tp: int, context: int, power: int, weights: float
) -> None:
    chunk = Chunk(1 << power, 1 << power)
    assert mixed(shape, tp, 0, context, chunk, weights) == on_inf2(prefill, shape, tp, 1, chunk.tokens, weights)


@given(shapes, tps, st.integers(0, 256), contexts, chunks, st.integers(0, 64), st.integers(0, 999), weight_bytes)
def test_more_in_a_mixed_step_never_costs_less(
    shape: ModelShape, tp: int, batch: int, context: int, chunk: Chunk, more: int, tokens: int, weights: float
) -> None:
    small = mixed(shape, tp, batch, context, chunk, weights)
    for large in (
        mixed(shape, tp, batch + more, context + tokens, chunk, weights),
        mixed(shape, tp, batch, context, Chunk(chunk.tokens, chunk.keys + tokens), weights),
        mixed(shape, tp, batch, context, Chunk(chunk.tokens + tokens, chunk.keys + tokens), weights),
    ):
        assert all(getattr(small.work, name) <= getattr(large.work, name) for name in (*ENGINES, *AMOUNTS))


@given(shapes, tps, batches, contexts, chunks, weight_bytes)
def test_a_mixed_step_costs_less_than_its_parts_apart_and_more_than_either(
    shape: ModelShape, tp: int, batch: int, context: int, chunk: Chunk, weights: float
) -> None:
    decode = on_inf2(decode_step, shape, tp, batch, context, weights).work
    prompts, both = (mixed(shape, tp, count, context, chunk, weights).work for count in (0, batch))
    apart = decode.duration_ns + prompts.duration_ns
    assert max(decode.duration_ns, prompts.duration_ns) <= both.duration_ns < apart
    streamed = cost.streamed_bytes_per_core(shape, tp, weights)
    assert both.hbm_read_bytes == decode.hbm_read_bytes + prompts.hbm_read_bytes - streamed
    assert both.hbm_written_bytes == decode.hbm_written_bytes + prompts.hbm_written_bytes
    assert both.flops == decode.flops + prompts.flops
    assert both.traffic == tuple(map(sum, zip(decode.traffic, prompts.traffic, strict=True)))


def test_a_chunk_cannot_attend_to_less_than_itself() -> None:
    with pytest.raises(ValueError, match="a chunk of 64 tokens attends to at least as many, not to 32"):
        mixed(shape_for("opt-1.3b"), 2, 1, 128, Chunk(64, 32))
