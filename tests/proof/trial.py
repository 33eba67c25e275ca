"""One case through one source: what was found, where, how soon after it began, and whether that was right."""

from __future__ import annotations

from typing import NamedTuple

from device_model.scenario import load
from device_model.simulation import NS, Simulation
from neurontools.schema.finding import Finding, Scope
from neurontools.schema.source import SourceError
from neurontools.views.doctor.text import place
from tests.device_model.hosts import forward
from tests.proof.cases import CANNOT, NOT_THERE, Case
from tests.proof.sources import OLD, PERIOD_S, visiting

ALWAYS = {OLD: ("counters-not-live",)}
"""What is true of a source whatever happens on the host."""


class Outcome(NamedTuple):
    """What came of a case. `time_s` is how long after the fault the expected finding was there; `wrong` are findings
    that nothing explains, `right` how many there were that something does; `said` the reason of what cannot be told."""

    case: Case
    source: str
    found: bool
    time_s: float | None
    right: int
    wrong: tuple[str, ...]
    said: str | None

    @property
    def expected(self) -> str:
        return self.case.expected[self.source]

    @property
    def ok(self) -> bool:
        """Whether what was found is what the source allows to be found, in its place, and nothing else."""
        if self.wrong:
            return False
        if self.expected.startswith(CANNOT):
            return self.said is not None and not self.found
        return self.found or self.expected == NOT_THERE


def trial(case: Case, source: str) -> Outcome:
    """Runs a case. Findings before the fault count as wrong."""
    model = case.host()
    tags: dict[int, str] = {}
    first: dict[str, float] = {}
    reasons: dict[str, str] = {}
    step_s = PERIOD_S[source] * case.step_s
    with visiting(model, source) as renewed:
        began_ns = model.now_ns + round(case.before_s * NS)
        end_ns = began_ns + round(case.after_s * NS)
        injected = case.target is None
        while model.now_ns < end_ns:
            if not injected and model.now_ns >= began_ns:
                model.inject(case.fault, case.target or {}, case.parameters)
                began_ns, injected = model.now_ns, True
            forward(model, step_s)
            tags |= {process.pid: process.tag or "" for process in model.snapshot().processes or ()}
            visit = renewed()
            try:
                said = visit.look()
            except SourceError as error:
                said = visit.doctor.blind(model.now_ns, error.reason, error.hint)
            for finding in said.findings:
                at_s = (model.now_ns - began_ns) / NS if injected else -1.0
                first.setdefault(_named(finding, tags), at_s)
            if injected:
                reasons |= {each.rule: each.reason for each in said.cannot_tell}
    return _judged(case, source, first, reasons)


def _named(finding: Finding, tags: dict[int, str]) -> str:
    return f"{finding.rule}@{place_of(finding.scope, tags)}"


def place_of(scope: Scope, tags: dict[int, str]) -> str:
    """A scope in words that do not depend on pids."""
    return f"process {tags.get(scope.pid, scope.pid)}" if scope.kind == "process" and scope.pid else place(scope)


def _judged(case: Case, source: str, first: dict[str, float], reasons: dict[str, str]) -> Outcome:
    expected = case.expected[source]
    allowed = (*case.more, *ALWAYS.get(source, ()))
    target = expected.removeprefix(CANNOT).partition("@")[0]
    wrong = []
    right = 0
    for name, at_s in first.items():
        rule, _, where = name.partition("@")
        explained = rule in ALWAYS.get(source, ()) or (
            at_s >= 0 and (name == expected or (rule in allowed and _is_modest(rule, where)))
        )
        right += explained and rule not in ALWAYS.get(source, ())
        if not explained:
            wrong.append(name)
    found = expected in first if not expected.startswith(CANNOT) else any(n.startswith(f"{target}@") for n in first)
    return Outcome(case, source, found, first.get(expected), right, tuple(wrong), reasons.get(target))


def _is_modest(rule: str, where: str) -> bool:
    """Whether a consequence is told without naming a core that nothing shows to be the culprit."""
    return not (rule in ("collectives-hang", "straggler") and where.startswith("NeuronCore"))


def works(scenario: str, source: str, seconds: float, step_s: float = 5.0) -> tuple[Finding, ...]:
    """Everything that is found on a host with which nothing is wrong, watched for so long."""
    model = Simulation(load(scenario))
    raised: dict[tuple[str, Scope], Finding] = {}
    end_ns = model.now_ns + round(seconds * NS)
    with visiting(model, source) as renewed:
        while model.now_ns < end_ns:
            forward(model, step_s)
            for finding in renewed().look().findings:
                if finding.rule not in ALWAYS.get(source, ()):
                    raised[finding.rule, finding.scope] = finding
    return tuple(raised.values())
