"""The pytest plugin: one fixture, which costs a run that does not use it no import but this module's."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from device_model.testing.node import NeuronNodeFactory
    from device_model.testing.nursery import Nursery


@pytest.fixture(scope="session")
def _neuron_nursery() -> "Iterator[Nursery]":
    """Where this run's simulated hosts come from."""
    from device_model.testing.nursery import Nursery

    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def neuron_node(_neuron_nursery: "Nursery") -> "Iterator[NeuronNodeFactory]":
    """Makes simulated AWS Neuron hosts that last until the end of the test.

    node = neuron_node(instance="trn1.2xlarge", scenario="opt-30b") starts one whose time moves by node.advance("1h")
    only; node.run(["neuron-ls", "-j"]) runs a program that reads it. See device_model.testing.node.NeuronNode.
    """
    from device_model.testing.node import NeuronNodeFactory

    factory = NeuronNodeFactory(_neuron_nursery)
    yield factory
    factory.close()
