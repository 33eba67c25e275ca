"""Whatever is done to a host, in whatever order: a state machine that checks after each step all that must hold."""

import json
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from device_model.faults.fault import Fault
from device_model.faults.table import FAULTS
from device_model.save import restore, saved
from device_model.scenario import load
from device_model.simulation import FATAL_SIGNALS, NS, CommandError, Simulation
from neurontools.hardware.topology import links
from neurontools.schema.snapshot import Snapshot
from tests.device_model.faults.programs import HOSTS, PARAMETERS
from tests.device_model.hosts import AGES_NS, busy_host, host, readings
from tests.device_model.invariants import check_bounds, check_grown, check_sums, whole


def reducing(name: str, tp: int, first_core: int) -> dict[str, Any]:
    """A process that does nothing but large all-reduces."""
    sizes = {"from": "64MiB", "to": "1GiB", "factor": 4}
    workload = {"kind": "collectives", "tp": tp, "operation": "all-reduce", "sizes": sizes, "pause": "1ms"}
    return {"name": name, "first_core": first_core, "workload": workload}


HOMES: dict[str, Callable[[], Simulation]] = {
    **HOSTS,
    "three tenants": busy_host,
    "a shared bank": lambda: Simulation(load("noisy-neighbour")),
    "restarts": lambda: Simulation(load("faults-tour")),
    "a conflict": lambda: Simulation(load("core-conflict")),
    "another instance": lambda: Simulation(load("two-tenants"), "trn1.32xlarge"),
    "a shared link": lambda: host(reducing("a", 4, 0), reducing("b", 16, 4), instance="inf2.48xlarge"),
    "a full device": lambda: Simulation(load("static-server")),
}


STEPS_NS = st.sampled_from([1, 10**6, 333_333_333, 3 * NS, 31 * NS])
PICK = st.integers(0, 10**6)
"""Which of those that there are then."""


class Host(RuleBasedStateMachine):
    """A host to which anything happens that can, and its twin to which the same happens and at which nobody looks."""

    model: Simulation
    twin: Simulation

    @initialize(home=st.sampled_from(sorted(HOMES)))
    def boot(self, home: str) -> None:
        self.model, self.twin = HOMES[home](), HOMES[home]()
        check_sums(self.model)

    def do(self, change: Callable[[Simulation], Any]) -> None:
        """Does it to both, and checks what must hold then, and since before."""
        before = whole(self.model)
        assert change(self.model) == change(self.twin)
        check_sums(self.model)
        after = whole(self.model)
        check_grown(before, after)
        if after.head.time_ns > before.head.time_ns:
            check_bounds(self.model.instance, "bf16", before, after)
        check_cores(self.model, after)

    @rule(step_ns=STEPS_NS)
    def advance(self, step_ns: int) -> None:
        self.do(lambda model: model.advance(model.now_ns + step_ns))

    @rule(name=st.sampled_from(sorted(FAULTS)), pick=PICK, for_ns=st.none() | st.integers(1, 5 * NS))
    def inject(self, name: str, pick: int, for_ns: int | None) -> None:
        target = target_of(self.model, FAULTS[name], pick)
        lasts_ns = for_ns if FAULTS[name].lasting else None
        self.do(lambda model: attempt(model, lambda: model.inject(name, target, PARAMETERS.get(name, {}), lasts_ns)))

    @rule(pick=PICK)
    def heal(self, pick: int) -> None:
        healed: list[int | str] = [*(injection.id for injection in self.model.faults()), "all"]
        what = healed[pick % len(healed)]
        self.do(lambda model: model.heal(what))

    @precondition(lambda self: self.model._world.runtime.processes)
    @rule(pick=PICK, number=st.sampled_from([*FATAL_SIGNALS, 11]))
    def signal(self, pick: int, number: int) -> None:
        pids = sorted(self.model._world.runtime.processes)
        pid = pids[pick % len(pids)]
        self.do(lambda model: attempt(model, lambda: model.signal(pid, number)))

    @rule()
    def save_and_restore(self) -> None:
        """What is restored goes on in the place of what was saved."""
        again = restore(json.dumps(saved(self.model)), "saved.json")
        assert readings(again) == readings(self.model)
        self.model = again

    @rule(pick=PICK, age=st.sampled_from(AGES_NS))
    def read(self, pick: int, age: int) -> None:
        model = self.model
        reads: list[Callable[[], object]] = [
            model.snapshot,
            model.inventory,
            model.next_event_ns,
            lambda: model.past(age),
            lambda: model.events(pick),
            lambda: model.allocations(pick % len(model._world.node.devices)),
            lambda: model.explain(pick % model.core_count),
            lambda: readings(model),
        ]
        read = reads[pick % len(reads)]
        assert read() == read()

    def teardown(self) -> None:
        """Reading, saving and restoring have changed nothing."""
        if hasattr(self, "model"):
            assert readings(self.model) == readings(self.twin)


def check_cores(model: Simulation, snapshot: Snapshot) -> None:
    """Who holds a core lives, and works there; what is to come is to come."""
    held = {number: process.pid for process in snapshot.processes or () for number in process.cores}
    for core in model._world.node.cores:
        assert core.holder == held.get(core.number)
        assert (core.group is None) == (core.holder is None)
    next_ns = model.next_event_ns()
    assert next_ns is None or next_ns > model.now_ns


def attempt(model: Simulation, command: Callable[[], Any]) -> Any:
    """What came of a command; one that is refused has changed nothing."""
    before = readings(model)
    try:
        return command()
    except CommandError as error:
        assert readings(model) == before
        return str(error)


def target_of(model: Simulation, fault: Fault, pick: int) -> dict[str, Any]:
    """One of the targets that a fault can have, most often a part of a process."""
    node, processes = model._world.node, list(model._world.runtime.processes.values())
    held = [core for process in processes for core in process.cores] if pick % 4 else []
    core = (held or node.cores)[pick % len(held or node.cores)]
    edges = [edge for edge in links(node.links.neighbours) if core.device in edge] or list(links(node.links.neighbours))
    targets: dict[str, dict[str, Any]] = {
        "device": {"device": core.device},
        "core": {"core": core.number // node.logical_neuroncore_config},
        "link": {"link": list(edges[pick % len(edges)])} if edges else {"link": [0, 1]},
        "process": {"process": processes[pick % len(processes)].identity.tag if processes else "a"},
        "node": {},
    }
    return targets[fault.target]


TestHost = Host.TestCase
TestHost.settings = settings(max_examples=settings().max_examples // 4, stateful_step_count=12)
