"""A vision server: images become classes, a whole batch at a time, by a convolutional network or a transformer."""

from typing import ClassVar, Literal

from device_model.workloads.batch_server import Extent, Served
from device_model.workloads.cost.cnn import cnn_step
from device_model.workloads.cost.footprint import cnn_image, encoder_image
from device_model.workloads.cost.pipeline import Beat, Line, divided, one_stage, pipeline_beat
from device_model.workloads.kinds.batch_serving import BatchServing
from device_model.workloads.kinds.program import SpecError
from device_model.workloads.models.cnns import CNNS, CnnShape, cnn_for
from device_model.workloads.models.datatypes import DataType
from device_model.workloads.models.families import ModelShape
from device_model.workloads.models.lookup import find
from device_model.workloads.models.shapes import shape_for
from neurontools.hardware.chips import Chip


class Vision(BatchServing):
    """A server of one model for images; each batch is padded to the compiled one."""

    serves: ClassVar[str] = "vision"

    kind: Literal["vision"]

    @property
    def shape(self) -> CnnShape | ModelShape:
        """The convolutional network, or the transformer, which sees a patch as a token."""
        return shape_for(self.model) if find(self.model, CNNS) is None else cnn_for(self.model)

    def check(self, chip: Chip) -> None:
        """Refuses, beside what no server can have, a convolutional network on more than one core, and empty stages."""
        super().check(chip)
        shape = self.shape
        if isinstance(shape, CnnShape):
            for key, cores in (("tp", self.tp), ("pipeline", self.pipeline)):
                if cores > 1:
                    raise SpecError(key, f"{shape.name} runs on one NeuronCore: expected 1, and workers for more")
            return
        try:
            divided(shape, shape.max_context, self.pipeline)
        except ValueError as error:
            raise SpecError("pipeline", str(error)) from None

    def served(self, line: Line, data_type: DataType) -> Served:
        """The model on its cores.

        The physical cores of a logical one divide the images of a convolutional network's batch among them (assumed).
        """
        shape = self.shape
        if isinstance(shape, CnnShape):
            image = cnn_image(shape, -(-self.batch // line.tp), data_type)
        else:
            image = encoder_image(shape, line.tp, self.batch, shape.max_context, data_type, self.pipeline)

        def beat(extent: Extent) -> Beat:
            if isinstance(shape, CnnShape):
                images = -(-extent.items // line.tp)
                return one_stage(cnn_step(shape, line.rates, line.constants, images, data_type.weight_bytes))
            return pipeline_beat(shape, line, extent.items, shape.max_context, data_type)

        return Served(image, None, 0, self._extent, beat)

    def _extent(self, requests: int, tokens: int) -> Extent:
        return Extent(self.batch, 0)
