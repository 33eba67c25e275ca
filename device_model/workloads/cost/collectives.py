"""What collectives cost: which algorithm is chosen for a payload, how long it takes, which way its bytes go."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from device_model.machine.collectives import Algorithm, Algorithms, Operation, all_reduce_algorithms
from device_model.runtime.execution import LAUNCH_NS, StepWork, device_ns
from device_model.workloads.cost.engines import Reduction
from device_model.workloads.cost.rates import CoreRates
from device_model.workloads.cost.steps import Part, StepCost
from neurontools.hardware.chips import CHIPS
from neurontools.hardware.instances import chip_of, lookup
from neurontools.hardware.topology import adjacency
from neurontools.units import MIB

_LARGEST_BYTES = {"mesh": MIB - 1, "rdh": 56 * MIB}
"""Up to which payload each algorithm is the best, in order (AWS Neuron documentation, "Intra-node Collective
Communications": below 1 MB, 1 to 56 MB; read as binary, as nccom-test reads its sizes)."""
_FOR_LARGER = "kangaring"

FITTED_CHIP = "Trainium1"
"""The chip of the runs in nccom_samples.csv."""

LAUNCH_SECONDS = 50e-6
"""From a collective's launch to its first hop. All that is fitted here was fitted to nccom_samples.csv: round figures
that bring every run within 20 %, the median within 3 %. Runs of some MiB are faster than any one rate explains."""

HOP_SECONDS = {"v2": 3.2e-6, "v3": 1.5e-6, "v4": 1.5e-6}
"""Of each hop, by NeuronCore generation. v2 is fitted; the others are the middle of the 1 to 2 µs that AWS documents
for its present software ("Intra-node Collective Communications")."""

CORE_BYTES_PER_S = 59e9
"""What one physical core receives while it passes on as much (fitted on v2, the other generations assumed alike)."""


class Passes(NamedTuple):
    """What every rank receives in an operation: how often it gathers, and how often it reduces, the whole payload."""

    gathers: int
    reduces: int
    all_but_own: bool = True
    """A rank's own part of the payload does not travel."""


_PASSES: dict[Operation, Passes] = {
    "all-reduce": Passes(gathers=1, reduces=1),
    "all-gather": Passes(gathers=1, reduces=0),
    "reduce-scatter": Passes(gathers=0, reduces=1),
    "all-to-all": Passes(gathers=1, reduces=0),
    "send-receive": Passes(gathers=1, reduces=0, all_but_own=False),
}


class Accesses(NamedTuple):
    """Reads and writes of HBM for a chunk that goes past two ranks, while gathering and while reducing."""

    gather_reads: int
    gather_writes: int
    reduce_reads: int
    reduce_writes: int


_PLAIN_ACCESSES = Accesses(gather_reads=2, gather_writes=2, reduce_reads=4, reduce_writes=2)
"""Each rank reads what it received, and while reducing its own chunk as well, and writes one (AWS documents this of the
ring, and the same load on HBM of the others)."""
_ACCESSES = {"kangaring": Accesses(gather_reads=1, gather_writes=2, reduce_reads=3, reduce_writes=1)}
"""The exceptions, as AWS documents them."""


class Collective(NamedTuple):
    """An operation among `ranks` logical cores of `cores_per_rank` physical ones each.

    `size_bytes` is the payload as nccom-test counts it: see `device_model.machine.collectives.algorithms_of`.
    """

    operation: Operation
    size_bytes: int
    ranks: int
    cores_per_rank: int

    @property
    def received_bytes(self) -> int:
        """What each rank receives; divided by the time it is nccom-test's bus bandwidth."""
        gathers, reduces, all_but_own = _PASSES[self.operation]
        others = self.ranks - 1
        if all_but_own:
            return (gathers + reduces) * self.size_bytes * others // self.ranks
        return self.size_bytes if others else 0


class Transfer(NamedTuple):
    """What moving a collective's payload takes, beside its launch and its hops.

    Bytes are those on the busiest link, and those that one physical core reads and writes in device memory.
    """

    seconds: float
    busiest_bytes: int
    read_bytes: int
    written_bytes: int


class CollectiveCost(NamedTuple):
    """What one collective costs: the algorithm chosen, the bytes on its busiest link, its duration, and a core's step.

    The step is an execution of nothing but this collective, so it is at least as long as the host needs to launch one.
    """

    algorithm: Algorithm
    busiest_bytes: int
    duration_ns: int
    step: StepCost


@lru_cache(maxsize=256)
def algorithms_for(instance: str, devices: int) -> Algorithms:
    """What a replica on the first `devices` devices can choose from; their shares are alike wherever it is placed."""
    found = lookup(instance)
    chip = chip_of(found)
    ranks = devices * chip.cores // chip.default_lnc
    return all_reduce_algorithms(adjacency(found), tuple(range(devices)), ranks, chip.name)


def choose(algorithms: Algorithms, payload_bytes: int) -> int:
    """The position of the algorithm for one payload: the best of its size, or the first where that is not at hand."""
    best = next((name for name, most in _LARGEST_BYTES.items() if payload_bytes <= most), _FOR_LARGER)
    names = [algorithm.pattern.name for algorithm in algorithms]
    return names.index(best) if best in names else 0


def all_reduce_seconds(rates: CoreRates, devices: int, reduction: Reduction) -> float:
    """Time that the payloads of a step's all-reduces take on the busiest link at its data-sheet rate."""
    if devices == 1 or not reduction.times:
        return 0.0
    algorithms = algorithms_for(rates.instance, devices)
    share = algorithms[choose(algorithms, reduction.payload_bytes)].busiest_share
    return reduction.times * reduction.payload_bytes * share / rates.link_bytes_per_s


def traffic_of(rates: CoreRates, devices: int, reduction: Reduction) -> tuple[int, ...]:
    """The payload by algorithm, in the order of `algorithms_for`."""
    algorithms = algorithms_for(rates.instance, devices)
    payload = reduction.times * reduction.payload_bytes
    return _sent(algorithms, choose(algorithms, reduction.payload_bytes), payload)


def _sent(algorithms: Algorithms, chosen: int, payload_bytes: int) -> tuple[int, ...]:
    return tuple(payload_bytes if position == chosen else 0 for position in range(len(algorithms)))


def transfer(rates: CoreRates, algorithm: Algorithm, collective: Collective) -> Transfer:
    """The payload on its way: it takes the longer of what its busiest link and its cores need.

    It is timed as if it were alone on its links: what others there make of it, the runtime knows.
    """
    busiest_bytes = math.ceil(collective.size_bytes * algorithm.busiest_share)
    seconds = max(
        busiest_bytes / (rates.link_bytes_per_s * link_efficiency(rates.chip)) if busiest_bytes else 0.0,
        collective.received_bytes / (CORE_BYTES_PER_S * collective.cores_per_rank),
    )
    return Transfer(seconds, busiest_bytes, *_memory_bytes(algorithm, collective))


def collective_cost(rates: CoreRates, algorithms: Algorithms, collective: Collective) -> CollectiveCost:
    """One collective on its own, by the algorithm for its size; KeyError for a generation without collectives.

    It takes its launch, its hops one after another, and the transfer of its payload.
    """
    chosen = choose(algorithms, collective.size_bytes)
    algorithm = algorithms[chosen]
    moving = transfer(rates, algorithm, collective)
    waiting = LAUNCH_SECONDS + algorithm.hops * HOP_SECONDS[rates.generation]
    duration_ns = math.ceil((waiting + moving.seconds) * 1e9)
    work = _work(moving, duration_ns, _sent(algorithms, chosen, collective.size_bytes))
    parts = (Part("latency", work.duration_ns / 1e9 - moving.seconds), Part("collectives", moving.seconds))
    step = StepCost(work, parts, max(parts, key=lambda part: part.seconds).name)
    return CollectiveCost(algorithm, moving.busiest_bytes, duration_ns, step)


def _work(moving: Transfer, duration_ns: int, traffic: tuple[int, ...]) -> StepWork:
    """An execution of one collective. Its cores do nothing else, and nothing while the host launches the next.

    The additions of a reduction count as no FLOPs and no engine's time: the DMA engines do them on the way (assumed).
    """
    step_ns = max(duration_ns, LAUNCH_NS)
    return StepWork(
        duration_ns=step_ns,
        collectives_ns=duration_ns,
        tensor_ns=0,
        vector_ns=0,
        scalar_ns=0,
        gpsimd_ns=0,
        flops=0,
        hbm_read_bytes=moving.read_bytes,
        hbm_written_bytes=moving.written_bytes,
        traffic=traffic,
        idle_ns=max(0, device_ns(step_ns) - duration_ns),
    )


def link_efficiency(chip: str) -> float:
    """The share of a link's rate that collectives reach: what the DMA engines, which move all that goes over links,
    were measured to reach of theirs (assumed to be the same). ValueError for a chip whose engines nobody measured."""
    core = CHIPS[chip].core
    if core.dma_engine_measured_bytes_per_s is None or core.dma_engine_bytes_per_s is None:
        raise ValueError(f"nobody published what the DMA engines of {chip} reach")
    return core.dma_engine_measured_bytes_per_s / core.dma_engine_bytes_per_s


def _memory_bytes(algorithm: Algorithm, collective: Collective) -> tuple[int, int]:
    """Bytes that one physical core reads and writes: all that its rank receives in a pass goes past the rank."""
    accesses = _ACCESSES.get(algorithm.pattern.name, _PLAIN_ACCESSES)
    gathers, reduces, _ = _PASSES[collective.operation]
    reads = gathers * accesses.gather_reads + reduces * accesses.reduce_reads
    writes = gathers * accesses.gather_writes + reduces * accesses.reduce_writes
    shared = 2 * (gathers + reduces) * collective.cores_per_rank
    return collective.received_bytes * reads // shared, collective.received_bytes * writes // shared
