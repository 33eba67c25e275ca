"""The exporter itself, as Prometheus' client library for Python shows every program: interpreter and process."""

from __future__ import annotations

import gc
import os
import platform
import resource
from collections.abc import Iterator
from typing import NamedTuple

from neurontools.exporters.prometheus.family import COUNTER, GAUGE, escaped

_GENERATIONS = (
    ("collected", "python_gc_objects_collected_total", "Objects collected during gc"),
    ("uncollectable", "python_gc_objects_uncollectable_total", "Uncollectable object found during GC"),
    ("collections", "python_gc_collections_total", "Number of times this generation was collected"),
)


class _Process(NamedTuple):
    """Numbers of a process, in bytes and seconds."""

    virtual_bytes: int
    resident_bytes: int
    started_s: float
    cpu_s: float
    open_files: int
    most_files: int


def itself_text(proc: str = "/proc") -> str:
    """The series of AWS's page that are about its script; those of the process only where `proc` tells them."""
    lines = [*_interpreter()]
    found = _process(proc)
    if found is not None:
        lines += _about(found)
    return "\n".join([*lines, ""])


def _interpreter() -> Iterator[str]:
    for key, name, text in _GENERATIONS:
        yield from _head(name, COUNTER, text)
        for generation, stats in enumerate(gc.get_stats()):
            yield f'{name}{{generation="{generation}"}} {float(stats[key])!r}'
    major, minor, patchlevel = platform.python_version_tuple()
    labels = {
        "implementation": platform.python_implementation(),
        "major": major,
        "minor": minor,
        "patchlevel": patchlevel,
        "version": platform.python_version(),
    }
    yield from _head("python_info", GAUGE, "Python platform information")
    yield f"python_info{{{','.join([f'{name}={_quoted(value)}' for name, value in labels.items()])}}} 1.0"


def _about(found: _Process) -> Iterator[str]:
    for name, kind, text, value in (
        ("process_virtual_memory_bytes", GAUGE, "Virtual memory size in bytes.", found.virtual_bytes),
        ("process_resident_memory_bytes", GAUGE, "Resident memory size in bytes.", found.resident_bytes),
        (
            "process_start_time_seconds",
            GAUGE,
            "Start time of the process since unix epoch in seconds.",
            found.started_s,
        ),
        ("process_cpu_seconds_total", COUNTER, "Total user and system CPU time spent in seconds.", found.cpu_s),
        ("process_open_fds", GAUGE, "Number of open file descriptors.", found.open_files),
        ("process_max_fds", GAUGE, "Maximum number of open file descriptors.", found.most_files),
    ):
        yield from _head(name, kind, text)
        yield f"{name} {float(value)!r}"


def _process(proc: str) -> _Process | None:
    try:
        with open(f"{proc}/self/stat", encoding="utf-8", errors="replace") as file:
            # The program's name, in brackets, may hold blanks and brackets of its own.
            fields = file.read().rpartition(")")[2].split()
        with open(f"{proc}/stat", encoding="utf-8") as file:
            booted_s = next(float(line.split()[1]) for line in file if line.startswith("btime "))
        ticks = os.sysconf("SC_CLK_TCK")
        return _Process(
            virtual_bytes=int(fields[20]),
            resident_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
            started_s=booted_s + int(fields[19]) / ticks,
            cpu_s=(int(fields[11]) + int(fields[12])) / ticks,
            open_files=len(os.listdir(f"{proc}/self/fd")),
            most_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        )
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _quoted(text: str) -> str:
    return f'"{escaped(text)}"'
