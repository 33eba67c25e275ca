"""The table `[[expect]]` of a scenario: what a run of it must show, and when."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, WithJsonSchema, model_validator

from device_model.metric_path import MetricPath, Value, metric_path, shown
from device_model.timeline.parts import LOOK_NS, Metric, Period, Window, need_number, processes_in
from device_model.workloads.spec import Line, LongDuration
from neurontools.units import parse_duration_ns

_MOST = 1e300
"""The largest number that a value is compared with."""


def factor_of(text: str) -> float:
    """The number in "1.4 x"; raises ValueError."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?x", text, re.ASCII)
    if match is None:
        raise ValueError(f'expected a multiple of the baseline such as "1.4 x", found {text!r:.40}')
    return float(match[1])


def _multiple(value: str) -> str:
    factor_of(value)
    return value


Multiple = Annotated[str, AfterValidator(_multiple)]


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -_MOST <= value <= _MOST


def _limits(value: Any) -> Any:
    numbers = value if isinstance(value, list | tuple) else ()
    if len(numbers) != 2 or not all(map(_is_number, numbers)) or numbers[0] > numbers[1]:
        raise ValueError(f"expected two numbers such as [97, 98], the lesser first, found {value!r:.60}")
    return value


Limits = Annotated[
    Any,
    AfterValidator(_limits),
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
]


def _scalar(value: Any) -> Any:
    if not (_is_number(value) or isinstance(value, bool | str)):
        raise ValueError(f"expected a number, a text, true or false, found {value!r:.60}")
    return value


Scalar = Annotated[Any, AfterValidator(_scalar), WithJsonSchema({"type": ["number", "string", "boolean"]})]

_KINDS: Mapping[type, str] = {bool: "true or false", int: "a number", float: "a number", str: "a text"}


class Baseline(Period):
    """What a value is compared with: the same metric over another period, or another metric, or both."""

    metric: Metric | None = None

    @model_validator(mode="after")
    def _is_another(self) -> Self:
        if self.metric is None and self.to is None:
            raise ValueError("expected from and to, or metric, or all three")
        if self.metric is not None:
            need_number(metric_path(self.metric), "a baseline")
        return self

    @property
    def text(self) -> str:
        """What is compared with, after "2 x"."""
        return f"{self.metric or 'that'}{'' if self.to is None else f' from {self.from_} to {self.to}'}"


def _within(value: Any, limits: tuple[float, float]) -> bool:
    return bool(limits[0] <= value <= limits[1])


def _spelled(limit: Value) -> str:
    """A limit as a person would write it; a multiple is a text without quotes."""
    return limit if isinstance(limit, str) else shown(limit)


_COMPARISONS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "above": ("above {}", operator.gt),
    "below": ("below {}", operator.lt),
    "equals": ("equal to {}", operator.eq),
    "between": ("between {} and {}", _within),
}
"""Keys that compare a value with what they say -> the words for it, and what compares."""

_MULTIPLES: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "at_least": ("at least {}", operator.ge),
    "at_most": ("at most {}", operator.le),
}
"""Keys that compare it with a multiple of the baseline."""


class Expectation(Period):
    """What a run of the scenario must show: a value of an interval, or events.

    `at`, `by`, or `from` and `to` say when. A metric is that of the second before `at`, or over the whole period, or
    it is looked at once a second until it is as expected, at the latest `by` then. An event is a line of a log, or
    the start or end of a process, that contains the text; what is compared is how many there are in the period, or
    from the start until `by`: at least one, unless it says otherwise.
    """

    metric: Metric | None = None
    event: Line | None = None
    kind: Literal["kernel_log", "runtime_log", "process_start", "process_end"] | None = None
    at: LongDuration | None = None
    by: LongDuration | None = None
    above: float | None = None
    below: float | None = None
    equals: Scalar = None
    between: Limits = None
    at_least: Multiple | None = None
    at_most: Multiple | None = None
    baseline: Baseline | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.metric is None) == (self.event is None):
            raise ValueError("expected metric or event, and not both")
        if [self.at, self.by, self.to].count(None) != 2:
            raise ValueError("expected one of at, by, or from and to")
        if self.metric is not None:
            self._check_metric(metric_path(self.metric))
        else:
            self._check_event()
        return self

    def _check_metric(self, path: MetricPath) -> None:
        simple, multiple = self._given(_COMPARISONS), self._given(_MULTIPLES)
        if self.kind is not None:
            raise ValueError("kind goes with event, found it with metric")
        if (len(simple) != 1 or multiple) and (simple or not multiple):
            keys = ", ".join(_COMPARISONS)
            raise ValueError(f"expected one of {keys}, or at_least or at_most or both with a baseline")
        if bool(multiple) != (self.baseline is not None):
            raise ValueError("at_least and at_most go with baseline, and it with them")
        if simple == ["equals"]:
            self._check_equals(path)
        else:
            need_number(path, (simple or multiple)[0])

    def _check_equals(self, path: MetricPath) -> None:
        kind = type(self.equals)
        if kind not in path.kinds and not (kind in (int, float) and {int, float} & path.kinds):
            kinds = " or ".join(sorted(_KINDS[kind] for kind in path.kinds))
            raise ValueError(f"equals: {path.text} is {kinds}, found {_KINDS[kind]}")

    def _check_event(self) -> None:
        if self.at is not None:
            raise ValueError("an event needs by, or from and to: at one instant there is none")
        if self._given(_MULTIPLES) or self.baseline is not None:
            raise ValueError("the number of events has no baseline: give above, below, equals or between")
        if len(self._given(_COMPARISONS)) > 1:
            raise ValueError(f"expected at most one of {', '.join(_COMPARISONS)}")
        if self.equals is not None and type(self.equals) not in (int, float):
            raise ValueError(f"equals: expected a number of events, found {_KINDS[type(self.equals)]}")

    def _given(self, keys: Mapping[str, Any]) -> list[str]:
        return [key for key in keys if getattr(self, key) is not None]

    def holds(self, value: Value, baseline: float | None) -> bool:
        """Whether a value, or a number of events, is as expected; `baseline` is needed where there is one."""
        if baseline is not None:
            multiples = {key: factor_of(getattr(self, key)) * baseline for key in self._given(_MULTIPLES)}
            return all(_MULTIPLES[key][1](value, limit) for key, limit in multiples.items())
        simple = {key: getattr(self, key) for key in self._given(_COMPARISONS)} or {"above": 0}
        return all(_COMPARISONS[key][1](value, limit) for key, limit in simple.items())

    @property
    def text(self) -> str:
        """What is expected, in one line."""
        wanted = [
            words.format(*map(_spelled, limit if isinstance(limit, list | tuple) else [limit]))
            for key, (words, _) in {**_COMPARISONS, **_MULTIPLES}.items()
            if (limit := getattr(self, key)) is not None
        ]
        what = self.metric or f"{self.kind or 'event'} {self.event!r}"
        than = "" if self.baseline is None else f" {self.baseline.text}"
        return f"{what} {self._when}: {' and '.join(wanted) or 'at least one'}{than}"

    @property
    def _when(self) -> str:
        if self.to is not None:
            return f"from {self.from_} to {self.to}"
        return f"at {self.at}" if self.by is None else f"by {self.by}"

    @property
    def measured(self) -> Window:
        """The period that the value is of; with `by`, in which it is awaited or events are counted."""
        if self.window is not None:
            return self.window
        end_ns = parse_duration_ns(self.at or self.by or "0s")
        return Window(0 if self.by is not None else max(0, end_ns - LOOK_NS), end_ns)

    @property
    def compared(self) -> Window | None:
        """The period that the baseline is of, None without one."""
        return None if self.baseline is None else self.baseline.window or self.measured

    @property
    def processes(self) -> list[tuple[str, str]]:
        """The processes that it names, by the key that does."""
        other = None if self.baseline is None else self.baseline.metric
        return processes_in({"metric": self.metric, "baseline.metric": other})
