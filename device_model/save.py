"""A model as a small document: what it was made from and what was done to it, from which it is made again."""

import hashlib
from typing import Any

import msgspec

from device_model.scenario import NamedScenario, ScenarioError, from_document
from device_model.simulation import CommandError, Simulation
from neurontools.schema.document import encode

SAVE_VERSION = 1
KIND = "neurontools-model"


class SaveError(ValueError):
    """A saved model cannot be restored; one line says why."""


class _Mark(msgspec.Struct):
    kind: str = ""
    version: int = 0


class _Command(msgspec.Struct, tag_field="command"):
    time_ns: int


class _Signal(_Command, tag="signal"):
    pid: int
    number: int


class _Inject(_Command, tag="inject"):
    fault: str
    target: dict[str, Any]
    parameters: dict[str, Any]
    for_ns: int | None


class _Heal(_Command, tag="heal"):
    what: int | str


class _Write(_Command, tag="write"):
    device: int
    core: int | None
    path: str


class _Saved(msgspec.Struct):
    name: str
    scenario: dict[str, Any]
    instance: str
    seed: int
    epoch_ns: int
    time_ns: int
    journal: list[_Signal | _Inject | _Heal | _Write]
    digest: str


def saved(model: Simulation) -> dict[str, Any]:
    """Everything that restore needs. `digest` is of the snapshot at that instant."""
    return {
        "kind": KIND,
        "version": SAVE_VERSION,
        "name": model.name,
        "scenario": model.scenario.model_dump(mode="json", exclude_unset=True),
        "instance": model.instance,
        "seed": model.seed,
        "epoch_ns": model.epoch_ns,
        "time_ns": model.now_ns,
        "journal": list(model.journal),
        "digest": _digest(model),
    }


def restore(text: str, where: str) -> Simulation:
    """The saved model at the instant of saving, made by replaying its journal.

    Raises SaveError when the text is no saved model, or when this release computes another state from it.
    """
    document = _read(text, where)
    try:
        model = _replay(document)
    except (ScenarioError, CommandError) as error:
        raise SaveError(f"{where}: {'; '.join(str(error).splitlines())}") from None
    except (KeyError, OverflowError, ValueError) as error:
        raise SaveError(f"{where} is no model that can run: {error.args[0]}") from None
    if _digest(model) != document.digest:
        raise SaveError(
            f"{where} does not lead to the state that was saved: the file was changed, "
            "or another release of neurontools saved it, which can restore it"
        )
    return model


def _read(text: str, where: str) -> _Saved:
    try:
        mark = msgspec.json.decode(text, type=_Mark)
        if mark.kind != KIND:
            raise SaveError(f"{where} is not a saved model: make one with `neuron-model save FILE`")
        if mark.version != SAVE_VERSION:
            raise SaveError(f"{where} has version {mark.version}, this release restores version {SAVE_VERSION}")
        return msgspec.json.decode(text, type=_Saved)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise SaveError(f"{where} is not a readable saved model: {error}") from None


def _replay(document: _Saved) -> Simulation:
    named = NamedScenario(document.name, from_document(document.scenario, "scenario"))
    model = Simulation(named, document.instance, document.seed, document.epoch_ns)
    for entry in document.journal:
        model.advance(entry.time_ns)
        if isinstance(entry, _Signal):
            model.signal(entry.pid, entry.number)
        elif isinstance(entry, _Inject):
            model.inject(entry.fault, entry.target, entry.parameters, entry.for_ns)
        elif isinstance(entry, _Write):
            model.write(entry.device, entry.core, entry.path)
        else:
            model.heal(entry.what)
    model.advance(document.time_ns)
    return model


def _digest(model: Simulation) -> str:
    return hashlib.blake2b(encode(model.snapshot()), digest_size=16).hexdigest()
