"""Recordings: one format for what is kept of readings, on disk and on its way there."""

from neurontools.recording.blocks import Block, Damage
from neurontools.recording.frames import RECORDING, Frame, replayed
from neurontools.recording.reader import Recording, RecordingError
from neurontools.recording.reading import About
from neurontools.recording.writer import Writer, create

__all__ = [
    "RECORDING",
    "About",
    "Block",
    "Damage",
    "Frame",
    "Recording",
    "RecordingError",
    "Writer",
    "create",
    "replayed",
]
