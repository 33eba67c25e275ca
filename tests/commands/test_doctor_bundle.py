"""The support archive: its content is listed, it can be replayed, and nothing in it identifies a host or its people."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from device_model.simulation import Simulation
from neurontools.commands import doctor, doctor_look
from neurontools.recording import Frame, Recording
from neurontools.recording.anonymous import Anonymous
from neurontools.schema.document import encode
from neurontools.schema.events import KERNEL_LOG, Event, Events
from neurontools.schema.inventory import Inventory, to_document
from neurontools.schema.snapshot import Gap, Snapshot
from tests.device_model.faults.sources import Direct
from tests.device_model.hosts import forward, host, server

SECRETS = (
    *("mallory", "hunter2", "warehouse", "gpt-secret", "i-0fedcba9876543210", "ip-10-1-2-3"),
    *("feedbeef0000cafe", "ami-0badc0de", "subnet-0badc0de", "use1-az4", "prod-7", "b00710c0ffee"),
)


def sick() -> Simulation:
    """A host with an error in its kernel's log."""
    command = "python /srv/warehouse/serve.py --password hunter2"
    model = forward(host(server("prod-7", user="mallory", command=command), instance="inf2.8xlarge"), 30)
    model.inject("hbm-corrected", {"core": 0}, {"rate": 7200.0})
    model.inject("nan", {"process": "prod-7"}, {"share": 0.1})
    return forward(model, 30)


class Named(Direct):
    """The host with the names that a real one has."""

    def inventory(self) -> Inventory:
        return (
            super()
            .inventory()
            ._replace(
                instance_id="i-0fedcba9876543210",
                instance_name="prod-7",
                ami_id="ami-0badc0de",
                subnet_id="subnet-0badc0de",
                availability_zone_id="use1-az4",
            )
        )

    def snapshot(self) -> Snapshot:
        snapshot = super().snapshot()
        devices = tuple(replace(device, serial_number="feedbeef0000cafe") for device in snapshot.devices)
        processes = tuple(
            replace(each, models=tuple(replace(model, name="gpt-secret.neff") for model in each.models or ()))
            for each in snapshot.processes or ()
        )
        gaps = {"word": Gap(reason="i-0fedcba9876543210 does not answer")}
        head = replace(snapshot.head, boot_id="b00710c0ffee", gaps=gaps)
        return replace(snapshot, head=head, devices=devices, processes=processes)

    def past(self, age_ns: int = 0) -> Snapshot | None:
        return None

    def events(self, since: int = 0) -> object:  # type: ignore[override]
        text = (
            "neuron:nd0: NEURON_HW_ERR=DMA_ERROR instance-id=i-0fedcba9876543210 hostname=ip-10-1-2-3 "
            "nd-id=0 nc-id=0 serial-num=feedbeef0000cafe action=REPLACE_INSTANCE"
        )
        found = super().events(since)
        line = Event(seq=900, time_ns=self.model.now_ns, kind=KERNEL_LOG, text=text, device=0, core=0)
        return replace(found, events=(*found.events, line)) if since < 900 else found


@pytest.fixture
def bundled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, Path]]:
    """A function that makes a bundle and gives what was printed, and where it was unpacked."""
    model = sick()
    monkeypatch.setattr(doctor_look, "choose", lambda *_, **__: Named(model))
    monkeypatch.setattr(doctor_look, "root_of", lambda *_: None)
    monkeypatch.setattr(doctor_look, "_STEP_S", 0.01)

    def make(*words: str) -> tuple[str, Path]:
        archive, unpacked = tmp_path / "bundle.tar.gz", tmp_path / "unpacked"
        assert doctor.main(["bundle", "--to", str(archive), *words]) == 0
        assert archive.stat().st_mode & 0o777 == 0o600
        with tarfile.open(archive) as found:
            found.extractall(unpacked, filter="data")
        return capsys.readouterr().out, unpacked

    return make


def test_what_is_in_it_is_listed_and_can_be_replayed(bundled: Callable[..., tuple[str, Path]]) -> None:
    printed, unpacked = bundled()
    names = {path.name for path in unpacked.iterdir()}
    assert names == {
        *("BUNDLE.json", "findings.txt", "findings.json", "versions.json", "kernel.log", "inventory.json"),
        "readings.nrec",
    }
    manifest = json.loads((unpacked / "BUNDLE.json").read_text())
    assert set(manifest["contents"]) == names - {"BUNDLE.json"}
    assert all(name in printed for name in manifest["contents"])
    for name, entry in manifest["contents"].items():
        assert entry["bytes"] == (unpacked / name).stat().st_size
    with Recording(str(unpacked / "readings.nrec")) as recording:
        frames = list(recording.frames())
    assert frames
    found = json.loads((unpacked / "findings.json").read_text())["findings"]
    assert "hardware-error" in [each["rule"] for each in found]
    assert "DMA_ERROR" in (unpacked / "kernel.log").read_text()


def test_nothing_in_it_identifies_the_host_or_its_people(bundled: Callable[..., tuple[str, Path]]) -> None:
    _, unpacked = bundled()
    texts = [path.read_bytes() for path in unpacked.iterdir() if path.suffix != ".nrec"]
    with Recording(str(unpacked / "readings.nrec")) as recording:
        for frame in recording.frames():
            texts += [encode(frame.snapshot), encode(frame.events), json.dumps(to_document(frame.inventory)).encode()]
    told = b"\n".join(texts).decode()
    assert [secret for secret in SECRETS if secret in told] == []
    assert "process-1" in told


def test_unredacted_keeps_everything(bundled: Callable[..., tuple[str, Path]]) -> None:
    printed, unpacked = bundled("--unredacted")
    assert "nothing was replaced" in printed
    assert "i-0fedcba9876543210" in (unpacked / "kernel.log").read_text()
    with Recording(str(unpacked / "readings.nrec")) as recording:
        (process, *_) = next(iter(recording.frames())).snapshot.processes or ()
    assert process.command == "python /srv/warehouse/serve.py --password hunter2"


def test_names_that_are_replaced_still_tell_who_is_who() -> None:
    names = Anonymous()
    model = forward(host(server("a", tp=2), server("b", tp=2), instance="inf2.24xlarge"), 20)
    frame = Frame(model.snapshot(), model.inventory(), model.events(0), (model.allocations(0),))
    first, second = names.frame(frame), names.frame(frame)
    assert first == second
    tags = [process.tag for process in first.snapshot.processes or ()]
    assert len(set(tags)) == 2
    assert len({device.serial_number for device in first.snapshot.devices}) == len(first.snapshot.devices)
    sizes = [[each.size for each in bank.allocations] for bank in first.allocations[0].banks]
    assert sizes == [[each.size for each in bank.allocations] for bank in model.allocations(0).banks]


@pytest.mark.parametrize(
    ("words", "says"), [(("bundle",), "which archive?"), (("bundle", "a.tar.gz"), "--to FILE.tar.gz")]
)
def test_a_bundle_needs_a_name(words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(words) == 64
    assert says in capsys.readouterr().err


def test_an_archive_that_is_there_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b.tar.gz").write_text("mine")
    assert doctor.main(["bundle", "--to", str(tmp_path / "b.tar.gz")]) == 1
    assert "file exists" in capsys.readouterr().err
    assert (tmp_path / "b.tar.gz").read_text() == "mine"


def test_a_host_that_cannot_be_read_has_a_bundle_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "b.tar.gz"
    assert doctor.main(["bundle", "--to", str(archive), "--source", "model:/nowhere/model.sock"]) == 0
    with tarfile.open(archive) as found:
        assert set(found.getnames()) == {"BUNDLE.json", "findings.txt", "findings.json", "versions.json", "kernel.log"}
        log = found.extractfile("kernel.log")
        assert log is not None and log.read() == b"# not read: this host could not be read at all\n"
    assert "  the driver's lines, not read: this host could not be read at all\n" in capsys.readouterr().out


DENIED = Gap(reason="instance i-0fedcba9876543210: /dev/kmsg: permission denied", supply="run this as root")


@pytest.mark.parametrize(("seen", "origin", "why"), [
    (DENIED, "driver", "instance i-00000000000000000: /dev/kmsg: permission denied (run this as root)"),
    (None, "aws", "this source does not show the kernel's log (run it on the host itself, as root)"),
])  # fmt: skip
def test_a_log_that_cannot_be_read_says_so_and_why(
    bundled: Callable[..., tuple[str, Path]], monkeypatch: pytest.MonkeyPatch, seen: Gap | None, origin: str, why: str
) -> None:
    snapshot_of = Named.snapshot

    def snapshot(self: Named) -> Snapshot:
        snapshot = snapshot_of(self)
        head = replace(
            snapshot.head,
            gaps={} if seen is None else {"kernel_log": seen},
            origin=replace(snapshot.head.origin, kind=origin),
        )
        return replace(snapshot, head=head)

    monkeypatch.setattr(Named, "snapshot", snapshot)
    monkeypatch.setattr(Named, "events", lambda self, since=0: Events())
    printed, unpacked = bundled()
    assert (unpacked / "kernel.log").read_text() == f"# not read: {why}\n"
    about = json.loads((unpacked / "BUNDLE.json").read_text())["contents"]["kernel.log"]["about"]
    assert about == f"the driver's lines, not read: {why}" and about in printed


def test_capture_is_a_verb_of_the_doctor_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["capture", "--to", str(tmp_path / "c.tar.gz"), "--root", str(tmp_path)]) == 1
    assert "there is no Neuron host below" in capsys.readouterr().err
    assert doctor.main(["capture", "--help"]) == 0
    assert "neuron-doctor capture" in capsys.readouterr().out
