"""What the tables with a time have in common: metrics, periods, and how often the model looks."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from device_model.kernel.clock import NS
from device_model.metric_path import MetricPath, metric_path
from device_model.workloads.spec import Duration, Part
from neurontools.units import parse_duration_ns

LOOK_NS = NS
"""What is awaited is looked at once a second, and a value at one instant is that of the second before."""


def _metric(value: str) -> str:
    metric_path(value)
    return value


Metric = Annotated[str, Field(max_length=200), AfterValidator(_metric)]


def need_number(path: MetricPath, what: str) -> None:
    """Raises ValueError for a path that leads to no number; `what` needs one."""
    if path.kinds.isdisjoint({int, float}):
        raise ValueError(f"{what} needs a number, {path.text} is none")


class Window(NamedTuple):
    """A period, in ns after the start."""

    start_ns: int
    end_ns: int


class Period(Part):
    """Two keys that go together, `from` and `to`: a period of the run."""

    # The key is a word of Python's; a saved scenario has it as people write it.
    model_config = ConfigDict(serialize_by_alias=True)

    from_: Duration | None = Field(default=None, alias="from")
    to: Duration | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (self.from_ is None) != (self.to is None):
            raise ValueError("from and to go together")
        window = self.window
        if window is not None and window.start_ns >= window.end_ns:
            raise ValueError(f"expected from to be earlier than to, found {self.from_!r} and {self.to!r}")
        return self

    @property
    def window(self) -> Window | None:
        """The period, None where the keys are not given."""
        if self.from_ is None or self.to is None:
            return None
        return Window(parse_duration_ns(self.from_), parse_duration_ns(self.to))


def processes_in(metrics: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """The processes that metrics are of, by the key of each metric."""
    chosen = {key: metric_path(text).chosen for key, text in metrics.items() if text is not None}
    return [(key, str(one[1])) for key, one in chosen.items() if one is not None and one[0] == "processes"]
