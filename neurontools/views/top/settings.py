"""What a person may want every time: theme, unit, period and page; read by the command, changed on the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from neurontools.spelling import did_you_mean
from neurontools.views.top import quantities
from neurontools.views.top.quantities import Sizes

LEAST_REFRESH_S, MOST_REFRESH_S = 0.5, 60.0
REFRESHES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""The periods that keys go through."""

THEME_NAMES = ("neuron-dark", "neuron-light", "neuron-contrast", "neuron-colour-blind")
PAGE_NAMES = ("overview", "history", "processes", "memory", "topology", "health")
SIZES: Mapping[str, Sizes] = {"GiB": quantities.binary, "GB": quantities.decimal}


class SettingsError(ValueError):
    """A setting is none; the text names it and says what it could be."""


class Settings(NamedTuple):
    """`unit` is GiB or GB, `refresh_s` 0.5 to 60 seconds."""

    theme: str = THEME_NAMES[0]
    unit: str = "GiB"
    refresh_s: float = 1.0
    page: str = PAGE_NAMES[0]

    @property
    def sizes(self) -> Sizes:
        """How bytes are written."""
        return SIZES[self.unit]


DEFAULTS = Settings()
_CHOICES: Mapping[str, tuple[str, ...]] = {"theme": THEME_NAMES, "unit": tuple(SIZES), "page": PAGE_NAMES}


class Keeper(NamedTuple):
    """Where settings are kept: `save` writes them and says where; `trouble` is why those of before are ignored."""

    settings: Settings = DEFAULTS
    trouble: str = ""
    save: Callable[[Settings], str] | None = None


def settings_of(given: Mapping[str, object]) -> Settings:
    """Settings from the keys of a file. Raises SettingsError for a key or a value that there is not."""
    settings = DEFAULTS
    for name, value in given.items():
        if name == "refresh_s":
            settings = settings._replace(refresh_s=refresh_of(value))
        elif name not in _CHOICES:
            raise SettingsError(f"there is no setting {name!r}{did_you_mean(name, Settings._fields)}")
        elif value not in _CHOICES[name]:
            choices = ", ".join(_CHOICES[name])
            raise SettingsError(f"{name} is one of {choices}, not {value!r}{did_you_mean(str(value), _CHOICES[name])}")
        else:
            settings = settings._replace(**{name: value})  # type: ignore[arg-type]
    return settings


def refresh_of(value: object) -> float:
    """A period in seconds. Raises SettingsError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_REFRESH_S <= value <= MOST_REFRESH_S:
        raise SettingsError(f"refresh_s is {LEAST_REFRESH_S:g} to {MOST_REFRESH_S:g} seconds, not {value!r}")
    return float(value)


def as_text(settings: Settings) -> str:
    """The settings as a file."""
    lines = (f'theme = "{settings.theme}"', f'unit = "{settings.unit}"', f'page = "{settings.page}"')
    return "".join(f"{line}\n" for line in (*lines, f"refresh_s = {settings.refresh_s:g}"))
