"""What tools do to a host's files, by the system calls that they make: they read, and they leave device nodes alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources.trees import Tree

OPENED = re.compile(r'open(?:at2?)?\((?:[^,"]*, )?"(?P<path>[^"]*)", (?P<flags>[^)]*)\)')
CHANGING = re.compile(r'^(?:\d+ +)?(?P<call>[a-z0-9_]+)\((?:[A-Z_]+, )?"(?P<path>[^"]*)"', re.MULTILINE)
CALLS = (
    "open,openat,openat2,creat,truncate,unlink,unlinkat,rename,renameat2,mkdir,mkdirat,chmod,fchmodat,utimensat,mknod"
)
SCRIPT = """
import sys
from neurontools.commands import ls, monitor, top
root = sys.argv[1]
assert ls.main(["--source", f"sysfs:{root}", "--json"]) == 0
assert monitor.main(["--source", f"sysfs:{root}", "--count", "2", "-c", f"{root}/config.json"]) == 0
assert top.main(["--source", f"sysfs:{root}", "--once"]) == 0
from neurontools.sources.sysfs.source import SysfsSource
source = SysfsSource(root)
source.snapshot(), source.snapshot(), source.events(), source.close()
"""


@pytest.mark.slow
def test_every_file_of_a_host_is_opened_to_be_read(tmp_path: Path) -> None:
    assert shutil.which("strace"), "strace is missing: install it (Debian: apt-get install strace)"
    tree = Tree(tmp_path / "host", "trn2.3xlarge")
    tree.process(4200, {0: os.O_RDWR}, {"NEURON_RT_VISIBLE_CORES": "0"})
    tree.write("dev/kmsg", "3,1,5,-;neuron:nd0: NEURON_HW_ERR=DMA_ERROR nd-id=0 nc-id=0\n")
    tree.write("config.json", '{"period": "1s"}')
    before = contents(tree.root)
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-o", str(trace), "-e", f"trace={CALLS}", sys.executable, "-c", SCRIPT, str(tree.root)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    opened = [
        (found["path"].removeprefix(f"{tree.root}/"), found["flags"])
        for found in OPENED.finditer(trace.read_text())
        if found["path"].startswith(f"{tree.root}/")
    ]
    paths = {path for path, _ in opened}
    assert len(opened) > 1000
    assert {"sys/module/neuron/version", "dev/kmsg", "proc/4200/stat"} <= paths
    assert not [each for each in opened if not re.match(r"O_RDONLY\b", each[1]) or "O_CREAT" in each[1]]
    assert not [path for path in paths if re.match(r"dev/neuron\d", path)]
    changed = [
        (found["call"], found["path"])
        for found in CHANGING.finditer(trace.read_text())
        if str(tree.root) in found["path"] and not found["call"].startswith("open")
    ]
    assert not changed
    assert contents(tree.root) == before


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_call_that_opens_otherwise_would_be_seen() -> None:
    found = OPENED.search('12 openat(AT_FDCWD, "/x/dev/neuron0", O_RDWR|O_CLOEXEC) = 3')
    assert found is not None and (found["path"], found["flags"]) == ("/x/dev/neuron0", "O_RDWR|O_CLOEXEC")
    changed = CHANGING.search('12 unlinkat(AT_FDCWD, "/x/sys/a", 0) = 0\n')
    assert changed is not None and (changed["call"], changed["path"]) == ("unlinkat", "/x/sys/a")
