"""What recording costs for 128 cores: bytes and CPU time a frame, seven days of them, and finding an instant in those.

Sixteen groups in lockstep are what a host with large models is; 128 servers on a core each are the worst that can be.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench_device_model import OPT_30B, WARM_NS
from benchmarks.timing import Figure, table
from device_model.scenario import NamedScenario, from_document
from device_model.simulation import NS, Simulation
from neurontools.recording import Block, Frame, Recording, Writer, create
from neurontools.recording.records import END, HEAD_BYTES, Summary, end_record, head_of, record
from neurontools.sources.replay import ReplaySource, open_replay

DAY_S = 86_400
FULL_RATE_DAYS, THINNED_DAYS, THINNED_S = 1, 6, 10
"""How a flight recorder keeps a week: a day at 1 Hz, what is older thinned to a frame in ten seconds."""

FRAMES = 90
GROUPS = {"replicas": 16, "workload": OPT_30B | {"tp": 4}}
ARRIVALS = {"kind": "poisson", "per_second": 2.0}
ON_ONE_CORE = {"replicas": 128, "workload": OPT_30B | {"model": "opt-1.3b", "tp": 1, "batch": 4, "arrivals": ARRIVALS}}


def host(lnc: int, processes: dict[str, Any]) -> Simulation:
    """A stepped trn2.48xlarge with these servers, warmed up; `lnc` physical cores make a logical one."""
    document = {
        "description": "a benchmark",
        "instance": "trn2.48xlarge",
        "logical_neuroncore_config": lnc,
        "processes": [{"name": "server"} | processes],
    }
    made = Simulation(NamedScenario("benchmark", from_document(document, "benchmark")))
    made.advance(made.now_ns + WARM_NS)
    return made


def frames_of(simulation: Simulation, step_s: int) -> list[Frame]:
    """Readings at an even step; few enough to keep them all."""
    taken = []
    for _ in range(FRAMES):
        simulation.advance(simulation.now_ns + step_s * NS)
        taken.append(Frame(simulation.snapshot(), simulation.inventory()))
    return taken


def cpu_seconds(call: Callable[[], object], rounds: int = 21) -> float:
    """Median CPU time of one call: what it takes on a machine that is not shared."""
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        spent.append(time.process_time() - began)
    return statistics.median(spent)


def written(path: Path, frames: list[Frame]) -> tuple[float, float]:
    """Bytes and seconds of CPU time that a frame takes."""
    fd = create(str(path), replace=True)
    writer = Writer(fd)
    began = time.process_time()
    for frame in frames:
        writer.write(frame)
    writer.end_block()
    spent = time.process_time() - began
    os.close(fd)
    return path.stat().st_size / len(frames), spent / len(frames)


def week_bytes(full_rate: float, thinned: float) -> float:
    """The bytes of seven days, of frames of these sizes."""
    return DAY_S * (FULL_RATE_DAYS * full_rate + THINNED_DAYS * thinned / THINNED_S)


def records(data: bytes) -> Iterator[tuple[bytes, bytes, int, int]]:
    """The records of a recording: kind, packed document, its length unpacked, and the time."""
    at = 0
    while (head := head_of(data[at : at + HEAD_BYTES])) is not None:
        yield head.kind, data[at + HEAD_BYTES : at + head.record_bytes], head.document_bytes, head.time_ns
        at += head.record_bytes


def shifted(data: bytes, by_ns: int) -> bytes:
    """A recording at another time, as far as finding an instant is concerned."""
    out: list[bytes] = []
    for block in blocks_of(data):
        body = [record(kind, packed, size, at_ns + by_ns) for kind, packed, size, at_ns in block]
        times = [at_ns + by_ns for _, _, _, at_ns in block]
        out += [*body, end_record(Summary(sum(map(len, body)), len(block) - 1, 0, times[0], times[-1]))]
    return b"".join(out)


def blocks_of(data: bytes) -> Iterator[list[tuple[bytes, bytes, int, int]]]:
    """The records of each block but its last."""
    block = []
    for each in records(data):
        if each[0] != END:
            block.append(each)
        else:
            yield block
            block = []


def seeking(path: Path, frames: list[Frame]) -> tuple[float, float, float]:
    """CPU time of opening a file of seven days for a replay, and of its slowest instant and of the one amid a block."""
    written(path, frames)
    piece = path.read_bytes()
    lasts_ns = frames[-1].time_ns - frames[0].time_ns + NS
    week = round(DAY_S * (FULL_RATE_DAYS + THINNED_DAYS / THINNED_S))
    with path.open("wb") as file:
        for i in range(week // len(frames)):
            file.write(shifted(piece, i * lasts_ns))
    opening = cpu_seconds(lambda: open_replay(str(path), {}).close())
    with Recording(str(path)) as recording:
        block = recording.blocks[len(recording.blocks) // 2]
    source = open_replay(str(path), {})
    instants = (block.last_ns, (block.first_ns + block.last_ns) // 2)
    slowest, middle = (cpu_seconds(lambda at_ns=at_ns: seek(source, block, at_ns)) for at_ns in instants)  # type: ignore[misc]
    source.close()
    return opening, slowest, middle


def seek(source: ReplaySource, block: Block, at_ns: int) -> None:
    """A reading of an instant; in between another one is shown, which the source would else have kept."""
    source.playback.seek(at_ns)
    source.snapshot()
    source.playback.seek(block.first_ns)
    source.snapshot()


def reading_seconds(path: Path, frames: list[Frame]) -> float:
    """CPU time of reading a frame in order."""
    written(path, frames)
    began = time.process_time()
    with Recording(str(path)) as recording:
        count = sum(1 for _ in recording.frames())
    return (time.process_time() - began) / count


def measured(path: Path, name: str, simulation: Simulation, budgets: tuple[float | None, ...]) -> list[Figure]:
    """The figures of one kind of load."""
    (full_rate, seconds), (thinned, _) = (written(path, frames_of(simulation, step_s)) for step_s in (1, THINNED_S))
    return [
        Figure(f"{name}: a frame at 1 Hz", full_rate, "bytes"),
        Figure(f"{name}: a frame in 10 s", thinned, "bytes"),
        Figure(f"{name}: seven days", week_bytes(full_rate, thinned) / 1e6, "MB", budgets[0]),
        Figure(f"{name}: writing a frame, CPU time", 1000 * seconds, "ms", budgets[1]),
    ]


def main() -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "bench.nrec")
        groups = host(2, GROUPS)
        figures = measured(path, "16 groups", groups, (1000.0, 5.0))
        frames = frames_of(groups, 1)
        opening, slowest, middle = seeking(path, frames)
        figures += [
            Figure("16 groups: reading a frame, CPU time", 1000 * reading_seconds(path, frames), "ms"),
            Figure("seven days: opening the file to replay it, CPU time", 1000 * opening, "ms", 50.0),
            Figure("seven days: two seeks, to a block's end and its start", 1000 * slowest, "ms", 50.0),
            Figure("seven days: two seeks, amid a block and to its start", 1000 * middle, "ms", 50.0),
        ]
        figures += measured(path, "128 cores for themselves", host(1, ON_ONE_CORE), (None, None))
    print(table(figures))


if __name__ == "__main__":
    main()
