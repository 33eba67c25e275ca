"""neuron-top's settings file: where it is, what is in it, and writing it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import tomllib
from pathlib import Path

from neurontools.views.top.settings import Keeper, Settings, SettingsError, as_text, settings_of

_MOST_BYTES = 1 << 16


def settings_path() -> Path:
    """The file in the user's directory for settings."""
    from platformdirs import user_config_path

    return user_config_path("neurontools") / "neuron-top.toml"


def keeper(path: Path | None = None) -> Keeper:
    """The settings in the file; a broken file is ignored, and said to be."""
    path = path or settings_path()

    def save(settings: Settings) -> str:
        return _save(path, settings)

    try:
        with path.open("rb") as file:
            given = tomllib.loads(file.read(_MOST_BYTES).decode())
        return Keeper(settings_of(given), "", save)
    except FileNotFoundError:
        return Keeper(save=save)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, SettingsError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return Keeper(trouble=f"{path} is ignored: {reason}", save=save)


def _save(path: Path, settings: Settings) -> str:
    """Writes the file as a whole or not at all; says where, or why not."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".neuron-top-")
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(as_text(settings))
            os.replace(name, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        return f"not kept: {path}: {error.strerror}"
    return f"kept in {path}"
