"""The runtime's codes against the driver's status directories."""

import pytest

from neurontools.hardware.driver import STATUS_NAMES
from neurontools.hardware.nrt import (
    ERROR_KINDS,
    STATUS_OF_DIRECTORY,
    STATUS_SUBTYPES,
    STATUS_WITHOUT_CODE,
    STATUSES,
    Status,
)

OUTCOMES = {
    "completed",
    "completed_with_err",
    "completed_with_num_err",
    "timed_out",
    "incorrect_input",
    "failed_to_queue",
}


def test_each_status_directory_belongs_to_one_code_or_is_said_to_have_none() -> None:
    own = [status.directory for status in STATUSES.values() if status.directory]
    assert len(set(own)) == len(own)
    assert {*own, *STATUS_SUBTYPES, STATUS_WITHOUT_CODE} == set(STATUS_NAMES)
    assert len(own) + len(STATUS_SUBTYPES) + 1 == len(STATUS_NAMES)


def test_a_directory_leads_back_to_its_code() -> None:
    assert set(STATUS_OF_DIRECTORY) == set(STATUS_NAMES) - {STATUS_WITHOUT_CODE}
    assert STATUS_OF_DIRECTORY["resource_error"].value == 4
    assert STATUS_OF_DIRECTORY["execute_sw_event_error"].name == "NRT_EXEC_COMPLETED_WITH_ERR"


def test_the_codes_that_the_driver_does_not_count() -> None:
    uncounted = {status.value for status in STATUSES.values() if status.directory is None}
    assert uncounted == {3, 11, 13, 14, 15, 101, 1005, 1100, 1206}


def test_every_outcome_of_the_execution_summary_has_one_code() -> None:
    outcomes = [status.outcome for status in STATUSES.values() if status.outcome]
    assert len(outcomes) == len(OUTCOMES)
    assert set(outcomes) == OUTCOMES


@pytest.mark.parametrize("status", STATUSES.values(), ids=lambda status: status.name)
def test_a_status_is_told_in_sentences(status: Status) -> None:
    assert STATUSES[status.value] is status
    assert status.name.startswith("NRT_")
    assert status.meaning.endswith(".")
    assert status.advice.endswith(".")
    assert status.error_kind in (None, *ERROR_KINDS)
    assert status.error_kind is not None or not status.error_kind_assumed


def test_only_the_numerical_kind_is_stated_by_a_source() -> None:
    stated = {status.value: status.error_kind for status in STATUSES.values() if status.error_kind}
    assumed = {status.value for status in STATUSES.values() if status.error_kind_assumed}
    assert {value: kind for value, kind in stated.items() if value not in assumed} == {1003: "numerical"}
