"""Trees of thousands of files are kept in memory, and only for as long as a test needs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device_model.publish.tree.trees import directory


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """As pytest's own, in memory."""
    with directory() as path:
        yield path


@pytest.fixture(scope="module")
def module_path() -> Iterator[Path]:
    """The same, for all tests of a module."""
    with directory() as path:
        yield path
