"""A process that receives OTLP metrics, by gRPC and HTTP: prints its two ports, then each request as a line of JSON.

Its arguments are what it answers first, one a request: `fail` or `ok`; then it takes everything.
"""

from __future__ import annotations

import sys
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as messages
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as services

_answers = sys.argv[1:]
_lock = threading.Lock()


def take(request: Any) -> bool:
    """Whether the request is taken; if so, it has been printed."""
    with _lock:
        if _answers and _answers.pop(0) == "fail":
            return False
        print(MessageToJson(request, indent=None), flush=True)
        return True


class Service(services.MetricsServiceServicer):
    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol calls it so)
        if not take(request):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no room")
        return messages.ExportMetricsServiceResponse()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        taken = self.path == "/v1/metrics" and take(messages.ExportMetricsServiceRequest.FromString(body))
        self.send_response(200 if taken else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    register: Any = services.add_MetricsServiceServicer_to_server
    register(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(port, http.server_address[1], flush=True)
    http.serve_forever()


if __name__ == "__main__":
    main()
