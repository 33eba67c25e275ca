"""Frames for tests, from simulated hosts and from hypothesis, and files that hold them."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hypothesis import strategies as st

from device_model.simulation import NS, Simulation
from neurontools.recording import Frame, Recording, Writer, create
from neurontools.schema.allocations import Allocation, Allocations, BankMap
from neurontools.schema.events import KINDS, Event, Events
from neurontools.schema.inventory import Holder, Inventory, InventoryDevice
from neurontools.schema.snapshot import Snapshot
from tests.device_model.hosts import host, server
from tests.schema.strategies import SEEDS, later, snapshots

TEXTS = st.sampled_from(["", "a", "python serve.py --key secret", "exit status 0", "nd0: 007 of 12.50 µs", "x: y: z"])


MAP = Allocations(
    device=1,
    time_ns=7,
    banks=(
        BankMap(
            index=0,
            total_bytes=16 << 30,
            reserved_bytes=1 << 20,
            allocations=(Allocation(1 << 20, 512, 500, 4096, 0, "tensors", "m", "x: y"),),
        ),
    ),
)


def frame_of(model: Simulation, since: int = 0) -> Frame:
    """What can be read of a model now, with the events after a number."""
    return Frame(model.snapshot(), model.inventory(), model.events(since))


def frames_of(model: Simulation, count: int, step_ns: int = NS) -> list[Frame]:
    """The frames of a model that moves on by steps."""
    frames = [frame_of(model)]
    seen = 0
    while len(frames) < count:
        seen = max([seen, *(event.seq for event in frames[-1].events.events)])
        model.advance(model.now_ns + step_ns)
        frames.append(frame_of(model, seen))
    return frames


def troubled_frames(count: int = 40, step_ns: int = NS // 2) -> list[Frame]:
    """Three servers, of which one crashes, one reloads its model, and one runs out of luck on a broken core."""
    model = host(
        server("a", restart="2s"),
        server("b", tp=4, start="1s", restart="3s"),
        server("c", reload={"every": "4s", "pause": "2s"}),
        instance="inf2.24xlarge",
        faults=[
            {"fault": "crash", "process": "a", "at": "7s"},
            {"fault": "hbm-corrected", "core": 2, "at": "3s", "for": "5s", "parameters": {"rate": 7200}},
            {"fault": "hbm-uncorrected", "core": 3, "at": "9s"},
            {"fault": "driver-old", "at": "12s", "for": "2s", "parameters": {"version": "2.20.28"}},
            {"fault": "sysfs-unreadable", "at": "15s", "for": "2s"},
            {"fault": "driver-missing", "at": "18s", "for": "1s"},
        ],
    )
    return frames_of(model, count, step_ns)


def written(path: Path, frames: Iterable[Frame], frames_per_block: int = 7, ended: bool = True) -> list[int]:
    """Writes a recording with its command lines; returns the file's size after each frame."""
    sizes = []
    fd = create(str(path), replace=True)
    try:
        writer = Writer(fd, command_lines=True, frames_per_block=frames_per_block)
        for frame in frames:
            writer.write(frame)
            sizes.append(os.fstat(fd).st_size)
        if ended:
            writer.end_block()
    finally:
        os.close(fd)
    return sizes


def read(path: Path) -> tuple[list[Frame], list[str]]:
    """All frames of a recording, and what was said of those that could not be read."""
    with Recording(str(path)) as recording:
        frames = list(recording.frames())
        return frames, [str(damage) for damage in recording.damage]


def bytes_file(path: Path, data: bytes) -> Path:
    """A file with these bytes."""
    path.write_bytes(data)
    return path


def inventory(devices: int, command: str) -> Inventory:
    """What is installed on a host, one device of it held."""
    held = (Holder(4096, command),)
    return Inventory(
        instance_type="inf2.48xlarge",
        instance_id="i-00000000000000000",
        chip="Inferentia2",
        neuroncore_version="v2",
        topology="ring",
        logical_neuroncore_config=1,
        devices=tuple(InventoryDevice(i, 2, 32 << 30, holders=held if i == 0 else ()) for i in range(devices)),
        origin="model",
        simulated=True,
        scenario="test",
    )


@st.composite
def events(draw: st.DrawFn) -> Events:
    """A few events of any kind."""
    told = draw(st.lists(st.tuples(st.sampled_from(KINDS), TEXTS), max_size=3))
    return Events(
        events=tuple(Event(seq=i + 1, time_ns=i, kind=kind, text=text) for i, (kind, text) in enumerate(told)),
        lost=draw(st.sampled_from([0, 3])),
    )


@st.composite
def frame_series(draw: st.DrawFn) -> Sequence[Frame]:
    """Frames in any order: a node that goes on, another node, or an instant once more."""
    taken: list[Snapshot] = [draw(snapshots())]
    for seed in draw(st.lists(SEEDS, max_size=5)):
        follows = draw(st.sampled_from(["same", "same", "other", "again"]))
        if follows == "other":
            taken.append(draw(snapshots()))
        else:
            taken.append(later(taken[-1], seed) if follows == "same" else taken[-1])
    maps = st.sampled_from([(), (), (MAP,), (MAP, MAP)])
    return [
        Frame(snapshot, inventory(draw(st.integers(0, 2)), draw(TEXTS)), draw(events()), draw(maps))
        for snapshot in taken
    ]
