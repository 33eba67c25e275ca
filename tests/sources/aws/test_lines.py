"""Lines out of pipes: whole whatever the pieces, bounded, and drained whoever reads them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from neurontools.sources.aws.lines import Line, Pump, Splitter


class Heard:
    """What a pump has handed over."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.batches = 0
        self.ended = threading.Event()
        self.came = threading.Condition()

    def take(self, lines: Sequence[Line]) -> None:
        with self.came:
            self.lines += lines
            self.batches += 1
            self.came.notify_all()

    def wait_for(self, count: int) -> bool:
        with self.came:
            return self.came.wait_for(lambda: len(self.lines) >= count, 10)


@contextmanager
def pumping(talking: bool = False) -> Iterator[tuple[Heard, Pump, list[int]]]:
    """A pump at work and the ends that a producer writes to: lines, and talk."""
    lines_fd, write_fd = os.pipe()
    talk_fd, say_fd = os.pipe() if talking else (None, None)
    heard = Heard()
    pump = Pump(lines_fd, talk_fd, heard.take, heard.ended.set)
    ends = [fd for fd in (write_fd, say_fd) if fd is not None]
    try:
        yield heard, pump, ends
    finally:
        pump.close()
        for fd in (*ends, lines_fd, talk_fd):
            if fd is not None:
                os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_pieces_do_not_matter(text: bytes, cuts: list[int]) -> None:
    splitter = Splitter()
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    lines: list[Line] = []
    for start, end in pairwise(edges):
        lines += splitter.feed(text[start:end])
    lines += splitter.rest()
    assert lines == (text.split(b"\n")[:-1] if text.endswith(b"\n") or not text else text.split(b"\n"))


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=8), st.integers(1, 50))
def test_long_lines_are_dropped_and_the_others_are_not(lines: list[bytes], piece: int) -> None:
    splitter = Splitter(longest=20)
    text = b"".join(line + b"\n" for line in lines)
    found: list[Line] = []
    for start in range(0, len(text), piece):
        found += splitter.feed(text[start : start + piece])
    assert found == [line if len(line) <= 20 else None for line in lines]


def test_an_endless_line_takes_no_room() -> None:
    splitter = Splitter(longest=1000)
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000) == []
    assert sum(map(len, splitter._begun)) <= 1000
    assert splitter.feed(b"\nend\n") == [None, b"end"]


def test_lines_come_as_they_are_written_and_the_end_comes_last() -> None:
    with pumping() as (heard, _, ends):
        for text in (b"one\n", b"two\nthr"):
            write_all(ends[0], text)
        assert heard.wait_for(2)
        write_all(ends[0], b"ee")
        os.close(ends.pop())
        assert heard.ended.wait(60)
        assert heard.lines == [b"one", b"two", b"three"]


def test_a_flood_is_drained_on_both_pipes() -> None:
    """Ten times what a pipe holds, on each of them, without anybody who reads."""
    with pumping(talking=True) as (heard, pump, ends):
        talker = threading.Thread(target=write_all, args=(ends[1], b"warning: something\n" * 40_000 + b"the last\n"))
        talker.start()
        write_all(ends[0], b"x" * 600_000 + b"\n" + b"line\n" * 3)
        talker.join(60)
        assert not talker.is_alive()
        assert heard.wait_for(4)
        assert heard.lines[1:] == [b"line"] * 3
        for fd in ends:
            os.close(fd)
        ends.clear()
        assert heard.ended.wait(60)
        assert pump.talk == "the last"


def test_closing_does_not_wait_for_whoever_writes() -> None:
    with pumping() as (heard, pump, ends):
        write_all(ends[0], b"half a li")
        pump.close()
        pump.close()
        assert not heard.ended.is_set()
        assert heard.lines == []


def test_nobody_who_talks_has_said_nothing() -> None:
    with pumping() as (_, pump, _ends):
        assert pump.talk == ""
