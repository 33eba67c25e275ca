"""The start-up cost of `neuron-ls -j` on a trn2.48xlarge, against an interpreter that imports argparse and json.

Runs the neuron-ls installed beside the interpreter, against a server that knows one answer.
"""

import json
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.timing import Figure, process_instructions, process_seconds, table
from neurontools.hardware.instances import INSTANCES, chip_of
from neurontools.hardware.topology import adjacency
from neurontools.schema.inventory import Inventory, InventoryDevice, to_document
from neurontools.wire import encode_answer

INSTRUCTIONS_RATIO = 1.8
TIME_RATIO = 2.0
COMPARISON = (sys.executable, "-c", "import argparse, json")
_MILLION = 1e6
_MS = 1e3


def inventory() -> Inventory:
    """An idle trn2.48xlarge."""
    instance = INSTANCES["trn2.48xlarge"]
    chip = chip_of(instance)
    devices = (
        InventoryDevice(
            device=i,
            cores=chip.cores,
            memory_bytes=chip.memory_bytes,
            connected_to=neighbours,
            bdf=instance.bdfs[i] if instance.bdfs else None,
            cpu_affinity=instance.cpu_affinity[i] if instance.cpu_affinity else None,
            numa_node=instance.numa_nodes[i] if instance.numa_nodes else None,
        )
        for i, neighbours in enumerate(adjacency(instance))
    )
    return Inventory(
        instance_type=instance.name,
        instance_id="i-00000000000000000",
        chip=chip.name,
        neuroncore_version=chip.core.version,
        topology=instance.topology,
        logical_neuroncore_config=chip.default_lnc,
        devices=tuple(devices),
        origin="model",
        simulated=True,
    )


@contextmanager
def serving(answer: bytes) -> Iterator[str]:
    """A socket that gives every request of every client this answer."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listener:
        path = f"{directory}/model.sock"
        listener.bind(path)
        listener.listen()
        threading.Thread(target=_answer, args=(listener, answer), daemon=True).start()
        yield path


def _answer(listener: socket.socket, answer: bytes) -> None:
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            for _ in lines:
                connection.sendall(answer)


def figures(command: tuple[str, ...]) -> list[Figure]:
    """Both programs' instructions and times; the command's budgets are multiples of the comparison's."""
    instructions = [process_instructions(program) for program in (COMPARISON, command)]
    seconds = [process_seconds(program, runs=21) for program in (COMPARISON, command)]
    counts = [None if count is None else count / _MILLION for count in instructions]
    return [
        Figure("argparse, json: instructions", counts[0], "M"),
        Figure("neuron-ls -j: instructions", counts[1], "M", counts[0] and counts[0] * INSTRUCTIONS_RATIO),
        Figure("argparse, json: time", seconds[0] * _MS, "ms"),
        Figure("neuron-ls -j: time", seconds[1] * _MS, "ms", seconds[0] * TIME_RATIO * _MS),
    ]


if __name__ == "__main__":
    with serving(encode_answer(json.dumps(to_document(inventory())).encode())) as socket_path:
        installed = str(Path(sys.executable).parent / "neuron-ls")
        print(table(figures((installed, "-j", "--source", f"model:{socket_path}"))))
