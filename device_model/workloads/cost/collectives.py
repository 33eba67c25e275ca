"""What collectives cost: which algorithm is chosen for a payload, how long it takes, which way its bytes go."""

from __future__ import annotations

from functools import lru_cache

from device_model.machine.collectives import Algorithm, all_reduce_algorithms
from device_model.workloads.cost.engines import Reduction
from device_model.workloads.cost.rates import CoreRates
from neurontools.hardware.instances import chip_of, lookup
from neurontools.hardware.topology import adjacency


@lru_cache(maxsize=256)
def algorithms_for(instance: str, devices: int) -> tuple[Algorithm, ...]:
    """What a replica on the first `devices` devices can choose from; its patterns are alike wherever it is placed."""
    found = lookup(instance)
    return all_reduce_algorithms(adjacency(found), tuple(range(devices)), devices * chip_of(found).cores)


def choose(algorithms: tuple[Algorithm, ...], payload_bytes: int) -> int:
    """The position of the algorithm that reduces a payload."""
    return 0


def all_reduce_seconds(rates: CoreRates, devices: int, reduction: Reduction) -> float:
    """Time that the payloads of a step's all-reduces take on the busiest link at its data-sheet rate."""
    if devices == 1 or not reduction.times:
        return 0.0
    algorithms = algorithms_for(rates.instance, devices)
    share = algorithms[choose(algorithms, reduction.payload_bytes)].busiest_share
    return reduction.times * reduction.payload_bytes * share / rates.link_bytes_per_s


def traffic_of(rates: CoreRates, devices: int, reduction: Reduction) -> tuple[int, ...]:
    """The payload by algorithm, in the order of `algorithms_for`."""
    algorithms = algorithms_for(rates.instance, devices)
    chosen = choose(algorithms, reduction.payload_bytes)
    payload = reduction.times * reduction.payload_bytes
    return tuple(payload if position == chosen else 0 for position in range(len(algorithms)))
