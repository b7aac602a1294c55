"""Frames to a dataset that ``datasets.load_from_disk`` opens."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import WrittenFiles, write_text
from sam2vlm.data_converter.arrow_shards import DEFAULT_SHARD_BYTES, open_split
from sam2vlm.data_converter.conversion_result import ConversionResult, staged_folder
from sam2vlm.data_converter.dataset_rows import dataset_features, dataset_row
from sam2vlm.data_converter.dialects import AUTO
from sam2vlm.data_converter.instructions import InstructionMix
from sam2vlm.data_converter.output_writer import write_outputs
from sam2vlm.data_converter.sam2_parser import SAM2Parser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.archive import ArchiveLimits
    from sam2vlm.data_converter.output_writer import Sample, Write

__all__ = ["DatasetWriter", "HuggingFaceConverter", "label_names", "labels_of", "write_dataset_dict"]


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
        with staged_folder(Path(output_path), known_by="dataset_info.json") as staged:
            writer = DatasetWriter(
                staged, label_names(labels_of(export.frames)), shard_bytes=self._shard_bytes, single=True
            )
            asked, _facts = write_outputs({"train": export.frames}, {"dataset": writer}, ask=self._mix.for_frame)
        return ConversionResult(
            total_samples=len(export.frames),
            samples={"train": len(export.frames)},
            conversations=asked,
            dropped=export.dropped,
            notes=export.metadata.notes,
        )


class DatasetWriter:
    """Writes ``RUN/prepare/dataset``; an :class:`sam2vlm.data_converter.output_writer.OutputWriter`.

    Args:
        folder: The dataset's folder; what it holds under the same names is overwritten.
        labels: All labels, in the order of their numbers.
        shard_bytes: Size of the dataset's files.
        single: Write the one split there is as a ``Dataset``, not as a ``DatasetDict`` of one.
        splits: The names of all splits in their order, where another process writes some of them.
        files: Gets what is known of the dataset's files.

    Attributes:
        rows: Of each split that was written, its frames.
    """

    def __init__(
        self,
        folder: Path,
        labels: Sequence[str],
        *,
        shard_bytes: int = DEFAULT_SHARD_BYTES,
        single: bool = False,
        splits: Sequence[str] = (),
        files: WrittenFiles | None = None,
    ) -> None:
        self._folder = folder
        self._labels = list(labels)
        self._shard_bytes = shard_bytes
        self._single = single
        self._splits = splits
        self._files = WrittenFiles() if files is None else files
        self.rows: dict[str, int] = {}

    @contextlib.contextmanager
    def split(self, split: str) -> Iterator[Write]:
        """Open a split; see :class:`sam2vlm.data_converter.output_writer.OutputWriter`."""
        numbers = {label: number for number, label in enumerate(self._labels)}
        folder = self._folder if self._single else self._folder / split
        self.rows[split] = 0

        def write(sample: Sample) -> None:
            rows.write(dataset_row(sample, split, numbers))
            self.rows[split] += 1

        with open_split(
            folder, split, dataset_features(self._labels), shard_bytes=self._shard_bytes, files=self._files
        ) as rows:
            yield write

    def finish(self) -> dict[str, Any]:
        """Write the list of the splits."""
        if not self._single:
            names = ", ".join(f'"{split}"' for split in self._splits or self.rows)
            write_text(self._folder / "dataset_dict.json", f'{{"splits": [{names}]}}')
        return {"rows": dict(self.rows), "labels": self._labels}


def labels_of(frames: Iterable[Frame]) -> list[str]:
    """Return the labels of what can be seen, sorted; the empty one too, where an object has none."""
    return sorted({item.label for frame in frames for item in frame.visible_objects})


def label_names(labels: Sequence[str]) -> list[str]:
    """Return the labels that have a number in the dataset: all but the empty one."""
    return [label for label in labels if label]


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
    labels = label_names(labels_of(frame for frames in splits.values() for frame in frames))
    writer = DatasetWriter(folder, labels, shard_bytes=shard_bytes)
    return write_outputs(splits, {"dataset": writer}, ask=mix.for_frame)[0]
