"""`neuron-model plan`: will a model fit on an instance, how fast will it be, and how far to trust that."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from device_model.commands.failure import USAGE, Failure, of_system
from device_model.launch_talk import claims
from device_model.plan import GROUPS, RUNTIME, Answer, DegreeError, Question, Shape, check_degree, tokens_of, unit_of
from device_model.plan import plan as answers
from device_model.workloads.calibration.trust import Trust
from device_model.workloads.models.cnns import CNNS, IMAGE_SIDE, CnnShape
from device_model.workloads.models.datatypes import (
    DATA_TYPES,
    DataType,
    DataTypeError,
    data_type_for,
    data_types_of,
    label_of,
)
from device_model.workloads.models.families import ModelShape
from device_model.workloads.models.huggingface import ConfigError, shape_from_config
from device_model.workloads.models.lookup import UnknownModelError, find
from device_model.workloads.models.shapes import SHAPES
from neurontools.hardware.instances import Instance, chip_of, lookup
from neurontools.hardware.nrt import DEFAULT_EXECUTION_TIMEOUT_S
from neurontools.units import format_bytes

UNKNOWN = "–"

_NOTE = "neuron-model: note: "

CONTEXT = 2048
"""Tokens of the longest sequence, unless the command line says otherwise."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--model", metavar="NAME|FILE", help="a model's name, or the path of its config.json")
    parser.add_argument("--instance", metavar="TYPE", default="inf2.48xlarge", help="instance type (%(default)s)")
    parser.add_argument("--dtype", metavar="TYPE", default="bf16", help="bf16, int8, … or all (%(default)s)")
    parser.add_argument("--batch", metavar="N,N", default="1,8,32", help="sequences or images in a batch (%(default)s)")
    parser.add_argument(
        "--tp", metavar="auto|N,N", default="auto",
        help="NeuronCores per replica; auto: the fewest on which it fits, and all of the instance",
    )  # fmt: skip
    parser.add_argument(
        "--context", metavar="N", help=f"longest sequence in tokens ({CONTEXT}, where the model has them)"
    )
    parser.add_argument("--prompt", metavar="N", help="prompt in tokens (half the context)")
    parser.add_argument("--json", action="store_true", help="the answers as JSON")
    parser.add_argument("--talk", action="store_true", help="the Inferentia2 launch talk's claims beside predictions")


def plan(options: Any) -> int:
    """Prints a row for every data type, degree and batch. Raises Failure."""
    if options.talk:
        if options.model is not None:
            raise Failure("--talk goes without --model: the talk's models are given", "", USAGE)
        return _talk(options.json)
    if options.model is None:
        raise Failure("plan needs --model NAME or --talk", "for example: neuron-model plan --model opt-66b", USAGE)
    shape, instance = _shape(options.model), _instance(options.instance)
    context, prompt = _lengths(options, shape)
    types = _data_types(options.dtype, instance)
    degrees = None if options.tp == "auto" else [_count(text, "--tp") for text in options.tp.split(",")]
    batches = [_count(text, "--batch") for text in options.batch.split(",")]
    try:
        for degree in degrees or ():
            check_degree(degree, shape, instance)
    except DegreeError as error:
        raise Failure(str(error), "", USAGE) from None
    question = Question(shape, instance, types[0], 1, batches[0], context, prompt)
    found = answers(question, types, degrees, batches)
    if options.json:
        print(json.dumps({"model": _model(question), "plan": [_document(row) for row in found]}, indent=1))
    else:
        _print(question, found)
    return 0


def _lengths(options: Any, shape: Shape) -> tuple[int, int]:
    """Context and prompt in tokens; the same for a model that generates none. Raises Failure."""
    given = None if options.context is None else _count(options.context, "--context")
    if isinstance(shape, CnnShape):
        return 1, 1
    context = tokens_of(shape, given or CONTEXT)
    if shape.vocabulary and given is not None and given > shape.max_context:
        context = _beyond(shape, given)
    if shape.kind == "encoder":
        return context, context
    if context < 2:
        raise Failure("--context: expected at least 2 tokens, a prompt and an answer", "", USAGE)
    prompt = max(1, context // 2) if options.prompt is None else _count(options.prompt, "--prompt")
    if prompt >= context:
        raise Failure(f"--prompt: expected less than the context of {context} tokens, found {prompt}", "", USAGE)
    return context, prompt


def _beyond(shape: ModelShape, given: int) -> int:
    """The context to plan with where a longer one is asked for than the model was made for; says what became of it."""
    made, name = shape.max_context, shape.name
    if shape.rotary:
        print(f"{_NOTE}{name} was made for {made} tokens: beyond them its positions have to be scaled", file=sys.stderr)
        return given
    print(f"{_NOTE}{name} has positions for {made} tokens, not {given}: planned with {made}", file=sys.stderr)
    return made


def _shape(name: str) -> Shape:
    """A model by name, or of a config.json, also where its directory is named. Raises Failure."""
    known: dict[str, Shape] = {**SHAPES, **CNNS}
    path = os.path.join(name, "config.json") if os.path.isdir(name) else name
    try:
        found = None if name.endswith(".json") else find(name, known)
        if found is not None:
            return found
        if os.path.exists(path) or name.endswith(".json"):
            return shape_from_config(path)
        raise UnknownModelError.among(name, known)
    except UnknownModelError as error:
        raise Failure(str(error), "or give the path of the model's config.json", USAGE) from None
    except ConfigError as error:
        raise Failure(str(error), "", USAGE) from None
    except OSError as error:
        raise of_system("cannot read", path, error) from None


def _instance(name: str) -> Instance:
    try:
        return lookup(name)
    except KeyError as error:
        raise Failure(str(error.args[0]), "", USAGE) from None


def _data_types(name: str, instance: Instance) -> list[DataType]:
    chip = chip_of(instance)
    if name == "all":
        return [DATA_TYPES[known] for known in data_types_of(chip)]
    try:
        return [data_type_for(part.strip(), chip) for part in name.split(",")]
    except DataTypeError as error:
        raise Failure(str(error), "", USAGE) from None


def _count(text: str, option: str) -> int:
    if not text.strip().isdecimal() or not 1 <= int(text) <= 10_000_000:
        raise Failure(f"{option}: expected a whole number from 1 to 10000000, found {text!r}", "", USAGE)
    return int(text)


def _model(question: Question) -> dict[str, Any]:
    shape = question.shape
    convolutional = isinstance(shape, CnnShape)
    return {
        "name": shape.name,
        "kind": "cnn" if isinstance(shape, CnnShape) else shape.kind,
        "parameters": shape.parameters,
        "layers": shape.layers,
        "instance": question.instance.name,
        "context": None if convolutional else question.context,
        "prompt": None if convolutional else question.prompt,
        "unit": unit_of(shape),
    }


def _document(row: Answer) -> dict[str, Any]:
    asked, memory, speed, trust = row
    return {
        "dtype": asked.data_type.name,
        "tp": asked.degree,
        "batch": asked.batch,
        "memory": {
            "per_core_bytes": dict(memory.per_core),
            "cores_per_bank": memory.cores_per_bank,
            "bank_needed_bytes": memory.needed_bytes,
            "bank_bytes": memory.bank_bytes,
        },
        "fits": memory.fits,
        "spare_bytes": memory.spare_bytes,
        "replicas": speed.replicas,
        "per_second": speed.per_second,
        "step_ms": speed.step_seconds * 1e3,
        "first_token_ms": None if speed.first_token_seconds is None else speed.first_token_seconds * 1e3,
        "bound": speed.bound,
        "trust": {
            "standing": "extrapolated" if trust.extrapolated else "calibrated",
            "reasons": list(trust.reasons),
            "leave_one_model_out": {"median": trust.median, "p90": trust.p90},
        },
    }


_Column = tuple[str, int, Callable[[Answer], str]]


def _bytes(size: int) -> str:
    return format_bytes(size, 1)


def _fits(row: Answer) -> str:
    memory = row.memory
    return f"{_bytes(memory.spare_bytes)} free" if memory.fits else f"NO: {_bytes(-memory.spare_bytes)} short"


def _first(row: Answer) -> str:
    seconds = row.speed.first_token_seconds
    return UNKNOWN if seconds is None else f"{seconds * 1e3:.0f}"


_COLUMNS: tuple[_Column, ...] = (
    ("DTYPE", 6, lambda row: label_of(row.question.data_type, chip_of(row.question.instance))),
    ("TP", 3, lambda row: str(row.question.degree)),
    ("BATCH", 5, lambda row: str(row.question.batch)),
    ("CONSTANTS", 9, lambda row: _bytes(row.memory.per_core[GROUPS["constants"]])),
    ("KV", 9, lambda row: _bytes(row.memory.per_core[GROUPS["tensors"]])),
    ("SCRATCH", 9, lambda row: _bytes(row.memory.per_core[GROUPS["model_shared_scratchpad"]])),
    ("CODE", 9, lambda row: _bytes(row.memory.per_core[GROUPS["model_code"]])),
    ("RUNTIME", 9, lambda row: _bytes(row.memory.per_core[RUNTIME])),
    ("BANK", 9, lambda row: _bytes(row.memory.needed_bytes)),
    ("FITS", 18, _fits),
    ("REPLICAS", 8, lambda row: str(row.speed.replicas)),
    ("PER S", 8, lambda row: f"{row.speed.per_second:.1f}"),
    ("STEP MS", 8, lambda row: f"{row.speed.step_seconds * 1e3:.2f}"),
    ("TTFT MS", 7, _first),
    ("BOUND", 12, lambda row: row.speed.bound),
    ("TRUST", 12, lambda row: "extrapolated" if row.trust.extrapolated else "calibrated"),
)


def _print(question: Question, rows: list[Answer]) -> None:
    print(f"{_title(question)}\n")
    print(" ".join(f"{title:<{width}}" for title, width, _ in _COLUMNS).rstrip())
    for row in rows:
        print(" ".join(f"{show(row):<{width}}" for _, width, show in _COLUMNS).rstrip())
    unit = unit_of(question.shape)
    step = "" if unit == "tokens" else " Step ms: one batch."
    first = "; time to first token 20 to 60 %" if unit == "tokens" else ""
    print(
        f"\nConstants to runtime: bytes on each core; bank: all that its fullest memory bank holds, of "
        f"{_bytes(rows[0].memory.bank_bytes)}."
        f"\nPer s: {unit} of all replicas with full batches, also where the model does not fit.{step}"
    )
    if not all(row.trust.extrapolated for row in rows):
        print(f"Calibrated: error {_error(rows[0].trust)}, leaving the model out of the fit{first}.")
    for reason in dict.fromkeys(reason for row in rows for reason in row.trust.reasons):
        print(f"Extrapolated: {reason}.")
    if any(_longest_seconds(row) > DEFAULT_EXECUTION_TIMEOUT_S for row in rows):
        print(
            f"Longer than {DEFAULT_EXECUTION_TIMEOUT_S} s: an execution that takes so long times out, unless "
            "NEURON_RT_EXEC_TIMEOUT allows it (`execution_timeout` in scenarios)."
        )


def _longest_seconds(row: Answer) -> float:
    return max(row.speed.step_seconds, row.speed.first_token_seconds or 0.0)


def _title(question: Question) -> str:
    shape = question.shape
    size = shape.parameters / 1e6
    count = f"{size / 1e3:.2f} billion" if size >= 1e3 else f"{size:.1f} million"
    what = {
        "tokens": f"prompt {question.prompt}, context {question.context}",
        "sequences": f"sequences of {question.context} tokens",
        "images": f"images of {IMAGE_SIDE} × {IMAGE_SIDE}"
        if isinstance(shape, CnnShape)
        else f"images of {question.context} tokens",
    }[unit_of(shape)]
    return f"{shape.name}: {count} parameters, {shape.layers} layers, on {question.instance.name}; {what}"


def _error(trust: Trust) -> str:
    """The errors of the rows alike; every model that can be planned has some."""
    median, p90 = (UNKNOWN if value is None else f"{100 * value:.0f} %" for value in (trust.median, trust.p90))
    return f"{median} in the median, {p90} at the 90th percentile"


def _talk(as_json: bool) -> int:
    rows = claims()
    if as_json:
        print(json.dumps({"claims": [{**row._asdict(), "error": row.error} for row in rows]}, indent=1))
        return 0
    width = max(len(row.claim) for row in rows)
    print(f"{'CLAIM':<{width}} {'CLAIMED':>8} {'HERE':>8} {'UNIT':<10} {'ERROR':>7}  {'STANDING':<13} NOTE")
    for row in rows:
        claimed, here = (UNKNOWN if value is None else f"{value:.4g}" for value in (row.claimed, row.predicted))
        error = UNKNOWN if row.error is None else f"{100 * row.error:+.1f}%"
        print(f"{row.claim:<{width}} {claimed:>8} {here:>8} {row.unit:<10} {error:>7}  {row.standing:<13} {row.note}")
    return 0
