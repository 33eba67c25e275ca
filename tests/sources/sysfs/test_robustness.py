"""A host that is broken in any way: never a traceback; what is broken is unknown and says why, the rest is right."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurontools.commands.monitor_collect import Collector
from neurontools.commands.monitor_plan import default_plan
from neurontools.exporters.report import encode
from neurontools.hardware.driver import attributes
from neurontools.schema.snapshot import Core, Device, Snapshot
from neurontools.schema.source import SourceError
from neurontools.sources.sysfs import files, snapshots
from neurontools.sources.sysfs.layout import look
from neurontools.sources.sysfs.source import SysfsSource
from neurontools.units import NS_PER_S
from neurontools.views.ls import documents, table, topology
from neurontools.views.top import text
from neurontools.views.top.reader import Reader
from tests.sources.sysfs.hosts import T0, field_of
from tests.sources.trees import Tree

GARBAGE = (b"", b"\n", b"-7\n", b"12x\n", b"9" * 5000, b"\xff\xfe\x00", b"1\n2\n", b"0x1f\n", b"nan\n", b" ")
ERRNOS = (errno.EACCES, errno.EIO, errno.ENODEV, errno.EBUSY)
DAMAGE = st.sampled_from(GARBAGE) | st.sampled_from(ERRNOS) | st.sampled_from(["gone", "directory", "pipe"])


class Host(NamedTuple):
    """A whole host, its files, and the counters that a reading of it shows by file."""

    tree: Tree
    paths: list[str]
    numbers: dict[str, int | None]

    def __repr__(self) -> str:
        return f"{self.tree.instance.name} with {len(self.paths)} files"


def numbers_of(tree: Tree, snapshot: Snapshot) -> dict[str, int | None]:
    """What a snapshot holds of each counter's file of the tree; None where that is unknown."""
    devices = {device.index: device for device in snapshot.devices}
    found: dict[str, int | None] = {}
    for attribute in attributes(tree.chip.family, tree.version):
        if not attribute.clears:
            continue
        for index in range(tree.instance.devices):
            device = devices.get(index)
            for core in range(tree.chip.cores) if attribute.scope == "core" else [None]:
                path = tree.device(attribute.path, index) if core is None else tree.core(attribute.path, index, core)
                found[path] = number_of(attribute.path, device, core)
    return found


def number_of(path: str, device: Device | None, core: int | None) -> int | None:
    record: Core | None = None
    if device is None:
        return None
    if core is not None:
        record = next((each for each in device.cores if each.index == core), None)
        if record is None:
            return None
    try:
        number: int | None = field_of(path, record, device)
    except (KeyError, TypeError, AttributeError):
        return None
    return number


@pytest.fixture(scope="module")
def host(module_path: Path) -> Host:
    tree = Tree(module_path / "host", "inf2.24xlarge", "2.30.2.0", devices=2)
    tree.process(4200, {0: os.O_RDWR}, {"NEURON_RT_VISIBLE_CORES": "0-1"})
    tree.mark(scenario="made", time_ns=T0, pid=os.getpid())
    paths = [
        str(path.relative_to(tree.root)) for path in tree.root.rglob("*") if path.is_file() and not path.is_symlink()
    ]
    source = SysfsSource(str(tree.root))
    numbers = numbers_of(tree, source.snapshot())
    source.close()
    assert None not in numbers.values()
    return Host(tree, sorted(paths), numbers)


@contextmanager
def damaged(tree: Tree, damages: Mapping[str, bytes | int | str]) -> Iterator[None]:
    """Files that fail, hold garbage, or are none; whole again afterwards."""
    held = {path: tree.path(path).read_bytes() for path in damages}
    for path, damage in damages.items():
        file = tree.path(path)
        if isinstance(damage, bytes):
            file.write_bytes(damage)
        elif isinstance(damage, str):
            file.unlink()
            if damage == "directory":
                file.mkdir()
            elif damage == "pipe":
                os.mkfifo(file)
    codes = {str(tree.path(path)): damage for path, damage in damages.items() if isinstance(damage, int)}
    try:
        with failing(codes):
            yield
    finally:
        for path, content in held.items():
            file = tree.path(path)
            if file.is_dir():
                file.rmdir()
            else:
                file.unlink(missing_ok=True)
            file.write_bytes(content)


@contextmanager
def failing(codes: Mapping[str, int]) -> Iterator[None]:
    """Lets every reading of these files fail, each with its errno: root, as whom tests may run, may read any."""
    opens = os.open

    def fail(path: str) -> None:
        if path in codes:
            raise OSError(codes[path], os.strerror(codes[path]), path)

    def refuse(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        fail(str(path))
        return opens(path, flags, mode, dir_fd=dir_fd)

    def pread(descriptor: int, most: int, offset: int) -> bytes:
        fail(os.readlink(f"/proc/self/fd/{descriptor}"))
        return os.pread(descriptor, most, offset)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neurontools.sources.sysfs.files.os.open", refuse)
        patch.setattr(files, "pread", pread)
        yield


def use(root: str) -> None:
    """Every tool reads the host and prints something, or says in a line why not."""
    try:
        inventory = SysfsSource(root).inventory()
        for printed in (documents.render(inventory), table.render(inventory), topology.render(inventory)):
            assert isinstance(printed, str)
        collector = Collector(SysfsSource(root), default_plan(), lambda level, line: None)
        assert encode(collector.collect(default_plan().periods()))
        reading = Reader(SysfsSource(root)).read()
        assert reading.inventory is not None or reading.error
    except SourceError as error:
        assert error.reason.isprintable()


def check_damage(host: Host, damages: dict[str, bytes | int | str], kept: bool) -> None:
    """Reads a host with damaged files, by a reader that knew it whole if `kept`, and puts it in order again."""
    tree = host.tree
    source = SysfsSource(str(tree.root))
    if kept:
        for _ in range(3):
            source.snapshot()
    with damaged(tree, damages):
        shots = [source.snapshot() for _ in range(3)]
        use(str(tree.root))
    source.close()
    whole = {path for path in host.numbers if os.path.dirname(path) not in {os.path.dirname(each) for each in damages}}
    special = [path for path in damages if path not in host.numbers]
    for shot in shots:
        numbers = numbers_of(tree, shot)
        if not special:
            assert {path: numbers[path] for path in whole} == {path: host.numbers[path] for path in whole}
        for path, damage in damages.items():
            # Of a counter that did not move the other files are not looked at again.
            if path in numbers and not isinstance(damage, str) and (not kept or path.endswith("/total")):
                assert numbers[path] is None, path
                counter = path.split("/")[-2]
                assert any(f"/{counter}/" in gap.reason for gap in shot.head.gaps.values())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kept=st.booleans())
def test_broken_counters_are_unknown_and_the_rest_is_right(host: Host, data: Any, kept: bool) -> None:
    paths = data.draw(st.lists(st.sampled_from(sorted(host.numbers)), min_size=1, max_size=4, unique=True))
    check_damage(host, {path: data.draw(DAMAGE) for path in paths}, kept)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kept=st.booleans())
def test_any_broken_file_is_survived(host: Host, data: Any, kept: bool) -> None:
    others = [path for path in host.paths if path not in host.numbers]
    paths = data.draw(st.lists(st.sampled_from(others), min_size=1, max_size=4, unique=True))
    check_damage(host, {path: data.draw(DAMAGE) for path in paths}, kept)


def test_the_reason_names_the_file_and_what_is_wrong(host: Host) -> None:
    tree, path = host.tree, host.tree.core("stats/memory_usage/device_mem/tensors/total", 1, 0)
    reasons = {}
    for damage in (b"12x\n", errno.EACCES, errno.EIO, errno.ENODEV):
        with damaged(tree, {path: damage}):
            source = SysfsSource(str(tree.root))
            reasons[damage] = source.snapshot().head.gaps["tensors"]
            source.close()
    place = f"/{path}"
    assert reasons[b"12x\n"].reason == f"{place} holds '12x', which is not understood"
    assert reasons[errno.EACCES].reason == f"{place}: permission denied (EACCES)"
    assert reasons[errno.EACCES].supply == "run this as root"
    assert reasons[errno.EIO].reason == f"{place} cannot be read: input/output error (EIO)"
    assert reasons[errno.ENODEV].reason == f"{place} went away while it was read"


def test_a_host_is_not_looked_through_anew_for_every_file_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge")
    tree.path(tree.core("stats/status/success/total")).unlink()
    looks: list[int] = []
    clock = [100]

    def counting(*arguments: Any) -> Any:
        looks.append(clock[0])
        return look(*arguments)

    monkeypatch.setattr(snapshots, "look", counting)
    monkeypatch.setattr("neurontools.sources.sysfs.snapshots.time.monotonic_ns", lambda: clock[0] * NS_PER_S)
    source = SysfsSource(str(tree.root))
    for clock[0] in range(100, 125):
        core = source.snapshot().devices[0].cores[0]
        assert "success" not in (core.status or {})
    assert looks == [100, 111, 122]
    tree.write(tree.core("stats/status/success/total"), "5\n")
    assert (source.snapshot().devices[0].cores[0].status or {})["success"].total == 5
    source.close()


@pytest.mark.parametrize("turn", [1, 40, 150, 400])
def test_a_device_that_goes_away_in_the_middle(turn: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path, "inf2.24xlarge", "2.30.2.0", devices=3)
    source = SysfsSource(str(tree.root))
    whole = numbers_of(tree, source.snapshot())
    source.close()
    reads, read_short = 0, files.read_short

    def reading(path: str, most: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads == turn:
            tree.path(tree.device("", 1)).rename(tmp_path / "away")
        return read_short(path, most)

    monkeypatch.setattr(files, "read_short", reading)
    source = SysfsSource(str(tree.root))
    numbers = numbers_of(tree, source.snapshot())
    for path, number in numbers.items():
        assert number in (whole[path], None)
        assert number == whole[path] or "/neuron1/" in path
    assert [device.index for device in source.snapshot().devices] == [0, 2]
    (tmp_path / "away").rename(tree.path(tree.device("", 1)))
    assert numbers_of(tree, source.snapshot()) == whole
    source.close()


def test_a_reset_that_clears_the_counters_is_a_reset(tmp_path: Path) -> None:
    from neurontools.schema.interval import between

    tree = Tree(tmp_path, "trn1.2xlarge")
    source = SysfsSource(str(tree.root))
    shots = []
    for second, total in enumerate((900, 5)):
        tree.mark(scenario="made", time_ns=T0 + second * NS_PER_S, pid=os.getpid(), boot_id="b")
        tree.count("status/success", total)
        tree.count("other_info/nc_time_in_use", total, present=0)
        shots.append(source.snapshot())
    source.close()
    interval = between(*shots)
    assert set(interval.resets) == {"core/0/busy_ns", "core/0/status/success", "core/0/other_info/nc_time_in_use"}
    assert interval.physical[0].busy_ns == 5000


def test_no_devices_at_all(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "trn1.2xlarge", counters=False)
    tree.path("sys/devices/virtual/neuron_device").rename(tmp_path / "away")
    source = SysfsSource(str(tree.root))
    snapshot = source.snapshot()
    source.close()
    assert (snapshot.devices, source.inventory().devices) == ((), ())
    assert snapshot.head.gaps["device"].reason == source.inventory().why_no_devices
    with pytest.raises(SourceError, match="failed to discover Neuron devices"):
        Collector(SysfsSource(str(tree.root)), default_plan(), lambda level, line: None)


def test_what_a_host_shows_once_as_text(tmp_path: Path) -> None:
    """The drawing of a reading with gaps: every section that is unknown says why."""
    source = SysfsSource(str(Tree(tmp_path, "trn1.2xlarge", "2.26.5.0").root))
    reader = Reader(source)
    reader.read()
    reading = reader.read()
    source.close()
    assert reading.interval is not None and reading.inventory is not None
    printed = text.render(reading.interval, reading.inventory, "0")
    assert "not live on driver 2.26.5.0" in printed
