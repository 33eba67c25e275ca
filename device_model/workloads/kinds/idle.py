"""A process that holds cores and memory and runs nothing: allocated, and idle."""

from typing import ClassVar, Literal

from pydantic import Field

from device_model.machine.core import Core
from device_model.machine.node import Node
from device_model.runtime.loading import Caches, ModelImage, Piece, decoder_image
from device_model.runtime.process import Process, Team
from device_model.runtime.runtime import Runtime
from device_model.workloads.cost.decoder import weights_bytes_per_core
from device_model.workloads.kinds.program import SMALLEST_GRAPH_BYTES, Account, SpecError, WorkloadSpec
from device_model.workloads.models.datatypes import DataTypeError, data_type_for
from device_model.workloads.models.shapes import shape_for
from device_model.workloads.spec import DataTypeName, ModelName, Size
from neurontools.hardware.chips import Chip
from neurontools.schema.snapshot import Workload
from neurontools.units import format_bytes, parse_bytes


class Idle(WorkloadSpec):
    """A process on `cores` logical NeuronCores that loads a model's weights, or tensors of `memory`, and then rests.

    Both are split evenly over the cores.
    """

    degree_key: ClassVar[str] = "cores"

    kind: Literal["idle"]
    cores: int = Field(default=1, ge=1, le=4096)
    model: ModelName | None = None
    data_type: DataTypeName = "bf16"
    memory: Size | None = None

    @property
    def degree(self) -> int:
        """Logical NeuronCores of the process."""
        return self.cores

    def check(self, chip: Chip) -> None:
        """Refuses a data type that the chip lacks."""
        try:
            data_type_for(self.data_type, chip)
        except DataTypeError as error:
            raise SpecError("data_type", str(error)) from None

    def teams(self, node: Node, cores: tuple[Core, ...]) -> tuple[Team, ...]:
        """Cores that do nothing send nothing."""
        return (Team(cores),)

    def program(self, runtime: Runtime, process: Process) -> "Holder":
        """The program that holds what it was given."""
        return Holder(runtime, process, self._image(runtime.node.chip, len(process.cores)))

    def _image(self, chip: Chip, cores: int) -> ModelImage | None:
        """What each core holds; None for nothing."""
        size = 0 if self.memory is None else -(-parse_bytes(self.memory) // cores)
        tensors = (Piece("tensors", "tensors", size),) if size else ()
        if self.model is None:
            return ModelImage("tensors", 1, SMALLEST_GRAPH_BYTES, (), tensors) if tensors else None
        shape, data_type = shape_for(self.model), data_type_for(self.data_type, chip)
        weights = weights_bytes_per_core(shape, cores, data_type.weight_bytes)
        token_bytes = data_type.element_bytes * shape.width
        image = decoder_image(shape.name, shape.layers, weights, Caches(0, 0), token_bytes, cores)
        return image._replace(last=(*image.last, *tensors))


class Holder:
    """One process that loads what it was given and then does nothing until it ends."""

    kind = "idle"

    def __init__(self, runtime: Runtime, process: Process, image: ModelImage | None) -> None:
        self._runtime = runtime
        self._process = process
        self._image = image

    def begin(self, time_ns: int) -> None:
        """Loads what there is to hold."""
        if self._image is not None:
            self._runtime.load(time_ns, self._process, self._image, lambda _: None)

    def reading(self, time_ns: int) -> Workload:
        """It has no requests."""
        return Workload(kind=self.kind)

    def account(self, time_ns: int) -> Account:
        """What it holds at `time_ns`."""
        process = self._process
        cores = len(process.cores) // self._runtime.node.logical_neuroncore_config
        held_bytes = sum(sum(held.values()) for held in process.memory.values())
        holding = f"holding {cores} NeuronCore{'' if cores == 1 else 's'} and {format_bytes(held_bytes, 1)}"
        if self._image is not None and process.model is None:
            return Account(f"{holding} while it loads {self._image.name}")
        return Account(f"{holding} and running nothing")
