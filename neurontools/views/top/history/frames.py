"""The last readings in little room: each is compressed against the first of its group; groups are forgotten whole."""

from __future__ import annotations

from bisect import bisect_right

import msgspec
from zstandard import DICT_TYPE_RAWCONTENT, ZstdCompressionDict, ZstdCompressor, ZstdDecompressor

from neurontools.schema.snapshot import Snapshot

MOST_BYTES = 16 * 1024 * 1024
"""Some 3 kB a reading of 128 cores: an hour at one a second takes two thirds of it."""

_GROUP = 60
_LEVEL = 1
_MOST_RAW = 64 * 1024 * 1024


class _Group:
    """Readings of one host in the order of their times. The first is kept whole, the others as what differs from it."""

    def __init__(self, time_ns: int, text: bytes) -> None:
        self.times = [time_ns]
        self.key = ZstdCompressor(level=_LEVEL).compress(text)
        self.rest: list[bytes] = []
        self.size = len(self.key)

    def dictionary(self) -> ZstdCompressionDict:
        return ZstdCompressionDict(self.whole(), dict_type=DICT_TYPE_RAWCONTENT)

    def whole(self) -> bytes:
        return ZstdDecompressor().decompress(self.key, max_output_size=_MOST_RAW)


class Frames:
    """Readings by their times, the oldest forgotten first. Not to be used by two threads at a time."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._groups: list[_Group] = []
        self._compressor: ZstdCompressor | None = None
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Snapshot)
        self._unpacked: tuple[_Group, ZstdDecompressor] | None = None

    @property
    def size(self) -> int:
        """Bytes that the readings take."""
        return sum(group.size for group in self._groups)

    @property
    def first_ns(self) -> int | None:
        """The time of the oldest reading."""
        return self._groups[0].times[0] if self._groups else None

    def clear(self) -> None:
        """Forgets all."""
        self._groups.clear()
        self._compressor = self._unpacked = None

    def add(self, snapshot: Snapshot) -> None:
        """Keeps a reading, which must be newer than all before; of another boot, it forgets those first."""
        time_ns = snapshot.head.time_ns
        if self._groups and time_ns <= self._groups[-1].times[-1]:
            return
        text = self._encoder.encode(snapshot)
        group = self._groups[-1] if self._groups else None
        if group is None or self._compressor is None or len(group.times) == _GROUP:
            group = _Group(time_ns, text)
            self._groups.append(group)
            self._compressor = ZstdCompressor(level=_LEVEL, dict_data=group.dictionary())
        else:
            packed = self._compressor.compress(text)
            group.times.append(time_ns)
            group.rest.append(packed)
            group.size += len(packed)
        while len(self._groups) > 1 and self.size > self._most_bytes:
            del self._groups[0]

    def forget_before(self, time_ns: int) -> None:
        """Forgets the groups that ended before an instant."""
        while len(self._groups) > 1 and self._groups[0].times[-1] < time_ns:
            del self._groups[0]

    def pair(self, time_ns: int) -> tuple[Snapshot, Snapshot] | None:
        """The last reading that is not after an instant, and the one before it; None where there are no two."""
        places = [(group, place) for group in self._groups for place in range(len(group.times))]
        times = [group.times[place] for group, place in places]
        last = bisect_right(times, time_ns) - 1
        if last < 1:
            return None
        return self._read(*places[last - 1]), self._read(*places[last])

    def _read(self, group: _Group, place: int) -> Snapshot:
        if place == 0:
            return self._decoder.decode(group.whole())
        if self._unpacked is None or self._unpacked[0] is not group:
            self._unpacked = group, ZstdDecompressor(dict_data=group.dictionary())
        text = self._unpacked[1].decompress(group.rest[place - 1], max_output_size=_MOST_RAW)
        return self._decoder.decode(text)
