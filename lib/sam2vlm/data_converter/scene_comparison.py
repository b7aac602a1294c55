"""Does a video show what an export's pictures show? Compared outside of the objects, where no exporter paints."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.video_frames import DecodedFrame

__all__ = ["COMPARED_FRAMES", "SceneComparison"]

#: So many of a video's frames are compared, as 32 x 32 cells of brightness.
COMPARED_FRAMES = 8
_CELLS = 32
_LEAST_CELLS = 64
_LEAST_SPREAD = 4.0
# Between a video and its painted, packed and resized copy it is above 0.9, between two scenes around 0.
_LEAST_CORRELATION = 0.5


class SceneComparison:
    """Looks at some frames as they are decoded, and judges at the end.

    Args:
        frames: Some of the export's, with their pictures.
        path: The video, for the message.
    """

    def __init__(self, frames: Iterable[Frame], path: Path) -> None:
        self._frames = {frame.frame_index: frame for frame in frames}
        self._path = path
        self._found: dict[int, float] = {}

    def look_at(self, found: DecodedFrame) -> None:
        """Compare a frame of the video with the export's picture of it, where it is one of the chosen ones."""
        frame = self._frames.get(found.index)
        if frame is None or frame.read_image is None:
            return
        outside = _outside(frame)
        theirs, ours = _brightness(frame.read_image())[outside], _brightness(found.pixels)[outside]
        if theirs.size >= _LEAST_CELLS and theirs.std() >= _LEAST_SPREAD:
            # Where the export shows something and the video one even tone, they have nothing in common.
            self._found[found.index] = float(np.corrcoef(theirs, ours)[0, 1]) if ours.std() > 0 else 0.0

    def judge(self) -> None:
        """Refuse the video where most frames differ; pictures without contrast tell nothing.

        Raises:
            DataError: They do; one frame is named.
        """
        strange = {index: value for index, value in self._found.items() if value < _LEAST_CORRELATION}
        if 2 * len(strange) > len(self._found):
            index, value = next(iter(strange.items()))
            raise DataError(
                f"does not show what the export's pictures show, for example at frame {index}; is it the video that "
                "was segmented?",
                source=self._path,
                expected=f"the same scene outside of the objects (correlation from {_LEAST_CORRELATION})",
                found=f"another one in {len(strange)} of {len(self._found)} frames (correlation {value:.2f})",
            )


def _brightness(picture: bytes | NDArray[np.uint8]) -> NDArray[np.float64]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else Image.fromarray(picture) as opened:
            grey = opened.convert("L").resize((_CELLS, _CELLS), Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        # A picture of the exporter that cannot be read is no loss here: it is about to be replaced.
        return np.zeros((_CELLS, _CELLS))
    return np.asarray(grey, dtype=np.float64)


def _outside(frame: Frame) -> NDArray[np.bool_]:
    """Return the cells that no object's box touches; a label stands above its box, so the cells above go too."""
    outside = np.ones((_CELLS, _CELLS), dtype=np.bool_)
    for item in frame.visible_objects:
        if item.bbox is not None:
            x, y, w, h = item.bbox
            left, right = int(x / frame.width * _CELLS), int((x + w) / frame.width * _CELLS) + 1
            top, bottom = int(y / frame.height * _CELLS), int((y + h) / frame.height * _CELLS) + 1
            outside[max(top - 3, 0) : bottom + 1, max(left - 1, 0) : right + 1] = False
    return outside
