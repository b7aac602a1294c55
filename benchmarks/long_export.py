"""An export of any length, written faster than it could be drawn and never held as a whole."""

from __future__ import annotations

import io
import itertools
import json
import tempfile
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["write_long_export"]

_DRAWN = 500
_STEP, _FPS = 6, 30.0
_INDEX, _SECOND = "@index@", "@second@"
_CELLS, _CELL_PX = (5, 8), 8
_DRAWN_LARGER = 5  # than it is shown, so that the masks have edges of a picture's length


def write_long_export(path: Path, frames: int, *, objects: int) -> None:
    """Write an export of small pictures that are all different, with masks and JSON as large as ever.

    The annotations are those of 500 drawn frames, to and fro, with indices and times of their own; a picture is 40
    grey cells by chance, 64 x 40 pixels.

    Args:
        path: The archive.
        frames: How many.
        objects: Of the sample; a frame sees one to five of them.
    """
    with zipfile.ZipFile(path, "w") as archive:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            envelope, records = _drawn(Path(folder) / "drawn.zip", objects)
        for name, value in _envelopes(envelope, frames).items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as document:
                _write_document(document, value, _repeated(records, frames) if name == "annotations.json" else None)
        for number, content in enumerate(_pictures(frames)):
            archive.writestr(f"images/frame_{number * _STEP:06d}.png", content)


def _drawn(path: Path, objects: int) -> tuple[dict[str, Any], list[str]]:
    """Return both documents without their records, and the records as texts with places for index and time."""
    from sam2vlm.sample import write_sample

    height, width = (cells * _CELL_PX * _DRAWN_LARGER for cells in _CELLS)
    write_sample(path, frames=_DRAWN, objects=objects, width=width, height=height)
    with zipfile.ZipFile(path) as archive:
        documents = {name: json.loads(archive.read(name)) for name in ("annotations.json", "metadata.json")}
    records = documents["annotations.json"].pop("annotations")
    texts = [json.dumps({**record, "frame_index": _INDEX, "timestamp_sec": _SECOND}, indent=2) for record in records]
    return documents, [text.replace(f'"{_INDEX}"', _INDEX).replace(f'"{_SECOND}"', _SECOND) for text in texts]


def _envelopes(documents: dict[str, Any], frames: int) -> dict[str, Any]:
    """Return the documents with the counts of so many frames."""
    for document in documents.values():
        height, width = (cells * _CELL_PX for cells in _CELLS)
        lasts = {"total_frames": frames * _STEP, "duration_sec": frames * _STEP / _FPS}
        document["video"] |= {"width": width, "height": height, **lasts}
        config = document["export_config"]
        config |= {"total_exported_frames": frames}
        if "frame_indices" in config:
            config["frame_indices"] = list(range(0, frames * _STEP, _STEP))
    return documents


def _repeated(records: list[str], frames: int) -> Iterator[str]:
    # There and back, so that no object jumps where the drawn frames begin again.
    turns = itertools.cycle([*records, *reversed(records)])
    for number, text in zip(range(frames), turns, strict=False):
        yield text.replace(_INDEX, str(number * _STEP), 1).replace(_SECOND, repr(number * _STEP / _FPS), 1)


def _write_document(document: IO[bytes], value: dict[str, Any], records: Iterator[str] | None) -> None:
    text = json.dumps(value)
    if records is None:
        document.write(text.encode())
        return
    document.write(f'{text[:-1]}, "annotations": ['.encode())
    for number, record in enumerate(records):
        document.write(f"{',' if number else ''}\n{record}".encode())
    document.write(b"]}")


def _pictures(frames: int) -> Iterator[bytes]:
    from PIL import Image

    chance = np.random.default_rng(0)
    for _ in range(frames):
        cells = chance.integers(0, 256, _CELLS, dtype=np.uint8)
        stream = io.BytesIO()
        picture = Image.fromarray(cells.repeat(_CELL_PX, 0).repeat(_CELL_PX, 1)).convert("RGB")
        picture.save(stream, "PNG", compress_level=1)
        yield stream.getvalue()
