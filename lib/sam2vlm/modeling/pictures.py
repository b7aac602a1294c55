"""The pictures of a split, checked against what their rows say, and as a model gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image, UnidentifiedImageError

from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor

__all__ = ["area_bounds", "bound_area", "picture_tensors", "read_picture"]


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


def picture_tensors(processor: Any, picture: Image.Image) -> dict[str, Tensor]:
    """Return what a family's processor makes of one picture, by the names of the model's arguments.

    The whole processor is asked and not its part for pictures: it has settings of its own for that part, and it
    leaves out what only counts tokens.

    Args:
        processor: Of the model's family.
        picture: RGB.
    """
    out = processor(images=[picture], text=[str(processor.image_token)], return_tensors="pt")
    # Whatever is said of each token is the text's.
    text = out["input_ids"].shape
    return {name: tensor for name, tensor in out.items() if tensor.shape != text}


def area_bounds(processor: Any) -> tuple[int, int] | None:
    """Return the smallest and largest area in pixels that a processor resizes pictures to.

    Qwen's take a picture at nearly its own size, between two areas; None for families that bring every picture to
    one size, or to a bounded number of tiles of one size.
    """
    pictures = processor.image_processor
    if getattr(pictures, "merge_size", None) is None or not getattr(pictures, "patch_size", None):
        return None
    return int(pictures.size["shortest_edge"]), int(pictures.size["longest_edge"])


def bound_area(processor: Any, *, max_pixels: int) -> None:
    """Lower the area that a processor resizes pictures to; where it has no such bound, nothing changes.

    The bound is saved with the processor: whoever asks the tuned model shows it pictures as it was trained with.

    Args:
        processor: Of the model's family; changed in place.
        max_pixels: Larger pictures are made smaller than this.

    Raises:
        SettingsError: It is below the smallest area that the family takes.
    """
    bounds = area_bounds(processor)
    if bounds is None or bounds[1] <= max_pixels:
        return
    if max_pixels < bounds[0]:
        raise SettingsError(
            "leaves no picture that this model takes",
            field="max_pixels",
            expected=f"at least {bounds[0]}",
            found=max_pixels,
        )
    processor.image_processor.size["longest_edge"] = max_pixels
