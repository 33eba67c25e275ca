"""The spool: what was put there comes out, once, in order, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.exporters.cloudwatch.datum import Datum, StatisticSet
from neurontools.exporters.cloudwatch.spool import Spool, SpoolError


def data(number: int, count: int = 1) -> list[Datum]:
    return [Datum("M", "Count", (("A", "b"),), StatisticSet.of([number]), i) for i in range(count)]


def emptied(spool: Spool) -> list[tuple[str, list[Datum]]]:
    found = []
    while (batch := spool.oldest()) is not None:
        found.append((batch.stored.namespace, batch.stored.data))
        spool.done(batch.name)
    return found


@given(st.lists(st.sampled_from(["put", "take", "reopen"]), max_size=30))
def test_first_in_first_out_also_across_restarts(steps: list[str]) -> None:
    with TemporaryDirectory() as directory:
        spool, waiting = Spool(directory), []
        for number, step in enumerate(steps):
            if step == "put":
                spool.put("N", data(number))
                waiting.append(data(number))
            elif step == "reopen":
                spool.close()
                spool = Spool(directory)
            elif (batch := spool.oldest()) is not None:
                assert batch.stored.data == waiting.pop(0)
                spool.done(batch.name)
        assert [each for _, each in emptied(spool)] == waiting
        spool.close()


def test_a_full_spool_drops_the_oldest_and_says_how_many(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), most_bytes=400)
    dropped = [spool.put("N", data(number, 3)) for number in range(6)]
    kept = emptied(spool)
    assert dropped[0] == 0 and sum(dropped) + 3 * len(kept) == 18
    assert [each[0].values.total for _, each in kept] == [float(i) for i in range(6)][-len(kept) :]
    spool.close()


def test_a_spool_belongs_to_one_process(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    with pytest.raises(SpoolError, match="in use by another process"):
        Spool(str(tmp_path))
    spool.close()
    Spool(str(tmp_path)).close()


def test_what_a_kill_left_behind_is_taken_over_where_it_is_whole(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    spool.put("N", data(1))
    spool.close()
    (name,) = [path.name for path in tmp_path.glob("*.batch")]
    text = (tmp_path / name).read_bytes()
    (tmp_path / "0000000000000002.batch.unfinished").write_bytes(text)
    (tmp_path / "0000000000000003.batch.unfinished").write_bytes(text[:-5])
    spool = Spool(str(tmp_path))
    assert len(emptied(spool)) == 2
    assert list(tmp_path.glob("*.unfinished")) == []
    spool.close()


def test_damage_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    for number in range(3):
        spool.put("N", data(number))
    sorted(tmp_path.glob("*.batch"))[0].write_bytes(b"garbage")
    assert [each[0].values.total for _, each in emptied(spool)] == [1.0, 2.0]
    assert len(list(tmp_path.glob("*.refused"))) == 1
    spool.close()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "spool"
    spool = Spool(str(directory))
    spool.put("N", data(1))
    modes = {path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert modes == {0o600} and directory.stat().st_mode & 0o777 == 0o700
    spool.close()


@pytest.mark.parametrize("where", ["/dev/null/spool", "/proc/spool"])
def test_a_place_that_cannot_be_used_is_named(where: str) -> None:
    with pytest.raises(SpoolError, match=f"cannot use the spool {where}"):
        Spool(where)


_PUTS = """
import sys
from neurontools.exporters.cloudwatch.datum import Datum, StatisticSet
from neurontools.exporters.cloudwatch.spool import Spool
spool = Spool(sys.argv[1])
for number in range(10**6):
    spool.put("N", [Datum("M", "Count", (), StatisticSet.of([number]), number)])
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [0, 1, 7, 20])
def test_a_kill_at_any_time_loses_nothing_that_was_put(after: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PUTS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(after + 1)]
        os.kill(process.pid, signal.SIGKILL)
        told += [int(line) for line in process.stdout]
    spool = Spool(str(tmp_path))
    found = [int(each[0].values.total) for _, each in emptied(spool)]
    assert found[: len(told)] == told and len(found) - len(told) in (0, 1)
    spool.close()
