"""Whatever a reading holds or lacks, a doctor answers: a tool that shows findings must not fail for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from neurontools.diagnosis import RULES, Doctor
from neurontools.hardware.instances import INSTANCES
from neurontools.schema.document import decode, encode
from neurontools.schema.events import KINDS, Event
from neurontools.schema.finding import SCOPES, SEVERITIES, Diagnosis
from neurontools.schema.host_facts import EfaPort, HolderFacts, HostFacts, Notice
from neurontools.schema.snapshot import Snapshot
from tests.device_model.hosts import costly
from tests.exporters.nodes import inventory_for
from tests.schema.strategies import later, series, shapes, snapshot_of

TEXTS = st.sampled_from(
    (
        "neuron:nd0: NEURON_HW_ERR=HBM_UNCORRECTABLE_ERROR nd-id=0 nc-id=0 action=TERMINATE_INSTANCE",
        "neuron:nd7: NEURON_HW_ERR=HANG_ON_COLLECTIVES nd-id=7 nc-id=1 action=TERMINATE_INSTANCE",
        "ERROR  TDRV:log_dev_mem   Failed to allocate 4.000GB (alignment: none, usage: tensors) on ND 0:NC 4",
        "ERROR   NRT:nrt_init  This Neuron Runtime (compatibility id: 6) is not compatible with the installed driver",
        "ERROR   NRT:nrt_allocate_neuron_cores NeuronCore(s) not available - Requested:nc1-nc1 Available:0",
        "",
    )
)
NUMBERS = st.none() | st.integers(0, 9)
EVENTS = st.lists(
    st.builds(
        Event,
        seq=st.integers(1, 99),
        time_ns=st.integers(0, 2**61),
        kind=st.sampled_from(KINDS),
        text=TEXTS,
        pid=NUMBERS,
        device=NUMBERS,
        core=NUMBERS,
    ),
    max_size=3,
)
STATUS = st.dictionaries(
    st.integers(0, 9), st.dictionaries(st.sampled_from(("timeout", "resource_error")), NUMBERS.filter(bool))
)
FACTS = st.none() | st.builds(
    HostFacts,
    time_ns=st.just(0),
    instance_type=st.sampled_from(("", "inf2.48xlarge", "m5.large")),
    driver_loaded=st.none() | st.booleans(),
    driver_version=st.sampled_from((None, "2.26.5.0", "word")),
    installed_drivers=st.sampled_from((None, (), ("2.26.5",), ("2.9", "2.30.2"))),
    installed_runtimes=st.sampled_from((None, (), ("2.32.31.0",), ("2.9", "word"))),
    pci_devices=NUMBERS,
    driver_devices=NUMBERS,
    granted_devices=NUMBERS,
    holders=st.sampled_from((None, (), (HolderFacts(pid=1, state="Z", parent=0),))),
    compilers=st.sampled_from((None, (), (4,))),
    closed_status=st.none() | STATUS,
    efa=st.sampled_from((None, (), (EfaPort(name="efa0", port=1, counters={"x_err": 4}),))),
    notices=st.sampled_from((None, (), (Notice(kind="word"),))),
)
INVENTORIES = st.sampled_from(
    [inventory_for(INSTANCES[name]) for name in ("inf2.48xlarge", "trn2.3xlarge")]
    + [inventory_for(INSTANCES["trn1.2xlarge"])._replace(chip="unknown", instance_type="")]
)


def check_diagnosis(told: Diagnosis) -> None:
    """What holds of every diagnosis."""
    names = {rule.id for rule in RULES}
    assert set(told.checked) <= names
    assert {each.rule for each in told.cannot_tell} <= names
    assert names <= set(told.checked) | {each.rule for each in told.cannot_tell}
    for finding in told.findings:
        assert finding.rule in told.checked
        assert finding.severity in SEVERITIES
        assert finding.scope.kind in SCOPES
        assert finding.message and finding.advice
        assert finding.since_ns <= max(told.time_ns, 2**61)
    assert decode(Diagnosis, encode(told)) == told


@costly
@given(series(count=4), st.lists(EVENTS, min_size=4, max_size=4), st.lists(FACTS, min_size=4, max_size=4), INVENTORIES)
def test_any_readings_of_a_host_get_an_answer(
    readings: tuple[Snapshot, ...], events: list[list[Event]], facts: list[HostFacts | None], inventory: object
) -> None:
    doctor = Doctor()
    for snapshot, happened, fact in zip(readings, events, facts, strict=True):
        check_diagnosis(doctor.see(inventory, snapshot, happened, fact))  # type: ignore[arg-type]


@costly
@given(shapes(), shapes(), st.integers(0, 2**32))
def test_a_host_that_turns_into_another_gets_an_answer(one: object, other: object, seed: int) -> None:
    """Devices, cores and processes come and go, counters fall, time stands still or goes back."""
    doctor = Doctor()
    inventory = inventory_for(INSTANCES["inf2.48xlarge"])
    first, second = snapshot_of(one, seed), later(snapshot_of(other, seed + 1), seed)  # type: ignore[arg-type]
    back = replace(first, head=replace(first.head, time_ns=first.head.time_ns - 10**9))
    for snapshot in (first, second, second, back, first, later(first, seed, 3600.0)):
        check_diagnosis(doctor.see(inventory, snapshot))
