"""The source over a command: what it waits for, what it says when that fails, and that it leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from neurontools.schema.interval import between
from neurontools.schema.source import Source, SourceError
from neurontools.sources.aws import AwsSource, Command
from neurontools.sources.sampling import Sampler
from neurontools.units import NS_PER_MS, NS_PER_S
from tests.device_model.daemons import alive, await_end, wait_until
from tests.sources.aws.commands import script

FOREVER = "exec sleep 60"


@contextmanager
def source(
    directory: Path, body: str, first_line_ns: int = 60 * NS_PER_S, stall_ns: int = 5 * NS_PER_S
) -> Iterator[AwsSource]:
    made = AwsSource(Command([script(directory, body)]), first_line_ns, stall_ns)
    try:
        yield made
    finally:
        made.close()


def slowly(seconds: str) -> str:
    """The lines one after the other, as if each told of so many seconds."""
    each = f'printf "%s\\n" "$line" | sed "s/:5,/:{seconds},/g"; sleep {seconds}'
    return f"while read -r line; do {each}; done < $LINES; {FOREVER}"


def reason_of(made: AwsSource) -> str:
    """Why nothing can be read, as soon as that is so."""
    reasons: list[str] = []

    def failed() -> bool:
        try:
            made.snapshot()
        except SourceError as error:
            reasons.append(error.reason)
        return bool(reasons)

    wait_until(failed)
    return reasons[0]


def test_the_first_line_is_a_reading_with_a_past(tmp_path: Path) -> None:
    with source(tmp_path, f"head -1 $LINES; {FOREVER}") as made:
        used: Source = made
        past = used.past()
        assert past is not None
        interval = between(past, used.snapshot())
        assert interval.duration_ns == 5 * NS_PER_S
        assert interval.processes
        assert len(used.inventory().devices) == 6
        assert used.inventory().devices[0].holders
        assert used.events().events
        with pytest.raises(SourceError, match="bank map"):
            used.allocations(0)


def test_without_a_new_line_the_reading_is_the_same(tmp_path: Path) -> None:
    with source(tmp_path, f"head -1 $LINES; {FOREVER}") as made:
        first = made.snapshot()
        began = time.monotonic()
        assert made.snapshot() == first
        # Who waits for the next line waits for as long as that one says that its period is.
        assert time.monotonic() - began < 5


def test_a_reader_at_the_lines_period_gets_every_line(tmp_path: Path) -> None:
    """A line every 0.4 s, and a reader that asks a little too early each time."""
    body = (
        'while read -r line; do printf "%s\\n" "$line" | sed "s/:5,/:0.4,/g"; sleep 0.4; done < $LINES; exec sleep 60'
    )
    with source(tmp_path, body) as made:
        times: list[int] = []
        while len(times) < 3:
            began = time.monotonic()
            time_ns = made.snapshot().head.time_ns
            if time_ns in times:
                # A busy machine may hold up a line for longer than it is waited for.
                assert time.monotonic() - began >= 0.8
            else:
                times.append(time_ns)
            time.sleep(0.25)


def test_a_slow_reader_loses_nothing(tmp_path: Path) -> None:
    with source(tmp_path, f"cat $LINES; {FOREVER}") as made:
        past = made.past()
        assert past is not None
        began_ns = past.head.time_ns
        wait_until(lambda: made.snapshot().head.time_ns - began_ns > 5 * NS_PER_S)
        now = made.snapshot()
        made_of_all = [(process.executions or {})["completed"] for process in now.processes or ()]
        assert sum(made_of_all) > 0


def test_a_command_that_dies_is_named_with_its_last_words_and_its_code(tmp_path: Path) -> None:
    with source(tmp_path, "head -1 $LINES; echo first >&2; echo 'no license' >&2; exit 3") as made:
        made.snapshot()
        assert reason_of(made).endswith("aws-monitor) has ended with exit code 3: no license")
        assert reason_of(made) == reason_of(made)


def test_a_command_that_is_killed(tmp_path: Path) -> None:
    with source(tmp_path, "head -1 $LINES; sleep 0.1; kill -9 $$") as made:
        made.snapshot()
        assert "was killed by signal 9 (Killed)" in reason_of(made)


def test_a_command_that_never_says_anything(tmp_path: Path) -> None:
    with source(tmp_path, "exit 0") as made:
        assert reason_of(made).endswith("has ended with exit code 0")
    with source(tmp_path, FOREVER, first_line_ns=200 * NS_PER_MS) as made:
        assert reason_of(made).endswith("has printed no line within 200ms")


def test_a_command_that_prints_garbage(tmp_path: Path) -> None:
    with source(tmp_path, "echo hello; echo world") as made:
        assert "has ended with exit code 0: 2 lines could not be read, the last because: " in reason_of(made)


def test_a_command_that_stalls_is_named_and_the_next_line_heals_it(tmp_path: Path) -> None:
    go = tmp_path / "go"
    body = (
        f"head -1 $LINES | sed 's/:5,/:0.05,/g'; while [ ! -e {go} ]; do sleep 0.05; done; "
        "while :; do sed -n 2p $LINES; sleep 0.05; done"
    )
    with source(tmp_path, body, stall_ns=200 * NS_PER_MS) as made:
        first = made.snapshot()
        assert "aws-monitor) has printed nothing for " in reason_of(made)
        go.touch()
        times: list[int] = []

        def healed() -> bool:
            with suppress(SourceError):
                times.append(made.snapshot().head.time_ns)
            return bool(times)

        wait_until(healed)
        assert times[0] > first.head.time_ns


def test_a_good_end_is_no_error_at_once_but_later(tmp_path: Path) -> None:
    """By a clock that moves when it is told to."""
    now_ns = [0]
    made = AwsSource(Command([script(tmp_path, "head -1 $LINES")]), stall_ns=5 * NS_PER_S, now_ns=lambda: now_ns[0])
    try:
        first = made.snapshot()
        wait_until(lambda: made._run is not None and made._run.ended_ns is not None)
        now_ns[0] += 5 * NS_PER_S
        # A good half of the lines' period has passed: the next one is waited for, were there anybody to print it.
        assert made.snapshot() == first
        now_ns[0] += 1
        assert "has ended with exit code 0" in reason_of(made)
    finally:
        made.close()


def test_a_command_that_has_ended_is_started_again(tmp_path: Path) -> None:
    """The clock runs a hundred times as fast, so that ten seconds are a tenth of one."""
    count = tmp_path / "count"
    command = Command([script(tmp_path, f"echo >> {count}; head -1 $LINES; exit 1")])
    made = AwsSource(command, now_ns=lambda: time.monotonic_ns() * 100)
    try:
        boots = set()

        def started_again() -> bool:
            with suppress(SourceError):
                boots.add(made.snapshot().head.boot_id)
            return len(boots) == 3

        wait_until(started_again)
        assert len(count.read_text()) >= 3
    finally:
        made.close()


def test_the_talk_is_drained(tmp_path: Path) -> None:
    body = f"yes 'a warning' | head -c 1000000 >&2; head -1 $LINES; {FOREVER}"
    with source(tmp_path, body) as made:
        assert made.snapshot().devices


def test_closing_ends_the_command_and_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with source(tmp_path, f"sleep 60 & echo $$ $! > {pids}; head -1 $LINES; wait") as made:
        made.snapshot()
        running = [int(pid) for pid in pids.read_text().split()]
        assert len(running) == 2
        made.close()
        made.close()
        for pid in running:
            await_end(pid)


def test_a_command_that_will_not_end_is_made_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurontools.sources.aws.producer._TERM_S", 0.2)
    pids = tmp_path / "pids"
    body = f"trap '' TERM; echo $$ > {pids}; head -1 $LINES; while :; do sleep 0.1; done"
    with source(tmp_path, body) as made:
        made.snapshot()
        pid = int(pids.read_text())
        made.close()
        await_end(pid)
        assert not alive(pid)


READER = """
import sys, time
from neurontools.sources.aws import AwsSource, Command
source = AwsSource(Command([sys.argv[1]]))
source.snapshot()
print("read", flush=True)
time.sleep(60)
"""


def test_the_command_ends_when_its_reader_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = script(tmp_path, f"echo $$ > {pids}; head -1 $LINES; {FOREVER}")
    with subprocess.Popen([sys.executable, "-c", READER, command], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"read\n"
        reader.send_signal(signal.SIGKILL)
    await_end(int(pids.read_text()))


def test_periods_join_for_a_reader_of_its_own_pace(tmp_path: Path) -> None:
    body = (
        'while read -r line; do printf "%s\\n" "$line" | sed "s/:5,/:0.3,/g"; sleep 0.3; done < $LINES; exec sleep 60'
    )
    with source(tmp_path, body) as made:
        sampler = Sampler(made)
        first = sampler.take()
        assert sampler.interval().duration_ns == 300 * NS_PER_MS
        lengths = []
        for _ in range(2):
            time.sleep(0.2)
            last = sampler.take()
            lengths.append(sampler.interval().duration_ns)
        assert min(lengths) > 0
        assert sum(lengths) == last.head.time_ns - first.head.time_ns
