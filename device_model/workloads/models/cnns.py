"""The convolutional networks that workloads run: their layers by block table, and the counts that follow."""

from __future__ import annotations

from typing import NamedTuple

from device_model.workloads.models.lookup import UnknownModelError, find

IMAGE_SIDE = 224
_CLASSES = 1000


class Convolution(NamedTuple):
    """`times` equal convolutions that each write `outputs` channels of `side` × `side` values."""

    inputs: int
    outputs: int
    kernel: int
    side: int
    times: int = 1

    @property
    def weights(self) -> int:
        """Weights of all of them, biases left out."""
        return self.times * self.inputs * self.outputs * self.kernel * self.kernel

    @property
    def multiplications(self) -> int:
        """Multiply-adds for one image."""
        return self.weights * self.side * self.side


class CnnShape(NamedTuple):
    """One convolutional classifier at 224 × 224 × 3; a dense layer is a convolution of 1 × 1 on a side of 1."""

    name: str
    stem: Convolution
    body: tuple[Convolution, ...]
    norms: bool
    """Batch norms after every convolution; they are folded into it when the network runs."""

    @property
    def layers(self) -> int:
        """Convolutions and dense layers, one after another."""
        return self.stem.times + sum(layer.times for layer in self.body)

    @property
    def parameters(self) -> int:
        """Weights, and biases or the two vectors of each batch norm."""
        return sum(layer.weights + self._vectors(layer) * layer.times * layer.outputs for layer in self.all_layers)

    @property
    def multiplications(self) -> int:
        """Multiply-adds for one image, as model cards state them."""
        return sum(layer.multiplications for layer in self.all_layers)

    @property
    def activations(self) -> int:
        """Values that all layers write for one image."""
        return sum(layer.times * layer.outputs * layer.side * layer.side for layer in self.all_layers)

    @property
    def all_layers(self) -> tuple[Convolution, ...]:
        """The stem and the body, in order."""
        return (self.stem, *self.body)

    def _vectors(self, layer: Convolution) -> int:
        return 2 if self.norms and layer.side > 1 else 1


def _basic_block(inputs: int, width: int, side: int) -> list[Convolution]:
    shortcut = [Convolution(inputs, width, 1, side)] if inputs != width else []
    return [Convolution(inputs, width, 3, side), Convolution(width, width, 3, side), *shortcut]


def _bottleneck(inputs: int, width: int, side: int) -> list[Convolution]:
    """The first 1 × 1 convolution of a stage still runs at the larger side, the 3 × 3 one has the stride."""
    first = inputs != 4 * width
    entry_side = side * 2 if first and inputs > width else side
    shortcut = [Convolution(inputs, 4 * width, 1, side)] if first else []
    return [
        Convolution(inputs, width, 1, entry_side),
        Convolution(width, width, 3, side),
        Convolution(width, 4 * width, 1, side),
        *shortcut,
    ]


def resnet(name: str, blocks: tuple[int, int, int, int], bottleneck: bool) -> CnnShape:
    """A residual network with `blocks` in its four stages, as in the paper (stride in the 3 × 3 convolution)."""
    build, expansion = (_bottleneck, 4) if bottleneck else (_basic_block, 1)
    body: list[Convolution] = []
    inputs = 64
    for stage, count in enumerate(blocks):
        width, side = 64 << stage, 56 >> stage
        for _ in range(count):
            body += build(inputs, width, side)
            inputs = width * expansion
    body.append(Convolution(inputs, _CLASSES, 1, 1))
    return CnnShape(name, Convolution(3, 64, 7, IMAGE_SIDE // 2), tuple(body), norms=True)


def vgg(name: str, blocks: tuple[int, int, int, int, int]) -> CnnShape:
    """A plain network of 3 × 3 convolutions with `blocks` per stage and three dense layers."""
    layers: list[Convolution] = []
    inputs = 3
    for stage, count in enumerate(blocks):
        width, side = min(512, 64 << stage), IMAGE_SIDE >> stage
        for _ in range(count):
            layers.append(Convolution(inputs, width, 3, side))
            inputs = width
    # The first dense layer reads 7 × 7 positions: a convolution whose kernel covers them all.
    dense = (Convolution(512, 4096, 7, 1), Convolution(4096, 4096, 1, 1), Convolution(4096, _CLASSES, 1, 1))
    return CnnShape(name, layers[0], (*layers[1:], *dense), norms=False)


CNNS: dict[str, CnnShape] = {
    shape.name: shape
    for shape in (
        resnet("resnet18", (2, 2, 2, 2), bottleneck=False),
        resnet("resnet34", (3, 4, 6, 3), bottleneck=False),
        resnet("resnet50", (3, 4, 6, 3), bottleneck=True),
        resnet("resnet101", (3, 4, 23, 3), bottleneck=True),
        resnet("resnet152", (3, 8, 36, 3), bottleneck=True),
        vgg("vgg11", (1, 1, 2, 2, 2)),
        vgg("vgg13", (2, 2, 2, 2, 2)),
        vgg("vgg16", (2, 2, 3, 3, 3)),
        vgg("vgg19", (2, 2, 4, 4, 4)),
    )
}


def cnn_for(name: str) -> CnnShape:
    """The network of that name or a spelling of it; UnknownModelError, which names the nearest, otherwise."""
    found = find(name, CNNS)
    if found is None:
        raise UnknownModelError.among(name, CNNS)
    return found
