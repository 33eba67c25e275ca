"""An offline run of wandb beside a training process, and what its Trainium monitor has noted in the run's file."""

import glob
import json
import struct
import sys
import time
from collections.abc import Iterator

import wandb
from wandb.proto import wandb_internal_pb2

PATIENCE_S = 90
_HEADER_BYTES, _BLOCK_BYTES, _RECORD_HEADER = 7, 32768, struct.Struct("<IHB")
_WHOLE, _FIRST, _LAST = 1, 2, 4


def records(path: str) -> Iterator[wandb_internal_pb2.Record]:
    """The records of a run's file, which is a log in LevelDB's format behind a header of wandb's."""
    with open(path, "rb") as file:
        data = file.read()
    at, record = _HEADER_BYTES, b""
    while at + _RECORD_HEADER.size <= len(data):
        left = _BLOCK_BYTES - at % _BLOCK_BYTES
        if left < _RECORD_HEADER.size:
            at += left
            continue
        _, length, part = _RECORD_HEADER.unpack_from(data, at)
        at += _RECORD_HEADER.size
        record = data[at : at + length] if part in (_WHOLE, _FIRST) else record + data[at : at + length]
        at += length
        if part in (_WHOLE, _LAST):
            yield wandb_internal_pb2.Record.FromString(record)


def noted(directory: str) -> dict[str, object]:
    """The accelerators that wandb has found, and the first sample that it has of them."""
    found: dict[str, object] = {}
    for record in (record for path in glob.glob(f"{directory}/wandb/*/*.wandb") for record in records(path)):
        trainium = record.environment.trainium
        if trainium.neuron_device_count:
            found["devices"] = trainium.neuron_device_count
            found["cores_per_device"] = trainium.neuroncore_per_device_count
        sample = {item.key: json.loads(item.value_json) for item in record.stats.item if item.key.startswith("trn.")}
        if sample:
            found.setdefault("sample", sample)
    return found


def main(directory: str, pid: int) -> None:
    """Runs beside the process `pid`, in whose place wandb would be in a training script."""
    settings = wandb.Settings(x_stats_sampling_interval=1.0, x_stats_pid=pid, console="off", silent=True)
    run = wandb.init(project="clients", mode="offline", dir=directory, settings=settings)
    deadline = time.monotonic() + PATIENCE_S
    while "sample" not in noted(directory) and time.monotonic() < deadline:
        time.sleep(0.5)
    run.finish()
    print(json.dumps(noted(directory)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
