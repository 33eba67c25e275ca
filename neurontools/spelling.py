"""Which known name somebody may have meant who wrote a wrong one."""

import difflib
from collections.abc import Iterable

LIKELY = 0.6
"""How like a known name a wrong one must be (difflib's ratio, 0 to 1) to be taken for a slip."""


def nearest(name: str, known: Iterable[str], likeness: float = LIKELY) -> str | None:
    """The known name most like `name`, in upper or lower case; None where none is so like it.

    With a likeness of 0 there always is one, unless nothing is known.
    """
    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=likeness)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], likeness: float = LIKELY) -> str:
    """A question that names it, to be put behind an error's text, or nothing."""
    close = nearest(name, known, likeness)
    return "" if close is None else f" (did you mean {close!r}?)"
