"""A daemon in this process: what `start --foreground` does, and what the other verbs start in the background."""

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any

from device_model.commands.failure import SOFTWARE, USAGE, Failure, of_system
from device_model.commands.listen import Place
from device_model.daemon import Daemon, ModelFailedError, real_epoch_ns
from device_model.kernel.clock import STEPPED_EPOCH_NS
from device_model.save import SaveError, restore
from device_model.scenario import ScenarioError, load
from device_model.simulation import Simulation
from neurontools.hardware.instances import lookup

if TYPE_CHECKING:
    from device_model.publish.tree.publisher import Publisher

_STDERR = 2


def make_model(scenario: str, instance: str | None, seed: int | None, stepped: bool) -> Simulation:
    """A model at its beginning; raises Failure for a scenario that cannot be used."""
    if instance is not None:
        try:
            lookup(instance)
        except KeyError as error:
            raise Failure(f"--instance: {error.args[0]}", "", USAGE) from None
    try:
        return Simulation(load(scenario), instance, seed, STEPPED_EPOCH_NS if stepped else real_epoch_ns())
    except ScenarioError as error:
        raise Failure(str(error), "see `neuron-model scenarios`, and `neuron-model check FILE`", USAGE) from None


def restored_model(path: str) -> Simulation:
    """The model that a file holds; raises Failure."""
    try:
        with open(path, encoding="utf-8") as file:
            return restore(file.read(), path)
    except OSError as error:
        raise of_system("cannot read", path, error) from None
    except UnicodeDecodeError:
        raise Failure(f"{path} is not a saved model: make one with `neuron-model save FILE`") from None
    except SaveError as error:
        raise Failure(str(error)) from None


def serve(
    model: Simulation,
    speed: float,
    path: str,
    parent_fd: int | None,
    ready_fd: int | None,
    publisher: "Publisher | None" = None,
) -> None:
    """Runs a daemon until it is stopped; tells `ready_fd` when it answers. Raises Failure.

    With `ready_fd` and no `parent_fd` it is on its own from then on: it writes to a log beside its socket
    and keeps neither its starter's directory nor its streams in use.
    """
    place = Place(path)
    listener = place.take()

    def ready() -> None:
        if ready_fd is None:
            return
        os.chdir("/")
        if parent_fd is None:
            log = place.open_log()
            os.dup2(log, _STDERR)
            os.close(log)
        _announce(ready_fd)

    try:
        asyncio.run(Daemon(model, speed, path, publisher).run(listener, parent_fd, ready))
        place.remove_log()
    except ModelFailedError as error:
        raise Failure(str(error), error.reproduce, SOFTWARE) from None
    finally:
        listener.close()
        place.leave()
        if parent_fd is not None:
            # The place was made for this run alone: when its maker is gone, nobody else removes it.
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(path))


def _announce(ready_fd: int) -> None:
    try:
        os.write(ready_fd, b"ready\n")
    except BrokenPipeError:
        raise Failure("whoever started this device model has gone") from None
    finally:
        os.close(ready_fd)


def foreground(options: Any) -> int:
    """The verb `start --foreground` (and `restore --foreground`)."""
    if options.restore:
        model = restored_model(options.restore)
    else:
        model = make_model(options.scenario, options.instance, options.seed, options.speed == 0)
    serving = (model, options.speed, options.socket, options.parent_fd, options.ready_fd)
    if options.host is None:
        serve(*serving)
        return 0
    from device_model.commands.host import publishing

    with publishing(model, options) as publisher:
        serve(*serving, publisher)
    return 0
