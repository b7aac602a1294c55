"""What several rules need of one dataset, worked out once, when the first of them asks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sam2vlm.validation.object_scan import ObjectScan, scan_objects
from sam2vlm.validation.picture_scan import scan_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.annotations.types import Frame
    from sam2vlm.validation.object_table import ObjectTable
    from sam2vlm.validation.picture_scan import PictureKeeper, PictureScan

__all__ = ["Scans"]


class Scans:
    """The scans of a dataset.

    Args:
        frames: In the dataset's order.
        workers: Processes that read pictures; None for one a processor core.
        decode: Whether any rule looks at pictures; without, they are only read for their digests.
        together: Make both scans at once, for a dataset that needs both: masks are measured here while other processes
            read pictures.
        keeper: Gets each picture's bytes while they are looked at.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        *,
        workers: int | None = None,
        decode: bool = True,
        together: bool = False,
        keeper: PictureKeeper | None = None,
    ) -> None:
        self.frames = frames
        self._workers = workers
        self._decode = decode
        self._together = together
        self._keeper = keeper

    @cached_property
    def table(self) -> ObjectTable:
        """Every frame and object; measured when first asked for."""
        return self._both[0] if self._together else scan_objects(self.frames)

    @cached_property
    def pictures(self) -> PictureScan:
        """Every frame's picture; read when first asked for.

        Raises:
            DataError: A picture's bytes cannot be read.
        """
        if self._together:
            return self._both[1]
        return scan_pictures(self.frames, workers=self._workers, decode=self._decode, keeper=self._keeper)

    @cached_property
    def _both(self) -> tuple[ObjectTable, PictureScan]:
        objects, frames = ObjectScan(), iter(self.frames)
        pictures = scan_pictures(
            self.frames,
            workers=self._workers,
            decode=self._decode,
            meanwhile=lambda: objects.add(next(frames)),
            keeper=self._keeper,
        )
        return objects.finished(), pictures
