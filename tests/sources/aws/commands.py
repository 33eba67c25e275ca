"""Commands that behave as AWS's neuron-monitor does, or as it should not."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.sources.aws.feeds import printed

LINES = printed("two-tenants", "inf2.24xlarge")


def script(directory: Path, body: str, name: str = "aws-monitor") -> str:
    """A shell script as a program; `$LINES` is a file with three lines, 5 s of a host each."""
    lines = directory / "lines.jsonl"
    lines.write_bytes(b"".join(line + b"\n" for line in LINES))
    path = directory / name
    path.write_text(f"#!/bin/sh\nLINES={lines}\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)
