"""The colours of neuron-top: one table from roles to styles, one palette for dark terminals."""

from __future__ import annotations

from textual.theme import Theme

from neurontools.views.top.spans import ROLES

_VARIABLE = "top-{}"

PALETTE = {
    "text": "#c9d1d9",
    "dim": "#7d8794",
    "faint": "#30363f",
    "strong": "#f0f4f8",
    "heading": "#7fb4d6",
    "frame": "#3a434e",
    "low": "#3f8f83",
    "middle": "#53b5a2",
    "high": "#79dcc4",
    "flops": "#a790dd",
    "user": "#d0a96a",
    "system": "#c27d6f",
    "memory": "#6b9fd4",
    "mark": "#14181d",
    "mark-background": "#e3b341",
    "alert": "#ffffff",
    "alert-background": "#9e3a3a",
    "key": "#8cc4e0",
    "tab": "#f0f4f8",
    "tab-background": "#2d4a63",
    "selected": "#ffffff",
    "selected-background": "#1f3244",
}
"""A colour for each role, and backgrounds for those that have one."""

DARK = Theme(
    name="neuron-dark",
    primary="#7fb4d6",
    foreground=PALETTE["text"],
    background="#0e1217",
    surface="#0e1217",
    panel="#161c23",
    dark=True,
)

_BOLD = frozenset({"strong", "heading", "mark", "alert", "tab"})


def variables() -> dict[str, str]:
    """The palette as theme variables, which another theme may define its own way."""
    return {_VARIABLE.format(name): colour for name, colour in PALETTE.items()}


def css() -> str:
    """The style sheet of the panels: a rule for each role."""
    return "\n".join(_rule(role) for role in ROLES)


def _rule(role: str) -> str:
    rules = [f"color: ${_VARIABLE.format(role)};"]
    if f"{role}-background" in PALETTE:
        rules.append(f"background: ${_VARIABLE.format(role)}-background;")
    if role in _BOLD:
        rules.append("text-style: bold;")
    return f"Panel > .top--{role} {{ {' '.join(rules)} }}"
