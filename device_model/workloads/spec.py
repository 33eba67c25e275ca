"""What the tables of a scenario are made of: base, durations, sizes, texts, arrivals, lengths, models, data types."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from device_model.kernel.chance import Chance
from device_model.kernel.clock import NS
from device_model.workloads.arrivals import (
    Arrivals,
    Bursty,
    ClosedLoop,
    Constant,
    Distribution,
    Diurnal,
    Lengths,
    OpenLoop,
    Renewal,
    Row,
    Trace,
    checked_rows,
    read_rows,
)
from device_model.workloads.models.cnns import CNNS
from device_model.workloads.models.datatypes import DATA_TYPES, plain_name
from device_model.workloads.models.lookup import UnknownModelError, find
from device_model.workloads.models.shapes import shape_for
from neurontools.spelling import did_you_mean
from neurontools.units import parse_bytes, parse_duration_ns

LONGEST = "3650d"
"""The longest duration; the model's time ends ninety years after its start."""

LARGEST = "1024TiB"
"""The largest size of data: no host has a tenth of that in device memory."""

DURATION_PATTERN = r"^(0|([0-9]+(\.[0-9]+)?(d|h|m|s|ms|µs|us|ns))+)$"
"""What a duration looks like, for the JSON Schema of a scenario; it is parsed by `parse_duration_ns`."""

LEAST_REQUESTS_A_CYCLE = 0.1
"""Requests that a bursty stream has at least in a mean base phase and burst (assumed); an arrival then costs little."""

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


def _size(value: str) -> str:
    if not 0 < parse_bytes(value) <= parse_bytes(LARGEST):
        raise ValueError(f"expected more than 0 bytes and at most {LARGEST}, found {value!r:.40}")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("expected one line of printable characters")
    return value


Duration = Annotated[str, AfterValidator(_duration), Field(json_schema_extra={"pattern": DURATION_PATTERN})]
LongDuration = Annotated[Duration, AfterValidator(_positive)]
Size = Annotated[str, Field(max_length=40), AfterValidator(_size)]
Line = Annotated[str, Field(max_length=1000), AfterValidator(_one_line)]


PerSecond = Annotated[float, Field(ge=1e-6, le=1e6)]
"""A rate: from one request in eleven days to one in a µs."""

Variation = Annotated[float, Field(ge=0, le=10)]
"""A coefficient of variation: standard deviation over mean."""


class Closed(Part):
    """Clients that wait for their answer before they ask again; `think` is the mean of the time between."""

    kind: Literal["closed"]
    users: int = Field(ge=1, le=100_000)
    think: Duration = "0s"
    think_cv: Variation = 0.0

    def made(self, chance: Chance, entity: str) -> Arrivals:
        """The stream of requests; `entity` keys its draws."""
        return ClosedLoop(chance, entity, self.users, parse_duration_ns(self.think), self.think_cv)


class PoissonRate(Part):
    """Independent clients."""

    kind: Literal["poisson"]
    per_second: PerSecond

    def made(self, chance: Chance, entity: str) -> Arrivals:
        """The stream of requests; `entity` keys its draws."""
        return OpenLoop(Renewal(chance, entity, NS / self.per_second, 1.0))


class GammaRate(Part):
    """Clients whose gaps vary more (cv above 1: they come in clusters) or less than those of independent ones."""

    kind: Literal["gamma"]
    per_second: PerSecond
    cv: Variation

    def made(self, chance: Chance, entity: str) -> Arrivals:
        """The stream of requests; `entity` keys its draws."""
        return OpenLoop(Renewal(chance, entity, NS / self.per_second, self.cv))


class ConstantRate(Part):
    """A client at every beat, such as a load generator sends."""

    kind: Literal["constant"]
    per_second: PerSecond

    def made(self, chance: Chance, entity: str) -> Arrivals:
        """The stream of requests."""
        return OpenLoop(Constant(self.per_second))


class BurstyRate(Part):
    """Independent clients, more of them during bursts; a phase lasts as long as it says on average."""

    kind: Literal["bursty"]
    base_per_second: float = Field(ge=0, le=1e6)
    burst_per_second: PerSecond
    base_lasts: LongDuration
    burst_lasts: LongDuration

    @model_validator(mode="after")
    def _a_burst_is_seen(self) -> Self:
        if self.burst_per_second <= self.base_per_second:
            raise ValueError(
                "expected burst_per_second to be more than base_per_second, "
                f"found {self.burst_per_second:g} and {self.base_per_second:g}"
            )
        base_s, burst_s = (parse_duration_ns(text) / NS for text in (self.base_lasts, self.burst_lasts))
        requests = base_s * self.base_per_second + burst_s * self.burst_per_second
        # An arrival costs the model as many draws as phases pass until it.
        if requests < LEAST_REQUESTS_A_CYCLE:
            raise ValueError(
                f"expected at least {LEAST_REQUESTS_A_CYCLE} requests in base_lasts and burst_lasts together, "
                f"found {requests:.2g}: lengthen the phases"
            )
        return self

    def made(self, chance: Chance, entity: str) -> Arrivals:
        """The stream of requests; `entity` keys its draws."""
        base_ns, burst_ns = parse_duration_ns(self.base_lasts), parse_duration_ns(self.burst_lasts)
        return OpenLoop(Bursty(chance, entity, self.base_per_second, self.burst_per_second, base_ns, burst_ns))


def _time_of_day(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII):
        raise ValueError(f"expected a time of day such as 14:00, found {value!r:.40}")
    return value


class DiurnalRate(Part):
    """Clients who follow the day: `per_second` on average, most at `peak` (UTC), twelve hours later 1/`ratio` of it."""

    kind: Literal["diurnal"]
    per_second: PerSecond
    peak: Annotated[str, AfterValidator(_time_of_day)]
    ratio: float = Field(ge=1, le=1000)
    cv: Variation = 1.0

    def made(self, chance: Chance, entity: str) -> Arrivals:
        """The stream of requests; `entity` keys its draws."""
        peak_ns = parse_duration_ns(self.peak.replace(":", "h") + "m")
        return OpenLoop(Diurnal(chance, entity, self.per_second, peak_ns, self.ratio, self.cv))


def _file_of_rows(value: Any) -> tuple[Row, ...]:
    if not isinstance(value, str):
        raise ValueError(f"expected a path in quotes, found {value!r:.40}")
    return read_rows(_one_line(value), MAX_TOKENS)


def _spelled_rows(value: Any) -> tuple[Row, ...]:
    return checked_rows(value, MAX_TOKENS)


class TraceRows(Part):
    """Clients as they were recorded: times and tokens of a CSV file, or of rows in the scenario itself.

    A file's path starts at the current directory. The file is read when the scenario is, and then its rows belong to
    it as if they were spelled out: a saved model holds them, and is restored without the file.
    """

    kind: Literal["trace"]
    # Both hold rows once they are checked; to pydantic they are anything, so that it does not check them again.
    file: Annotated[Any, AfterValidator(_file_of_rows)] = None
    rows: Annotated[Any, AfterValidator(_spelled_rows)] = None
    speed: float = Field(default=1.0, ge=1e-3, le=1e3)
    loop: bool = False

    @model_validator(mode="after")
    def _has_rows(self) -> Self:
        if (self.file is None) == (self.rows is None):
            raise ValueError("expected file or rows, and not both")
        if self.loop and self._rows[0].seconds == self._rows[-1].seconds:
            raise ValueError("expected rows of different times, since loop repeats them")
        return self

    @model_serializer(mode="wrap")
    def _spelled_out(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = handler(self)
        return {
            "rows" if key == "file" else key: value
            for key, value in document.items()
            if key not in ("file", "rows") or value is not None
        }

    @property
    def _rows(self) -> tuple[Row, ...]:
        rows: tuple[Row, ...] = self.rows if self.file is None else self.file
        return rows

    def made(self, chance: Chance, entity: str) -> Arrivals:
        """The stream of requests, and their lengths."""
        times_ns = tuple(round(row.seconds * NS) for row in self._rows)
        lengths = tuple((row.prompt, row.output) for row in self._rows)
        return OpenLoop(Trace(times_ns, self.speed, self.loop), lengths)


ArrivalSpec = Annotated[
    Closed | PoissonRate | GammaRate | ConstantRate | BurstyRate | DiurnalRate | TraceRows, Field(discriminator="kind")
]


class LengthSpec(Part):
    """Token counts of prompts or answers: mean, coefficient of variation, range.

    They are log-normal, as what people write; `distribution = "gamma"` with cv = 1 makes them exponential.
    """

    mean: float = Field(ge=1, le=MAX_TOKENS)
    cv: float = Field(default=0.0, ge=0, le=10)
    least: int = Field(default=1, ge=1, le=MAX_TOKENS)
    most: int = Field(default=MAX_TOKENS, ge=1, le=MAX_TOKENS)
    distribution: Distribution = "log-normal"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least is greater than most: {self.least} and {self.most}")
        return self

    def made(self) -> Lengths:
        """What draws the lengths."""
        return Lengths(self.mean, self.cv, self.least, self.most, self.distribution)


def _model(value: str) -> str:
    if find(value, CNNS) is not None:
        raise ValueError(f"expected a language model, an encoder or a vision transformer, found {value}, which is none")
    try:
        shape_for(value)
    except UnknownModelError as error:
        raise ValueError(str(error)) from None
    return value


ModelName = Annotated[str, AfterValidator(_model)]
"""A language model, an encoder or a vision transformer."""


def _data_type(value: str) -> str:
    name = plain_name(value)
    if name not in DATA_TYPES:
        raise ValueError(
            f"expected one of {', '.join(DATA_TYPES)}, found {value!r:.40}{did_you_mean(value, DATA_TYPES)}"
        )
    return name


DataTypeName = Annotated[str, AfterValidator(_data_type)]
