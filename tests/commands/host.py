"""A host on a socket whose time moves by a second with every reading, and that can go away and be booted again."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress

from neurontools.hardware.instances import INSTANCES
from neurontools.schema.document import encode
from neurontools.schema.events import Events
from neurontools.schema.inventory import to_document
from neurontools.schema.snapshot import Snapshot
from neurontools.wire import decode_request, encode_answer
from tests.exporters.nodes import SECOND_NS, inventory_for, reading

PAST_S = 2
"""How much older than the first reading of a boot its past is."""


class TickingHost:
    """Serves the readings of an instance type at `path` from `boot` on, until `stop`."""

    def __init__(self, path: str, instance: str = "trn1.2xlarge", first_s: int = 100, has_past: bool = True) -> None:
        self.path = path
        self._instance = INSTANCES[instance]
        self._first_s = first_s
        self._has_past = has_past
        self.now_s = first_s
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._thread: threading.Thread | None = None

    def boot(self, boot_id: str) -> None:
        """Begins to serve; the time begins anew."""
        self._boot_id, self.now_s = boot_id, self._first_s
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()
        self._open = [listener]
        self._thread = threading.Thread(target=self._serve, args=(listener,))
        self._thread.start()

    def stop(self) -> None:
        """Ends all connections and leaves no socket."""
        if self._thread is None:
            return
        os.unlink(self.path)
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for each in self._open:
            each.close()
        self._thread = None

    def _serve(self, listener: socket.socket) -> None:
        threads = []
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                break
            self._open.append(connection)
            threads.append(threading.Thread(target=self._converse, args=(connection,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _converse(self, connection: socket.socket) -> None:
        with suppress(OSError), connection.makefile("rb") as lines:
            for line in lines:
                call, args = decode_request(line)
                connection.sendall(encode_answer(self._answer(call, args.get("age_ns", 0))))

    def _answer(self, call: str, age_ns: int) -> bytes:
        with self._lock:
            if call == "inventory":
                return _json(to_document(inventory_for(self._instance)))
            if call == "past":
                known = self._has_past and age_ns <= PAST_S * SECOND_NS
                return encode(self._reading(self.now_s - 1 - PAST_S)) if known else b"null"
            if call == "events":
                return encode(Events())
            self.now_s += 1
            return encode(self._reading(self.now_s - 1))

    def _reading(self, at_s: int) -> Snapshot:
        return reading(self._instance, at_s, self._boot_id)


def _json(document: object) -> bytes:
    import json

    return json.dumps(document).encode()
