"""neuron-monitor's configuration file: its keys, how it is checked, and how an error in it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from neurontools.commands.monitor_plan import DEFAULT_PERIOD_NS, Groups, Plan, Runtimes
from neurontools.exporters.report import RUNTIME_GROUPS, SYSTEM_GROUPS
from neurontools.spelling import nearest
from neurontools.units import NS_PER_MS, parse_duration_ns

_LONGEST_TEXT = 1_000_000


class ConfigError(ValueError):
    """A configuration cannot be used; the message is one line that names the file and the key."""


def _duration(text: str) -> str:
    if parse_duration_ns(text) < NS_PER_MS:
        raise ValueError(f"expected a period of at least 1ms, got {text!r}")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"expected a regular expression, got {text!r}: {error}") from None
    return text


Duration = Annotated[str, AfterValidator(_duration)]
RuntimeGroup = Literal["execution_stats", "memory_used", "neuron_runtime_vcpu_usage", "neuroncore_counters"]
SystemGroup = Literal["memory_info", "neuron_hw_counters", "vcpu_usage"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RuntimeMetric(_Part):
    """One group of a process."""

    type: RuntimeGroup
    period: Duration | None = None


class SystemMetric(_Part):
    """One group of the node."""

    type: SystemGroup
    period: Duration | None = None


class NeuronRuntimes(_Part):
    """Processes by their tag; without `metrics` all groups."""

    tag_filter: Annotated[str, AfterValidator(_pattern)] | None = None
    period: Duration | None = None
    metrics: tuple[RuntimeMetric, ...] | None = None


class Configuration(_Part):
    """The file. The nearest period holds. A file that names no group means all of them."""

    period: Duration | None = None
    neuron_runtimes: tuple[NeuronRuntimes, ...] | None = None
    system_metrics: tuple[SystemMetric, ...] | None = None
    extended: bool = Field(default=False, strict=True)


def read_config(path: str) -> Plan:
    """The plan in a file. Raises ConfigError when it cannot be read, is not JSON or has a wrong key or value."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LONGEST_TEXT)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read the configuration {path}: {reason}") from None
    return parse_config(text, path)


def parse_config(text: str, where: str) -> Plan:
    """The plan in a text; `where` names it in errors. Raises ConfigError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not valid JSON: {error}") from None
    try:
        return _plan(Configuration.model_validate(document))
    except ValidationError as error:
        raise ConfigError(f"{where}: {_explain(error)}") from None


def _plan(config: Configuration) -> Plan:
    period_ns = _period_ns(config.period, DEFAULT_PERIOD_NS)
    everything = config.neuron_runtimes is None and config.system_metrics is None
    runtimes = (NeuronRuntimes(),) if everything else config.neuron_runtimes or ()
    system = dict.fromkeys(SYSTEM_GROUPS, period_ns) if everything else _groups(config.system_metrics or (), period_ns)
    return Plan(tuple(_runtimes(entry, period_ns) for entry in runtimes), system, period_ns, config.extended)


def _runtimes(entry: NeuronRuntimes, outer_ns: int) -> Runtimes:
    period_ns = _period_ns(entry.period, outer_ns)
    if entry.metrics is None:
        groups: Groups = dict.fromkeys(RUNTIME_GROUPS, period_ns)
    else:
        groups = _groups(entry.metrics, period_ns)
    return Runtimes(groups, None if entry.tag_filter is None else re.compile(entry.tag_filter))


def _groups(metrics: Sequence[RuntimeMetric | SystemMetric], outer_ns: int) -> Groups:
    return {metric.type: _period_ns(metric.period, outer_ns) for metric in metrics}


def _period_ns(text: str | None, outer_ns: int) -> int:
    return outer_ns if text is None else parse_duration_ns(text)


def _explain(error: ValidationError) -> str:
    """One fault: the path of its key, what was expected, what was found. A misspelt key comes before a missing one."""
    fault, *_ = sorted(error.errors(include_url=False), key=lambda fault: fault["type"] != "extra_forbidden")
    path = _path(fault["loc"])
    kind, found = fault["type"], fault["input"]
    if kind == "extra_forbidden":
        known = _known_keys(fault["loc"][:-1])
        return f"{path}: unknown key; the nearest known one is {nearest(str(fault['loc'][-1]), known, 0)!r}"
    if kind == "missing":
        return f"{path}: this key is required"
    if kind == "value_error":
        return f"{path}: {fault['ctx']['error']}"
    if kind == "literal_error":
        choices = get_args(SystemGroup if fault["loc"][0] == "system_metrics" else RuntimeGroup)
        near = nearest(str(found), choices, 0)
        return f"{path}: expected one of {', '.join(choices)}, got {found!r}; the nearest is {near!r}"
    return f"{path}: expected {_EXPECTED.get(kind, fault['msg'])}, got {json.dumps(found)}"


_EXPECTED = {
    "string_type": "a string",
    "tuple_type": "a list",
    "bool_type": "true or false",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


_TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): Configuration,
    ("neuron_runtimes",): NeuronRuntimes,
    ("neuron_runtimes", "metrics"): RuntimeMetric,
    ("system_metrics",): SystemMetric,
}


def _known_keys(location: Iterable[int | str]) -> Iterable[str]:
    return _TABLES[tuple(part for part in location if isinstance(part, str))].model_fields


def _path(location: Iterable[int | str]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "the document"
