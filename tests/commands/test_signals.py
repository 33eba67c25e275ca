"""Signals go to that very process and to no other, and only where the source allows it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from neurontools.commands.signals import control_of, started_at_ns, to_process
from neurontools.units import NS_PER_S
from neurontools.views.top.control import Refused
from tests.device_model.daemons import running, short_directory, socket_in


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_the_process_that_was_meant_gets_it(child: subprocess.Popen[bytes]) -> None:
    to_process(child.pid, started_at_ns(child.pid), signal.SIGTERM)
    assert child.wait(60) == -signal.SIGTERM


def test_another_process_with_its_pid_does_not(child: subprocess.Popen[bytes]) -> None:
    with pytest.raises(Refused, match="another one by now"):
        to_process(child.pid, started_at_ns(child.pid) - 5 * NS_PER_S, signal.SIGTERM)
    assert child.poll() is None


def test_a_process_that_ended_is_a_line(child: subprocess.Popen[bytes]) -> None:
    started = started_at_ns(child.pid)
    child.kill()
    child.wait(60)
    with pytest.raises(Refused, match="No such process"):
        to_process(child.pid, started, signal.SIGTERM)


@pytest.mark.parametrize(
    ("spec", "variable", "readonly", "allowed"),
    [
        (None, None, False, True),
        ("sysfs", None, False, True),
        ("sysfs:/", None, False, True),
        ("sysfs:/copy", None, False, False),
        (None, "sysfs:/copy", False, False),
        ("model:/x", None, False, True),
        ("aws:-", None, False, False),
        ("replay:x", None, False, False),
        ("model:/x", None, True, False),
    ],
)
def test_who_may_be_sent_signals(spec: str | None, variable: str | None, readonly: bool, allowed: bool) -> None:
    control = control_of(spec, {"NEURONTOOLS_SOURCE": variable} if variable else {}, readonly)
    assert (control.send is not None) == allowed
    assert allowed or control.why_not


def test_a_models_process_is_ended_through_its_socket() -> None:
    with short_directory() as directory, running(directory, "--scenario", "two-tenants", "--stepped"):
        send = control_of(f"model:{socket_in(directory)}", {}, False).send
        assert send is not None
        send(4096, 0, signal.SIGKILL)
        with pytest.raises(Refused, match="4096"):
            send(4096, 0, signal.SIGKILL)
