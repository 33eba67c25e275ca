"""Finds a model by the names that people write: other case, an owner in front, a variant's suffix behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from neurontools.spelling import nearest

Shape = TypeVar("Shape")

# What a fine-tuned or converted checkpoint adds to the name of the architecture it shares.
_VARIANT = re.compile(r"[-_](hf|chat|instruct|it|python|finetuned.*|v\d\.\d|discriminator|generator)$")
_FAMILY = re.compile(r"^meta-(?=llama)")

_LIKENESS = 0.4
"""How like a known name another must be to be suggested: whoever asks for a model that is not known wants any close."""


class UnknownModelError(LookupError):
    """A model name that has no shape; `nearest` is the closest known name, or None."""

    def __init__(self, name: str, nearest: str | None) -> None:
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"no model is called {name!r}{hint}")
        self.name = name
        self.nearest = nearest

    @classmethod
    def among(cls, name: str, known: Iterable[str]) -> UnknownModelError:
        """The error for a name that is none of `known`."""
        return cls(name, nearest(_bare(name), known, _LIKENESS))


def find(name: str, shapes: Mapping[str, Shape]) -> Shape | None:
    """The shape of that name, exactly or in another spelling of it; None when there is none."""
    if name in shapes:
        return shapes[name]
    # Whole names last, so that a variant's short form never hides the model that is called so.
    by_key = {_key(short): shape for known, shape in shapes.items() for short in _spellings(known)}
    by_key |= {_key(known): shape for known, shape in shapes.items()}
    return next((by_key[_key(spelling)] for spelling in _spellings(name) if _key(spelling) in by_key), None)


def _spellings(name: str) -> list[str]:
    """The name without its owner, then with one suffix of a variant less each."""
    found = [_bare(name)]
    while (shorter := _VARIANT.sub("", found[-1])) != found[-1]:
        found.append(shorter)
    return found


def _bare(name: str) -> str:
    """Lower case, without the owner before a slash."""
    return _FAMILY.sub("", name.casefold().rpartition("/")[2])


def _key(name: str) -> str:
    """Dashes and underscores do not tell models apart; dots do (opt-1.3b and opt-13b)."""
    return re.sub(r"[-_ ]", "", name.casefold())
