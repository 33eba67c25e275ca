"""The installed commands, each named as its module here. Nothing else is loaded before Ctrl-C ends them without a word.

To import this changes what Ctrl-C does: it is for the scripts of pyproject.toml only.
"""

import sys

from neurontools.interrupts import end_at_once

end_at_once()

AS_AWS = "_py"
"""Behind the name of a module: as AWS's script, whose name ends in .py."""


class _Program:
    """Runs one with the words of the command line; returns its exit code."""

    def __init__(self, name: str) -> None:
        self._module = f"{__package__}.{name.removesuffix(AS_AWS)}"
        self._entry = "official_entry" if name.endswith(AS_AWS) else "entry"

    def __call__(self) -> int:
        __import__(self._module)
        code: int = getattr(sys.modules[self._module], self._entry)()
        return code


doctor = _Program("doctor")
ls = _Program("ls")
monitor = _Program("monitor")
monitor_cloudwatch = _Program("monitor_cloudwatch")
monitor_cloudwatch_py = _Program("monitor_cloudwatch_py")
monitor_otlp = _Program("monitor_otlp")
monitor_prometheus = _Program("monitor_prometheus")
monitor_prometheus_py = _Program("monitor_prometheus_py")
multi = _Program("multi")
recorder = _Program("recorder")
top = _Program("top")
