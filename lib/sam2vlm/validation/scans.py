"""What several rules need of one dataset, worked out once, when the first of them asks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sam2vlm.validation.object_scan import scan_objects
from sam2vlm.validation.picture_scan import scan_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.annotations.types import Frame
    from sam2vlm.validation.object_table import ObjectTable
    from sam2vlm.validation.picture_scan import PictureScan

__all__ = ["Scans"]


class Scans:
    """The scans of a dataset.

    Args:
        frames: In the dataset's order.
        workers: Processes that read pictures; None for one a processor core.
        decode: Whether any rule looks at pictures; without, they are only read for their digests.
    """

    def __init__(self, frames: Sequence[Frame], *, workers: int | None = None, decode: bool = True) -> None:
        self.frames = frames
        self._workers = workers
        self._decode = decode

    @cached_property
    def table(self) -> ObjectTable:
        """Every frame and object; measured when first asked for."""
        return scan_objects(self.frames)

    @cached_property
    def pictures(self) -> PictureScan:
        """Every frame's picture; read when first asked for.

        Raises:
            DataError: A picture's bytes cannot be read.
        """
        return scan_pictures(self.frames, workers=self._workers, decode=self._decode)
