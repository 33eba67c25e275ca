"""Asks the kubelet of this node, on its pod-resources socket, who was given which Neuron device."""

from __future__ import annotations

import os
import stat
from typing import Any

from neurontools.schema.owners import Owners
from neurontools.schema.source import SourceError
from neurontools.sources.kubernetes import DEFAULT_SOCKET

TIMEOUT_S = 2.0
_MOST_BYTES = 16 << 20
"""A node of 110 pods with 64 devices each lists less than a tenth of it."""

_MOUNT_HINT = f"mount the host's {os.path.dirname(DEFAULT_SOCKET)} into the container, or name another socket"


class PodResources:
    """The kubelet on one socket. It may come, go and come again: each question connects anew if it must."""

    def __init__(self, path: str = DEFAULT_SOCKET, timeout_s: float = TIMEOUT_S) -> None:
        """Raises SourceError when the library that speaks gRPC is missing."""
        # Else gRPC's threads begin anew in every child, and abort it when its descriptors are closed before exec.
        os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
        try:
            import grpc

            from neurontools.sources.kubernetes.messages import LIST
        except ImportError:
            raise SourceError("gRPC is missing", "pip install 'neurontools[k8s]'") from None
        self.path = os.path.abspath(path)
        self._timeout_s = timeout_s
        # A proxy is for the network; and a server in Go takes no socket's path for the name of a host.
        options = [
            ("grpc.max_receive_message_length", _MOST_BYTES),
            ("grpc.enable_http_proxy", 0),
            ("grpc.default_authority", "localhost"),
            ("grpc.max_reconnect_backoff_ms", 1000),
        ]
        self._channel = grpc.insecure_channel(f"unix:{self.path}", options=options)
        self._list = self._channel.unary_unary(LIST)

    def owners(self, cores_per_device: int) -> Owners:
        """Who holds what now. Raises SourceError with what is wrong and what to do about it."""
        import grpc
        from google.protobuf.message import DecodeError

        from neurontools.sources.kubernetes.allotments import owners_of
        from neurontools.sources.kubernetes.messages import decoded_response, encoded_request

        self._check()
        try:
            answer = self._list(encoded_request(), timeout=self._timeout_s, wait_for_ready=True)
            return owners_of(decoded_response(answer), cores_per_device)
        except grpc.RpcError as error:
            raise SourceError(f"the kubelet at {self.path} does not tell: {self._words(error)}") from None
        except DecodeError:
            raise SourceError(f"what answers at {self.path} is no kubelet: its answer cannot be read") from None

    def close(self) -> None:
        """Lets go of the connection; safe to call twice."""
        self._channel.close()

    def _check(self) -> None:
        """Says what the socket itself is in the way of; gRPC would only say that it cannot connect."""
        try:
            mode = os.stat(self.path).st_mode
        except OSError as error:
            reason = (error.strerror or "it cannot be reached").lower()
            raise SourceError(f"no kubelet at {self.path}: {reason}", _MOUNT_HINT) from None
        if not stat.S_ISSOCK(mode):
            raise SourceError(f"no kubelet at {self.path}: it is no socket", _MOUNT_HINT)
        if not os.access(self.path, os.R_OK | os.W_OK):
            raise SourceError(f"no kubelet at {self.path}: permission denied", "the socket is root's: run as user 0")

    def _words(self, error: Any) -> str:
        import grpc

        words = {
            grpc.StatusCode.DEADLINE_EXCEEDED: f"no answer in {self._timeout_s:g} s",
            grpc.StatusCode.UNAVAILABLE: "nobody answers",
            grpc.StatusCode.UNIMPLEMENTED: "it does not know the pod-resources API v1 (Kubernetes 1.20 or later does)",
            grpc.StatusCode.RESOURCE_EXHAUSTED: f"its list is longer than {_MOST_BYTES >> 20} MiB, or asked too often",
        }
        return words.get(error.code()) or " ".join(str(error.details() or error.code().name).split())[:200]
