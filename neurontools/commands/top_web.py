"""neuron-top in a browser: the same program behind a page that only this machine reaches, and without signals."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from neurontools.commands.errors import UsageError
from neurontools.units import whole_number

HOST = "127.0.0.1"
DEFAULT_PORT = 8780
_LEAST_PORT, _MOST_PORT = 1024, 65_535
_OURS = ("web", "port", "readonly")
_DRIVER = "TEXTUAL_DRIVER"
_TEMPLATE = "app_index.html"
_FOREIGN = re.compile(r"<link[^>]*https?://[^>]*>")


def is_web() -> bool:
    """Whether this very process draws into a browser: then it has no terminal, and needs none."""
    return "web_driver" in os.environ.get(_DRIVER, "")


def port_of(text: str) -> int:
    """The number of a port. Raises UsageError."""
    port = whole_number(text)
    if port is None or not _LEAST_PORT <= port <= _MOST_PORT:
        raise UsageError(f"--port takes {_LEAST_PORT} to {_MOST_PORT}, not {text!r:.40}")
    return port


def serve(given: Mapping[str, str], switches: Sequence[str]) -> None:
    """Serves until it is interrupted; `switches` are the options without a value. Raises UsageError."""
    port = port_of(given.get("port", str(DEFAULT_PORT)))
    try:
        from textual_serve.server import Server
    except ImportError:
        raise UsageError("--web needs: pip install 'neurontools[web]'") from None
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(f"cannot serve on {HOST}:{port}: {error.strerror}") from None
    with tempfile.TemporaryDirectory(prefix="neuron-top-") as directory:
        _write_template(Path(directory))
        command = _command(given, switches)
        Server(command, host=HOST, port=port, title="neuron-top", templates_path=directory).serve()


def _write_template(directory: Path) -> None:
    """textual-serve's page, but for what it would load from somebody else's machine."""
    import textual_serve

    page = Path(textual_serve.__file__).parent / "templates" / _TEMPLATE
    (directory / _TEMPLATE).write_text(_FOREIGN.sub("", page.read_text()))


def _command(given: Mapping[str, str], switches: Sequence[str]) -> str:
    """How the program is started for each browser: with the same options, and never to send signals."""
    words = [
        f"--{name}" if name in switches else f"--{name}={value}" for name, value in given.items() if name not in _OURS
    ]
    entry = "import sys; from neurontools.commands.top import main; sys.exit(main(sys.argv[1:]))"
    return shlex.join([sys.executable, "-c", entry, "--readonly", *words])
