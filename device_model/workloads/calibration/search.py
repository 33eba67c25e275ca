"""A search for the constants that make a loss smallest; the same start gives the same answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Loss = Callable[[Sequence[float]], float]
_Vertex = tuple[float, list[float]]


def minimise(loss: Loss, start: Sequence[float], steps: Sequence[float] = (0.3, -0.2, 0.1)) -> list[float]:
    """A local minimum by Nelder and Mead's simplex, begun anew from the best point with each of `steps`."""
    best = list(start)
    for step in steps:
        best = _simplex(loss, best, step)
    return best


def _simplex(loss: Loss, start: list[float], step: float, tolerance: float = 1e-8) -> list[float]:
    corners = [start] + [[*start[:i], value + step, *start[i + 1 :]] for i, value in enumerate(start)]
    vertices = sorted((loss(corner), corner) for corner in corners)
    for _ in range(100 * len(start)):
        if vertices[-1][0] - vertices[0][0] < tolerance:
            break
        vertices = sorted(_moved(loss, vertices))
    return vertices[0][1]


def _moved(loss: Loss, vertices: list[_Vertex]) -> list[_Vertex]:
    """The vertices, best first, with the worst replaced, or all drawn towards the best where no move helps."""
    *others, worst = vertices
    centre = [sum(axis) / len(others) for axis in zip(*(point for _, point in others), strict=True)]

    def beyond(factor: float) -> _Vertex:
        point = [c + factor * (c - w) for c, w in zip(centre, worst[1], strict=True)]
        return loss(point), point

    reflected = beyond(1.0)
    if reflected[0] < others[0][0]:
        return [*others, min(reflected, beyond(2.0))]
    if reflected[0] < others[-1][0]:
        return [*others, reflected]
    contracted = beyond(-0.5)
    if contracted[0] < worst[0]:
        return [*others, contracted]
    best = others[0][1]
    halves = ([(b + p) / 2 for b, p in zip(best, point, strict=True)] for _, point in vertices[1:])
    return [others[0], *((loss(point), point) for point in halves)]
