"""What a diagnosis costs beside the reading that it is made from: a look at 128 cores with 16 servers on them.

The comparison is the interval that every tool computes from the same two readings.
"""

import tracemalloc

from benchmarks.bench_recording import GROUPS, cpu_seconds, frames_of, host
from benchmarks.timing import Figure, table
from neurontools.diagnosis import Doctor
from neurontools.recording import Frame
from neurontools.schema.interval import between

LOOK_MS = 5.0


def look_seconds(frames: list[Frame]) -> float:
    """CPU time of one look, of a doctor that has seen the others."""
    doctor = Doctor()
    rest = iter(frames)
    for frame in frames[: len(frames) // 2]:
        doctor.see(next(rest).inventory, frame.snapshot)

    def see() -> None:
        frame = next(rest)
        doctor.see(frame.inventory, frame.snapshot, frame.events.events)

    return cpu_seconds(see, len(frames) // 2 - 1)


def kept_bytes(frames: list[Frame]) -> int:
    """What a doctor keeps that has seen them all."""
    tracemalloc.start()
    doctor = Doctor()
    before = tracemalloc.get_traced_memory()[0]
    for frame in frames:
        doctor.see(frame.inventory, frame.snapshot)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return kept


def main() -> None:
    """Prints the figures."""
    frames = frames_of(host(2, GROUPS), 1)
    whole = cpu_seconds(lambda: between(frames[0].snapshot, frames[1].snapshot))
    look = look_seconds(frames)
    figures = [
        Figure("a look at 128 cores, CPU", look * 1e3, "ms", LOOK_MS),
        Figure("times the interval of the same readings", look / whole, "x"),
        Figure(f"kept after {len(frames)} looks", kept_bytes(frames) / 2**20, "MiB"),
    ]
    print(table(figures))


if __name__ == "__main__":
    main()
