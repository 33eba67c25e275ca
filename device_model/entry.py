"""The installed command `neuron-model`. Nothing else is loaded before Ctrl-C ends it without a word.

To import this changes what Ctrl-C does: it is for the script of pyproject.toml only.
"""

from neurontools.interrupts import end_at_once

end_at_once()


def entry() -> None:
    """Runs the command line; raises SystemExit with its exit code."""
    from device_model.__main__ import entry

    entry()
