"""What publishing to CloudWatch costs: a thousand data a second through render, spool and packing."""

import tempfile
import time

from benchmarks.timing import Figure, call_seconds, table
from neurontools.exporters.cloudwatch.datum import Datum, StatisticSet
from neurontools.exporters.cloudwatch.requests import member, packed
from neurontools.exporters.cloudwatch.spool import Spool

DATA_A_SECOND = 1000
BUDGET_PERCENT = 10.0


def thousand() -> list[Datum]:
    """Data of as many series, with three dimensions each."""
    now_s = int(time.time())
    return [
        Datum(
            "NeuronCoreUtilization",
            "Percent",
            (("InstanceId", "i-00000000000000000"), ("NeuronDevice", str(i // 8)), ("NeuronCore", str(i))),
            StatisticSet.of([i, i + 1]),
            now_s,
        )
        for i in range(DATA_A_SECOND)
    ]


def main() -> None:
    """Measures and prints; what boto3 and the network take comes on top and is not ours."""
    with tempfile.TemporaryDirectory() as directory:
        spool = Spool(directory)

        def publish() -> None:
            for request in packed(thousand()):
                spool.put("N", request)
            while (batch := spool.oldest()) is not None:
                [member(datum) for datum in batch.stored.data]
                spool.done(batch.name)

        seconds = call_seconds(publish)
    print(table([Figure("1,000 data a second, of a core", 100 * seconds, "%", BUDGET_PERCENT)]))


if __name__ == "__main__":
    main()
