"""The text of a reading as what its numbers have changed by since the reading before.

Knows nothing of what a reading holds: a text is digits and what lies between them (its shape), beside its tallies,
which are the objects under a key "counts" that map whole numbers to whole numbers. Only while the shape stays the same
are there deltas.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, compress, count
from operator import ne, sub
from sys import byteorder
from typing import NamedTuple

import msgspec

_TALLY = re.compile(rb'"counts":\{([^}]*)\}')
_NO_TALLY = b'"counts":{}'

# Where a text is cut into segments: around what tells a core from those in lockstep with it, and around what of a
# process does not change. Of equal segments one is compared; where to cut changes nothing of the result.
_CORE, _ITS_WORK, _AFTER_CORES = b'{"core":', b',"busy_ns":', b'],"banks":'
_OF_PROCESSES = (b'{"pid":', b',"executions":', b',"host":')
_CUT = b"\n"

_DIGITS = b"0123456789"
_SPACE = 0x20
_NO_SPACE = b"\x01"
"""Stands for a space inside a string: no text of JSON has this byte."""
_TO_SHAPE = bytes(_SPACE if byte in _DIGITS else (1 if byte == _SPACE else byte) for byte in range(256))
"""Leaves a space for each digit, so that `split` gives what lies between numbers."""
_TO_NUMBERS = bytes(byte if byte in _DIGITS else _SPACE for byte in range(256))

_LENGTHS = struct.Struct("<II")
_UNWRITTEN = re.compile(rb"(?:^| )0[0-9]")
"""A number that its value does not give back."""


class DeltaError(ValueError):
    """A delta cannot be applied: it is none, or none of this series."""


class _Segment(NamedTuple):
    """A piece of a text: what lies between its numbers, and the numbers."""

    shape: list[bytes]
    numbers: list[bytes]


class _Change(NamedTuple):
    """What a segment's numbers changed by, each with its place in the segment."""

    places: list[int]
    deltas: list[int]


class Encoder:
    """Turns the texts of one series into deltas; `reset` begins another series."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The next text is compared with none."""
        self._texts: list[bytes] = []
        self._segments: dict[bytes, _Segment] = {}
        self._tallies: list[bytes] = []
        self._counts: dict[bytes, dict[int, int]] = {}

    def delta(self, text: bytes) -> bytes | None:
        """What changed since the text before; None where only the text itself can say it, as of a new shape."""
        outline, tallies = _outlined(text)
        texts = _cut(outline)
        before, self._segments = self._segments, {}
        changed = self._changed(texts, before) if len(texts) == len(self._texts) else None
        counted = self._counted(tallies) if changed is not None else None
        self._texts, self._tallies = texts, tallies
        if changed is None or counted is None:
            self._segments = {segment: _segment(segment) for segment in dict.fromkeys(texts)}
            return None
        return _packed(*changed, counted)

    def _changed(self, texts: Sequence[bytes], before: Mapping[bytes, _Segment]) -> _Change | None:
        """What all numbers changed by, each with its place in the text."""
        known: dict[tuple[bytes, bytes], _Change] = {}
        places: list[int] = []
        deltas: list[int] = []
        first = 0
        for old, now in zip(self._texts, texts, strict=True):
            segment = before[old]
            if old == now:
                self._segments[now] = segment
            else:
                change = known.get((old, now))
                if change is None:
                    following = _following(segment, now)
                    change = _compared(segment.numbers, following.numbers) if following is not None else None
                    if following is None or change is None:
                        return None
                    self._segments[now], known[old, now] = following, change
                places += [first + place for place in change.places]
                deltas += change.deltas
            first += len(segment.numbers)
        return _Change(places, deltas)

    def _counted(self, tallies: Sequence[bytes]) -> list[int] | None:
        """For each tally that differs: its place, how many of its counts differ, and those with their differences."""
        if len(self._tallies) != len(tallies):
            return None
        words: list[int] = []
        known, self._counts = self._counts, {}
        for place, (before, after) in enumerate(zip(self._tallies, tallies, strict=True)):
            if before == after:
                continue
            try:
                earlier = known.get(before) or _read_tally(before)
                counts = self._counts[after] = _read_tally(after)
            except DeltaError:
                return None
            if earlier.keys() - counts.keys() or _written(counts) != after:
                return None
            steps = {key: value - earlier.get(key, 0) for key, value in counts.items() if value != earlier.get(key)}
            words += [place, len(steps), *[word for pair in steps.items() for word in pair]]
        return words


class Decoder:
    """Follows one series: a keyframe's text, then deltas. Texts are put together only where they are asked for."""

    def __init__(self, text: bytes) -> None:
        """Raises DeltaError where the text is no object of JSON."""
        outline, self._tallies = _outlined(text)
        shape, numbers = _segment(outline)
        if not (outline.startswith(b"{") and outline.endswith(b"}")) or len(shape) != len(numbers) + 1:
            raise DeltaError("its text is no object of JSON")
        self._tokens = _interleaved(shape, numbers)
        self._added: dict[int, int] = {}
        self._tallied: dict[int, dict[int, int]] = {}

    def apply(self, delta: bytes) -> None:
        """Takes a delta in. Raises DeltaError where it is none of this series."""
        places, deltas, words = _unpacked(delta)
        if places and places[-1] >= len(self._tokens) // 2:
            raise DeltaError("it changes numbers that there are not")
        added = self._added
        for place, step in zip(places, deltas, strict=True):
            added[place] = added.get(place, 0) + step
        self._count(words)

    def text(self) -> bytes:
        """The text after the latest delta. Raises DeltaError where the deltas were none of this series."""
        tokens = self._tokens
        try:
            for place, step in self._added.items():
                tokens[2 * place + 1] = b"%d" % (int(tokens[2 * place + 1]) + step)
        except ValueError:
            raise DeltaError("it changes a number of too many digits") from None
        self._added.clear()
        for place, tally in self._tallied.items():
            self._tallies[place] = _written(tally)
        shells = _joined(tokens).split(_NO_TALLY)
        if len(shells) != len(self._tallies) + 1:
            raise DeltaError("its tallies are not where they were")
        tallies = [b'"counts":{%b}' % tally for tally in self._tallies]
        return b"".join([part for pair in zip(shells, [*tallies, b""], strict=True) for part in pair])

    def _count(self, words: Sequence[int]) -> None:
        left = iter(words)
        for place in left:
            pairs = next(left, -1)
            if not 0 <= place < len(self._tallies) or pairs < 0:
                raise DeltaError("it changes a tally that there is not")
            if place not in self._tallied:
                self._tallied[place] = _read_tally(self._tallies[place])
            tally = self._tallied[place]
            for _ in range(pairs):
                key, step = next(left, None), next(left, None)
                if key is None or step is None:
                    raise DeltaError("a tally is cut off")
                tally[key] = tally.get(key, 0) + step


def _outlined(text: bytes) -> tuple[bytes, list[bytes]]:
    """The text with its tallies emptied, and what was in them."""
    parts = _TALLY.split(text)
    return _NO_TALLY.join(parts[::2]), parts[1::2]


def _cut(outline: bytes) -> list[bytes]:
    """The text in segments. Each search begins where the last one ended: passes over the whole text are dear."""
    texts: list[bytes] = []
    at = 0
    while (work := outline.find(_ITS_WORK, at + 1)) >= 0:
        core = max(at, outline.rfind(_CORE, at, work))
        between = outline[at:core]
        after = max(0, between.find(_AFTER_CORES))
        texts += [between[:after], between[after:], outline[core:work]]
        at = work
    rest = outline[at:]
    for mark in _OF_PROCESSES:
        rest = rest.replace(mark, _CUT + mark)
    return texts + rest.split(_CUT)


def _segment(text: bytes) -> _Segment:
    return _Segment(text.translate(_TO_SHAPE).split(), text.translate(_TO_NUMBERS).split())


def _following(segment: _Segment, text: bytes) -> _Segment | None:
    """A text that differs in its numbers only; None where it has another shape."""
    shape, numbers = segment.shape, text.translate(_TO_NUMBERS).split()
    if len(numbers) != len(segment.numbers):
        return None
    # Cheaper than taking the new text's shape apart, and it leaves no doubt.
    return _Segment(shape, numbers) if _joined(_interleaved(shape, numbers)) == text else None


def _interleaved(shape: Sequence[bytes], numbers: Sequence[bytes]) -> list[bytes]:
    """What lies between numbers and the numbers in turn, numbers at the odd places."""
    tokens = [b""] * (len(shape) + len(numbers))
    tokens[::2], tokens[1::2] = shape, numbers
    return tokens


def _joined(tokens: Iterable[bytes]) -> bytes:
    return b"".join(tokens).replace(_NO_SPACE, b" ")


def _compared(old: Sequence[bytes], now: Sequence[bytes]) -> _Change | None:
    """The numbers that differ; None where a value does not say how a number is written."""
    differs = list(map(ne, old, now))
    news = list(compress(now, differs))
    if _UNWRITTEN.search(b" ".join(news)):
        return None
    try:
        deltas = list(map(sub, map(int, news), map(int, compress(old, differs))))
    except ValueError:
        # More digits than Python converts.
        return None
    return _Change(list(compress(count(), differs)), deltas)


_tally_decoder = msgspec.json.Decoder(dict[int, int])


def _read_tally(text: bytes) -> dict[int, int]:
    try:
        return _tally_decoder.decode(b"{%b}" % text)
    except msgspec.DecodeError as error:
        raise DeltaError(f"not a tally: {error}") from None


def _written(tally: Mapping[int, int]) -> bytes:
    """A tally as text, in the order of its keys."""
    return b",".join([b'"%d":%d' % (key, tally[key]) for key in sorted(tally)])


def _packed(places: Sequence[int], deltas: Iterable[int], words: Iterable[int]) -> bytes | None:
    """A delta's bytes; None where a number is too large for them."""
    try:
        arrays = array("I", map(sub, places, [0, *places[:-1]])), array("q", deltas), array("q", words)
    except OverflowError:
        return None
    return b"".join((_LENGTHS.pack(len(places), len(arrays[2])), *map(_little_endian, arrays)))


def _unpacked(delta: bytes) -> tuple[list[int], Sequence[int], Sequence[int]]:
    """Places, differences and words. Raises DeltaError."""
    if len(delta) < _LENGTHS.size:
        raise DeltaError("it is cut off")
    changed, counted = _LENGTHS.unpack_from(delta)
    places_end = _LENGTHS.size + 4 * changed
    deltas_end = places_end + 8 * changed
    if len(delta) != deltas_end + 8 * counted:
        raise DeltaError("it is not as long as it says")
    gaps = _numbers("I", delta[_LENGTHS.size : places_end])
    return list(accumulate(gaps)), _numbers("q", delta[places_end:deltas_end]), _numbers("q", delta[deltas_end:])


def _little_endian(numbers: array[int]) -> bytes:
    if byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _numbers(kind: str, data: bytes) -> array[int]:
    numbers = array(kind)
    numbers.frombytes(data)
    if byteorder == "big":
        numbers.byteswap()
    return numbers
