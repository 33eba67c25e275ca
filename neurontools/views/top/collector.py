"""Reading beside the screen: a thread that reads when asked and hands over what it got, however long that takes."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

from neurontools.views.top.reader import Reader, Reading


class Request(NamedTuple):
    """What is to be read besides: what is in registers, and the bank map of a device."""

    registers: bool = False
    bank_map_of: int | None = None


EVERYTHING_ELSE = Request()


class Collector:
    """Reads on a thread of its own; `deliver` is called there with every reading.

    One request at a time is under way, so a source that stalls never makes requests pile up. The thread
    dies with the program: quitting does not wait for a source that is silent.
    """

    def __init__(self, reader: Reader, deliver: Callable[[Reading], object]) -> None:
        self._reader = reader
        self._deliver = deliver
        self._requests: SimpleQueue[Request | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="neuron-top collector", daemon=True)

    def start(self) -> None:
        """Starts the thread, which waits for a request."""
        self._thread.start()

    def request(self, request: Request = EVERYTHING_ELSE) -> None:
        """Asks for one reading."""
        self._requests.put(request)

    def stop(self) -> None:
        """Lets the thread end after the reading that is under way."""
        self._requests.put(None)

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            try:
                reading = self._reader.read(*request)
            except Exception as error:
                # A fault in reading must show on the screen, not end this thread unseen.
                reading = Reading(error=f"{type(error).__name__}: {error}")
            self._deliver(reading)
            if not reading.error:
                self._reader.remember()
