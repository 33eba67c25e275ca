"""The HTTP server of the exporter: the metrics page, whether it is healthy and ready, over TLS and to known users."""

from __future__ import annotations

import base64
import binascii
import socket
import ssl
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from neurontools.exporters.prometheus.page import Page
from neurontools.exporters.prometheus.webconfig import Certificates, Users

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_REQUEST_S = 10
"""A client that takes longer to ask, to shake hands or to take its answer is cut off."""

_MOST_CONNECTIONS = 40

_POLL_S = 0.4
"""How soon a server that is told to stop does."""

_INDEX = b"""<!doctype html><title>neuron-monitor-prometheus</title><h1>neuron-monitor-prometheus</h1>
<p><a href="/metrics">metrics</a> &middot; <a href="/-/healthy">healthy</a> &middot; <a href="/-/ready">ready</a></p>
"""


class Answer(NamedTuple):
    """What a path is answered with."""

    status: HTTPStatus
    kind: str
    body: bytes
    compressed: bytes | None = None


class Server(ThreadingHTTPServer):
    """Serves until `stop`. `users` empty: everybody; `certificates` None: plain HTTP."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, page: Page, certificates: Certificates | None, users: Users) -> None:
        """Listens; raises OSError when it cannot."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)
        self.page = page
        self.certificates = certificates
        self.users = users
        self._free = threading.Semaphore(_MOST_CONNECTIONS)

    def start(self) -> None:
        """Serves in the background."""
        threading.Thread(target=self.serve_forever, args=(_POLL_S,), name="server", daemon=True).start()

    def stop(self) -> None:
        """Accepts nothing more."""
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        """Where it can be reached."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"{'http' if self.certificates is None else 'https'}://{name}:{port}"

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether a connection is served: beyond the most that are, it is closed at once."""
        return self._free.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves one connection; the handshake is part of that, so that a slow client holds up nobody else."""
        try:
            request.settimeout(_REQUEST_S)
            if self.certificates is not None:
                request = self.certificates.context().wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            with suppress(OSError):
                self.shutdown_request(request)
        else:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up in the middle is no error of ours; nothing else is expected here."""

    def answer(self, path: str) -> Answer:
        """What a path is answered with."""
        if path == "/metrics":
            text = self.page.get()
            return Answer(HTTPStatus.OK, CONTENT_TYPE, text.plain, text.compressed)
        if path == "/-/healthy":
            return Answer(HTTPStatus.OK, "text/plain", b"healthy\n")
        if path == "/-/ready":
            ready = self.page.ready
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            return Answer(status, "text/plain", b"ready\n" if ready else b"nothing could be read lately\n")
        if path == "/":
            return Answer(HTTPStatus.OK, "text/html; charset=utf-8", _INDEX)
        return Answer(HTTPStatus.NOT_FOUND, "text/plain", b"there is /metrics, /-/healthy and /-/ready\n")


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "neurontools"
    sys_version = ""
    timeout = _REQUEST_S
    # Else the body would wait for the head to be acknowledged, which a client on a kept connection delays by 40 ms.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._respond(with_body=True)

    def do_HEAD(self) -> None:
        self._respond(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not worth a line each."""

    def _respond(self, with_body: bool) -> None:
        path = urlsplit(self.path).path
        # Whoever watches over the process need not be let in to see whether it lives.
        if self.server.users and not path.startswith("/-/") and not self._known():
            self._send(Answer(HTTPStatus.UNAUTHORIZED, "text/plain", b"who are you?\n"), with_body, challenge=True)
            return
        self._send(self.server.answer(path), with_body)

    def _send(self, answer: Answer, with_body: bool, challenge: bool = False) -> None:
        zipped = answer.compressed is not None and "gzip" in self.headers.get("Accept-Encoding", "")
        body = answer.compressed if zipped and answer.compressed is not None else answer.body
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body)))
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        if challenge:
            self.send_header("WWW-Authenticate", 'Basic realm="metrics"')
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _known(self) -> bool:
        scheme, _, text = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, colon, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return bool(colon) and self.server.users.know(name, password)
