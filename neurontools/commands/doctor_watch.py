"""`neuron-doctor --watch`: a line for every finding that begins or ends, until it is stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping

from neurontools.commands import errors
from neurontools.commands.doctor_look import Visit, visiting
from neurontools.commands.stream import Ended, Stream
from neurontools.schema.finding import Diagnosis, Finding, Scope
from neurontools.schema.source import SourceError
from neurontools.views.doctor.documents import change_document
from neurontools.views.doctor.text import change, headline, summary

_STEP_S = 1.0

Known = dict[tuple[str, Scope], Finding]


def watch(given: Mapping[str, str]) -> int:
    """Watches the host that the options name; returns the exit code of what stopped it. Raises SourceError."""
    stream = Stream()
    try:
        with visiting(given) as visit, stream.signals():
            _watch(visit, stream, "json" in given)
    except Ended as end:
        return end.exit_code
    return errors.EXIT_OK


def _watch(visit: Visit, stream: Stream, as_json: bool) -> None:
    visit.begin()
    diagnosis = visit.look()
    if not as_json:
        stream.write(headline(diagnosis, visit.inventory).encode())
        stream.write(summary(diagnosis).encode())
    known: Known = {}
    due_s = time.monotonic()
    while True:
        for began, finding in changes(known, diagnosis):
            stream.write(_line(finding, began, diagnosis.time_ns, as_json).encode())
        due_s = max(due_s + _STEP_S, time.monotonic())
        stream.wait_until(due_s)
        diagnosis = _look(visit, diagnosis)


def _line(finding: Finding, began: bool, now_ns: int, as_json: bool) -> str:
    if as_json:
        return json.dumps(change_document(finding, began, now_ns), ensure_ascii=False)
    return change(finding, began, now_ns)


def changes(known: Known, diagnosis: Diagnosis) -> Iterator[tuple[bool, Finding]]:
    """Findings that have begun (True) or ended since the last call with the same `known`, which it renews."""
    now: Known = {(finding.rule, finding.scope): finding for finding in diagnosis.findings}
    for key, finding in now.items():
        if key not in known or known[key].severity != finding.severity:
            yield True, finding
    for key, finding in known.items():
        if key not in now:
            yield False, finding
    known.clear()
    known.update(now)


def _look(visit: Visit, before: Diagnosis) -> Diagnosis:
    try:
        return visit.look()
    except SourceError as error:
        return visit.doctor.blind(max(before.time_ns, time.time_ns()), error.reason, error.hint)
