"""A small good export in parts: change a part, then write it as an archive or as a folder."""

from __future__ import annotations

import copy
import functools
import io
import json
import re
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from sam2vlm.sample import write_sample

DEMO = "sam2-demo-1.0.0"
COMPRESSED = "coco-compressed"
UNCOMPRESSED = "coco-uncompressed"
WIDTH, HEIGHT = 64, 48
INDICES = tuple(range(0, 48, 6))
WRITTEN_AT = (2025, 1, 15, 12, 0, 0)
GONE = object()
_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


@dataclass(frozen=True)
class Made:
    """An export on the disk.

    Attributes:
        path: The archive or folder.
        pictures: By frame index, what a dataset row of that frame has to hold, byte for byte.
    """

    path: Path
    pictures: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Literal:
    """A value as it stands in the file, for what Python's own writer would not write."""

    text: str


@dataclass
class Parts:
    """An export in parts.

    Attributes:
        annotations: ``annotations.json`` as values.
        metadata: ``metadata.json`` as values, None for no such file.
        pictures: By frame index.
        picture_name: From a frame index to the picture's entry.
        others: Any other entry by name.
        folder: In front of every name, with its slash.
        raw: Bytes of an entry in place of the values above.
        absent: Names of entries that are left out.
    """

    annotations: dict
    metadata: dict | None
    pictures: dict[int, bytes]
    picture_name: str = "images/frame_{:06d}.png"
    others: dict[str, bytes] = field(default_factory=dict)
    folder: str = ""
    raw: dict[str, bytes] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)

    def document(self, name="annotations.json"):
        """The text of a JSON entry."""
        value = {"annotations.json": self.annotations, "metadata.json": self.metadata}[name]
        return _text(value)

    def entries(self):
        """Every entry's name and bytes, in the tool's order."""
        found = {self.picture_name.format(index): content for index, content in self.pictures.items()}
        documents = ["annotations.json"] if self.metadata is None else ["annotations.json", "metadata.json"]
        found |= {name: self.document(name).encode() for name in documents if name not in self.raw}
        found |= {**self.others, **self.raw}
        return {f"{self.folder}{name}": content for name, content in found.items() if name not in self.absent}

    def zip(self, folder, *, compression=zipfile.ZIP_DEFLATED, comment=b""):
        path = folder / "export.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in self.entries().items():
                archive.writestr(entry(name, compression), content)
            archive.comment = comment
        return Made(path, dict(self.pictures))

    def unpacked(self, folder):
        root = folder / "export"
        for name, content in self.entries().items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        return Made(root, dict(self.pictures))


def entry(name, compression=zipfile.ZIP_DEFLATED):
    """An entry with a fixed time and a file's mode, under a name that zipfile does not tidy up."""
    info = zipfile.ZipInfo("name", WRITTEN_AT)
    info.filename = name
    info.compress_type = compression
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    return info


def good(dialect=DEMO):
    """Eight frames of 64 x 48 with up to three objects, as the sample writes them, to be changed at will."""
    return copy.deepcopy(_good(dialect))


@functools.lru_cache
def _good(dialect):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.zip"
        write_sample(
            path, frames=len(INDICES), objects=3, width=WIDTH, height=HEIGHT, seed=2, dialect=dialect, workers=1
        )
        with zipfile.ZipFile(path) as archive:
            return Parts(
                annotations=json.loads(archive.read("annotations.json")),
                metadata=json.loads(archive.read("metadata.json")),
                pictures={index: archive.read(f"images/frame_{index:06d}.png") for index in INDICES},
            )


def changed(change, *, dialect=DEMO, unpacked=False, **writing):
    """A maker: the good export after a change, as an archive or unpacked."""

    def make(folder):
        parts = good(dialect)
        change(parts)
        return parts.unpacked(folder) if unpacked else parts.zip(folder, **writing)

    return make


def at(path, value, *, dialect=DEMO, document="annotations"):
    """A maker: the good export with another value at a path such as ``annotations[0].objects[1].label``."""
    return changed(lambda parts: put(getattr(parts, document), path, value), dialect=dialect)


def put(tree, path, value):
    """Put a value at a path; ``GONE`` removes the member."""
    *steps, last = [name or int(number) for name, number in _STEP.findall(path)]
    for step in steps:
        tree = tree[step]
    if value is GONE:
        del tree[last]
    else:
        tree[last] = value


def documents(make_text, name="annotations.json"):
    """A maker: the good export whose JSON entry is other bytes, made from the good text."""

    def change(parts):
        parts.raw[name] = make_text(parts.document(name))

    return changed(change)


def picture(width=WIDTH, height=HEIGHT, *, kind="PNG", mode="RGB", shade=90, **saving):
    """A picture of one colour."""
    stream = io.BytesIO()
    colour = {1: shade, 3: (shade, 40, 90), 4: (shade, 40, 90, 255)}[len(Image.new(mode, (1, 1)).getbands())]
    Image.new(mode, (width, height), colour).save(stream, kind, **saving)
    return stream.getvalue()


def _text(value):
    literals = []

    def written(item):
        if isinstance(item, Literal):
            literals.append(item.text)
            return f"@literal{len(literals) - 1}@"
        if isinstance(item, dict):
            return {key: written(member) for key, member in item.items()}
        return [written(member) for member in item] if isinstance(item, list) else item

    text = json.dumps(written(value), ensure_ascii=False)
    for number, literal in enumerate(literals):
        text = text.replace(f'"@literal{number}@"', literal)
    return text
