"""What all machine-written documents share: strictness, a version number, one error for a foreign version."""

from collections.abc import Iterable
from typing import Any, TypeVar, cast, get_args

import msgspec

SCHEMA_MAJOR = 1
"""Raised when a reader of the previous major version would misunderstand a document."""


class SchemaError(ValueError):
    """A document cannot be read: damaged, of another shape, or of another major version."""


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of all records: immutable, unknown keys ignored, None (unknown) left out of the text.

    Being immutable they are in no cycle, so the garbage collector need not go through thousands of them.
    """


class Compact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of the small numeric records that appear by the thousand: written as arrays."""


def version_field() -> Any:
    """A `version` that is always written: a factory's value is never taken for a default that can be left out."""
    return msgspec.field(default_factory=lambda: SCHEMA_MAJOR)


def count_field() -> Any:
    """A count from 0 that is always written: texts of one record then differ in their digits only."""
    return msgspec.field(default_factory=int)


class _Versioned(msgspec.Struct):
    version: int


D = TypeVar("D", bound=Document)

_encoder = msgspec.json.Encoder()

_OURS = b'{"version":%d,' % SCHEMA_MAJOR
"""How the text of a versioned document of this release begins: no second pass is needed to find its version."""


def encode(document: Document) -> bytes:
    """One line of JSON, without the newline; equal documents give equal bytes."""
    return _encoder.encode(document)


def decode(kind: type[D], text: bytes | memoryview | str) -> D:
    """Reads one document of the given kind.

    Raises SchemaError when the text is no such document, or carries a major version
    other than ours (kinds that have a `version` field only).
    """
    try:
        if "version" in kind.__struct_fields__ and text[: len(_OURS)] != _OURS:
            version = msgspec.json.decode(text, type=_Versioned).version
            if version != SCHEMA_MAJOR:
                raise SchemaError(
                    f"{kind.__name__.lower()} has schema version {version}, this program reads version "
                    f"{SCHEMA_MAJOR}: use the same neurontools release on both sides"
                )
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaError(f"not a readable {kind.__name__.lower()}: {error}") from None


def narrowed(kind: type[D], read: Iterable[str], **parts: Any) -> type[D]:
    """A kind of document of whose text only the fields `read` and `parts` are looked at; all others keep their default.

    Nothing is allocated for what is skipped. `parts` gives fields another type, made of narrowed kinds too.
    Raises TypeError when a field that is skipped has no default.
    """
    kept = {*read, *parts}
    fields: list[Any] = []
    for each in msgspec.structs.fields(kind):
        if each.required and each.name not in kept:
            raise TypeError(f"{kind.__name__} cannot do without {each.name}")
        # A Struct cannot drop a field of its base, but it can wait for it under a name that no text has.
        name = each.name if each.name in kept else f"-{each.name}"
        default: dict[str, Any] = {"default": each.default, "default_factory": each.default_factory}
        fields.append((each.name, parts.get(each.name, each.type), msgspec.field(name=name, **default)))
    return cast(type[D], msgspec.defstruct(kind.__name__, fields, bases=(kind,), frozen=True, kw_only=True))


def looked_at(kind: type[Document]) -> frozenset[str]:
    """The fields of a kind of document that its reader looks at: all but those that `narrowed` left out."""
    return frozenset(field.name for field in msgspec.structs.fields(kind) if not field.encode_name.startswith("-"))


def left_out(kind: type[Document]) -> list[str]:
    """The fields of a kind of document that its reader does not look at."""
    seen = looked_at(kind)
    return [name for name in kind.__struct_fields__ if name not in seen]


def kind_of(kind: type[Document], name: str) -> type[Document]:
    """The kind of the documents that a field holds, alone, in a tuple or in a mapping. KeyError for any other field."""
    for field in msgspec.structs.fields(kind):
        if field.name == name and (found := _document_in(field.type)):
            return found
    raise KeyError(name)


def _document_in(annotation: Any) -> type[Document] | None:
    if isinstance(annotation, type) and issubclass(annotation, Document):
        return annotation
    return next((found for part in get_args(annotation) if (found := _document_in(part))), None)
