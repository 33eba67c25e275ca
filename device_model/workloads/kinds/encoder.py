"""An encoder server: sequences become vectors, a batch at a time, in the shapes that the model was compiled for."""

from typing import ClassVar, Literal

from pydantic import Field

from device_model.workloads.batch_server import Extent, Served
from device_model.workloads.cost.decoder import context_bucket
from device_model.workloads.cost.footprint import encoder_image
from device_model.workloads.cost.pipeline import Beat, Line, divided, pipeline_beat
from device_model.workloads.kinds.batch_serving import BatchServing
from device_model.workloads.kinds.program import SpecError
from device_model.workloads.models.datatypes import DataType
from device_model.workloads.models.shapes import shape_for
from device_model.workloads.spec import MAX_TOKENS, LengthSpec
from neurontools.hardware.chips import Chip

USUAL_TOKENS = 128
"""The length that a model is compiled for unless the table says otherwise: that of AWS's published runs."""


class Encoder(BatchServing):
    """A server of one encoder.

    Compiled shapes are of `batch` sequences: "fixed" of `context` tokens, "bucket" of the next power of two of the
    longest. With "dynamic" the cores' control processors take every batch as it comes, padded to its longest sequence.
    """

    serves: ClassVar[str] = "encoder"

    kind: Literal["encoder"]
    tokens: LengthSpec
    context: int | None = Field(default=None, ge=1, le=MAX_TOKENS)
    shapes: Literal["fixed", "bucket", "dynamic"] = "fixed"

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence that the model was compiled for."""
        return self.context or min(USUAL_TOKENS, shape_for(self.model).max_context)

    def check(self, chip: Chip) -> None:
        """Refuses, beside what no server can have, sequences and stages that the model has no room for."""
        super().check(chip)
        shape = shape_for(self.model)
        if self.longest > shape.max_context:
            raise SpecError("context", f"{shape.name} has positions for {shape.max_context} tokens, not {self.longest}")
        if self.pipeline > 1 and self.shapes != "fixed":
            raise SpecError("shapes", f'a pipeline keeps one beat: expected "fixed", found "{self.shapes}"')
        try:
            divided(shape, self.longest, self.pipeline)
        except ValueError as error:
            raise SpecError("pipeline", str(error)) from None

    def served(self, line: Line, data_type: DataType) -> Served:
        """The encoder on its cores."""
        shape = shape_for(self.model)

        def beat(extent: Extent) -> Beat:
            return pipeline_beat(shape, line, extent.items, extent.tokens, data_type)

        return Served(
            image=encoder_image(shape, line.tp, self.batch, self.longest, data_type, self.pipeline),
            lengths=self.tokens.made(),
            longest=self.longest,
            extent=self._extent,
            beat=beat,
        )

    def _extent(self, requests: int, tokens: int) -> Extent:
        if self.shapes == "dynamic":
            return Extent(requests, tokens)
        return Extent(self.batch, self.longest if self.shapes == "fixed" else min(self.longest, context_bucket(tokens)))
