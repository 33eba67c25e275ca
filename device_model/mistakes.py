"""What is wrong with a document that people wrote: each fault as one line with the key's path and what was expected."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from neurontools.spelling import did_you_mean

_EXPECTED = {
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "string_type": "expected a text in quotes",
    "string_too_long": "expected at most {max_length} characters",
    "string_pattern_mismatch": "expected letters, digits, '.', '_' and '-', the first a letter or digit",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected at most {le}",
    "literal_error": "expected {expected}",
    "model_type": "expected a table",
    "dict_type": "expected a table",
    "model_attributes_type": "expected a table",
    "tuple_type": "expected an array of tables",
}
"""pydantic's kinds of fault; the names in braces are its own for what it was told to expect."""

_LONGEST_FOUND = 60


def explain(error: ValidationError, root: type[BaseModel]) -> Iterator[str]:
    """One line for each fault that pydantic found in a document whose kind is `root`."""
    for fault in error.errors(include_url=False):
        path, kinds = _path(fault["loc"], root)
        if fault["type"].startswith("union_tag"):
            path += "." + fault["ctx"]["discriminator"].strip("'")
        yield f"{path}{': ' if path else ''}{_reason(dict(fault), kinds)}"


def _reason(fault: dict[str, Any], kinds: list[type[BaseModel]]) -> str:
    kind, context, found = fault["type"], fault.get("ctx", {}), fault["input"]
    if kind == "extra_forbidden":
        known = [name for table in kinds for name in _keys(table)]
        return f"no such key{did_you_mean(str(fault['loc'][-1]), known)}; known: {', '.join(known)}"
    if kind == "missing":
        return "this key is required"
    if kind == "value_error":
        return str(context["error"])
    if kind.startswith("union_tag"):
        return _wrong_tag(context.get("expected_tags") or _tags(kinds), found, context["discriminator"].strip("'"))
    known = re.findall(r"'([^']*)'", context.get("expected", "")) if isinstance(found, str) else []
    limits = {
        name: int(limit) if isinstance(limit, float) and limit.is_integer() else limit
        for name, limit in context.items()
    }
    expected = _EXPECTED[kind].format_map(limits) if kind in _EXPECTED else fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{expected}, found {_shown(found)}{did_you_mean(str(found), known) if known else ''}"


def _wrong_tag(expected: str, found: Mapping[str, Any], key: str) -> str:
    tags = expected.replace("'", "").split(", ")
    choice = f"expected {' or '.join(map(repr, tags))}"
    if key not in found:
        return f"this key is required: {choice}"
    return f"{choice}, found {_shown(found[key])}{did_you_mean(str(found[key]), tags)}"


def _tags(kinds: list[type[BaseModel]]) -> str:
    return ", ".join(tag for tag in map(_tag, kinds) if tag)


def _shown(value: Any) -> str:
    """A value as the document spells it, cut to a readable length; tables and arrays by their kind."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "an array"
    if isinstance(value, bool | str):
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in json.dumps(value, ensure_ascii=False))
    else:
        # A whole number can have more digits than Python converts to text.
        text = "a very large number" if isinstance(value, int) and value.bit_length() > 200 else str(value)
    return text if len(text) <= _LONGEST_FOUND else f"{text[:_LONGEST_FOUND]}…"


def _path(location: tuple[int | str, ...], root: type[BaseModel]) -> tuple[str, list[type[BaseModel]]]:
    """The key's path as people write it, and the kinds of table that its last key may belong to."""
    kinds: list[type[BaseModel]] = [root]
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        tagged = [kind for kind in kinds if _tag(kind) == part]
        if tagged and not any(part in _keys(kind) for kind in kinds):
            kinds = tagged
            continue
        name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else _shown(part)
        text += f".{name}" if text else name
        inner = [k for kind in kinds if part in _keys(kind) for k in _tables(_keys(kind)[part].annotation)]
        kinds = inner or kinds
    return text, kinds


def _keys(kind: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys of a table as people write them."""
    return {field.alias or name: field for name, field in kind.model_fields.items()}


def _tag(kind: type[BaseModel]) -> str | None:
    field = kind.model_fields.get("kind")
    return None if field is None else str(get_args(field.annotation)[0])


def _tables(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for part in get_args(annotation) for table in _tables(part)]
