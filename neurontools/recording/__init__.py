"""Recordings: one format for what is kept of readings, on disk and on its way there."""

from neurontools.recording.blocks import Block, Damage
from neurontools.recording.frames import Frame, replayed
from neurontools.recording.player import Player
from neurontools.recording.reader import Recording, RecordingError
from neurontools.recording.reading import About
from neurontools.recording.series import Series, SeveralError, files_of, recordings_in
from neurontools.recording.writer import Writer, create
from neurontools.schema.inventory import RECORDING

__all__ = [
    "RECORDING",
    "About",
    "Block",
    "Damage",
    "Frame",
    "Player",
    "Recording",
    "RecordingError",
    "Series",
    "SeveralError",
    "Writer",
    "create",
    "files_of",
    "recordings_in",
    "replayed",
]
