"""`neuron-model check`: is a scenario correct, does it fit, and does a run of it show what it expects."""

import json
import sys
from typing import Any

from device_model.commands.failure import USAGE, Failure
from device_model.commands.launch import QUIET_S
from device_model.commands.progress import through_time
from device_model.commands.rehearsal import early_ends, missed_faults
from device_model.commands.serve import make_model
from device_model.expectations import Finding, Run
from device_model.scenario import json_schema
from device_model.simulation import Simulation
from neurontools.units import format_duration_ns


def check(options: Any) -> int:
    """Says whether a scenario can be used, and with --run whether it shows what it expects. Raises Failure."""
    if options.schema:
        if options.scenario is not None or options.run or options.json:
            raise Failure("--schema goes alone: it is the same for every scenario", "", USAGE)
        print(json.dumps(json_schema(), indent=1))
        return 0
    if options.scenario is None:
        raise Failure("check needs a scenario", "see `neuron-model check --help`", USAGE)
    if options.json and not options.run:
        raise Failure("--json needs --run", "for example: neuron-model check straggler --run --json", USAGE)
    model = make_model(options.scenario, options.instance, options.seed, stepped=True)
    return _run(model, options) if options.run else _look(model, options.scenario)


def _look(model: Simulation, name: str) -> int:
    """Says that a scenario can be used, and which of its processes do not last."""
    count = sum(process.replicas for process in model.scenario.processes)
    print(f"{name}: fine on {model.instance}, {count} process{'' if count == 1 else 'es'}", flush=True)
    for line in [*early_ends(model, QUIET_S), *missed_faults(model)]:
        print(f"neuron-model: note: {line}", file=sys.stderr)
    return 0


def _run(model: Simulation, options: Any) -> int:
    """Says what came of each expectation; 1 if one does not hold."""
    run = Run(model)
    if not run.wanted:
        raise Failure(
            f"{options.scenario} expects nothing, so a run of it cannot fail", "give it [[expect]] tables", USAGE
        )
    progress = through_time(model, run.lasts_ns)
    findings = run.findings(progress)
    progress.end()
    for line in missed_faults(model):
        print(f"neuron-model: note: {line}", file=sys.stderr)
    held = all(finding.holds for finding in findings)
    if options.json:
        print(json.dumps(_document(model, findings), indent=1))
    else:
        lasted = format_duration_ns(model.now_ns - model.epoch_ns)
        count = sum(finding.holds for finding in findings)
        print(f"{options.scenario} on {model.instance}: {count} of {len(findings)} hold after {lasted}")
        for finding in findings:
            print(f"{'holds' if finding.holds else 'FAILS'}  {finding.expectation.text}; found {finding.text}")
    return 0 if held else 1


def _document(model: Simulation, findings: list[Finding]) -> dict[str, Any]:
    return {
        "scenario": model.name,
        "instance": model.instance,
        "seed": model.seed,
        "held": all(finding.holds for finding in findings),
        "expectations": [
            {
                "expected": finding.expectation.text,
                "holds": finding.holds,
                "found": finding.found,
                "baseline": finding.baseline,
                "up_ns": finding.up_ns,
                "reason": finding.reason or None,
            }
            for finding in findings
        ],
    }
