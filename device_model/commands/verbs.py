"""The verbs that start a lasting daemon, ask it, or need none."""

import contextlib
import os
import select
import stat
import sys
import tempfile
import time
from typing import Any

from device_model.commands.ask import ask, duration, need_output
from device_model.commands.failure import USAGE, Failure, of_system
from device_model.commands.launch import STOP_TIMEOUT_S, start_daemon, stop_child
from neurontools.units import format_duration_ns

ADVANCE_TIMEOUT_S = 7 * 86400.0
"""How long a client waits for a long advance; it says what it waits for."""

SAVE_TIMEOUT_S = 60.0

LAST_STEPS_S = 2.0
"""How long a daemon that has removed its socket may take to be gone."""

_SPEAKING_NS = 3600 * 10**9


def start(options: Any) -> int:
    """Starts a daemon that lives on, and says where."""
    if options.foreground:
        from device_model.commands.serve import foreground

        return foreground(options)
    need_output()
    child = start_daemon(options, options.socket, bound=False)
    try:
        status = ask(options, "status")
        print(
            f"started: {status['instance']}, scenario {status['scenario']}, {status['mode']} "
            f"(pid {status['pid']}, socket {status['socket']})",
            flush=True,
        )
    except BaseException:
        # Who is told of a failure must be able to take it for one: nothing has been started.
        child.process.terminate()
        stop_child(child)
        raise
    print("look at it with: neuron-ls --source model   end it with: neuron-model stop", file=sys.stderr)
    return 0


def stop(options: Any) -> int:
    """Ends the daemon and waits until it is gone."""
    status = ask(options, "status")
    life = _life(status["pid"])
    try:
        ask(options, "stop")
        _await_end(options.socket, life, status["pid"])
    finally:
        if life is not None:
            os.close(life)
    print(f"stopped: {status['instance']}, scenario {status['scenario']}")
    return 0


def _life(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where it cannot be seen from here."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _await_end(path: str, life: int | None, pid: int) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while os.path.exists(path) and not (life is not None and select.select([life], [], [], 0)[0]):
        if time.monotonic() > deadline:
            raise Failure(
                f"the device model (pid {pid}) has not ended within {STOP_TIMEOUT_S:.0f} s",
                f"end it with: kill -9 {pid}",
            )
        time.sleep(0.01)
    if life is not None:
        # Not for ever: in a container the number may be another process's.
        select.select([life], [], [], LAST_STEPS_S)


def advance(options: Any) -> int:
    """Moves the model's time on; returns when it is there."""
    duration_ns = duration(options.duration)
    status = ask(options, "status")
    if duration_ns >= _SPEAKING_NS and sys.stderr.isatty():
        print(f"neuron-model: advancing by {format_duration_ns(duration_ns)} …", file=sys.stderr)
    try:
        time_ns = ask(options, "advance", ADVANCE_TIMEOUT_S, duration_ns=duration_ns)["time_ns"]
    except KeyboardInterrupt:
        print("neuron-model: the model goes on to advance without you", file=sys.stderr)
        raise
    up_ns = time_ns - status["time_ns"] + status["uptime_ns"]
    print(f"{format_duration_ns(up_ns, 3)} after the start (time_ns {time_ns})")
    return 0


def save(options: Any) -> int:
    """Writes the model to a file, whole or not at all."""
    import json

    target = os.path.realpath(options.file)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        # Replacing a device or a pipe by a file is what nobody wants who names one.
        if not stat.S_ISREG(os.stat(target).st_mode):
            raise Failure(f"cannot write {options.file}: it is not a file", "give the path of a file")
    text = json.dumps(ask(options, "save", SAVE_TIMEOUT_S), indent=1) + "\n"
    try:
        fd, partial = tempfile.mkstemp(prefix=".neuron-model-", dir=os.path.dirname(target))
    except OSError as error:
        raise of_system("cannot write", options.file, error) from None
    try:
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)
        os.replace(partial, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        if isinstance(error, OSError):
            raise of_system("cannot write", options.file, error) from None
        raise
    print(f"saved: {options.file}")
    return 0


def scenarios(options: Any) -> int:
    """Lists the scenarios that come with the program, or prints one."""
    from device_model.scenario import parse, shipped, unknown_scenario

    texts = shipped()
    if options.name:
        if options.name not in texts:
            raise Failure(str(unknown_scenario(options.name, texts)), "see `neuron-model scenarios`", USAGE)
        sys.stdout.write(texts[options.name])
        return 0
    parsed = {name: parse(text, name) for name, text in texts.items()}
    widths = max(map(len, parsed)), max(len(scenario.instance) for scenario in parsed.values())
    for name, scenario in parsed.items():
        print(f"{name:<{widths[0]}}  {scenario.instance:<{widths[1]}}  {scenario.description}")
    return 0
