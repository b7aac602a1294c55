"""The pictures of a split, checked against what their rows say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["read_picture"]


def read_picture(split: Dataset, row: int, *, sample_id: str, width: int, height: int) -> Image.Image:
    """Return a row's picture as RGB.

    Args:
        split: Rows of ``RUN/prepare/dataset``.
        row: Which one.
        sample_id: Its name, for messages.
        width: Its width in pixels, as its row says: its boxes refer to that.
        height: Its height in pixels.

    Raises:
        DataError: It cannot be decoded, or it is of another size.
    """
    try:
        picture = split[row]["image"].convert("RGB")
    except (UnidentifiedImageError, OSError, AttributeError) as error:
        raise DataError("its picture cannot be read", source=sample_id, found=error) from None
    if picture.size != (width, height):
        raise DataError(
            "its picture is of another size than its row says",
            source=sample_id,
            expected=(width, height),
            found=picture.size,
        )
    assert isinstance(picture, Image.Image)  # noqa: S101  told to mypy: datasets has no types
    return picture
