"""What a step costs, as data: the ideal terms, the fitted constants, the parts of its time, and the result."""

from __future__ import annotations

from typing import Literal, NamedTuple

Bound = Literal["weights", "compute", "vector", "kv", "collectives", "latency"]


class CostConstants(NamedTuple):
    """What the data sheets do not say, per NeuronCore generation. Efficiencies are shares of a data-sheet rate."""

    inferentia2_share: float
    """Speed of Inferentia2's engines against Trainium1's, which have the same data sheet."""

    weights_efficiency: float
    compute_efficiency: float
    kv_efficiency: float
    link_efficiency: float
    layer_seconds: float
    """Collective latency and synchronisation of one layer in one step."""
    position_seconds: float
    """Softmax of one layer over one context position, for up to 128 rows (sequences times heads) at once."""
    prefill_compute_efficiency: float
    prefill_score_efficiency: float
    prefill_seconds: float
    """Fixed part of a time to first token."""
    encoder_weights_efficiency: float
    encoder_compute_efficiency: float
    encoder_seconds: float
    """Fixed part of one batch of an encoder."""
    cnn_compute_efficiency: float
    cnn_seconds: float
    """Fixed part of one batch of a convolutional network."""
    vector_efficiency: float
    scalar_efficiency: float
    gpsimd_efficiency: float
    extrapolated: bool
    """True where no published run of this generation was fitted."""

    def engine_share(self, chip: str) -> float:
        """What the engines of a chip reach of those that the constants were fitted to."""
        return self.inferentia2_share if chip == "Inferentia2" else 1.0


class StepCost(NamedTuple):
    """One step as one core sees it, in whole nanoseconds, FLOPs and bytes.

    Engine times are active time, at most `duration_ns`. `all_reduce_bytes` is the payload summed over the step's
    collectives: a ring over c devices puts 2(c-1)/c of it on each link. `flops` includes what padding wastes.
    """

    duration_ns: int
    collectives_ns: int
    tensor_ns: int
    vector_ns: int
    scalar_ns: int
    gpsimd_ns: int
    flops: int
    hbm_read_bytes: int
    hbm_written_bytes: int
    all_reduce_bytes: int
    bound: Bound


class StepTerms(NamedTuple):
    """A step at data-sheet rates, in seconds, and how often the per-layer and per-position times apply."""

    chip: str
    weights: float
    compute: float
    widening: float
    """The vector engine widening weights that are stored narrower than they are multiplied."""
    attention: float
    """Decode: the KV cache streamed once. Prefill: the score matrix streamed once."""
    link: float
    vector: float
    """Norms and residuals, which every core of a replica computes whole."""
    layers: int
    positions: int


class TermSeconds(NamedTuple):
    """The parts of a step's duration. Weights are streamed and widened while computing, so the longest counts."""

    weights: float
    compute: float
    widening: float
    attention: float
    link: float
    vector: float
    latency: float

    @property
    def total(self) -> float:
        """The step's duration."""
        streamed = max(self.weights, self.compute, self.widening)
        return streamed + self.attention + self.link + self.vector + self.latency

    @property
    def bound(self) -> Bound:
        """The largest part."""
        parts: tuple[tuple[float, Bound], ...] = (
            (self.weights, "weights"),
            (self.compute, "compute"),
            (self.widening, "vector"),
            (self.attention, "kv"),
            (self.link, "collectives"),
            (self.vector, "vector"),
            (self.latency, "latency"),
        )
        return max(parts, key=lambda part: part[0])[1]
