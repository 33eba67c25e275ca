"""What a recorder takes of a host: every instant once, every event once, the inventory of the moment, bank maps."""

from msgspec.structs import replace

from device_model.simulation import NS, Simulation
from neurontools.commands.recorder_frames import Frames
from neurontools.recording import Frame
from neurontools.schema.allocations import Allocations
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.schema.source import SourceError
from tests.device_model.faults.sources import Direct
from tests.device_model.hosts import host, server


class Counting(Direct):
    """A source that counts how often it is asked for what is dear."""

    def __init__(self, model: Simulation) -> None:
        super().__init__(model)
        self.inventories = 0
        self.maps: list[int] = []

    def inventory(self) -> Inventory:
        self.inventories += 1
        return super().inventory()

    def allocations(self, device: int) -> Allocations:
        self.maps.append(device)
        return super().allocations(device)


def taken(source: Direct, count: int) -> list[Frame]:
    """Frames a second apart."""
    frames, found = Frames(source), []
    for _ in range(count):
        frame = frames.take()
        assert frame is not None
        assert frames.take() is None, "the host's time stands still"
        found.append(frame)
        source.model.advance(source.model.now_ns + NS)
    return found


def test_every_event_is_in_one_frame() -> None:
    model = host(server("a", restart="1s", stop="3s"), instance="inf2.xlarge")
    found = taken(Direct(model), 12)
    told = [event for frame in found for event in frame.events.events]
    assert told == [event for event in model.events(0).events if event.time_ns <= found[-1].time_ns]
    assert len(told) == 2
    assert all(event.time_ns <= frame.time_ns for frame in found for event in frame.events.events)


def test_the_inventory_is_that_of_the_moment_and_seldom_asked_for() -> None:
    model = host(server("a", start="5s"), instance="inf2.xlarge")
    source = Counting(model)
    found = taken(source, 40)
    held = [bool(frame.inventory.devices[0].holders) for frame in found]
    assert held == [bool(frame.snapshot.processes) for frame in found]
    assert source.inventories == 3


def test_the_bank_map_is_taken_when_memory_has_run_out() -> None:
    faults = [{"fault": "out-of-memory", "process": "b", "at": "4.5s"}]
    model = host(server("a"), server("b"), instance="inf2.24xlarge", faults=faults)
    source = Counting(model)
    found = taken(source, 8)
    assert [len(frame.allocations) for frame in found] == [0, 0, 0, 0, 0, 1, 0, 0]
    (taken_map,) = found[5].allocations
    assert source.maps == [1]
    assert (taken_map.device, taken_map.time_ns) == (1, found[5].time_ns)


def test_where_no_addresses_are_known_there_is_no_map() -> None:
    class Driver(Direct):
        def allocations(self, device: int) -> Allocations:
            raise SourceError("the driver publishes no addresses")

    faults = [{"fault": "out-of-memory", "process": "a", "at": "1.5s"}]
    found = taken(Driver(host(server("a"), instance="inf2.xlarge", faults=faults)), 4)
    assert [frame.allocations for frame in found] == [()] * 4


def test_a_count_that_is_missing_on_one_core_ends_no_recording() -> None:
    class Damaged(Direct):
        def snapshot(self) -> Snapshot:
            snapshot = super().snapshot()
            (device,) = snapshot.devices
            first, second = device.cores
            assert second.status is not None
            counts = {name: count for name, count in second.status.items() if name != "resource_error"}
            cores = (first, replace(second, status=counts))
            return replace(snapshot, devices=(replace(device, cores=cores),))

    faults = [{"fault": "out-of-memory", "process": "a", "at": "1.5s"}]
    found = taken(Damaged(host(server("a"), instance="inf2.xlarge", faults=faults)), 4)
    assert [len(frame.allocations) for frame in found] == [0, 0, 1, 0]


def test_a_boot_begins_anew() -> None:
    first, second = (host(server("a"), instance="inf2.xlarge", seed=seed) for seed in (1, 2))
    source = Direct(first)
    frames = Frames(source)
    assert frames.take() is not None
    source.model = second
    frame = frames.take()
    assert frame is not None
    assert frame.events == second.events(0)
