"""``painted_overlay_check``: do the pictures show the answer?"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.annotations.paint_detection import is_painted
from sam2vlm.errors import DataError
from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.picture_decoding import pixels_of
from sam2vlm.validation.results import Finding, RuleResult, Severity
from sam2vlm.workers import cores, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sam2vlm.annotations.types import Frame

__all__ = ["painted_overlay_check"]

_PNG = b"\x89PNG"


def painted_overlay_check(
    dataset: Mapping[str, Any], *, max_pictures: int = 100, max_painted_percent: float = 5.0
) -> RuleResult:
    """Look for pictures that the exporter painted over at their objects.

    The demo tool draws every object's outline, a tint and its label into the pictures that it stores. A model that
    learns from them learns to read the paint. A tool paints all frames of an export or none, so some are enough.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        max_pictures: So many pictures with objects are decoded, evenly spread over the dataset.
        max_painted_percent: Up to this share of them, each one that looks painted is a warning (a wire around an
            object may pass for paint), above it an error.
    """
    data = CheckedDataset.of(dataset)
    looked = 0
    painted: list[Frame] = []
    frames = list(_spread(data.frames, max_pictures))
    for frame, found in zip(frames, spread(_is_painted, frames, workers=cores()), strict=True):
        looked += found is not None
        if found:
            painted.append(frame)
    share = 100 * len(painted) / looked if looked else 0.0
    severity = Severity.ERROR if share > max_painted_percent else Severity.WARNING
    example = f", for example frame {painted[0].frame_index} ({painted[0].image_name})" if painted else ""
    return RuleResult(
        rule_id="painted_overlay_check",
        severity=Severity.ERROR,
        checked=looked,
        unit="pictures",
        findings=tuple(
            Finding.of_frame(frame, f"{frame.image_name} has contours painted along its objects", severity)
            for frame in painted
        ),
        summary=f"{len(painted)} of {looked} pictures looked at are painted over at their objects ({share:.0f} %)"
        f"{example}",
        recommendation=(
            "Take clean frames from the source video: set SAM2VLM_VIDEO (--video) to its file. A model that is trained "
            "on painted frames reads the paint instead of the picture."
        ),
        facts={"painted": len(painted), "painted_percent": round(share, 2)},
    )


def _spread(frames: Sequence[Frame], at_most: int) -> Iterator[Frame]:
    """Yield the first frame with a picture and an object of each of so many equal stretches."""
    stretches = min(len(frames), at_most)
    edges = [number * len(frames) // stretches for number in range(stretches + 1)] if stretches else []
    for begin, end in itertools.pairwise(edges):
        found = (frames[row] for row in range(begin, end))
        yield from _first(frame for frame in found if frame.read_image is not None and frame.visible_objects)


def _first(frames: Iterator[Frame]) -> list[Frame]:
    frame = next(frames, None)
    return [] if frame is None else [frame]


def _is_painted(frame: Frame) -> bool | None:
    """Return whether a frame's picture is painted; None where it cannot be decoded, which other rules tell."""
    content = b"" if frame.read_image is None else frame.read_image()
    try:
        pixels = pixels_of(content)
    except DataError:
        return None
    if pixels.ndim == 2:  # noqa: PLR2004  grey
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    masks = [item.mask for item in frame.visible_objects if item.mask is not None]
    return is_painted(pixels, masks, lossless=content.startswith(_PNG))
