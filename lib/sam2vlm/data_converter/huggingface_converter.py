"""Frames to a dataset that ``datasets.load_from_disk`` opens."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from sam2vlm.artifacts import write_text
from sam2vlm.data_converter.arrow_shards import DEFAULT_SHARD_BYTES, open_split
from sam2vlm.data_converter.conversion_result import ConversionResult, staged_folder
from sam2vlm.data_converter.dataset_rows import dataset_features, dataset_row, read_picture
from sam2vlm.data_converter.dialects import AUTO
from sam2vlm.data_converter.instructions import InstructionMix
from sam2vlm.data_converter.sam2_parser import SAM2Parser
from sam2vlm.errors import DataError
from sam2vlm.logs import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.archive import ArchiveLimits

__all__ = ["HuggingFaceConverter", "write_dataset_dict"]


class HuggingFaceConverter:
    """Converts a whole export to one ``datasets.Dataset`` on the disk.

    Args:
        dialect: How masks are written; see :class:`sam2vlm.data_converter.SAM2Parser`.
        limits: How much an archive may hold.
        mix: Which instructions a frame gets.
        shard_bytes: Size of the dataset's files.
    """

    def __init__(
        self,
        *,
        dialect: str = AUTO,
        limits: ArchiveLimits | None = None,
        mix: InstructionMix | None = None,
        shard_bytes: int = DEFAULT_SHARD_BYTES,
    ) -> None:
        self._parser = SAM2Parser(dialect=dialect, limits=limits)
        self._mix = mix or InstructionMix()
        self._shard_bytes = shard_bytes

    def convert(self, input_path: str | Path, output_path: str | Path) -> ConversionResult:
        """Convert an export.

        Args:
            input_path: The archive or folder.
            output_path: The dataset's folder. An older dataset there is replaced.

        Returns:
            The counts; ``result.total_samples`` and ``result["total_samples"]`` are the same.

        Raises:
            DataError: The export is wrong; nothing is written then.
            SettingsError: ``output_path`` holds something else, or may not be written.
        """
        export = self._parser.parse_zip(input_path)
        with (
            staged_folder(Path(output_path), known_by="dataset_info.json") as staged,
            progress(len(export.frames), "writing the dataset", "frames") as advance,
        ):
            tasks = _write_split(
                export.frames, staged, "train", mix=self._mix, shard_bytes=self._shard_bytes, advance=advance
            )
        return ConversionResult(
            total_samples=len(export.frames),
            samples={"train": len(export.frames)},
            conversations={"train": tasks},
            dropped=export.dropped,
            notes=export.metadata.notes,
        )


def write_dataset_dict(
    splits: Mapping[str, Sequence[Frame]],
    folder: Path,
    *,
    mix: InstructionMix,
    shard_bytes: int = DEFAULT_SHARD_BYTES,
) -> dict[str, dict[str, int]]:
    """Write frames that are already assigned to splits as a ``DatasetDict``.

    Pictures are read one by one and copied as they are, so that the memory stays flat. Equal frames and an equal mix
    give equal bytes.

    Args:
        splits: The frames of each split, by its name, in the order in which they are written.
        folder: The dataset's folder; what it holds under the same names is overwritten.
        mix: Which instructions a frame gets.
        shard_bytes: Size of the dataset's files.

    Returns:
        Conversations by split and task.

    Raises:
        DataError: A split is empty, or a picture is missing or damaged.
    """
    for split, frames in splits.items():
        if not frames:
            raise DataError(f"the {split} split is empty", expected="at least one frame", found="none")
    counts = {}
    with progress(sum(map(len, splits.values())), "writing the dataset", "frames") as advance:
        for split, frames in splits.items():
            counts[split] = _write_split(
                frames, folder / split, split, mix=mix, shard_bytes=shard_bytes, advance=advance
            )
    names = ", ".join(f'"{split}"' for split in splits)
    write_text(folder / "dataset_dict.json", f'{{"splits": [{names}]}}')
    return counts


def _write_split(
    frames: Sequence[Frame],
    folder: Path,
    split: str,
    *,
    mix: InstructionMix,
    shard_bytes: int,
    advance: Callable[[int], None],
) -> dict[str, int]:
    tasks: Counter[str] = Counter()
    with open_split(folder, split, dataset_features(), shard_bytes=shard_bytes) as writer:
        for frame in frames:
            instructions = mix.for_sample(frame.sample_id)
            writer.write(dataset_row(frame, read_picture(frame), instructions))
            tasks.update(item.task for item in instructions)
            advance(1)
    return dict(sorted(tasks.items()))
