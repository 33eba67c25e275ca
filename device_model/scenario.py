"""What people write to describe a simulated host: TOML files, checked key by key before anything runs."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import NullableSchema, WithDefaultSchema

from device_model.mistakes import explain
from device_model.timeline.expect import Expectation
from device_model.timeline.faults import FaultSpec
from device_model.workloads.kinds.collectives import Collectives
from device_model.workloads.kinds.custom_operator import CustomOperator
from device_model.workloads.kinds.encoder import Encoder
from device_model.workloads.kinds.idle import Idle
from device_model.workloads.kinds.llm import Llm
from device_model.workloads.kinds.training import Training
from device_model.workloads.kinds.vision import Vision
from device_model.workloads.spec import Duration, Line, LongDuration, Part
from neurontools.hardware.instances import INSTANCES, lookup
from neurontools.spelling import did_you_mean
from neurontools.units import parse_duration_ns

MAX_CHARACTERS = 1_000_000
"""The longest text of a scenario."""


class ScenarioError(ValueError):
    """A scenario cannot be used; the text is one line a fault, each with the key's path and what was expected."""


Workload = Annotated[
    Llm | CustomOperator | Idle | Collectives | Training | Encoder | Vision, Field(discriminator="kind")
]
"""Every kind of workload; the table's `kind` says which."""


class ProcessSpec(Part):
    """A program that uses the devices: `replicas` equal processes, each on cores of its own.

    With `compile` the host compiles the model for that long before it is loaded, and the process has its cores
    meanwhile. With `restart` a supervisor starts a process again that long after its end, unless it was the
    scenario's `stop`. With `launched` one program starts all replicas, as torchrun does its ranks: it holds no device,
    and is their parent. The runtime waits for an execution as long as `execution_timeout` says, which on a real host
    NEURON_RT_EXEC_TIMEOUT does.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)
    replicas: int = Field(default=1, ge=1, le=512)
    user: Line = "ubuntu"
    command: Line = "python serve.py"
    start: Duration = "0s"
    stop: Duration | None = None
    compile: LongDuration | None = None
    restart: LongDuration | None = None
    launched: bool = False
    execution_timeout: LongDuration | None = None
    first_core: int | None = Field(default=None, ge=0, le=1_000_000)
    workload: Workload

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.stop is not None and parse_duration_ns(self.stop) <= parse_duration_ns(self.start):
            raise ValueError(f"expected stop to be later than start, found {self.stop!r} and {self.start!r}")
        return self

    @property
    def tags(self) -> tuple[str, ...]:
        """What its processes are called."""
        if self.replicas == 1:
            return (self.name,)
        return tuple(f"{self.name}-{replica}" for replica in range(self.replicas))


class Scenario(Part):
    """A host, what runs on it, what goes wrong there, and what a run must show."""

    description: Annotated[Line, Field(max_length=200)]
    instance: str = Field(json_schema_extra={"enum": list(INSTANCES)})
    seed: int = Field(default=1, ge=0, lt=2**63)
    logical_neuroncore_config: Literal[1, 2] | None = None
    # TOML has arrays only.
    processes: tuple[ProcessSpec, ...] = Field(default=(), strict=False)
    faults: tuple[FaultSpec, ...] = Field(default=(), strict=False)
    expect: tuple[Expectation, ...] = Field(default=(), strict=False)

    @field_validator("instance")
    @classmethod
    def _known_instance(cls, value: str) -> str:
        try:
            lookup(value)
        except KeyError as error:
            raise ValueError(str(error.args[0])) from None
        return value

    @field_validator("processes")
    @classmethod
    def _distinct(cls, value: tuple[ProcessSpec, ...]) -> tuple[ProcessSpec, ...]:
        names = [process.name for process in value]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise ValueError(f"the name {name!r} is used twice: give every process its own")
        return value

    @model_validator(mode="after")
    def _known_processes(self) -> Self:
        tags = [tag for process in self.processes for tag in process.tags]
        tables: dict[str, tuple[FaultSpec | Expectation, ...]] = {"faults": self.faults, "expect": self.expect}
        for path, named in (
            (f"{table}[{i}].{key}", named)
            for table, entries in tables.items()
            for i, entry in enumerate(entries)
            for key, named in entry.processes
        ):
            if named not in tags:
                known = f"there are {', '.join(tags[:8])}{', …' if len(tags) > 8 else ''}" if tags else "there is none"
                raise ValueError(f"{path}: no process is called {named!r}{did_you_mean(named, tags)}; {known}")
        return self


class NamedScenario(NamedTuple):
    """A checked scenario and the name it goes by."""

    name: str
    scenario: Scenario


def shipped() -> dict[str, str]:
    """The texts of the scenarios that come with the package, by name."""
    folder = files("device_model") / "scenarios"
    found = sorted((entry.name.removesuffix(".toml"), entry) for entry in folder.iterdir())
    return {name: entry.read_text() for name, entry in found if entry.name.endswith(".toml")}


def load(name_or_path: str) -> NamedScenario:
    """A shipped scenario by name, or a file by path (with a slash, ending in .toml, or there under no such name).

    Raises ScenarioError with the path of each wrong key, what was expected and the nearest known name.
    """
    if "/" not in name_or_path and not name_or_path.endswith(".toml"):
        texts = shipped()
        if name_or_path in texts:
            return NamedScenario(name_or_path, parse(texts[name_or_path], name_or_path))
        if not os.path.isfile(name_or_path):
            raise unknown_scenario(name_or_path, texts)
    try:
        with open(name_or_path, encoding="utf-8") as file:
            text = file.read(MAX_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ScenarioError(f"cannot read the scenario {name_or_path}: {reason}") from None
    if len(text) > MAX_CHARACTERS:
        raise ScenarioError(f"cannot read the scenario {name_or_path}: it has more than {MAX_CHARACTERS} characters")
    name = name_or_path.rsplit("/", 1)[-1].removesuffix(".toml")
    return NamedScenario(name, parse(text, name_or_path))


def unknown_scenario(name: str, known: Iterable[str]) -> ScenarioError:
    """The error for a name that no shipped scenario has."""
    return ScenarioError(
        f"no scenario is called {name!r}{did_you_mean(name, known)}; "
        f"there are {', '.join(known)}, or give the path of a .toml file"
    )


def parse(text: str, where: str) -> Scenario:
    """Checks the text of a scenario; `where` names it in errors."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ScenarioError(f"{where}: not valid TOML: it is nested too deeply") from None
    except ValueError as error:
        # Beside its own error tomllib lets through Python's, for a number of thousands of digits.
        raise ScenarioError(f"{where}: not valid TOML: {error}") from None
    return from_document(document, where)


def from_document(document: Mapping[str, Any], where: str) -> Scenario:
    """Checks a scenario given as plain values."""
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        raise ScenarioError("\n".join(f"{where}: {line}" for line in explain(error, Scenario))) from None


class _TomlSchema(GenerateJsonSchema):
    """JSON Schema of what TOML can hold, which has no null, and without titles that only repeat a key."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        return {key: value for key, value in found.items() if key != "default" or value is not None}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario, for editors; what it accepts can still be wrong in what only the model knows."""
    schema = Scenario.model_json_schema(by_alias=True, schema_generator=_TomlSchema)
    return {"$schema": _TomlSchema.schema_dialect, **schema, "title": "A scenario of neuron-model"}
