"""What the tables of a scenario are made of: their base, durations, texts, arrivals, lengths and data types."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS
from device_model.mistakes import nearest
from device_model.workloads.arrivals import Arrivals, ClosedLoop, Lengths, Poisson
from device_model.workloads.models.datatypes import DATA_TYPES
from neurontools.units import parse_duration_ns

LONGEST = "3650d"
"""The longest duration; the model's time ends ninety years after its start."""

MAX_TOKENS = 1 << 20
"""The longest prompt, answer or context, in tokens."""


class Part(BaseModel):
    """A table; unknown keys are refused, and values are taken as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _duration(value: str) -> str:
    if parse_duration_ns(value) > parse_duration_ns(LONGEST):
        raise ValueError(f"expected at most {LONGEST}, found {value!r:.40}")
    return value


def _positive(value: str) -> str:
    if parse_duration_ns(value) == 0:
        raise ValueError(f"expected more than 0s, found {value!r:.40}")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("expected one line of printable characters")
    return value


Duration = Annotated[str, AfterValidator(_duration)]
LongDuration = Annotated[Duration, AfterValidator(_positive)]
Line = Annotated[str, Field(max_length=1000), AfterValidator(_one_line)]


class Closed(Part):
    """Clients that wait for their answer before they ask again."""

    kind: Literal["closed"]
    users: int = Field(ge=1, le=100_000)
    think: Duration = "0s"

    def made(self, chance: Chance, entity: str) -> Arrivals:
        """The stream of requests."""
        return ClosedLoop(self.users, parse_duration_ns(self.think))


class PoissonRate(Part):
    """Independent clients."""

    kind: Literal["poisson"]
    per_second: float = Field(gt=0, le=1e6)

    def made(self, chance: Chance, entity: str) -> Arrivals:
        """The stream of requests; `entity` keys its draws."""
        return Poisson(chance, entity, max(1, round(NS / self.per_second)))


ArrivalSpec = Annotated[Closed | PoissonRate, Field(discriminator="kind")]


class LengthSpec(Part):
    """Token counts of prompts or answers: mean, coefficient of variation, range."""

    mean: float = Field(ge=1, le=MAX_TOKENS)
    cv: float = Field(default=0.0, ge=0, le=10)
    least: int = Field(default=1, ge=1, le=MAX_TOKENS)
    most: int = Field(default=MAX_TOKENS, ge=1, le=MAX_TOKENS)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least is greater than most: {self.least} and {self.most}")
        return self

    def made(self) -> Lengths:
        """What draws the lengths."""
        return Lengths(self.mean, self.cv, self.least, self.most)


def _data_type(value: str) -> str:
    if value not in DATA_TYPES:
        raise ValueError(f"expected one of {', '.join(DATA_TYPES)}, found {value!r:.40}{nearest(value, DATA_TYPES)}")
    return value


DataTypeName = Annotated[str, AfterValidator(_data_type)]
