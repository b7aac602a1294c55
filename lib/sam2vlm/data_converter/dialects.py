"""How exporters write a mask, and how each of them is told from the others.

A dialect is never guessed: it follows from what the exporter says about itself, from a size that is stored with the
mask, from what the pictures show (:mod:`sam2vlm.data_converter.orientation`), or from a setting. Where a string of
runs could still be two things, it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations.coco_rle import mask_from_runs, read_coco
from sam2vlm.annotations.runs import check_sum, reorder_runs, runs_area, runs_box, runs_from_list, runs_from_text
from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from sam2vlm.annotations.runs import Order, Runs
    from sam2vlm.annotations.types import Mask

__all__ = [
    "AUTO",
    "AUTOMATIC_MASKS",
    "BARE_COUNTS",
    "COCO_COMPRESSED",
    "COCO_INSTANCES",
    "COCO_UNCOMPRESSED",
    "DIALECTS",
    "LOGITS_COLUMN_MAJOR",
    "LOGITS_PIXELS",
    "LOGITS_SIDE",
    "PALETTE_PNG",
    "SAM2_DEMO",
    "SA_V",
    "DecodedMask",
    "MaskReader",
    "checked_dialect",
    "decoded_runs",
    "sized_mask",
]

AUTO = "auto"
SAM2_DEMO = "sam2-demo-1.0.0"
LOGITS_COLUMN_MAJOR = "logits-column-major"
BARE_COUNTS = "bare-counts"
COCO_COMPRESSED = "coco-compressed"
COCO_UNCOMPRESSED = "coco-uncompressed"
SA_V = "sa-v"
AUTOMATIC_MASKS = "automatic-masks"
COCO_INSTANCES = "coco-instances"
PALETTE_PNG = "palette-png"
# The first six say how a mask of annotations.json is written, the others how a whole export is laid out.
DIALECTS = (
    AUTO,
    SAM2_DEMO,
    LOGITS_COLUMN_MAJOR,
    BARE_COUNTS,
    COCO_COMPRESSED,
    COCO_UNCOMPRESSED,
    SA_V,
    AUTOMATIC_MASKS,
    COCO_INSTANCES,
    PALETTE_PNG,
)

# SAM 2 predicts low-resolution logits of 256 x 256 for a picture of any size; the demo tool stores masks on them.
LOGITS_SIDE = 256
LOGITS_PIXELS = LOGITS_SIDE * LOGITS_SIDE
# Frames of one export are of one size, or of few.
_MOST_ABSENT = 64


@dataclass(frozen=True, slots=True)
class DecodedMask:
    """One mask on its own grid.

    Attributes:
        dialect: What it was read as.
        mask: None where no pixel is set: the object is not visible.
        width: Columns of the grid.
        height: Rows of the grid.
        box: ``(x, y, w, h)`` in grid pixels; None where not visible.
        area: In grid pixels.
    """

    dialect: str
    mask: Mask | None
    width: int
    height: int
    box: tuple[int, int, int, int] | None
    area: int


def checked_dialect(dialect: str) -> str:
    """Return the dialect.

    Raises:
        SettingsError: There is no such dialect.
    """
    if dialect not in DIALECTS:
        raise SettingsError("no such dialect", field="dialect", expected=" or ".join(DIALECTS), found=dialect)
    return dialect


class MaskReader:
    """Reads the masks of an ``annotations.json``.

    Args:
        dialect: One of :data:`DIALECTS`; ``auto`` decides mask by mask.
        demo_tool: Whether the export says that the SAM 2 demo's export tool wrote it.
        logits: How counts on the 256 x 256 grid are read where neither the exporter nor the setting tells:
            ``sam2-demo-1.0.0`` (row by row) or ``logits-column-major``; None to refuse them.

    Raises:
        SettingsError: There is no such dialect.
    """

    def __init__(self, *, dialect: str = AUTO, demo_tool: bool = False, logits: str | None = None) -> None:
        self._dialect = checked_dialect(dialect)
        self._demo_tool = demo_tool
        self._logits = logits
        self._absent: dict[tuple[str, tuple[int, int]], DecodedMask] = {}

    def read(self, value: object, frame: tuple[int, int]) -> DecodedMask:
        """Decode one mask.

        Args:
            value: ``mask_rle`` or ``segmentation`` as JSON has it.
            frame: Width and height of the video in pixels, for counts that come without a size.

        Raises:
            DataError: It is malformed, does not fit, or could be read in two ways.
        """
        if isinstance(value, dict):
            if self._dialect != AUTO:
                self._refuse_other(value)
            return sized_mask(value)
        if isinstance(value, str):
            return self._text(value, frame)
        if isinstance(value, list):
            return self._without_size(runs_from_list(value), frame, text=False)
        raise DataError(
            "wrong type for a mask", expected="a string, a list or an object", found=f"{type(value).__name__} {value!r}"
        )

    def _text(self, value: str, frame: tuple[int, int]) -> DecodedMask:
        """Read runs; those of an absent object are one and the same number, in most of a frame's objects."""
        found = self._absent.get((value, frame))
        if found is None:
            found = self._without_size(runs_from_text(value), frame, text=True)
            if found.mask is None and len(self._absent) < _MOST_ABSENT:
                self._absent[value, frame] = found
        return found

    def _refuse_other(self, value: dict[str, Any]) -> None:
        found = _sized_dialect(value)
        if self._dialect != found:
            raise DataError("is of another dialect", expected=f"{self._dialect}, as set", found=found)

    def _without_size(self, runs: Runs, frame: tuple[int, int], *, text: bool) -> DecodedMask:
        dialect = self._dialect
        if dialect == AUTO:
            dialect = self._demo(runs, frame) if text and self._demo_tool else self._bare(runs, frame)
        if dialect == SAM2_DEMO:
            return decoded_runs(dialect, runs, LOGITS_SIDE, LOGITS_SIDE, "C")
        if dialect == LOGITS_COLUMN_MAJOR:
            return decoded_runs(dialect, runs, LOGITS_SIDE, LOGITS_SIDE, "F")
        if dialect == BARE_COUNTS:
            return decoded_runs(dialect, runs, frame[1], frame[0], "F")
        raise DataError("is of another dialect", expected=f"{dialect}, as set", found="counts without a size")

    @staticmethod
    def _demo(runs: Runs, frame: tuple[int, int]) -> str:
        width, height = frame
        total = int(runs.sum())
        if total == width * height != LOGITS_PIXELS:
            raise DataError(
                "covers the frame, but the exporter that the export names writes masks on a 256 x 256 grid; "
                f"if another tool wrote them column by column, set the dialect to {BARE_COUNTS}",
                expected=f"runs that add up to {LOGITS_PIXELS} (256 x 256)",
                found=f"a sum of {total} ({width} x {height})",
            )
        return SAM2_DEMO

    def _bare(self, runs: Runs, frame: tuple[int, int]) -> str:
        width, height = frame
        total = int(runs.sum())
        if total == LOGITS_PIXELS != width * height:
            if self._logits is not None:
                return self._logits
            raise DataError(
                "is on the 256 x 256 grid, but the export does not say which tool wrote it, so its order is unknown; "
                f"set the dialect to {SAM2_DEMO} (row by row) or to {LOGITS_COLUMN_MAJOR}",
                expected=f"runs that add up to {width * height} ({width} x {height})",
                found=f"a sum of {total}",
            )
        return BARE_COUNTS


def sized_mask(value: dict[str, Any]) -> DecodedMask:
    """Decode COCO's ``{"size": [height, width], "counts": string or list}``.

    Raises:
        DataError: It is malformed or does not fit its size.
    """
    runs, height, width = read_coco(value)
    return decoded_runs(_sized_dialect(value), runs, height, width, "F")


def decoded_runs(dialect: str, runs: Runs, height: int, width: int, order: Order) -> DecodedMask:
    """Return the mask of runs in any order.

    Raises:
        DataError: The runs do not add up to the grid.
    """
    check_sum(runs, height, width)
    # Most exports list every object in every frame, and most objects are not there: one run of zeros.
    box = runs_box(runs, height, width, order) if runs.size > 1 else None
    if box is None:
        return DecodedMask(dialect=dialect, mask=None, width=width, height=height, box=None, area=0)
    columns = runs if order == "F" else reorder_runs(runs, height, width, box=box)
    return DecodedMask(
        dialect=dialect,
        mask=mask_from_runs(columns, height, width),
        width=width,
        height=height,
        box=box,
        area=runs_area(runs),
    )


def _sized_dialect(value: dict[str, Any]) -> str:
    return COCO_COMPRESSED if isinstance(value.get("counts"), str) else COCO_UNCOMPRESSED
