"""What a step costs, as data: the ideal terms, the fitted constants, the parts of its time, and the result."""

from __future__ import annotations

from typing import Literal, NamedTuple

from device_model.runtime.execution import StepWork

Bound = Literal["weights", "memory", "compute", "vector", "scalar", "gpsimd", "kv", "collectives", "latency"]


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


class Part(NamedTuple):
    """A named part of a step's time. Parts may overlap, so they can add up to more than the step."""

    name: Bound
    seconds: float


class StepCost(NamedTuple):
    """One step as one core sees it.

    `work` holds whole nanoseconds, FLOPs and bytes; engine times are active time, at most its duration, and FLOPs
    include what padding wastes. `parts` say where the time goes, and `bound` names the one that decides it.
    """

    work: StepWork
    parts: tuple[Part, ...]
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
    def parts(self) -> tuple[Part, ...]:
        """By name; those that take no time are left out."""
        named = (
            Part("weights", self.weights),
            Part("compute", self.compute),
            Part("vector", self.widening),
            Part("kv", self.attention),
            Part("collectives", self.link),
            Part("vector", self.vector),
            Part("latency", self.latency),
        )
        return tuple(part for part in named if part.seconds)

    @property
    def bound(self) -> Bound:
        """The largest part."""
        return max(self.parts, key=lambda part: part.seconds).name
