"""What there is to find: each fault on a host where it has an effect, and what each source allows to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from device_model.scenario import load
from device_model.simulation import Simulation
from tests.device_model.hosts import forward, host, server
from tests.proof.sources import AWS, BOTH, NEW, OLD, SOCKET, SOURCES

CANNOT = "cannot tell: "
NOT_THERE = "nothing"

SMALL, LINKED, HEALTH, BIG = "inf2.24xlarge", "inf2.24xlarge", "trn2.3xlarge", "trn2.48xlarge"
LLM: dict[str, Any] = {"tp": 4, "model": "opt-1.3b", "arrivals": {"kind": "closed", "users": 4}, "restart": "10s"}
TRAINING: dict[str, Any] = {"kind": "training", "model": "opt-1.3b", "tp": 4, "sequence": 512, "accumulation": 8}
VISION: dict[str, Any] = {
    "kind": "vision",
    "model": "resnet50",
    "workers": 2,
    "batch": 8,
    "arrivals": {"kind": "closed", "users": 32},
}


def replicas(count: int, **workload: Any) -> dict[str, Any]:
    """So many equal processes, "a-0" and further."""
    return {"name": "a", "replicas": count, "workload": workload}


class Case(NamedTuple):
    """A fault, who it is injected into, and what must come of it by source: "RULE@PLACE", CANNOT with a rule, or
    NOT_THERE. `more` are rules that rightly find its consequences too; `before_s` and `after_s` how long it is watched
    before and after, in steps as many times as long as usual. `process` is what runs, if not a server "a" with that
    workload, and `among` names it. Without a target it is a scenario in which it happens by itself, watched from its
    beginning."""

    fault: str
    target: dict[str, Any] | None
    expected: dict[str, str]
    parameters: Mapping[str, Any] = MappingProxyType({})
    more: tuple[str, ...] = ()
    instance: str = SMALL
    workload: Mapping[str, Any] = MappingProxyType(LLM)
    before_s: float = 20
    after_s: float = 45
    step_s: float = 1
    process: Mapping[str, Any] | None = None
    among: str = ""

    @property
    def name(self) -> str:
        """The fault, and the instance type where it is not the usual one; or the scenario."""
        if self.target is None:
            return f"scenario {self.fault}"
        if self.parameters.get("fails"):
            return f"{self.fault} that fails"
        if self.among:
            return f"{self.fault} among {self.among}"
        return self.fault if self.instance == SMALL else f"{self.fault} on {self.instance}"

    def host(self) -> Simulation:
        """The host, at work."""
        if self.target is None:
            return Simulation(load(self.fault))
        process = server("a", **self.workload) if self.process is None else dict(self.process)
        return forward(host(process, instance=self.instance), 20)


def everywhere(found: str, **other: str) -> dict[str, str]:
    """The same finding on all sources but those that are named: new, old, aws or both."""
    names = {"new": NEW, "old": OLD, "aws": AWS, "both": BOTH}
    return dict.fromkeys(SOURCES, found) | {names[name]: text for name, text in other.items()}


_HANG_SEEN = ("collectives-hang", "device-health", "no-progress")
_CORE, _PROCESS = "NeuronCore 3 (device 1)", "process a"

CASES = (
    Case(
        "hbm-corrected",
        {"core": 3},
        everywhere("ecc-corrected-rate@device 1", old=f"{CANNOT}ecc-corrected-rate"),
        {"rate": 3600.0},
    ),
    Case(
        "sram-corrected",
        {"core": 3},
        everywhere("ecc-corrected-rate@device 1", old=f"{CANNOT}ecc-corrected-rate"),
        {"rate": 3600.0},
    ),
    Case("hbm-uncorrected", {"core": 3}, everywhere("ecc-uncorrected@device 1")),
    Case("sram-uncorrected", {"core": 3}, everywhere("ecc-uncorrected@device 1")),
    Case(
        "hbm-repairable",
        {"core": 3},
        everywhere("ecc-repairable@device 0", aws=f"{CANNOT}ecc-repairable"),
        more=("device-health", "execution-errors"),
        instance=HEALTH,
    ),
    Case(
        "core-uncorrected",
        {"core": 3},
        everywhere(f"hardware-error@{_CORE}", aws=f"{CANNOT}hardware-error"),
    ),
    Case("dma-abort", {"core": 3}, everywhere(f"hardware-error@{_CORE}", aws=f"{CANNOT}hardware-error")),
    Case(
        "hang",
        {"core": 3},
        everywhere(
            f"no-progress@{_CORE}",
            old=f"{CANNOT}no-progress",
            aws=f"no-progress@{_PROCESS}",
            both=f"no-progress@{_PROCESS}",
        ),
        more=_HANG_SEEN,
    ),
    Case(
        "collective-hang",
        {"process": "a"},
        everywhere(f"collectives-hang@{_PROCESS}", aws=f"{CANNOT}collectives-hang"),
        more=_HANG_SEEN,
    ),
    Case(
        "straggler",
        {"core": 3},
        {SOCKET: f"straggler@{_CORE}"} | dict.fromkeys((NEW, OLD, AWS, BOTH), f"{CANNOT}straggler"),
        {"factor": 3.0},
    ),
    Case(
        "throttle",
        {"device": 1},
        {SOCKET: "throttling@device 1"} | dict.fromkeys((NEW, OLD, AWS, BOTH), f"{CANNOT}throttling"),
        {"factor": 3.0},
        workload=LLM | {"tp": 8},
    ),
    Case(
        "straggler",
        {"core": 3},
        everywhere("straggler@process a-1", old=f"{CANNOT}straggler") | {SOCKET: "straggler@NeuronCore 3 (device 0)"},
        {"factor": 3.0},
        instance=HEALTH,
        process=replicas(2, **TRAINING | {"tp": 2}),
        among="two equal trainings",
    ),
    Case(
        "straggler",
        {"core": 3},
        everywhere("straggler@process a-1", old=f"{CANNOT}straggler"),
        {"factor": 3.0},
        process=replicas(4, **VISION),
        among="four equal servers",
    ),
    Case(
        "throttle",
        {"device": 1},
        everywhere("straggler@process a-0", old=f"{CANNOT}straggler") | {SOCKET: "throttling@device 1"},
        {"factor": 3.0},
        process=replicas(3, **TRAINING),
        among="three equal trainings",
    ),
    Case(
        "link-degraded",
        {"link": [0, 1]},
        {SOCKET: f"link-unbalanced@{_PROCESS}"} | dict.fromkeys((NEW, OLD, AWS, BOTH), f"{CANNOT}link-unbalanced"),
        {"factor": 30.0},
        before_s=150,
    ),
    Case(
        "link-down",
        {"link": [0, 1]},
        {SOCKET: "link-down@link 0-1"} | dict.fromkeys((NEW, OLD, AWS, BOTH), f"{CANNOT}link-down"),
        more=_HANG_SEEN,
    ),
    Case(
        "link-down",
        {"link": [0, 1]},
        everywhere(
            "link-down@link 0-1",
            old=f"{CANNOT}link-down",
            aws=f"{CANNOT}link-down",
            both=f"{CANNOT}link-down",
        ),
        more=_HANG_SEEN,
        instance=BIG,
        workload=LLM | {"tp": 8},
        after_s=10,
        before_s=6,
    ),
    Case(
        "nan",
        {"process": "a"},
        everywhere(f"numerical-errors@{_PROCESS}", old=f"{CANNOT}numerical-errors"),
        {"share": 0.05},
    ),
    Case(
        "bad-input",
        {"process": "a"},
        everywhere(f"execution-errors@{_PROCESS}", old=f"{CANNOT}execution-errors"),
        {"share": 0.05},
    ),
    Case(
        "out-of-bounds",
        {"process": "a"},
        everywhere(f"execution-errors@{_PROCESS}", old=f"{CANNOT}execution-errors"),
    ),
    Case(
        "queue-overflow",
        {"process": "a"},
        everywhere(f"execution-errors@{_PROCESS}", aws=NOT_THERE),
    ),
    Case(
        "out-of-memory",
        {"process": "a"},
        everywhere(f"out-of-memory@{_PROCESS}", aws=f"{CANNOT}out-of-memory"),
    ),
    Case(
        "leak",
        {"process": "a"},
        everywhere(f"memory-leak@{_PROCESS}"),
        {"bytes": 2e8},
        more=("memory-near-full",),
        after_s=90,
    ),
    Case("crash", {"process": "a"}, everywhere(NOT_THERE)),
    Case(
        "device-reset",
        {"device": 1},
        everywhere("device-reset@device 1", aws=f"{CANNOT}device-reset"),
        {"seconds": 20.0},
        more=("execution-errors",),
    ),
    Case(
        "device-reset",
        {"device": 1},
        everywhere("reset-failed@device 1", aws=f"{CANNOT}reset-failed"),
        {"seconds": 10.0, "fails": True},
        more=("execution-errors", "device-reset"),
    ),
    Case("driver-missing", {}, everywhere("driver-absent@node", aws="monitor-blind@node")),
    Case(
        "driver-old",
        {},
        everywhere("counters-not-live@node", aws=NOT_THERE, both=NOT_THERE),
        {"version": "2.20.28"},
    ),
    Case(
        "sysfs-unreadable",
        {},
        everywhere("monitor-blind@node", new=NOT_THERE, old=NOT_THERE, both="counters-not-live@node"),
    ),
    Case(
        "core-conflict",
        None,
        everywhere(
            "core-conflict@NeuronCore 1 (device 0)",
            old=f"{CANNOT}core-conflict",
            aws=f"{CANNOT}core-conflict",
            both=f"{CANNOT}core-conflict",
        ),
        before_s=0,
        after_s=240,
        step_s=2,
    ),
    Case(
        "noisy-neighbour",
        None,
        everywhere("out-of-memory@process chat", aws=f"{CANNOT}out-of-memory"),
        more=("out-of-memory",),
        before_s=0,
        after_s=600,
        step_s=5,
    ),
    Case(
        "ecc-storm",
        None,
        everywhere("ecc-uncorrected@device 2"),
        more=("ecc-corrected-rate",),
        before_s=0,
        after_s=1240,
        step_s=5,
    ),
    Case(
        "hang-on-collectives",
        None,
        everywhere(
            "no-progress@NeuronCore 2 (device 1)",
            old=f"{CANNOT}no-progress",
            aws="no-progress@process chat",
            both="no-progress@process chat",
        ),
        more=_HANG_SEEN,
        before_s=0,
        after_s=300,
    ),
    Case(
        "straggler",
        None,
        {SOCKET: "straggler@NeuronCore 7 (device 3)"} | dict.fromkeys((NEW, OLD, AWS, BOTH), f"{CANNOT}straggler"),
        before_s=0,
        after_s=400,
        step_s=2,
    ),
    Case(
        "link-down",
        None,
        {SOCKET: "link-down@link 1-2"} | dict.fromkeys((NEW, OLD, AWS, BOTH), f"{CANNOT}link-down"),
        more=(*_HANG_SEEN, "link-unbalanced"),
        before_s=0,
        after_s=420,
        step_s=2,
    ),
    Case(
        "memory-leak",
        None,
        everywhere("memory-leak@process chat"),
        more=("memory-near-full", "out-of-memory"),
        before_s=0,
        after_s=1000,
        step_s=2,
    ),
    Case(
        "opt-66b-out-of-memory",
        None,
        everywhere("out-of-memory@process opt-66b", aws=f"{CANNOT}out-of-memory"),
        before_s=0,
        after_s=60,
    ),
    Case(
        "allocated-idle",
        None,
        everywhere("allocated-idle@process notebook"),
        more=("allocated-idle",),
        before_s=0,
        after_s=35 * 60,
        step_s=15,
    ),
)

WORKS = {
    "compile-pause": 600,
    "static-server": 600,
    "two-tenants": 600,
    "opt-30b": 300,
    "idle": 600,
    "training-trn1": 600,
}
"""Healthy scenarios, and for how many seconds they are watched through every source."""

HEALTHY = (
    *("bert-300m", "busy-day", "collectives-trn2", "compile-pause", "custom-operator", "encoder-1b", "idle"),
    *("link-contention", "opt-30b", "opt-66b", "pipeline-inf1", "resnet50", "static-server", "training-trn1"),
    "two-tenants",
)
"""All scenarios in which nothing is wrong: 24 hours of each must raise nothing."""
