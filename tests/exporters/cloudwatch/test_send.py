"""Sending: what can pass is tried again until it does, what never will is told, and nothing is lost in between."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.exporters.cloudwatch.datum import Datum, StatisticSet
from neurontools.exporters.cloudwatch.send import LONGEST_WAIT_S, Sender
from neurontools.exporters.cloudwatch.spool import Spool
from tests.exporters.cloudwatch.strict import Strict, outage, refusal

PASSING = ("Throttling", "InternalServiceFault", "AccessDenied", "ServiceUnavailable", "outage")


def datum(number: float, age_s: int = 0) -> Datum:
    return Datum("M", "Count", (("A", "b"),), StatisticSet.of([number]), int(time.time()) - age_s)


def put(spool: Spool, *numbers: float) -> None:
    for number in numbers:
        spool.put("N", [datum(number)])


def sender_of(spool: Spool, client: Strict, chance: float = 1.0) -> tuple[Sender, list[str]]:
    said: list[str] = []
    return Sender(spool, client, said.append, lambda: chance), said


def trouble(name: str) -> Exception | None:
    return None if name == "fine" else outage() if name == "outage" else refusal(name)


@given(st.lists(st.sampled_from(("fine", *PASSING)), max_size=20))
def test_every_datum_arrives_once_and_in_order_whatever_passes(names: list[str]) -> None:
    with TemporaryDirectory() as directory:
        spool, client = Spool(directory), Strict([trouble(name) for name in names])
        sender, said = sender_of(spool, client)
        put(spool, *range(5))
        while sender.send_waiting():
            pass
        assert [member["Value"] for _, member in client.taken] == list(range(5))
        began, ended = (sum(line.startswith(words) for line in said) for words in ("cannot send", "CloudWatch takes"))
        assert began == ended
        spool.close()


def test_waits_grow_to_a_minute_and_differ_by_chance(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    put(spool, 1)
    sender, said = sender_of(spool, Strict([outage() for _ in range(9)]))
    waits = [sender.send_waiting() for _ in range(9)]
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST_WAIT_S, LONGEST_WAIT_S, LONGEST_WAIT_S]
    assert len(said) == 1
    half, _ = sender_of(spool, Strict([outage() for _ in range(3)]), chance=0.5)
    assert [half.send_waiting() for _ in range(3)] == [0.5, 1, 2]
    spool.close()


def test_what_never_will_be_taken_holds_up_nothing(tmp_path: Path) -> None:
    spool, client = Spool(str(tmp_path)), Strict([refusal("InvalidParameterValue", "bad\nthing")])
    sender, said = sender_of(spool, client)
    put(spool, 1, 2)
    assert sender.send_waiting() == 0
    assert [member["Value"] for _, member in client.taken] == [2]
    assert said == [
        "CloudWatch refuses 1 data for good: An error occurred (InvalidParameterValue) when calling the "
        "PutMetricData operation: bad thing"
    ]
    assert len(list(tmp_path.glob("*.refused"))) == 1
    spool.close()


def test_one_bad_datum_does_not_spoil_its_request(tmp_path: Path) -> None:
    spool, client = Spool(str(tmp_path)), Strict()
    sender, said = sender_of(spool, client)
    spool.put("N", [datum(1), datum(2.0**361), datum(3, age_s=15 * 86400), datum(4)])
    assert sender.send_waiting() == 0
    assert [member["Value"] for _, member in client.taken] == [1, 4]
    assert sorted(said) == [
        "left out 1 data of 4: a value is not finite",
        "left out 1 data of 4: it is more than two weeks old",
    ]
    spool.close()


def test_in_the_background_until_nothing_waits(tmp_path: Path) -> None:
    spool, client = Spool(str(tmp_path)), Strict()
    sender, _ = sender_of(spool, client)
    sender.start()
    put(spool, 1, 2, 3)
    assert sender.drain(10) and len(client.taken) == 3
    assert sender.drain(0)
    spool.close()


@pytest.mark.parametrize("failures", [1, 3])
def test_draining_has_an_end(failures: int, tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    sender, _ = sender_of(spool, Strict([outage() for _ in range(failures)]))
    put(spool, 1)
    sender.start()
    assert not sender.drain(0.2)
    assert spool.waiting_bytes
    spool.close()
