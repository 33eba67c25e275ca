"""What the tests of several tools share: a host that moves whenever it is read."""

from collections.abc import Iterator

import pytest

from tests.commands.host import TickingHost
from tests.sources.server import socket_path


@pytest.fixture
def host() -> Iterator[TickingHost]:
    """A TickingHost that was booted once; it stops with the test."""
    with socket_path() as path:
        host = TickingHost(path)
        host.boot("first")
        yield host
        host.stop()
