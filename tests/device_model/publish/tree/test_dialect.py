"""Which drivers a tree can imitate: full numbers, short ones, and those that a chip cannot have."""

import pytest

from device_model.publish.tree.dialect import DialectError, dialect
from neurontools.hardware.driver import RELEASES, version_tuple
from neurontools.hardware.instances import INSTANCES, lookup


@pytest.mark.parametrize(
    ("named", "instance", "version"),
    [
        (None, "trn2.48xlarge", "2.30.2"),
        (None, "inf1.xlarge", "2.24.7"),
        ("2.21", "inf1.xlarge", "2.21.37"),
        ("2.24", "inf2.xlarge", "2.24.7"),
        ("2.26.5.0", "inf2.xlarge", "2.26.5.0"),
        ("2.30", "trn3.48xlarge", "2.30.2"),
        ("2.29", "trn2.3xlarge", "2.29"),
        ("2.8.4", "inf2.xlarge", "2.8.4"),
        ("2.30.2.0", "inf2.xlarge", "2.30.2.0"),
    ],
)
def test_a_driver_is_named_in_full_or_in_short(named: str | None, instance: str, version: str) -> None:
    assert dialect(named, lookup(instance)) == version


@pytest.mark.parametrize(
    ("named", "instance", "why"),
    [
        ("2.25", "inf1.xlarge", "inf1.xlarge has no driver 2.25: its drivers are 2.8.4 to 2.24.7"),
        ("2.24", "trn3.48xlarge", "trn3.48xlarge has no driver 2.24: its drivers are 2.25 to 2.30.2"),
        ("2.7", "trn1.2xlarge", "its drivers are 2.8.4 to 2.30.2"),
        ("2.31", "trn1.2xlarge", "driver 2.31 is newer than 2.30.2, the newest that this release knows"),
        ("latest", "trn1.2xlarge", "expected a driver version such as 2.26.5.0, got 'latest'"),
        ("", "trn1.2xlarge", "expected a driver version"),
    ],
)
def test_one_that_cannot_be_gets_one_clear_line(named: str, instance: str, why: str) -> None:
    with pytest.raises(DialectError) as caught:
        dialect(named, lookup(instance))
    assert why in str(caught.value)


@pytest.mark.parametrize("instance", INSTANCES)
def test_every_host_has_a_newest_driver(instance: str) -> None:
    assert dialect(None, lookup(instance)) in RELEASES
    assert sorted(RELEASES, key=version_tuple) == list(RELEASES)
