"""The figures of the Inferentia2 launch talk, each beside what the data sheets or the cost model say about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from device_model.plan import Question, answer, valid_degrees
from device_model.plan import memory as memory_of
from device_model.workloads.cost.decoder import kv_bytes_per_core
from device_model.workloads.models.datatypes import DATA_TYPES, peaks
from device_model.workloads.models.families import ModelShape, opt
from device_model.workloads.models.shapes import shape_for
from neurontools.hardware.chips import CHIPS
from neurontools.hardware.instances import lookup, total_memory_bytes, total_memory_bytes_per_s, total_peak_flops
from neurontools.units import GIB

DATA_SHEET, PREDICTION, HYPOTHESIS, UNCHECKED = "data sheet", "prediction", "hypothesis", "not checkable"

_INSTANCE = lookup("inf2.48xlarge")
_CORE = CHIPS["Inferentia2"].core
# The talk did not say how it measured; this is the set-up under which its two rates follow.
_BATCH, _LENGTH = 8, 2048
_GPUS, _GPU_BYTES, _GPU_OWN_BYTES = 8, 24 * GIB, 5 * 10**9
_ENCODER_TOKENS = 128


class Claim(NamedTuple):
    """One claim: what was said and what follows here, in `unit`; None where there is no number to compare."""

    claim: str
    unit: str
    claimed: float | None
    predicted: float | None
    standing: str
    note: str

    @property
    def error(self) -> float | None:
        """Relative error, predicted / claimed - 1."""
        return None if self.claimed is None or self.predicted is None else self.predicted / self.claimed - 1


def claims() -> list[Claim]:
    """Every claim, in the talk's order."""
    return [row for part in _PARTS for row in part()]


def _question(shape: ModelShape, degree: int, batch: int, context: int, prompt: int) -> Question:
    return Question(shape, _INSTANCE, DATA_TYPES["fp16"], degree, batch, context, prompt)


def _totals() -> list[Claim]:
    pool = total_memory_bytes(_INSTANCE) / GIB
    bandwidth = total_memory_bytes_per_s(_INSTANCE) / 1e12
    fp32, bf16 = ((total_peak_flops(_INSTANCE, name) or 0) / 1e12 for name in ("fp32", "bf16"))
    gpu = "the GPU instance was not named; the ratio implies {:.0f} TFLOPS for it"
    return [
        Claim("accelerator memory pool", "GB", 384, pool, DATA_SHEET, "12 × 32 GiB"),
        Claim("memory bandwidth", "TB/s", 10, bandwidth, DATA_SHEET, "12 × 820 GB/s"),
        Claim("BF16 compute", "PFLOPS", 2.3, bf16 / 1e3, DATA_SHEET, "12 × 190 TFLOPS"),
        Claim("FP32 against a GPU instance, 4.3 times", "TFLOPS", None, fp32, UNCHECKED, gpu.format(fp32 / 4.3)),
        Claim("BF16 against a GPU instance, 1.1 times", "TFLOPS", None, bf16, UNCHECKED, gpu.format(bf16 / 1.1)),
    ]


def _core() -> list[Claim]:
    types = [row.label for row in peaks(CHIPS["Inferentia2"])]
    bits = (_CORE.gpsimd_processors or 0) * (_CORE.gpsimd_bits_per_processor or 0)
    return [
        Claim("data types", "types", 6, len(types), DATA_SHEET, ", ".join(types)),
        Claim("vector processors", "bits/cycle", 4000, bits, DATA_SHEET, "GPSIMD: 8 processors × 512 bit"),
        Claim(
            "control CPU: loops and conditionals beside the data path", "", None, None, UNCHECKED,
            "not modelled: workloads vary the shape of a step, the CPU itself is not simulated",
        ),
    ]  # fmt: skip


def _rates() -> list[Claim]:
    rows = []
    for model, degree, claimed, gpu in (
        ("opt-30b", 8, 573, "the GPU's 181 is not checkable"),
        ("opt-66b", 24, 248, "the GPU ran out of memory"),
    ):
        speed = answer(_question(shape_for(model), degree, _BATCH, _LENGTH, 1)).speed
        setup = f"{speed.replicas} × TP{degree}, batch {_BATCH}, FP16, 1 to {_LENGTH} tokens are assumed; {gpu}"
        rows.append(Claim(f"{model} generation", "tokens/s", claimed, speed.per_second, HYPOTHESIS, setup))
    return rows


def _gpu_memory() -> list[Claim]:
    shape = shape_for("opt-66b")
    weights, cache = 2 * shape.parameters / 1e9, kv_bytes_per_core(shape, 1, _BATCH, _LENGTH) / 1e9
    room = _GPUS * (_GPU_BYTES - _GPU_OWN_BYTES) / 1e9
    verdict = "out of memory follows" if weights + cache > room else "would fit"
    note = (
        f"{weights:.0f} GB weights + {cache:.0f} GB KV in {room:.0f} GB: {verdict}; 8 × 24 GiB less "
        f"{_GPU_OWN_BYTES / 1e9:.0f} GB each for the GPU's runtime and activations are assumed"
    )
    return [Claim("opt-66b on the GPU instance: out of memory", "GB", None, weights + cache, HYPOTHESIS, note)]


def _encoders() -> list[Claim]:
    shape = shape_for("encoder-1b")
    step = answer(_question(shape, 1, 1, _ENCODER_TOKENS, _ENCODER_TOKENS)).speed.step_seconds * 1e3
    note = f"TP1, batch 1, {_ENCODER_TOKENS} tokens and 24 layers of 1792 are assumed; below 10 ms as claimed"
    return [
        Claim("Amazon Search's encoder, 2 times the GPU's throughput", "", None, None, UNCHECKED, "not published"),
        Claim("1-billion-parameter encoder in single-digit milliseconds", "ms", None, step, HYPOTHESIS, note),
    ]


def _sizes() -> list[Claim]:
    small = memory_of(_question(shape_for("bert-large-uncased"), 1, 1, _ENCODER_TOKENS, _ENCODER_TOKENS))
    large = _question(opt("decoder-100b", 80, 10240, 80), 1, 1, _LENGTH, _LENGTH // 2)
    degree = next((d for d in valid_degrees(_INSTANCE) if memory_of(large._replace(degree=d)).fits), None)
    return [
        Claim(
            "a 300-million-parameter model fits one worker", "GB", None, small.needed_bytes / 1e9, PREDICTION,
            f"bert-large (335 million) on one core, whose bank holds {small.bank_bytes / 1e9:.0f} GB",
        ),
        Claim(
            "a 100-billion-parameter model needs tensor parallelism", "cores", None, degree, PREDICTION,
            "smallest degree at which an OPT of 80 layers of 10240 fits, FP16, batch 1, 2048 tokens",
        ),
    ]  # fmt: skip


_PARTS: tuple[Callable[[], list[Claim]], ...] = (_totals, _core, _rates, _gpu_memory, _encoders, _sizes)
