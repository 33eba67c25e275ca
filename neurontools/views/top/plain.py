"""The screen's characters for terminals that have none but ASCII: as many columns, and still told apart."""

from __future__ import annotations

from functools import lru_cache

_BRAILLE = range(0x2800, 0x2900)
_BY_DOTS = " ..::||##"
"""What stands for a character of braille, by how many dots it has."""

_SIGNS = {
    **dict(zip("━╸┄─│┃╭╮╰╯", "==--||++++", strict=True)),
    **dict(zip("▁▂▃▄▅▆▇", "1234567", strict=True)),
    **dict(zip("◄►▲▼◂▸◆◇•·", "<>^v<>@!*.", strict=True)),
    **dict(zip("✓✖░…×−→▏⠒µ", "+X%~x->|-u", strict=True)),
    **dict(zip("▶⏸", ">=", strict=True)),
}
_TABLE = str.maketrans(_SIGNS | {chr(code): _BY_DOTS[(code - 0x2800).bit_count()] for code in _BRAILLE})


@lru_cache(maxsize=4096)
def to_ascii(text: str) -> str:
    """The text in ASCII, a letter for a letter; what has no likeness is a question mark."""
    return text.translate(_TABLE).encode("ascii", "replace").decode()


def wants_ascii(environ: dict[str, str]) -> bool:
    """Whether the locale was set to one that has not all of Unicode; where none is set, it is taken to have."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "C.UTF-8")
    return "utf-8" not in locale.lower() and "utf8" not in locale.lower()
