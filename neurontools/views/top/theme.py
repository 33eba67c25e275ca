"""The colours of neuron-top: one table from roles to styles, and a palette for each theme."""

from __future__ import annotations

from textual.theme import Theme

from neurontools.views.top.spans import ROLES

_VARIABLE = "top-{}"

_DARK = {
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
    "held": "#e3b341",
    "mark": "#14181d",
    "mark-background": "#e3b341",
    "alert": "#ffffff",
    "alert-background": "#9e3a3a",
    "key": "#8cc4e0",
    "tab": "#f0f4f8",
    "tab-background": "#2d4a63",
    "selected": "#ffffff",
    "selected-background": "#1f3244",
    "good": "#6fbf8f",
    "warn": "#e3b341",
    "bad": "#f0776c",
    "jump": "#14181d",
    "jump-background": "#f2d06b",
}
"""A colour for each role, and backgrounds for those that have one."""

_LIGHT = _DARK | {
    "text": "#24292f",
    "dim": "#5f6b78",
    "faint": "#c8d0d8",
    "strong": "#0b0f14",
    "heading": "#1d5f8a",
    "frame": "#b4bec8",
    "low": "#5aa598",
    "middle": "#2b8576",
    "high": "#0b6153",
    "flops": "#6a4bb0",
    "user": "#96640f",
    "system": "#a3452f",
    "memory": "#2464a4",
    "held": "#8f5d00",
    "mark": "#ffffff",
    "mark-background": "#8f5d00",
    "alert-background": "#b3261e",
    "key": "#1d5f8a",
    "tab": "#ffffff",
    "tab-background": "#1d5f8a",
    "selected": "#0b0f14",
    "selected-background": "#cfe3f2",
    "good": "#1a7f45",
    "warn": "#8f5d00",
    "bad": "#b3261e",
    "jump": "#ffffff",
    "jump-background": "#8f5d00",
}

_CONTRAST = _DARK | {
    "text": "#ffffff",
    "dim": "#d0d0d0",
    "faint": "#6a6a6a",
    "strong": "#ffffff",
    "heading": "#00e5ff",
    "frame": "#9a9a9a",
    "low": "#00b894",
    "middle": "#00e0a0",
    "high": "#7dffcf",
    "flops": "#d0a8ff",
    "user": "#ffd54a",
    "system": "#ff9a80",
    "memory": "#6fc3ff",
    "held": "#ffe600",
    "mark": "#000000",
    "mark-background": "#ffe600",
    "alert-background": "#d00000",
    "key": "#00e5ff",
    "tab": "#000000",
    "tab-background": "#ffffff",
    "selected": "#ffffff",
    "selected-background": "#005a70",
    "good": "#3dff8f",
    "warn": "#ffe600",
    "bad": "#ff6b60",
    "jump": "#000000",
    "jump-background": "#ffe600",
}

# Okabe and Ito's colours, which people with any of the common colour vision deficiencies tell apart.
_COLOUR_BLIND = _DARK | {
    "heading": "#56b4e9",
    "low": "#0072b2",
    "middle": "#3d97cf",
    "high": "#56b4e9",
    "flops": "#cc79a7",
    "user": "#e69f00",
    "system": "#d55e00",
    "memory": "#009e73",
    "held": "#f0e442",
    "mark-background": "#f0e442",
    "alert": "#000000",
    "alert-background": "#d55e00",
    "key": "#56b4e9",
    "good": "#56b4e9",
    "warn": "#f0e442",
    "bad": "#d55e00",
    "jump-background": "#f0e442",
}

_BOLD = frozenset({"strong", "heading", "mark", "alert", "tab", "held", "warn", "bad", "jump"})


def _theme(name: str, palette: dict[str, str], background: str, panel: str, dark: bool = True) -> Theme:
    return Theme(
        name=name,
        primary=palette["heading"],
        foreground=palette["text"],
        background=background,
        surface=background,
        panel=panel,
        dark=dark,
        variables={_VARIABLE.format(role): colour for role, colour in palette.items()},
    )


THEMES = (
    _theme("neuron-dark", _DARK, "#0e1217", "#161c23"),
    _theme("neuron-light", _LIGHT, "#fbfcfd", "#eef1f4", dark=False),
    _theme("neuron-contrast", _CONTRAST, "#000000", "#101010"),
    _theme("neuron-colour-blind", _COLOUR_BLIND, "#0e1217", "#161c23"),
)
"""The default first."""


def variables() -> dict[str, str]:
    """The default palette as theme variables, for themes that define none of them."""
    return {_VARIABLE.format(role): colour for role, colour in _DARK.items()}


def css() -> str:
    """The style sheet of the panels: a rule for each role."""
    return "\n".join(_rule(role) for role in ROLES)


def _rule(role: str) -> str:
    rules = [f"color: ${_VARIABLE.format(role)};"]
    if f"{role}-background" in _DARK:
        rules.append(f"background: ${_VARIABLE.format(role)}-background;")
    if role in _BOLD:
        rules.append("text-style: bold;")
    return f"Panel > .top--{role} {{ {' '.join(rules)} }}"
