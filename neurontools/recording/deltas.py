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

_TALLY, _TALLY_END = b'"counts":{', b"}"
_NO_TALLY = _TALLY + _TALLY_END

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

_OF_TALLIES = b'0123456789":,-'

_LENGTHS = struct.Struct("<II")
_UNWRITTEN = re.compile(rb" 0[0-9]")
"""A number that its value does not give back."""


class DeltaError(ValueError):
    """A delta cannot be applied: it is none, or none of this series."""


class _Segment(NamedTuple):
    """A piece of a text: what lies between its numbers, the numbers, and the text with its digits blanked out."""

    shape: list[bytes]
    numbers: list[bytes]
    blank: bytes


class _Change(NamedTuple):
    """What numbers changed by, and how far the place of each is from the one before; the first place and the last."""

    gaps: list[int]
    deltas: list[int]
    first: int
    last: int


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

    def _changed(self, texts: Sequence[bytes], before: Mapping[bytes, _Segment]) -> tuple[list[int], list[int]] | None:
        """The numbers that changed, each as the distance of its place from the one before, and what is to be added."""
        known: dict[tuple[bytes, bytes], _Change] = {}
        gaps: list[int] = []
        deltas: list[int] = []
        written: list[bytes] = []
        first = last = 0
        for old, now in zip(self._texts, texts, strict=True):
            segment = before[old]
            if old == now:
                self._segments[now] = segment
            else:
                change = known.get((old, now))
                if change is None:
                    following = _following(segment, now)
                    change = _compared(segment.numbers, following.numbers, written) if following is not None else None
                    if following is None or change is None:
                        return None
                    self._segments[now], known[old, now] = following, change
                if change.deltas:
                    gaps.append(first + change.first - last)
                    gaps += change.gaps
                    last = first + change.last
                deltas += change.deltas
            first += len(segment.numbers)
        return (gaps, deltas) if _can_be_written(written) else None

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
            if not earlier.keys() <= counts.keys() or not _is_as_written(after, counts):
                return None
            steps = {key: value - earlier.get(key, 0) for key, value in counts.items() if value != earlier.get(key)}
            words += [place, len(steps), *[word for pair in steps.items() for word in pair]]
        return words


class Decoder:
    """Follows one series: a keyframe's text, then deltas. Texts are put together only where they are asked for."""

    def __init__(self, text: bytes) -> None:
        """Raises DeltaError where the text is no object of JSON."""
        outline, self._tallies = _outlined(text)
        shape, numbers, _ = _segment(outline)
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
    head, *parts = text.split(_TALLY)
    tallies, shells = [], [head]
    for part in parts:
        tally, end, shell = part.partition(_TALLY_END)
        if end:
            tallies.append(tally)
            shells.append(shell)
        else:
            # No tally, as nothing ends it.
            shells[-1] += _TALLY + part
    return _NO_TALLY.join(shells), tallies


def _cut(outline: bytes) -> list[bytes]:
    """The text in segments: what is before the cores, of each core what tells it from others and its work, the rest."""
    head, *cores = outline.split(_CORE)
    texts, rest = [head], b""
    for core in cores:
        identity, mark, work = core.partition(_ITS_WORK)
        work, after, rest = work.partition(_AFTER_CORES)
        texts += [_CORE + identity, mark + work, after + rest]
    rest = texts.pop()
    for mark in _OF_PROCESSES:
        rest = rest.replace(mark, _CUT + mark)
    return texts + rest.split(_CUT)


def _segment(text: bytes) -> _Segment:
    blank = text.translate(_TO_SHAPE)
    return _Segment(blank.split(), text.translate(_TO_NUMBERS).split(), blank)


def _following(segment: _Segment, text: bytes) -> _Segment | None:
    """A text that differs in its numbers only; None where it has another shape."""
    blank, numbers = text.translate(_TO_SHAPE), text.translate(_TO_NUMBERS).split()
    following = _Segment(segment.shape, numbers, blank)
    # With numbers as long as before it is seen at once.
    if blank == segment.blank:
        return following
    if len(numbers) != len(segment.numbers):
        return None
    # Cheaper than taking the new text's shape apart, and it leaves no doubt.
    return following if _joined(_interleaved(segment.shape, numbers)) == text else None


def _interleaved(shape: Sequence[bytes], numbers: Sequence[bytes]) -> list[bytes]:
    """What lies between numbers and the numbers in turn, numbers at the odd places."""
    tokens = [b""] * (len(shape) + len(numbers))
    tokens[::2], tokens[1::2] = shape, numbers
    return tokens


def _joined(tokens: Iterable[bytes]) -> bytes:
    return b"".join(tokens).replace(_NO_SPACE, b" ")


def _compared(old: Sequence[bytes], now: Sequence[bytes], written: list[bytes]) -> _Change | None:
    """The numbers that differ, which are added to `written`; None where one has too many digits."""
    differs = list(map(ne, old, now))
    news = list(compress(now, differs))
    written += news
    try:
        deltas = list(map(sub, map(int, news), map(int, compress(old, differs))))
    except ValueError:
        # More digits than Python converts.
        return None
    places = list(compress(count(), differs))
    first, last = (places[0], places[-1]) if places else (0, 0)
    return _Change(list(map(sub, places[1:], places)), deltas, first, last)


def _can_be_written(numbers: Iterable[bytes]) -> bool:
    """Whether values give back their numbers. Of all at once: to look at each takes as long as to compare them."""
    text = b" ".join((b"", *numbers))
    return b" 0" not in text or _UNWRITTEN.search(text) is None


_tally_decoder = msgspec.json.Decoder(dict[int, int])


def _read_tally(text: bytes) -> dict[int, int]:
    try:
        return _tally_decoder.decode(b"{%b}" % text)
    except msgspec.DecodeError as error:
        raise DeltaError(f"not a tally: {error}") from None


def _is_as_written(text: bytes, tally: Mapping[int, int]) -> bool:
    """Whether a tally's text is what `_written` would make of it, without making it."""
    if text.translate(None, _OF_TALLIES) or b"-0" in text or text.count(b":") != len(tally):
        return False
    keys = list(tally)
    return keys == sorted(keys)


def _written(tally: Mapping[int, int]) -> bytes:
    """A tally as text, in the order of its keys."""
    return b",".join([b'"%d":%d' % (key, tally[key]) for key in sorted(tally)])


def _packed(gaps: Sequence[int], deltas: Iterable[int], words: Iterable[int]) -> bytes | None:
    """A delta's bytes; None where a number is too large for them."""
    try:
        arrays = array("I", gaps), array("q", deltas), array("q", words)
    except OverflowError:
        return None
    return b"".join((_LENGTHS.pack(len(gaps), len(arrays[2])), *map(_little_endian, arrays)))


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
