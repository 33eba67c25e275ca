"""`neuron-model explain`: why a NeuronCore shows what it shows, in sentences with numbers or as JSON."""

import json
import re
import textwrap
from typing import Any

from device_model.commands.ask import asked
from neurontools.units import NS_PER_MS, format_duration_ns
from neurontools.wire import Client

WIDTH = 96
_LABEL_WIDTH = 9
_GLUE = "\N{NO-BREAK SPACE}"

_HEADLINE, _PARTS = "headline", "parts"
"""Topics that have a layout of their own here."""

_MOVE = {"topic": "next", "text": "This model is stepped, move it with: neuron-model advance 1s"}


def explain(options: Any) -> int:
    """Prints what the model says of one core. Raises Failure."""
    with Client(options.socket) as client:
        about = asked(client, "status")
        document = asked(client, "explain", core=options.core)
    if document["period"] is None and not about["speed"]:
        document["sentences"].append(_MOVE)
    print(json.dumps(document, indent=1, ensure_ascii=False) if options.json else text(document, about["instance"]))
    return 0


def text(document: dict[str, Any], instance: str) -> str:
    """An explanation of a core of an instance type for people."""
    head = document["head"]
    up = format_duration_ns(head["time_ns"] - document["started_ns"], 1)
    return "\n".join([f"SIMULATED {instance}, scenario {head['origin']['scenario']}, up {up}", *_lines(document)])


def _lines(document: dict[str, Any]) -> list[str]:
    """The headline, then a row for each topic with its text beside it."""
    lines: list[str] = []
    for topic, text in ((sentence["topic"], sentence["text"]) for sentence in document["sentences"]):
        if topic == _HEADLINE:
            lines += [*_wrapped(text), ""]
        elif topic == _PARTS:
            lines += [f"{'':<{_LABEL_WIDTH}}{row}" for row in _parts(document["step"])]
        else:
            lines += _wrapped(text, topic)
    return lines


def _wrapped(text: str, label: str | None = None) -> list[str]:
    """Lines of a text, beside a label if there is one; no number is parted from its unit, and no word broken."""
    indent = "" if label is None else " " * _LABEL_WIDTH
    lines = textwrap.wrap(
        re.sub(r"(?<=\d) (?=\S)", _GLUE, text),
        WIDTH,
        initial_indent=f"{label or '':<{len(indent)}}",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_GLUE, " ") for line in lines]


def _parts(step: dict[str, Any]) -> list[str]:
    """A line for each part: what it is, how long it takes, its share of the step."""
    parts = step["parts"]
    width = max(len(part["meaning"]) for part in parts)
    bound = max((part for part in parts if part["name"] == step["bound"]), key=lambda part: part["duration_ns"])
    return [
        f"{part['meaning']:<{width}} {part['duration_ns'] / NS_PER_MS:>10.3f} ms {part['percent']:>6.1f} %"
        f"{'  bounds it' if part is bound else ''}"
        for part in parts
    ]
