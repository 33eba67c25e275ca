"""Findings on the page: the worst of each rule and place, which rules looked, and nothing where nobody did."""

from neurontools.exporters.prometheus import FAMILIES, View, render
from neurontools.exporters.prometheus.findings import CHECKED, FINDING
from neurontools.exporters.prometheus.owned import owned
from neurontools.hardware.instances import INSTANCES
from neurontools.schema.finding import CannotTell, Diagnosis, Finding, Scope
from neurontools.schema.owners import Owner, Owners
from tests.exporters.nodes import interval_of, inventory_for
from tests.exporters.prometheus.shown import parsed, values

INF2 = INSTANCES["inf2.24xlarge"]


def finding(rule: str, severity: str, kind: str, **where: int) -> Finding:
    scope = Scope(kind=kind, **where)
    return Finding(rule=rule, severity=severity, category="c", scope=scope, since_ns=1, message="m")


DIAGNOSIS = Diagnosis(
    time_ns=2,
    checked=("ecc", "hang", "driver"),
    findings=(
        finding("ecc", "replace", "device", device=3),
        finding("hang", "warn", "core", device=0, core=1),
        finding("hang", "degraded", "core", device=0, core=1),
        finding("driver", "info", "node"),
        finding("leak", "warn", "process", pid=4000),
    ),
    cannot_tell=(CannotTell(rule="link", reason="r"), CannotTell(rule="hang", reason="in part")),
)


def view(diagnosis: Diagnosis | None) -> View:
    return View.of(interval_of(INF2), inventory_for(INF2), diagnosis=diagnosis)


def test_the_worst_of_each_rule_and_place() -> None:
    assert values(view(DIAGNOSIS), [FINDING]) == {
        'neuron_finding{neuron_device="3",rule="ecc"}': 3.0,
        'neuron_finding{neuron_device="0",neuroncore="1",rule="hang"}': 2.0,
        'neuron_finding{rule="driver"}': 0.0,
        'neuron_finding{rule="leak"}': 1.0,
    }


def test_which_rules_could_look() -> None:
    assert values(view(DIAGNOSIS), [CHECKED]) == {
        f'neuron_rule_checked{{rule="{rule}"}}': float(rule != "link") for rule in ("ecc", "hang", "driver", "link")
    }


def test_where_nobody_has_looked_there_is_nothing() -> None:
    assert values(view(None), [FINDING, CHECKED]) == {}
    assert "neuron_finding" not in render(view(None), FAMILIES)


def test_a_finding_names_the_pod_of_its_core_and_one_of_the_host_none() -> None:
    owners = Owners(cores_per_device=2, cores={1: Owner("ns", "chat-0", "server")})
    found = values(view(DIAGNOSIS)._replace(owners=owners), owned([FINDING]))
    assert sum('pod="chat-0"' in name for name in found) == 1 and len(found) == 4
    assert parsed(render(view(DIAGNOSIS)._replace(owners=owners), owned(FAMILIES)))
