"""The table of all metrics is the program's, and says of each who supplies it."""

import re

from dashboards.files import HERE, METRICS_FILE
from dashboards.metrics_table import metrics_text
from neurontools.exporters.prometheus import FAMILIES


def rows() -> dict[str, list[str]]:
    """The cells of each metric, by its first name."""
    cells = [line.strip("| ").split(" | ") for line in metrics_text().splitlines() if line.startswith("| `")]
    return {re.findall(r"`(\w+)`", row[0])[0]: row for row in cells}


def test_the_table_is_the_programs() -> None:
    assert (HERE / METRICS_FILE).read_text() == metrics_text(), "run `make dashboards`"


def test_every_metric_has_a_row_with_all_cells() -> None:
    found = rows()
    assert list(found) == [family.sample_names[0] for family in FAMILIES]
    assert {len(row) for row in found.values()} == {7}
    assert all(re.match(r"yes|no|from \d", cell) for row in found.values() for cell in row[5:])


def test_who_supplies_what() -> None:
    found = rows()
    assert found["neuron_core_hbm_read_bytes_total"][5].startswith("no: the driver does not count")
    assert found["neuron_core_utilization_ratio"][5].startswith("from 2.30.2: ")
    assert found["execution_status_total"][5:] == ["no: the driver publishes counters by core, not by process", "yes"]
    assert found["neuron_finding"][5:] == ["yes", "yes"]
