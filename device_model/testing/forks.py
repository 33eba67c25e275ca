"""The program that a nursery runs: with all imported that a daemon needs, it forks one for each line that it reads.

A line is an object: `path` of the socket, `scenario` (a name, the path of a file from `directory`, or a table),
`instance` and `seed`, either null for the scenario's own. The answer is a line with the daemon's pid, or with 0 where
none could start, and its log says why.
"""

import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

from device_model.commands.failure import Failure
from device_model.commands.listen import log_path
from device_model.commands.serve import serve
from device_model.scenario import NamedScenario, ScenarioError, from_document, load
from device_model.simulation import Simulation
from neurontools.hardware.instances import lookup

TABLE_NAME = "inline"
"""What a scenario is called that is given as a table."""


def main() -> None:
    """Forks until its input ends, which also ends what it has forked."""
    # Nobody waits for the daemons here: the system forgets them when they end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    life = os.pipe()
    for line in sys.stdin.buffer:
        os.write(sys.stdout.fileno(), b"%d\n" % _fork(json.loads(line), life))


def _fork(request: Mapping[str, Any], life: tuple[int, int]) -> int:
    """The pid of a daemon that answers; 0 where it ended before."""
    ready_out, ready_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ready_out)
        os.close(life[1])
        _live(request, life[0], ready_in)
    os.close(ready_in)
    with open(ready_out, "rb") as ready:
        return pid if ready.read() else 0


def _live(request: Mapping[str, Any], parent_fd: int, ready_fd: int) -> NoReturn:
    """A daemon's whole life. It never returns to where it was forked."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.chdir(request["directory"])
        _detach(request["path"])
        serve(_model(request), 0.0, request["path"], parent_fd, ready_fd)
    except Failure as failure:
        print(*filter(None, (failure.message, failure.hint)), sep="\n", file=sys.stderr, flush=True)
    except BaseException:
        with contextlib.suppress(OSError):
            traceback.print_exc()
    finally:
        os._exit(0)


def _detach(path: str) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    log = os.open(log_path(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for fd, stream in ((nowhere, 0), (nowhere, 1), (log, 2)):
        os.dup2(fd, stream)
    os.close(nowhere)
    os.close(log)


def _model(request: Mapping[str, Any]) -> Simulation:
    given, instance = request["scenario"], request["instance"]
    if instance is not None:
        try:
            lookup(instance)
        except KeyError as error:
            raise Failure(f"instance: {error.args[0]}") from None
    try:
        named = load(given) if isinstance(given, str) else NamedScenario(TABLE_NAME, from_document(given, "scenario"))
        return Simulation(named, instance, request["seed"])
    except ScenarioError as error:
        raise Failure(str(error)) from None


if __name__ == "__main__":
    main()
