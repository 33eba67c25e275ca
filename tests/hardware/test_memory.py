"""The categories of AWS's tools take in all of the driver's, and lose nothing."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.hardware.driver import CORE_MEMORY, HOST_MEMORY
from neurontools.hardware.memory import OFFICIAL_DEVICE, OFFICIAL_HOST, official_device, official_host

Fold = Callable[[Mapping[str, int]], dict[str, int]]


@pytest.mark.parametrize(
    ("fold", "official", "driver"),
    [(official_host, OFFICIAL_HOST, HOST_MEMORY), (official_device, OFFICIAL_DEVICE, CORE_MEMORY)],
)
def test_every_byte_is_in_one_official_category(
    fold: Fold, official: tuple[str, ...], driver: Mapping[str, str]
) -> None:
    @given(st.dictionaries(st.sampled_from([*driver, "a_category_of_a_later_driver"]), st.integers(0, 1 << 40)))
    def check(memory: dict[str, int]) -> None:
        folded = fold(memory)
        assert tuple(folded) == official
        assert sum(folded.values()) == sum(memory.values())
        assert all(folded[name] >= memory.get(name, 0) for name in official)

    check()
    assert set(official) <= set(driver)


def test_what_has_no_category_of_its_own() -> None:
    assert official_host({"notifications": 1, "dma_rings": 2, "driver_memory": 4}) == {
        "application_memory": 4,
        "constants": 0,
        "dma_buffers": 3,
        "tensors": 0,
    }
    assert official_device({"nonshared_scratchpad": 1, "collectives": 2, "dma_rings": 4})["runtime_memory"] == 6
    assert official_device({"nonshared_scratchpad": 1})["model_shared_scratchpad"] == 1
