"""A kubelet for tests: its process, and the answer that it gives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import ROOT
from tests.sources.server import socket_path

CORE, DEVICE, OLD_DEVICE = "aws.amazon.com/neuroncore", "aws.amazon.com/neurondevice", "aws.amazon.com/neuron"


def container(name: str, **parts: Any) -> dict[str, Any]:
    """A container as the protocol's JSON has it; `devices` is ids by resource, `claims` claimed resources."""
    devices = [{"resourceName": resource, "deviceIds": ids} for resource, ids in parts.get("devices", {}).items()]
    claims = parts.get("claims", [])
    return {"name": name, "devices": devices, "dynamicResources": [{"claimName": "c", "claimResources": claims}]}


def pods(*containers: tuple[str, str, dict[str, Any]]) -> str:
    """An answer: namespace, pod and container of each."""
    listed = [{"namespace": namespace, "name": pod, "containers": [held]} for namespace, pod, held in containers]
    return json.dumps({"podResources": listed})


class Kubelet(NamedTuple):
    """A kubelet that answers."""

    socket: str
    file: Path
    process: subprocess.Popen[str]

    def say(self, answer: str) -> None:
        """What it answers from now on."""
        self.file.write_text(answer)


@contextmanager
def kubelet(answer: str = "{}") -> Iterator[Kubelet]:
    """A kubelet's process on a socket of its own."""
    with socket_path() as path:
        file = Path(path).with_name("answer")
        file.write_text(answer)
        words = [sys.executable, "-m", "tests.sources.kubernetes.kubelet", path, str(file)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            try:
                assert process.stdout is not None and process.stdout.readline() == "ready\n"
                yield Kubelet(path, file, process)
            finally:
                process.kill()
