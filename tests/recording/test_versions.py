"""The promise of docs/recording-format.md: every version that was ever written is read, and says what it said."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from neurontools.recording import Recording, records
from neurontools.schema.inventory import to_document
from tests.conftest import ROOT

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.glob("version-*.nrec"))


def test_there_is_a_file_of_every_version() -> None:
    assert {path.stem.split("-")[1] for path in FILES} == {str(n) for n in range(1, records.VERSION + 1)}


def keeps(found: Any, expected: Any) -> bool:
    """Whether a document says all that it said when it was written; later releases may have it say more."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(keeps(found.get(key), value) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(keeps, found, expected))
    return bool(found == expected)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_every_version_says_what_it_said(path: Path) -> None:
    """Beside each file lies what its own release read from it. That is never renewed."""
    with Recording(str(path)) as recording:
        documents: list[Any] = [block._asdict() for block in recording.blocks]
        documents += [frame._asdict() | {"inventory": to_document(frame.inventory)} for frame in recording.frames()]
        assert recording.damage == []
    expected = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
    assert len(documents) == len(expected)
    for document, said in zip(documents, expected, strict=True):
        assert keeps(json.loads(msgspec.json.encode(document)), said)


def test_the_files_hold_every_kind_of_record() -> None:
    kinds = set()
    for path in FILES:
        data = path.read_bytes()
        while (head := records.head_of(data)) is not None:
            kinds.add(head.kind)
            data = data[head.record_bytes :]
        assert data == b""
    assert kinds == set(records.KINDS)


def test_the_format_is_written_down_as_it_is() -> None:
    text = (ROOT / "docs" / "recording-format.md").read_text()
    assert f"This is version {records.VERSION}." in text
    assert f"`{records.MARK.hex(' ').upper()}`" in text
    assert f"at most {records.MAX_BYTES >> 20} MiB" in text
    assert f"{records.END_BYTES} bytes a block" in text
    assert set(re.findall(r"^\| `([A-Z])` ", text, re.MULTILINE)) == {kind.decode() for kind in records.KINDS}
    assert f"| {records.HEAD_BYTES} | | the packed document |" in text
