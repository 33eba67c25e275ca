"""What a driver's files show: counters credited when it credits them, and writes to them."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec.structs import replace

from device_model.simulation import CommandError, Simulation
from neurontools.hardware.driver import ATTRIBUTES, DRIVER_KEPT_OTHER_INFO, Attribute
from neurontools.schema.snapshot import Core, Counter, Snapshot
from tests.device_model.hosts import costly, forward, host, process_of, readings, server

OLD, LIVE = "2.24.7", "2.30.2"
CLEARING = [attribute for attribute in ATTRIBUTES if attribute.clears]


def serving() -> Simulation:
    return host(server("a", stop="4s", restart="1s"), server("b"), instance="trn1.2xlarge", seed=3)


def cores(snapshot: Snapshot) -> list[Core]:
    return [core for device in snapshot.devices for core in device.cores]


def runtimes(core: Core) -> dict[str, Counter]:
    """The counters that the runtime keeps."""
    counters = (core.status or {}) | (core.other_info or {})
    return {name: count for name, count in counters.items() if name not in DRIVER_KEPT_OTHER_INFO}


def without_counters(snapshot: Snapshot) -> Snapshot:
    stripped = [
        replace(device, cores=tuple(replace(core, status=None, other_info=None) for core in device.cores))
        for device in snapshot.devices
    ]
    return replace(snapshot, devices=tuple(stripped))


@given(st.integers(0, 12_000_000_000))
@costly
def test_a_live_driver_shows_the_snapshot(moment_ns: int) -> None:
    model = forward(host(server("a"), server("b", start="2s")), moment_ns / 1e9)
    assert model.published(LIVE).snapshot == model.snapshot()
    assert without_counters(model.published(OLD).snapshot) == without_counters(model.snapshot())


def test_an_older_one_shows_what_processes_counted_when_they_have_ended() -> None:
    model = forward(host(server("a")), 8)
    (process,) = model.snapshot().processes or ()
    before = cores(model.published(OLD).snapshot)
    assert all(count == Counter(0) for core in before for count in runtimes(core).values())
    assert [core.other_info["reset_req_count"].total for core in before if core.other_info] == [1] * len(before)
    model.signal(process.pid, 9)
    for shown, core in zip(cores(model.published(OLD).snapshot), cores(model.snapshot()), strict=True):
        for name, count in runtimes(shown).items():
            assert count == Counter(runtimes(core)[name].total, runtimes(core)[name].total), name
    assert runtimes(cores(model.published(OLD).snapshot)[0])["inference_count"].total > 0


def test_a_refused_process_folds_its_error_while_the_holder_goes_on() -> None:
    model = forward(host(server("a", first_core=0), server("b", first_core=0, start="1s")), 3)
    assert process_of(model, "a") is not None
    assert process_of(model, "b") is None
    counted = runtimes(cores(model.published(OLD).snapshot)[0])
    assert counted["resource_nc_error"] == Counter(1, 1)
    assert counted["model_load_count"] == Counter(0)


def test_the_older_of_two_drivers_shows() -> None:
    model = forward(host(server("a")), 5)
    model.inject("driver-old", {}, {"version": "2.21.37"})
    assert (model.published(LIVE).version, model.published("2.20.28").version) == ("2.21.37", "2.20.28")
    model.inject("sysfs-unreadable", {}, {})
    assert (model.published(LIVE).loaded, model.published(LIVE).readable) == (True, False)
    model.inject("driver-missing", {}, {})
    assert not model.published(LIVE).loaded
    assert len(model.published(LIVE).snapshot.devices) == 12, "the hardware is there all the same"


def value(model: Simulation, core: int | None, path: str) -> int:
    """What the file at a path of the first device, or of a core of it, shows."""
    device = model.snapshot().devices[0]
    record = device if core is None else device.cores[core]
    _, group, *names, file = path.split("/")
    if group == "memory_usage":
        pool, *category = names
        group = "host_memory" if pool == "host_mem" else "memory" if category else "device_memory"
        names = category
    found = getattr(record, group)
    number: int = getattr(found[names[0]] if names else found, file)
    return number


@pytest.mark.parametrize("attribute", CLEARING, ids=lambda attribute: attribute.path)
def test_a_write_zeroes_one_file_and_no_other(attribute: Attribute) -> None:
    model = forward(host(server("a", tp=2), instance="trn1.2xlarge"), 9)
    places = [(1 if each.scope == "core" else None, each.path) for each in CLEARING]
    before, others = {place: value(model, *place) for place in places}, model.snapshot().devices[0].cores[0]
    written = (1 if attribute.scope == "core" else None, attribute.path)
    model.write(0, *written)
    assert {place: value(model, *place) for place in places} == before | {written: 0}
    assert model.snapshot().devices[0].cores[0] == others


def test_what_was_zeroed_counts_on() -> None:
    path = "stats/other_info/inference_count/total"
    model, whole = (forward(host(server("a")), 6) for _ in range(2))
    earlier = value(model, 0, path)
    model.write(0, 0, path)
    forward(model, 5)
    assert value(model, 0, path) == value(forward(whole, 5), 0, path) - earlier > 0


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ((0, None, "info/notify_delay"), "the driver ignores what is written to 'info/notify_delay'"),
        ((0, 0, "stats/status/no_such/total"), "the driver ignores"),
        ((0, None, "stats/status/success/total"), "the driver ignores"),
        ((0, 0, "reset"), "the driver ignores"),
        ((12, None, "reset"), "there is no file 'reset' of device 12"),
        ((0, 2, "stats/status/success/total"), "of device 0, core 2"),
    ],
)  # fmt: skip
def test_other_files_ignore_what_is_written(place: tuple[int, int | None, str], why: str) -> None:
    model = forward(host(server("a")), 2)
    before = readings(model)
    with pytest.raises(CommandError, match=why):
        model.write(*place)
    assert (readings(model), model.journal) == (before, [])


def reset_state(model: Simulation) -> tuple[str | None, int]:
    device = model.snapshot().devices[0]
    return device.reset_state, (device.cores[0].other_info or {})["reset_req_count"].total


def test_a_write_to_reset_resets_a_device_that_nobody_has_open() -> None:
    model = forward(host(server("a", start="30s")), 1)
    model.write(0, None, "reset")
    assert reset_state(model) == ("reset", 2)
    model.write(0, None, "reset")
    assert reset_state(model) == ("reset", 2), "one at a time"
    assert reset_state(forward(model, 19.9)) == ("reset", 2)
    assert reset_state(forward(model, 0.2)) == ("ready", 2)
    forward(model, 12)
    model.write(0, None, "reset")
    assert reset_state(model) == ("ready", 2), "a process has it open"
    assert model.faults() == []


def test_a_process_that_starts_during_a_reset_waits_for_its_end() -> None:
    plain, reset = (forward(host(server("a", start="5s")), 1) for _ in range(2))
    reset.write(0, None, "reset")
    loads = "stats/other_info/model_load_count/total"
    assert value(forward(plain, 15), 0, loads) == 1
    assert value(forward(reset, 15), 0, loads) == 0
    assert value(forward(reset, 20), 0, loads) == 1
