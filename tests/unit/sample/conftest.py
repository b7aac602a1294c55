"""Small exports, written once for all tests of the sample."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from sam2vlm.sample import SampleSummary, write_sample

if TYPE_CHECKING:
    from pathlib import Path

FRAMES, OBJECTS, WIDTH, HEIGHT, SEED = 24, 6, 160, 96, 5


@dataclass
class Export:
    """An export as plain Python reads it, without any of our readers."""

    path: Path
    summary: SampleSummary

    def names(self) -> list[str]:
        with zipfile.ZipFile(self.path) as archive:
            return archive.namelist()

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(name)

    def document(self, name: str = "annotations.json", folder: str = "") -> Any:
        return json.loads(self.read(folder + name))

    def frames(self, folder: str = "") -> list[dict[str, Any]]:
        return self.document(folder=folder)["annotations"]

    def picture(self, index: int) -> Image.Image:
        return Image.open(io.BytesIO(self.read(f"images/frame_{index:06d}.png")))


def visible(record: dict[str, Any]) -> bool:
    return record["mask_rle"] != "65536"


def row_major(text: str) -> np.ndarray:
    counts = np.array([int(part) for part in text.split(" ")])
    return np.repeat(np.arange(counts.size) % 2, counts).reshape(256, 256).astype(bool)


@pytest.fixture(scope="session")
def make_export(tmp_path_factory):
    made: dict[Any, Export] = {}

    def make(**changed: Any) -> Export:
        key = repr(sorted(changed.items()))
        if key not in made:
            arguments = {
                "frames": FRAMES, "objects": OBJECTS, "width": WIDTH, "height": HEIGHT, "seed": SEED, **changed
            }  # fmt: skip
            path = tmp_path_factory.mktemp("sample") / "export.zip"
            made[key] = Export(path, write_sample(path, **arguments))
        return made[key]

    return make
