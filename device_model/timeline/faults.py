"""The table `[[faults]]` of a scenario: which fault happens to what, and when."""

import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from device_model.faults.fault import Fault, Kind
from device_model.faults.table import FAULTS, fault_named
from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS
from device_model.metric_path import Value, metric_path
from device_model.timeline.parts import Metric, need_number, processes_in
from device_model.workloads.spec import Duration, Line, LongDuration, Part
from neurontools.spelling import did_you_mean
from neurontools.units import parse_duration_ns

_PERIODS_NS = {"s": NS, "m": 60 * NS, "h": 3600 * NS, "d": 86_400 * NS}
_MOST_PER_S = 100.0

TARGETS: tuple[Kind, ...] = ("device", "core", "link", "process")
"""Keys that name a target; a fault of the whole node has none of them."""


def mean_gap_ns(rate: str) -> int:
    """The mean time between events of which there are "2/h"; raises ValueError."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?/ ?([smhd])", rate, re.ASCII)
    events_per_s = float(match[1]) * NS / _PERIODS_NS[match[2]] if match else 0.0
    if not 0 < events_per_s <= _MOST_PER_S:
        raise ValueError(f'expected a rate such as "2/h" (s, m, h or d), at most {_MOST_PER_S:g}/s, found {rate!r:.40}')
    return round(NS / events_per_s)


def _rate(value: str) -> str:
    mean_gap_ns(value)
    return value


def _link(value: str) -> str:
    link_ends(value)
    return value


def link_ends(text: str) -> tuple[int, int]:
    """The devices of "2-3"; raises ValueError."""
    match = re.fullmatch(r"(\d{1,6})-(\d{1,6})", text, re.ASCII)
    if match is None:
        raise ValueError(f'expected the two devices of a link such as "2-3", found {text!r:.40}')
    return int(match[1]), int(match[2])


class When(Part):
    """A metric that crosses a limit; it is looked at once a second, over the second before."""

    metric: Metric
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        need_number(metric_path(self.metric), "when")
        if (self.above is None) == (self.below is None):
            raise ValueError("expected above or below, and not both")
        return self

    def met(self, value: Value) -> bool:
        """Whether a value has crossed the limit."""
        number = float(value)
        return number > self.above if self.above is not None else number < (self.below or 0.0)


def _by_fault(schema: dict[str, Any]) -> None:
    """Adds to the JSON Schema what each fault is, what it happens to, and what it takes."""
    schema["properties"]["fault"]["enum"] = list(FAULTS)
    schema["allOf"] = [
        {"if": {"properties": {"fault": {"const": name}}, "required": ["fault"]}, "then": _rules(fault)}
        for name, fault in FAULTS.items()
    ]


def _rules(fault: Fault) -> dict[str, Any]:
    parameters = {
        each.name: {
            "type": _TYPES.get(type(each.default), "number"),
            "description": f"{each.help}: {each.range}",
            "default": each.default,
        }
        for each in fault.parameters
    }
    return {
        "description": " ".join(fault.shows),
        "properties": {"parameters": {"properties": parameters, "additionalProperties": False}},
        "required": [] if fault.target == "node" else [fault.target],
    }


_TYPES: Mapping[type, str] = {bool: "boolean", str: "string"}


class FaultSpec(Part):
    """A fault that happens to a device, a NeuronCore, a link, a process, or, with none of these, to the node.

    It happens once, `at` a time after the start or `when` a metric first crosses a limit; or again and again, `every`
    so often (each time up to `jitter` later), or at random at a `rate`. It lasts `for` so long, if it lasts at all, or
    until it happens again. Where its target is not there at that time, it does not happen.
    """

    # The key is a word of Python's; a saved scenario has it as people write it.
    model_config = ConfigDict(serialize_by_alias=True, json_schema_extra=_by_fault)

    fault: Annotated[str, Field(max_length=64)]
    device: int | None = Field(default=None, ge=0, le=1_000_000)
    core: int | None = Field(default=None, ge=0, le=1_000_000)
    link: Annotated[str, AfterValidator(_link)] | None = None
    process: Line | None = None
    parameters: dict[str, Any] = Field(default={})
    at: Duration | None = None
    every: LongDuration | None = None
    jitter: Duration | None = None
    rate: Annotated[str, AfterValidator(_rate)] | None = None
    when: When | None = None
    for_: LongDuration | None = Field(default=None, alias="for")

    @field_validator("fault")
    @classmethod
    def _known(cls, value: str) -> str:
        return fault_named(value).name

    @field_validator("parameters")
    @classmethod
    def _of_this_fault(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        fault = FAULTS.get(info.data.get("fault", ""))
        if fault is not None:
            names = [parameter.name for parameter in fault.parameters]
            unknown = next((name for name in value if name not in names), None)
            if unknown is not None:
                known = f"known: {', '.join(names)}" if names else f"{fault.name} has none"
                raise ValueError(f"no such parameter {unknown!r:.40}{did_you_mean(unknown, names)}; {known}")
            fault.checked(value)
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        fault = FAULTS[self.fault]
        targets = [key for key in TARGETS if getattr(self, key) is not None]
        expected = [] if fault.target == "node" else [fault.target]
        if targets != expected:
            wanted = f"{fault.target} = …" if expected else "no target, it happens to the node"
            raise ValueError(f"{fault.name} takes {wanted}, found {' and '.join(targets) or 'no target'}")
        if [self.at, self.every, self.rate, self.when].count(None) != 3:
            raise ValueError("expected one of at, every, rate or when")
        if self.jitter is not None:
            self._check_jitter(self.jitter)
        if self.for_ is not None and not fault.lasting:
            raise ValueError(f"for: {fault.name} happens in an instant and does not last")
        return self

    def _check_jitter(self, jitter: str) -> None:
        if self.every is None:
            raise ValueError("jitter goes with every")
        if parse_duration_ns(jitter) > parse_duration_ns(self.every):
            raise ValueError(f"expected jitter to be at most every, found {jitter!r} and {self.every!r}")

    @property
    def target(self) -> Mapping[str, Any]:
        """The target, in the words of whatever injects faults."""
        named: dict[str, Any] = {key: getattr(self, key) for key in TARGETS if getattr(self, key) is not None}
        return {"link": list(link_ends(self.link))} if self.link is not None else named

    @property
    def processes(self) -> list[tuple[str, str]]:
        """The processes that it names, by the key that does."""
        watched = processes_in({"when.metric": None if self.when is None else self.when.metric})
        return [*([] if self.process is None else [("process", self.process)]), *watched]

    @property
    def lasts_ns(self) -> int | None:
        """How long it lasts at most, None where it does not say."""
        return None if self.for_ is None else parse_duration_ns(self.for_)

    def times_ns(self, chance: Chance, entity: str) -> Iterator[int]:
        """When it happens, in ns after the start and in order; `entity` keys the draws. Nothing for `when`."""
        if self.at is not None:
            yield parse_duration_ns(self.at)
        elif self.every is not None:
            every_ns, jitter_ns = parse_duration_ns(self.every), parse_duration_ns(self.jitter or "0s")
            for i in count():
                late_ns = round(chance.uniform(entity, "jitter", i) * jitter_ns) if jitter_ns else 0
                yield (i + 1) * every_ns + late_ns
        elif self.rate is not None:
            up_ns = 0
            for i in count():
                up_ns += chance.exponential_ns(entity, "gap", i, mean_gap_ns(self.rate))
                yield up_ns


def fault_of(spec: FaultSpec) -> Fault:
    """The fault that a table names."""
    return FAULTS[spec.fault]
