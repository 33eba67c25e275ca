"""The host as files: `neuron-model sysfs`, which writes them once, and what keeps them fresh beside a daemon."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from device_model.commands.ask import ask, duration
from device_model.commands.failure import USAGE, Failure, of_system
from device_model.commands.option_values import directory, seed
from device_model.publish.tree.dialect import DialectError, dialect
from device_model.publish.tree.entries import Entry, File, Link
from device_model.publish.tree.files import Files
from device_model.publish.tree.publisher import Publisher
from device_model.publish.tree.root import RootError, take
from device_model.publish.tree.whole import document
from device_model.simulation import Simulation
from neurontools.hardware.instances import lookup

TREE_TIMEOUT_S = 30.0
"""The files of the largest host are some megabytes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `sysfs`."""
    parser.add_argument(
        "--to", type=directory, metavar="ROOT", required=True, help="the directory to write sys, proc and dev into"
    )
    parser.add_argument("--driver-version", metavar="V", help="the driver to imitate: 2.21, 2.24, 2.30.2 (default)")
    parser.add_argument("--scenario", metavar="NAME|FILE", help="of this scenario, not of the model that runs")
    parser.add_argument("--instance", metavar="TYPE", help="with --scenario: another instance type than its own")
    parser.add_argument("--seed", type=seed, metavar="N", help="with --scenario: another seed than its own")
    parser.add_argument("--after", metavar="DURATION", help="with --scenario: so long after its start (1m, 2h)")


def sysfs(options: Any) -> int:
    """Writes a tree and leaves it there; says how many files it has."""
    found = _of_scenario(options) if options.scenario else _of_running_model(options)
    entries: list[Entry] = [*(File(*file) for file in found["files"]), *(Link(*link) for link in found["links"])]
    with _told(options.to):
        root = take(options.to)
        Files(root.fd, 0).put(entries)
        os.close(root.fd)
    print(f"written: {len(found['files'])} files below {options.to}, as driver {found['driver_version']} shows them")
    return 0


def _of_running_model(options: Any) -> Any:
    wrong = [name for name in ("instance", "seed", "after") if getattr(options, name) is not None]
    if wrong:
        raise Failure(f"--{wrong[0]} is for --scenario, not for the model that runs", "", USAGE)
    version = options.driver_version
    return ask(options, "tree", TREE_TIMEOUT_S, driver_version=version, pid=os.getpid())


def _of_scenario(options: Any) -> Any:
    from device_model.commands.serve import make_model

    model = make_model(options.scenario, options.instance, options.seed, stepped=True)
    version = checked_version(options.driver_version, model)
    if options.after is not None:
        model.advance(model.now_ns + duration(options.after))
    return document(model, version, os.getpid())


def checked_version(named: str | None, model: Simulation) -> str:
    """The driver that a tree of a model imitates; raises Failure."""
    try:
        return dialect(named, lookup(model.instance))
    except DialectError as error:
        raise Failure(f"--driver-version: {error}", "", USAGE) from None


@contextmanager
def publishing(model: Simulation, options: Any) -> Iterator[Publisher]:
    """Keeps a tree of the model while a daemon runs, complete from the start, and removes it; raises Failure."""
    version = checked_version(options.driver_version, model)
    with _told(options.host):
        publisher = Publisher(model, os.path.abspath(options.host), version, options.mounted)
        try:
            publisher.refresh()
        except BaseException:
            publisher.close()
            raise
    try:
        yield publisher
    finally:
        publisher.close()


@contextmanager
def _told(root: str) -> Iterator[None]:
    try:
        yield
    except RootError as error:
        raise Failure(str(error), error.hint, USAGE) from None
    except OSError as error:
        raise of_system("cannot write the host's files to", root, error) from None
