"""The thread that waits for keys: every key arrives, and it is gone at once when the program leaves the terminal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import tty
from collections.abc import Iterator
from threading import Thread

import pytest
from textual import constants
from textual.drivers.web_driver import WebDriver
from textual.events import Key
from textual.message import Message

from neurontools.views.top.app import TopApp
from neurontools.views.top.reader import Reader
from neurontools.views.top.terminal import SleepingDriver
from tests.views.top.hosts import VERSION, Host

PATIENCE_S = 20.0


class Driver(SleepingDriver):
    """Keeps what it passes on."""

    def process_message(self, message: Message) -> None:
        self.passed.append(message)

    def write(self, data: str) -> None:
        """Nobody looks at the screen."""

    passed: list[Message]


def app() -> TopApp:
    """An application that does not run."""
    reader = Reader(Host())
    return TopApp(reader, reader.read(), VERSION)


async def made() -> Driver:
    """It wants a loop that runs."""
    return Driver(app())


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Driver, int]]:
    """A driver on one end of a terminal, its thread running, and the other end's descriptor."""
    master, slave = os.openpty()
    tty.setraw(slave)
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)}
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "__stdin__", stdin)
        driver = asyncio.run(made())
        driver.passed = []
        driver._key_thread = Thread(target=driver.run_input_thread, daemon=True)
        driver._key_thread.start()
        yield driver, master
        driver.disable_input()
        driver.close()
    os.close(master)
    for number, handler in before.items():
        signal.signal(number, handler)


def keys(driver: Driver, count: int) -> list[str]:
    deadline = time.monotonic() + PATIENCE_S
    while len(driver.passed) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return [message.key for message in driver.passed if isinstance(message, Key)]


@pytest.mark.slow
def test_keys_arrive_whether_or_not_it_sleeps(ends: tuple[Driver, int]) -> None:
    driver, master = ends
    # An escape that is alone is a key, once enough time went by; and a letter may come in two pieces.
    os.write(master, b"a\x1b[A\x1b")
    assert keys(driver, 3) == ["a", "up", "escape"]
    os.write(master, "é".encode()[:1])
    time.sleep(0.05)
    os.write(master, "é".encode()[1:])
    assert keys(driver, 4)[3:] == ["é"]
    time.sleep(1.5)
    os.write(master, b"b")
    assert keys(driver, 5)[4:] == ["b"]


@pytest.mark.slow
def test_it_ends_when_it_is_told_to_while_it_sleeps(ends: tuple[Driver, int]) -> None:
    driver, _ = ends
    time.sleep(1.5)
    thread = driver._key_thread
    assert thread is not None and thread.is_alive()
    driver.disable_input()
    assert not thread.is_alive()


def test_it_is_used_where_textual_would_use_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert app().get_driver_class() is SleepingDriver
    monkeypatch.setattr(constants, "DRIVER", "textual.drivers.web_driver:WebDriver")
    assert app().get_driver_class() is WebDriver
