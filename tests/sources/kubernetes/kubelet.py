"""A process that is a kubelet on its pod-resources socket: code made from the published protocol by its own compiler.

Its arguments are the socket and a file with the answer as JSON, read again at each call. Instead of it the file may
hold one of the words `slow`, `unimplemented` and `vast`.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import Parse
from grpc_tools import protoc

PROTOCOL = Path(__file__).with_name("podresources.proto")
SLOW_S = 5.0
_VAST_BYTES = 20 << 20


def compiled(directory: str) -> tuple[Any, Any]:
    """The protocol's messages and its service, as modules."""
    code = protoc.main(
        ["", f"-I{PROTOCOL.parent}", f"--python_out={directory}", f"--grpc_python_out={directory}", str(PROTOCOL)]
    )
    assert code == 0
    sys.path.insert(0, directory)
    return importlib.import_module("podresources_pb2"), importlib.import_module("podresources_pb2_grpc")


def answer(said: str, context: Any, messages: Any) -> Any:
    """What the file asks for."""
    if said == "slow":
        time.sleep(SLOW_S)
    if said == "unimplemented":
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown service v1.PodResourcesLister")
    if said == "vast":
        pod = messages.PodResources(name="x" * _VAST_BYTES)
        return messages.ListPodResourcesResponse(pod_resources=[pod])
    return Parse("{}" if said == "slow" else said, messages.ListPodResourcesResponse())


def main(socket: str, file: str) -> None:
    """Serves until it is killed; says on stdout when it can be asked."""
    with tempfile.TemporaryDirectory() as directory:
        messages, services = compiled(directory)

    def listed(_: Any, request: Any, context: Any) -> Any:
        return answer(Path(file).read_text(), context, messages)

    kubelet = type("Kubelet", (services.PodResourcesListerServicer,), {"List": listed})
    server = grpc.server(futures.ThreadPoolExecutor(4))
    services.add_PodResourcesListerServicer_to_server(kubelet(), server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
