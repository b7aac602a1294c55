"""The samples of a split, ready to train on: tokenised once, pictures processed once and kept while they fit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from torch.utils.data import Dataset

from sam2vlm.artifacts import Counts
from sam2vlm.errors import DataError
from sam2vlm.modeling.pictures import picture_tensors, read_picture
from sam2vlm.modeling.targets import targets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import datasets
    from torch import Tensor
    from transformers import ProcessorMixin

    from sam2vlm.data_converter.instructions.conventions import BoxConvention
    from sam2vlm.modeling.encoding import Encoded, Encoder

__all__ = ["Samples", "select_samples"]

MEGABYTE = 2**20


class Samples(Dataset[dict[str, Any]]):
    """Encoded samples with their pictures.

    An item is ``{"number": int, "encoded": Encoded, "picture": {name: Tensor}}``; the picture's tensors are those
    that the family's processor gives for it: ``pixel_values`` of LLaVA (1, 3, H, W), of families that cut a picture
    into tiles (1, tiles, 3, H, W), of Qwen's (patches, values of a patch) with ``image_grid_thw`` (1, 3).

    Args:
        split: The rows, with their pictures.
        encoded: The samples to take.
        processor: Of the model's family.
        cache_mb: Keep processed pictures in memory up to this many megabytes.
    """

    def __init__(
        self, split: datasets.Dataset, encoded: Sequence[Encoded], *, processor: ProcessorMixin, cache_mb: int
    ) -> None:
        self._split = split
        self.encoded = tuple(encoded)
        self._processor: Any = processor
        self._cache: dict[int, dict[str, Tensor]] = {}
        self._room = cache_mb * MEGABYTE

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, number: int) -> dict[str, Any]:
        encoded = self.encoded[number]
        return {"number": number, "encoded": encoded, "picture": self._picture(encoded)}

    @property
    def lengths(self) -> list[int]:
        """Tokens of each sample, its picture's included."""
        return [item.length for item in self.encoded]

    def _picture(self, encoded: Encoded) -> dict[str, Tensor]:
        row = encoded.target.row
        if row in self._cache:
            return self._cache[row]
        target = encoded.target
        image = read_picture(self._split, row, sample_id=target.sample_id, width=target.width, height=target.height)
        picture = picture_tensors(self._processor, image)
        size = sum(tensor.nbytes for tensor in picture.values())
        if size <= self._room:
            self._room -= size
            self._cache[row] = picture
        return picture


def select_samples(
    split: datasets.Dataset,
    encoder: Encoder,
    *,
    boxes: BoxConvention,
    max_length: int,
    max_dropped_share: float,
    tasks: Sequence[str] | None = None,
) -> tuple[list[Encoded], Counts]:
    """Encode a split and leave out, with a count for each reason, what cannot be trained on.

    Args:
        split: Rows of ``RUN/prepare/dataset``.
        encoder: Of the model's family.
        boxes: How the model's family writes boxes.
        max_length: Longest sample in tokens, its picture's included.
        max_dropped_share: More than this share left out is an error.
        tasks: Only these questions; None takes all.

    Returns:
        The samples in the split's order, and the counts; reasons are ``too_long``.

    Raises:
        DataError: More than the allowed share would be left out, or nothing would be left.
    """
    encoded = [encoder.encode(target) for target in targets_of(split, boxes=boxes, tasks=tasks)]
    kept = [item for item in encoded if item.length <= max_length]
    dropped = Counter({"too_long": len(encoded) - len(kept)} if len(kept) < len(encoded) else {})
    if dropped.total() > max_dropped_share * len(encoded):
        longest = max(encoded, key=lambda item: item.length)
        raise DataError(
            f"{dropped.total()} of {len(encoded)} samples have more than {max_length} tokens, the picture's included; "
            f"raise max_length or the share that may be left out ({max_dropped_share:g})",
            source=longest.target.sample_id,
            expected=f"at most {max_length} tokens",
            found=longest.length,
        )
    if not kept:
        raise DataError("the split has no samples to train on", expected="at least one", found=0)
    return kept, Counts(seen=len(encoded), kept=len(kept), dropped=dict(dropped))
