"""One exported frame: its picture's bytes and its entry of ``annotations.json``, defects included."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sam2vlm.sample.dialects import DIALECTS, SOURCE_FPS, Envelope, object_record
from sam2vlm.sample.masks import logits, upsampled
from sam2vlm.sample.painting import paint
from sam2vlm.sample.png import png_bytes
from sam2vlm.sample.seeding import stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from sam2vlm.sample.motion import Track
    from sam2vlm.sample.scene import Scene, View

__all__ = ["FrameMaker", "MadeFrame"]

_Fields = dict[int, "NDArray[np.float32]"]
_TRANSLATED = {
    "crab": "краб", "jellyfish": "méduse", "turtle": "海龟", "fish": "ψάρι",
    "anchor": "áncora", "bottle": "πυκάλι", "buoy": "boué́e", "shell": "貝殻",
}  # fmt: skip
_SPOILT_SHARE = 0.08  # of the frames, where a defect concerns some of them
_SWAP_FRAMES = 10


@dataclass(frozen=True)
class MadeFrame:
    """One frame of the export.

    Attributes:
        entry: Of ``annotations.json``; None where the exporter swallowed an error.
        picture: The image file's bytes; None where there is none.
        labels: Of the visible objects, as written.
        seen: The visible objects' ids.
    """

    entry: dict[str, Any] | None
    picture: bytes | None
    labels: tuple[str, ...] = ()
    seen: tuple[int, ...] = ()


@dataclass(frozen=True)
class FrameMaker:
    """Makes any frame of an export, in any order, on any thread.

    Attributes:
        scene: The video.
        envelope: What the documents say.
        real_fps: The video's true rate.
        defects: Names from :data:`sam2vlm.sample.defects.DEFECTS`.
        spoilt: For each defect that concerns some frames, their positions.
        swaps: For a position, the two objects that have exchanged their masks.
    """

    scene: Scene
    envelope: Envelope
    real_fps: float
    defects: frozenset[str]
    spoilt: dict[str, frozenset[int]] = field(init=False)
    swaps: dict[int, tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        total = len(self.envelope.frame_indices)
        spoilt = {name: _some(total, self.scene.seed, name) for name in self.defects}
        spoilt["missing-frame"] = frozenset({total // 2})
        object.__setattr__(self, "spoilt", spoilt)
        object.__setattr__(self, "swaps", self._planned_swaps(total) if "track-swaps" in self.defects else {})

    def make(self, position: int) -> MadeFrame:
        """Make the frame at a position of ``frame_indices``."""
        if self._spoils("swallowed-errors", position):
            return MadeFrame(None, None)
        # A repeated frame is the one before it, drawn with the very same random numbers.
        shown = position - 1 if position and self._spoils("duplicate-frames", position) else position
        view = self.scene.look(self._second(shown))
        fields = {
            track.object_id: logits(view.owners, slot + 1, stream(self.scene.seed, "mask", shown, track.object_id))
            for slot, track in enumerate(view.visible)
        }
        fields = {number: values for number, values in fields.items() if (values > 0).any()}
        fields = self._disturbed(fields, position)
        if "zero-objects" in self.defects:
            fields = {}
        objects = list(self._objects(fields, position))
        entry = self._entry(objects, position)
        labels = tuple(item["label"] for item in objects if item["object_id"] in fields)
        return MadeFrame(entry, self._picture(view, fields, objects, position), labels, tuple(sorted(fields)))

    def _second(self, position: int) -> float:
        # Half a source frame later: nothing begins or ends exactly there.
        return (self.envelope.frame_indices[position] + 0.5) / self.real_fps

    def _spoils(self, name: str, position: int) -> bool:
        return name in self.defects and position in self.spoilt[name]

    def _disturbed(self, fields: _Fields, position: int) -> _Fields:
        """Exchange or drop masks."""
        pair = self.swaps.get(position)
        if pair is not None and pair[0] in fields and pair[1] in fields:
            fields = {**fields, pair[0]: fields[pair[1]], pair[1]: fields[pair[0]]}
        if self._spoils("flicker", position):
            # The largest that is well inside before and after is seen in the neighbouring frames too.
            steady = self._steady(position)
            areas = {number: int((values > 0).sum()) for number, values in fields.items() if number in steady}
            gone = max(areas, key=lambda number: (areas[number], number), default=None)
            fields = {number: values for number, values in fields.items() if number != gone}
        return fields

    def _steady(self, position: int) -> set[int]:
        """Return who is inside the frame from the position before to the one after."""
        last = len(self.envelope.frame_indices) - 1
        begin, end = self._second(max(position - 1, 0)), self._second(min(position + 1, last))
        visits = self.scene.visits
        return {visit.track.object_id for visit in visits if visit.times[1] <= begin and end <= visit.times[-2]}

    def _planned_swaps(self, total: int) -> dict[int, tuple[int, int]]:
        """Choose pairs that are in the picture together; every third stretch of frames has a swap."""
        swaps: dict[int, tuple[int, int]] = {}
        position = 1
        while position < total:
            present = sorted(self._steady(position))
            if len(present) < 2:  # noqa: PLR2004  a pair
                position += 1
                continue
            swaps.update(dict.fromkeys(range(position, min(position + _SWAP_FRAMES, total)), (present[0], present[1])))
            position += 3 * _SWAP_FRAMES
        return swaps

    def _objects(self, fields: _Fields, position: int) -> Iterator[dict[str, Any]]:
        size = (self.envelope.width, self.envelope.height)
        for track in self.scene.tracks:
            number = track.object_id
            label = self._label(track, position)
            record = object_record(self.envelope.dialect, number, label, fields.get(number), size)
            if number in fields and self._spoils("wrong-boxes", position):
                x, y, w, h = record["bbox"]
                record.update(bbox=[x + w, y + h // 2, max(w // 2, 1), h], area=record["area"] * 3)
            if number in fields and "wrong-run-sum" in self.defects and number == min(fields):
                _spoil_runs(record, only=position in self.spoilt["missing-frame"])
            yield record

    def _label(self, track: Track, position: int) -> str:
        label = track.label
        if "non-ascii" in self.defects:
            label = _TRANSLATED.get(label, label)
        if "default-names" in self.defects and track.object_id % 2 == 0:
            return f"object_{track.object_id}"
        if self._spoils("label-typos", position):
            kind = (position + track.object_id) % 3
            return (label.capitalize(), f"{label} ", label[:-2] + label[-1])[kind]
        return label

    def _entry(self, objects: list[dict[str, Any]], position: int) -> dict[str, Any]:
        index = self.envelope.frame_indices[position]
        listed: Any = [] if "zero-objects" in self.defects else objects
        if "wrong-shape" in self.defects and position == 0:
            listed = len(objects)
        return {"frame_index": index, "timestamp_sec": round(index / SOURCE_FPS, 3), "objects": listed}

    def _picture(self, view: View, fields: _Fields, objects: list[dict[str, Any]], position: int) -> bytes | None:
        dialect = DIALECTS[self.envelope.dialect]
        # The tool stores a picture only where something is painted on it.
        if (dialect.has_records and not fields) or self._spoils("missing-frame", position):
            return None
        picture = view.picture
        if "painted-overlay" in self.defects:
            masks = {number: upsampled(values, picture.width, picture.height) for number, values in fields.items()}
            named = [(item["object_id"], item["label"]) for item in objects if item["object_id"] in masks]
            picture = paint(picture, [(number, label, masks[number]) for number, label in named])
        if self._spoils("wrong-size", position):
            picture = picture.resize((max(picture.width // 2, 1), max(picture.height // 2, 1)))
        return _jpeg_bytes(picture) if dialect.jpeg or "jpg-frames" in self.defects else png_bytes(picture)


def _some(total: int, seed: int, name: str) -> frozenset[int]:
    """Choose some positions, at least one; none is the first or the last, and no two are neighbours.

    So each has a sound frame before and after it, which is what makes a repeated frame or a flicker one.
    """
    inner = range(1, total - 1)
    if not inner:
        return frozenset({0})
    count = max(round(total * _SPOILT_SHARE), 1)
    chosen: set[int] = set()
    for place in stream(seed, "spoilt", name).permutation(inner):
        if len(chosen) < count and not {place - 1, place + 1} & chosen:
            chosen.add(int(place))
    return frozenset(chosen)


def _spoil_runs(record: dict[str, Any], *, only: bool) -> None:
    """Make one mask's runs add up to seven too few (or its size seven too wide)."""
    if not only:
        return
    mask = record["mask_rle"]
    if isinstance(mask, dict):
        mask["size"] = [mask["size"][0], mask["size"][1] + 7]
        return
    counts = mask.split(" ")
    record["mask_rle"] = " ".join([*counts[:-1], str(int(counts[-1]) - 7)])


def _jpeg_bytes(picture: Image.Image) -> bytes:
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=90)
    return target.getvalue()
