"""The sources agree: one instant of a host, read through the model's socket and through its files, is the same.

What differs is on a short list, each with its reason and with how far it may differ; an entry that nothing needs fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
from msgspec import to_builtins

from device_model.publish.tree.dialect import dialect
from neurontools.hardware.driver import (
    ECC_COUNTERS,
    HEALTH_FILES,
    LIVE_COUNTERS_SINCE,
    POWER_NO_DATA,
    version_tuple,
)
from neurontools.hardware.instances import INSTANCES, chip_of, lookup
from neurontools.schema.inventory import to_document
from neurontools.sources.sysfs.single import attribute_at
from neurontools.sources.sysfs.source import SysfsSource
from tests.device_model.publish.tree.test_agreement import busy
from tests.device_model.publish.tree.trees import published

DIALECTS = ("2.21", "2.24", "2.30.2")
SMALL = ("inf1.xlarge", "inf2.8xlarge", "trn1.2xlarge", "trn2.3xlarge")
TICK_NS = 10_000_000
PAGE_BYTES = 4096


class Case(NamedTuple):
    """A host and its driver."""

    instance: str
    version: str

    def before(self, since: str) -> bool:
        """Whether the driver is older than that."""
        return version_tuple(self.version) < version_tuple(since)


Holds = Callable[[Any, Any, Case, str], bool]


class Difference(NamedTuple):
    """A part that may differ: where, why, and what must hold of the socket's and the tree's value (None: unknown)."""

    pattern: str
    reason: str
    holds: Holds


def any_value(socket: Any, tree: Any, case: Case, path: str) -> bool:
    return True


def unknown(socket: Any, tree: Any, case: Case, path: str) -> bool:
    return tree is None


def within(most: float) -> Holds:
    return lambda socket, tree, case, path: None not in (socket, tree) and abs(socket - tree) <= most


def credited(socket: Any, tree: Any, case: Case, path: str) -> bool:
    """Not yet counted is what the last execution took so far."""
    if case.before(LIVE_COUNTERS_SINCE):
        return tree is None
    return tree is not None and 0 <= socket - tree <= 0.05 * socket


def not_live(socket: Any, tree: Any, case: Case, path: str) -> bool:
    return tree is None and case.before(LIVE_COUNTERS_SINCE)


def too_old(socket: Any, tree: Any, case: Case, path: str) -> bool:
    """The driver has no such file yet."""
    name = path.split("/")[3] if path.startswith("devices/") and "/cores/" not in path else "pe_cntrs"
    files = {name: f"stats/hardware/{name}" for name in ECC_COUNTERS}
    files |= {name: f"stats/hardware/health_status/{name}" for name in HEALTH_FILES}
    since = attribute_at("core", "stats/tensor_engine/pe_cntrs").since
    return tree is None and case.before(attribute_at("device", files[name]).since if name in files else since)


def no_data(socket: Any, tree: Any, case: Case, path: str) -> bool:
    return socket is None and tree in (POWER_NO_DATA, 0)


def one_of_two_orders(socket: Any, tree: Any, case: Case, path: str) -> bool:
    return tree is None and bool(lookup(case.instance).other_bdfs)


def in_no_table(socket: Any, tree: Any, case: Case, path: str) -> bool:
    instance = lookup(case.instance)
    return socket is None and None in (instance.bdfs, instance.numa_nodes)


def of_inferentia1(socket: Any, tree: Any, case: Case, path: str) -> bool:
    return tree is None and chip_of(lookup(case.instance)).family == "Inf1"


CORE, DEVICE, PROCESS = r"devices/\d+/cores/\d+", r"devices/\d+", r"processes/\d+"
SNAPSHOT = (
    Difference(r"head/origin/(kind|detail)", "it says which of both was read", any_value),
    Difference(r"head/gaps/.*", "each says what it is that itself cannot know", any_value),
    Difference(r"head/lnc_assumed", "the tree's marker says the size, the model may have assumed it", any_value),
    Difference(rf"{CORE}/(collectives_ns|hbm_(read|written)_bytes|engines/\d)", "no driver counts it", unknown),
    Difference(rf"{CORE}/busy_ns", "credited when an execution ends", credited),
    Difference(rf"{CORE}/(flops|status/\w+/\d|other_info/\w+/\d)", "not live before 2.30.2", not_live),
    Difference(rf"{CORE}/pe_cntrs/\d/\d|{DEVICE}/(ecc|health)/\w+", "the driver is too old for it", too_old),
    Difference(rf"{DEVICE}/banks/\d/(used|largest_free)_bytes", "no addresses are published", unknown),
    Difference(rf"{DEVICE}/links/\d/\w+", "no link counters exist", unknown),
    Difference(rf"{DEVICE}/ecc/\w+", "the driver has no such files for Inferentia1", of_inferentia1),
    Difference(rf"{DEVICE}/power/\w+", "a chip whose power is not known has the file all the same", no_data),
    Difference(
        rf"{PROCESS}/(memory|host_memory|models|executions|errors|latency_\w+|workload|groups)/.*",
        "the driver tells nothing by process",
        unknown,
    ),
    Difference(rf"{PROCESS}/runtime_version", "told by /proc/PID/maps, which no tree has", any_value),
    Difference(rf"{PROCESS}/user", "a number, where the names of its users do not come with a host", any_value),
    Difference(rf"{PROCESS}/(started|vcpu_user|vcpu_system)_ns|host/cpus/\d+/\d", "kernel ticks", within(TICK_NS)),
    Difference(rf"{PROCESS}/resident_bytes", "pages", within(PAGE_BYTES)),
    Difference(r"host/(memory|swap)_\w+_bytes", "kB", within(1024)),
)
INVENTORY = (
    Difference(r"origin|driver_version|lnc_assumed|gaps/.*", "as of a snapshot's head", any_value),
    Difference(r"devices/\d+/holders/\d+/neuron_runtime_version", "as of a process", any_value),
    Difference(r"devices/\d+/(bdf|numa_node|cpu_affinity)", "two orders are published", one_of_two_orders),
    Difference(r"devices/\d+/(bdf|numa_node|cpu_affinity)", "in no table, but in the host's files", in_no_table),
)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values inside a document by their paths; what is None or empty is left out."""
    children: Any = None
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list | tuple):
        children = enumerate(value)
    if children is None:
        if value is not None:
            yield path, value
        return
    for key, child in children:
        yield from leaves(child, f"{path}/{key}".lstrip("/"))


def unexplained(
    socket: Any, tree: Any, allowed: tuple[Difference, ...], case: Case, used: set[Difference]
) -> list[str]:
    """The parts that differ although they may not, and notes which entries of the list were needed."""
    first, second = dict(leaves(socket)), dict(leaves(tree))
    wrong = []
    for path in sorted(first.keys() | second.keys()):
        values = first.get(path), second.get(path)
        if values[0] == values[1]:
            continue
        reasons = [each for each in allowed if re.fullmatch(each.pattern, path) and each.holds(*values, case, path)]
        used.update(reasons[:1])
        if not reasons:
            wrong.append(f"{path}: socket {values[0]!r}, tree {values[1]!r}")
    return wrong


@cache
def compared(instance: str, named: str) -> tuple[list[str], frozenset[Difference]]:
    """What is not explained of one host under one driver, and the entries of both lists that were needed."""
    model = busy(instance)
    case = Case(instance, dialect(named, lookup(instance)))
    used: set[Difference] = set()
    with published(model, named) as (root, _):
        source = SysfsSource(str(root))
        snapshot, inventory = source.snapshot(), source.inventory()
        source.close()
    wrong = unexplained(to_builtins(model.snapshot()), to_builtins(snapshot), SNAPSHOT, case, used)
    wrong += unexplained(to_document(model.inventory()), to_document(inventory), INVENTORY, case, used)
    return wrong, frozenset(used)


def drivers_of(instance: str) -> list[str]:
    """The dialects that a chip has: Inferentia1 is left behind, Trainium3 began later."""
    family = chip_of(lookup(instance)).family
    if family == "Inf1":
        return [version for version in DIALECTS if version < "2.25"]
    return ["2.30.2", "2.26"] if family == "Trn3" else list(DIALECTS)


CASES = [(instance, version) for instance in INSTANCES for version in drivers_of(instance)]
QUICK = [case for case in CASES if case[0] in SMALL]


@pytest.mark.parametrize(("instance", "version"), QUICK)
def test_the_tree_and_the_socket_agree(instance: str, version: str) -> None:
    wrong, _ = compared(instance, version)
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.slow
@pytest.mark.parametrize(("instance", "version"), [case for case in CASES if case not in QUICK])
def test_the_tree_and_the_socket_agree_on_large_hosts(instance: str, version: str) -> None:
    wrong, _ = compared(instance, version)
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.slow
def test_every_difference_on_the_list_is_needed() -> None:
    needed = {each for case in [*QUICK, ("trn1.32xlarge", "2.30.2")] for each in compared(*case)[1]}
    assert [each.pattern for each in (*SNAPSHOT, *INVENTORY) if each not in needed] == []
