"""Hypothesis strategies for readings: valid nodes of any shape, and the same node at later instants."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st
from msgspec import Struct, structs

from neurontools.schema.histogram import Histogram, bucket_of
from neurontools.schema.snapshot import (
    Bank,
    Core,
    Counter,
    CpuTimes,
    Device,
    EngineTimes,
    Head,
    Host,
    Link,
    MemoryUse,
    Model,
    Origin,
    PeRow,
    Power,
    Process,
    Snapshot,
    Subgraph,
    Workload,
)

EPOCH_NS = 1_800_000_000_000_000_000
SECOND_NS = 1_000_000_000
BOOT = "boot"
GIB = 1 << 30

_DEVICE_CATEGORIES = ("tensors", "constants", "model_code", "runtime_memory")
_HOST_CATEGORIES = ("tensors", "application_memory", "dma_buffers")
_STATUSES = ("success", "timeout", "hw_error")
_OTHER = ("model_load_count", "inference_count", "flop_count", "nc_time_in_use")
_OUTCOMES = ("completed", "completed_with_err", "timed_out")
_ERRORS = ("generic", "numerical", "hardware")
_ECC = ("mem_ecc_corrected", "mem_ecc_uncorrected", "sram_ecc_corrected")

T = TypeVar("T")


class Shape(NamedTuple):
    """What a node is made of; `unknown` is the part of the optional values that are None."""

    devices: int
    cores_per_device: int
    core_size: int
    processes: int
    vcpus: int
    unknown: float


class _Draw:
    """Values for one node. Only the shape and the seed are drawn by hypothesis: that keeps examples quick."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape = shape
        self.random = random.Random(seed)

    def up_to(self, most: int) -> int:
        return self.random.randint(0, most)

    def maybe(self, make: Callable[[], T]) -> T | None:
        return None if self.random.random() < self.shape.unknown else make()

    def by_key(self, keys: tuple[str, ...], most: int) -> dict[str, int]:
        return {key: self.up_to(most) for key in keys}

    def memory(self) -> MemoryUse:
        used = self.up_to(GIB)
        return MemoryUse(used, self.up_to(used), used + self.up_to(GIB))

    def memories(self, keys: tuple[str, ...]) -> dict[str, MemoryUse]:
        return {key: self.memory() for key in keys}

    def counters(self, keys: tuple[str, ...]) -> dict[str, Counter]:
        return {key: Counter(self.up_to(10**9), self.up_to(10)) for key in keys}

    def histogram(self) -> Histogram:
        durations = [self.random.randint(1, 10**10) for _ in range(self.up_to(20))]
        return histogram_of(durations)

    def core(self, device: int, index: int) -> Core:
        return Core(
            core=device * self.shape.cores_per_device + index,
            index=index,
            busy_ns=self.maybe(lambda: self.up_to(10**12)),
            collectives_ns=self.maybe(lambda: self.up_to(10**12)),
            engines=self.maybe(lambda: EngineTimes(*(self.up_to(10**12) for _ in range(4)))),
            flops=self.maybe(lambda: self.up_to(10**18)),
            hbm_read_bytes=self.maybe(lambda: self.up_to(10**15)),
            hbm_written_bytes=self.maybe(lambda: self.up_to(10**15)),
            host_memory=self.maybe(self.memory),
            device_memory=self.maybe(self.memory),
            memory=self.maybe(lambda: self.memories(_DEVICE_CATEGORIES)),
            status=self.maybe(lambda: self.counters(_STATUSES)),
            other_info=self.maybe(lambda: self.counters(_OTHER)),
            pe_cntrs=self.maybe(lambda: tuple(PeRow(*(self.up_to(10**9) for _ in range(3))) for _ in range(4))),
        )

    def bank(self, index: int) -> Bank:
        used = self.up_to(16 * GIB)
        return Bank(
            index=index,
            total_bytes=16 * GIB,
            used_bytes=self.maybe(lambda: used),
            largest_free_bytes=self.maybe(lambda: self.up_to(16 * GIB - used)),
            cores=(index,),
        )

    def health(self) -> dict[str, int | str]:
        return {"hbm_ecc_err_count": self.up_to(3), "unhealthy_components": "none"}

    def link(self, peer: int) -> Link:
        return Link(
            peer=peer,
            up=self.maybe(lambda: self.random.random() < 0.9),
            transmitted_bytes=self.maybe(lambda: self.up_to(10**15)),
            received_bytes=self.maybe(lambda: self.up_to(10**15)),
            capacity_bytes_per_s=self.maybe(lambda: 1 + self.up_to(10**11)),
        )

    def device(self, index: int) -> Device:
        cores = range(self.shape.cores_per_device)
        peers = [peer for peer in range(self.shape.devices) if peer != index]
        return Device(
            index=index,
            cores=tuple(self.core(index, core) for core in cores),
            banks=tuple(self.bank(core) for core in cores),
            links=self.maybe(lambda: tuple(self.link(peer) for peer in peers)),
            host_memory=self.maybe(lambda: self.memories(_HOST_CATEGORIES)),
            ecc=self.maybe(lambda: self.by_key(_ECC, 60_000)),
            health=self.maybe(self.health),
            power=self.maybe(lambda: Power(status="POWER_STATUS_VALID", avg_percent=self.random.uniform(0, 100))),
            reset_state=self.maybe(lambda: "ready"),
        )

    def model(self, number: int, cores: tuple[int, ...]) -> Model:
        pieces = tuple(
            Subgraph(
                name="sg_00",
                core=core,
                device=core // self.shape.cores_per_device,
                host_memory=self.by_key(_HOST_CATEGORIES, GIB),
                device_memory=self.by_key(_DEVICE_CATEGORIES, GIB),
            )
            for core in cores
        )
        return Model(model_id=10_000 + number, name="model", uuid=f"{number:032x}", running=True, subgraphs=pieces)

    def workload(self) -> Workload:
        counts = {name: self.up_to(10**6) for name in _COUNTERS[Workload]}
        return Workload(
            kind="llm",
            **counts,
            queued=self.up_to(100),
            running=self.up_to(100),
            cached_tokens=self.maybe(lambda: self.up_to(10**6)),
            cache_capacity_tokens=self.maybe(lambda: 10**6),
            time_to_first_token=self.maybe(self.histogram),
            request_latency=self.maybe(self.histogram),
        )

    def process(self, number: int) -> Process:
        first = number * self.shape.core_size
        count = self.shape.devices * self.shape.cores_per_device
        cores = tuple(core % count for core in range(first, first + self.shape.core_size)) if count else ()
        return Process(
            pid=1000 + number,
            started_ns=EPOCH_NS - SECOND_NS,
            tag=self.maybe(lambda: f"server-{number}"),
            cores=cores,
            groups=(cores,),
            memory=self.maybe(lambda: {core: self.by_key(_DEVICE_CATEGORIES, GIB) for core in cores}),
            host_memory=self.maybe(lambda: self.by_key(_HOST_CATEGORIES, GIB)),
            resident_bytes=self.maybe(lambda: self.up_to(GIB)),
            models=self.maybe(lambda: (self.model(number, cores),)),
            executions=self.maybe(lambda: self.by_key(_OUTCOMES, 10**9)),
            errors=self.maybe(lambda: self.by_key(_ERRORS, 10**3)),
            latency_total=self.maybe(self.histogram),
            latency_device=self.maybe(self.histogram),
            vcpu_user_ns=self.maybe(lambda: self.up_to(10**12)),
            vcpu_system_ns=self.maybe(lambda: self.up_to(10**12)),
            workload=self.maybe(self.workload),
            parent_pid=self.maybe(lambda: self.up_to(2000)),
        )

    def host(self) -> Host:
        return Host(
            cpus=self.maybe(
                lambda: tuple(CpuTimes(*(self.up_to(10**12) for _ in range(7))) for _ in range(self.shape.vcpus))
            ),
            memory_total_bytes=self.maybe(lambda: 64 * GIB),
            memory_used_bytes=self.maybe(lambda: self.up_to(64 * GIB)),
            swap_total_bytes=self.maybe(lambda: 0),
            swap_used_bytes=self.maybe(lambda: 0),
            context_switches=self.maybe(lambda: self.up_to(10**9)),
        )


_COUNTERS: dict[type[Struct], tuple[str, ...]] = {
    Core: ("busy_ns", "collectives_ns", "flops", "hbm_read_bytes", "hbm_written_bytes"),
    Link: ("transmitted_bytes", "received_bytes"),
    Process: ("vcpu_user_ns", "vcpu_system_ns"),
    Workload: (
        *("submitted", "completed", "rejected", "failed", "timed_out", "cancelled"),
        *("preempted", "prompt_tokens", "generated_tokens"),
    ),
    Host: ("context_switches",),
    EngineTimes: EngineTimes.__struct_fields__,
    PeRow: PeRow.__struct_fields__,
    CpuTimes: CpuTimes.__struct_fields__,
}
_TALLIES: dict[type[Struct], tuple[str, ...]] = {Device: ("ecc",), Process: ("executions", "errors")}
_KEPT = (MemoryUse, Bank, Power, Model, Head)


def histogram_of(durations_ns: list[int]) -> Histogram:
    """The histogram of some durations."""
    counts: dict[int, int] = {}
    for duration in durations_ns:
        counts[bucket_of(duration)] = counts.get(bucket_of(duration), 0) + 1
    return Histogram(counts=counts, sum_ns=sum(durations_ns))


def node_at(time_ns: int, *devices: Device, core_size: int = 1, **parts: Any) -> Snapshot:
    """A node with just these parts."""
    head = Head(time_ns=time_ns, boot_id=BOOT, origin=Origin(kind="model"), logical_neuroncore_config=core_size)
    return Snapshot(head=head, devices=devices, **parts)


def snapshot_of(shape: Shape, seed: int) -> Snapshot:
    """A node of some shape; the same shape and seed give the same node."""
    draw = _Draw(shape, seed)
    head = Head(time_ns=EPOCH_NS, boot_id=BOOT, origin=Origin(kind="model"), logical_neuroncore_config=shape.core_size)
    return Snapshot(
        head=head,
        devices=tuple(draw.device(index) for index in range(shape.devices)),
        processes=draw.maybe(lambda: tuple(draw.process(number) for number in range(shape.processes))),
        host=draw.maybe(draw.host),
    )


def later(snapshot: Snapshot, seed: int, seconds: float = 1.0) -> Snapshot:
    """The same node after some time: every known counter has grown, or stands still."""
    grown: Snapshot = _grow(snapshot, random.Random(seed))
    head = structs.replace(snapshot.head, time_ns=snapshot.head.time_ns + int(seconds * SECOND_NS))
    return structs.replace(grown, head=head)


def _grow(value: Any, draw: random.Random) -> Any:
    if isinstance(value, tuple):
        return tuple(_grow(item, draw) for item in value)
    if isinstance(value, Counter):
        step = draw.randint(0, 50)
        return Counter(value.total + step, step)
    if isinstance(value, Histogram):
        return _grow_histogram(value, draw)
    if isinstance(value, dict):
        return {key: _grow(item, draw) for key, item in value.items()}
    if not isinstance(value, Struct) or isinstance(value, _KEPT):
        return value
    kind = type(value)
    fields = structs.asdict(value)
    for name, content in fields.items():
        if name in _COUNTERS.get(kind, ()):
            fields[name] = None if content is None else content + draw.randint(0, 10**6)
        elif name in _TALLIES.get(kind, ()):
            fields[name] = content and {key: count + draw.randint(0, 99) for key, count in content.items()}
        else:
            fields[name] = _grow(content, draw)
    return kind(**fields)


def _grow_histogram(histogram: Histogram, draw: random.Random) -> Histogram:
    more = histogram_of([draw.randint(1, 10**10) for _ in range(draw.randint(0, 10))])
    keys = histogram.counts.keys() | more.counts.keys()
    counts = {key: histogram.counts.get(key, 0) + more.counts.get(key, 0) for key in keys}
    return Histogram(counts=counts, sum_ns=histogram.sum_ns + more.sum_ns)


SEEDS = st.integers(0, 2**32)


@st.composite
def shapes(draw: st.DrawFn, core_sizes: tuple[int, ...] = (1, 2), unknown: tuple[float, ...] = (0.0, 0.3)) -> Shape:
    """Shapes from an empty host to a few devices; cores per device are a multiple of the core size."""
    core_size = draw(st.sampled_from(core_sizes))
    return Shape(
        devices=draw(st.integers(0, 3)),
        cores_per_device=core_size * draw(st.integers(1, 2)),
        core_size=core_size,
        processes=draw(st.integers(0, 2)),
        vcpus=draw(st.integers(1, 3)),
        unknown=draw(st.sampled_from(unknown)),
    )


def snapshots() -> st.SearchStrategy[Snapshot]:
    """One instant of any node."""
    return st.builds(snapshot_of, shapes(), SEEDS)


@st.composite
def series(draw: st.DrawFn, count: int, of: st.SearchStrategy[Shape] | None = None) -> tuple[Snapshot, ...]:
    """`count` instants of one node, in order, without resets."""
    taken = [snapshot_of(draw(shapes() if of is None else of), draw(SEEDS))]
    while len(taken) < count:
        taken.append(later(taken[-1], draw(SEEDS), draw(st.sampled_from((0.001, 1.0, 5.0, 3600.0)))))
    return tuple(taken)
