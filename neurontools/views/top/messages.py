"""The messages that travel through neuron-top."""

from __future__ import annotations

from textual.message import Message

from neurontools.views.top.reader import Reading


class Arrived(Message):
    """A reading is there, or the reason why there is none."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading


class Wanted(Message):
    """A page wants something else read than before: the next reading is not waited for."""
