"""What a published tree is made of: files and links, by their path below its root."""

from typing import NamedTuple


class File(NamedTuple):
    """A file with its permissions and its whole text."""

    path: str
    mode: int
    text: str


class Link(NamedTuple):
    """A symbolic link and what it says."""

    path: str
    target: str


Entry = File | Link
