"""Captures: a host that others can read, without anything that tells whose it is."""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from neurontools.commands import capture, multi
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.sources.sysfs.redaction import Redaction
from neurontools.sources.sysfs.source import SysfsSource
from tests.device_model.publish.tree.trees import directory
from tests.sources.trees import BOOT_ID, INSTANCE_ID, SERIAL, Tree

SECRET = "hunter2"
LINE = (
    "neuron:nd1: NEURON_HW_ERR=DMA_ERROR instance-id={id} hostname=ip-10-0-0-7 nd-id=1 nc-id=0 serial-num={serial} "
    "action=TERMINATE_INSTANCE"
)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory."""
    with directory() as path:
        yield path


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path / "host", "inf2.24xlarge", "2.26.5.0", devices=2)
    environ = {"NEURON_RT_VISIBLE_CORES": "0-1", "NEURON_PROCESS_TAG": "llama-of-acme", "TOKEN": SECRET}
    tree.process(4200, {0: os.O_RDWR}, environ, command=f"python serve.py --key {SECRET}", uid=4_815_162)
    tree.process(4300, {}, command=f"bash {SECRET}")
    line = LINE.format(id="i-00aa11bb22cc33dd4", serial=SERIAL.format(1))
    tree.write("dev/kmsg", f"3,1,5,-;Linux version {SECRET}\n3,2,9000000,-;{line}\n")
    tree.write("sys/class/dmi/id/board_asset_tag", "i-00aa11bb22cc33dd4\n")
    return tree


def captured(tree: Tree, target: Path, *words: str) -> Path:
    """The directory that a capture unpacks to."""
    assert capture.main(["--to", str(target), "--root", str(tree.root), *words]) == 0
    with tarfile.open(target) as archive:
        archive.extractall(target.parent / "copy", filter="tar")
    return target.parent / "copy"


def read(root: Path) -> tuple[Inventory, Snapshot]:
    source = SysfsSource(str(root))
    try:
        return source.inventory(), source.snapshot()
    finally:
        source.close()


def test_a_copy_is_the_host_again_and_marked_as_none_that_lives(tree: Tree, tmp_path: Path) -> None:
    tree.write("sys/class/dmi/id/board_asset_tag", f"{INSTANCE_ID}\n")
    copy = captured(tree, tmp_path / "host.tar.gz", "--unredacted")
    (inventory, snapshot), (again, read_again) = read(tree.root), read(copy)
    assert (again.simulated, again.scenario, read_again.head.origin.scenario) == (True, "capture", "capture")
    assert "snapshot" in read_again.head.gaps
    assert again == inventory._replace(
        simulated=True,
        scenario="capture",
        instance_name="simulated:capture",
        region="simulated",
        availability_zone="simulated",
    )
    assert replace(read_again, head=snapshot.head) == snapshot


def test_nothing_tells_whose_host_it_is(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = captured(tree, tmp_path / "host.tar.gz")
    said = capsys.readouterr().out
    assert re.fullmatch(r"written: \S+, \d+ files.*; replaced: instance ids, .* users\n", said)
    held = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and not path.is_symlink()}
    identifying = (
        SECRET,
        "acme",
        "serve.py",
        "i-00aa11bb22cc33dd4",
        "ip-10-0-0-7",
        BOOT_ID,
        "4815162",
        SERIAL.format(0),
    )
    for word in identifying:
        assert not [str(path) for path, content in held.items() if word.encode() in content], word
    assert not (copy / "proc/4300").exists()


def test_what_is_no_secret_stays_as_it_is(tree: Tree, tmp_path: Path) -> None:
    copy = captured(tree, tmp_path / "host.tar.gz")
    (inventory, snapshot), (again, read_again) = read(tree.root), read(copy)
    assert [device._replace(holders=()) for device in again.devices] == [
        device._replace(holders=()) for device in inventory.devices
    ]
    assert [(holder.pid, holder.command) for holder in again.devices[0].holders] == [(4200, "program")]
    ((process,), (same,)) = (read_again.processes or ()), (snapshot.processes or ())
    assert process == replace(same, command="program", tag=None, user="1000")
    serials = [device.serial_number for device in read_again.devices]
    assert serials == ["0000000000000001", "0000000000000002"]
    assert [replace(device, serial_number=None) for device in read_again.devices] == [
        replace(device, serial_number=None) for device in snapshot.devices
    ]
    source = SysfsSource(str(copy))
    (event,) = [event for event in source.events().events if event.device is not None]
    source.close()
    assert event.text == LINE.format(id=INSTANCE_ID, serial=serials[1]).replace("ip-10-0-0-7", "host")


def test_modes_are_kept(tree: Tree, tmp_path: Path) -> None:
    tree.path(tree.device("reset")).chmod(0o600)
    tree.path(tree.device("core_count")).chmod(0o400)
    captured(tree, tmp_path / "host.tar.gz")
    with tarfile.open(tmp_path / "host.tar.gz") as archive:
        members = {member.name: member for member in archive}
    assert members[tree.device("reset")].mode == 0o600
    assert members[tree.device("core_count")].mode == 0o400
    assert members[tree.device("subsystem")].issym()
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 0)}


def test_files_that_cannot_be_read_are_listed(tree: Tree, tmp_path: Path) -> None:
    copy = captured(tree, tmp_path / "host.tar.gz")
    manifest = json.loads((copy / "CAPTURE.json").read_text())
    assert manifest["not_read"]["proc/vmstat"]["why"] == "no such file or directory"
    assert manifest["files"] > 100
    assert "serial numbers" in manifest["replaced"]


def test_an_archive_that_is_there_is_not_replaced(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "host.tar.gz"
    target.write_text("mine")
    assert capture.main(["--to", str(target), "--root", str(tree.root)]) == 1
    assert capsys.readouterr().err == f"neurontools capture: cannot write {target}: file exists\n"
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 64, "which archive? Name one: --to host.tar.gz"),
        (["--to", "/none/x.tar.gz", "--root", "{tree}"], 1, "cannot write /none/x.tar.gz: no such file or directory"),
        (["--to", "{tmp}/x", "--root", "{tmp}"], 1, "there is no Neuron host below {tmp}: nothing was written"),
        (["--bad"], 64, "unknown flag `bad'"),
    ],
)
def test_mistakes(
    words: list[str], code: int, said: str, tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"tree": str(tree.root), "tmp": str(tmp_path)}
    assert capture.main([word.format(**names) for word in words]) == code
    assert capsys.readouterr() == ("", f"neurontools capture: {said.format(**names)}\n")


def test_it_has_help_under_the_neutral_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert multi.main(["capture", "--help"]) == 0
    assert "Usage:\n  neurontools capture [OPTIONS]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "held", "copied"),
    [
        ("proc/9/environ", b"A=1\0NEURON_RT_NUM_CORES=2\0NEURON_RT_VISIBLE_CORES=$(x)\0", b"NEURON_RT_NUM_CORES=2\0"),
        ("proc/9/stat", b"9 (my (odd) name) S 1 2", b"9 (program) S 1 2"),
        ("proc/9/cmdline", b"", b""),
        ("sys/class/neuron_device/server_id_2", b"00ff12ab00000001\n", b"0000000000000000\n"),
        ("sys/devices/virtual/neuron_device/neuron0/info/serial_number", b"\n", b"\n"),
        ("sys/any", b"x i-0123456789abcdef1 y", b"x i-0123456789abcdef0 y"),
        ("sys/any", b"12345678\n", b"12345678\n"),
    ],
)
def test_what_is_replaced(path: str, held: bytes, copied: bytes) -> None:
    assert Redaction().content(path, held) == copied
