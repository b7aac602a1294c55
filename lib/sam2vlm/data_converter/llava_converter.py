"""Frames to LLaVA's JSON lines with pictures beside them."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import open_atomic, write_json
from sam2vlm.data_converter.conversations import json_line, questions_and_answers
from sam2vlm.data_converter.conversion_result import ConversionResult, staged_folder
from sam2vlm.data_converter.dialects import AUTO
from sam2vlm.data_converter.instructions import InstructionMix, LlavaBoxes
from sam2vlm.data_converter.output_writer import write_outputs
from sam2vlm.data_converter.picture_folder import PictureFolder
from sam2vlm.data_converter.sam2_parser import SAM2Parser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.archive import ArchiveLimits
    from sam2vlm.data_converter.output_writer import OutputWriter, Sample, Write

__all__ = ["IMAGES", "LLaVAConverter", "LlavaWriter", "write_llava"]

MANIFEST = "manifest.json"
# Where LLaMA-Factory looks up what a dataset's columns mean.
DATASET_INFO = "dataset_info.json"
#: The pictures' folder inside of LLaVA's.
IMAGES = "images"


class LLaVAConverter:
    """Converts a whole export to ``train.jsonl``, ``images/`` and a manifest.

    Args:
        dialect: How masks are written; see :class:`sam2vlm.data_converter.SAM2Parser`.
        limits: How much an archive may hold.
        mix: Which instructions a frame gets.
        decimals: Digits of a coordinate after the point.
    """

    def __init__(
        self,
        *,
        dialect: str = AUTO,
        limits: ArchiveLimits | None = None,
        mix: InstructionMix | None = None,
        decimals: int = 2,
    ) -> None:
        self._parser = SAM2Parser(dialect=dialect, limits=limits)
        self._mix = mix or InstructionMix()
        self._decimals = decimals

    def convert(self, input_path: str | Path, output_path: str | Path) -> ConversionResult:
        """Convert an export; all frames go to ``train.jsonl``.

        Args:
            input_path: The archive or folder.
            output_path: The folder to write. An older result there is replaced.

        Raises:
            DataError: The export is wrong; nothing is written then.
            SettingsError: ``output_path`` holds something else, or may not be written.
        """
        export = self._parser.parse_zip(input_path)
        with staged_folder(Path(output_path), known_by=MANIFEST) as staged:
            counts = write_llava({"train": export.frames}, staged, mix=self._mix, decimals=self._decimals)
        return ConversionResult(
            total_samples=len(export.frames),
            samples={"train": len(export.frames)},
            conversations=counts,
            dropped=export.dropped,
            notes=export.metadata.notes,
        )


class LlavaWriter:
    """Writes ``<split>.jsonl`` and a manifest; an :class:`sam2vlm.data_converter.output_writer.OutputWriter`.

    One line is one conversation: ``{"id", "image", "conversations": [human, gpt]}``; ``image`` is relative to
    ``folder``, where a :class:`sam2vlm.data_converter.picture_folder.PictureFolder` puts it.

    Args:
        folder: Gets ``<split>.jsonl``, ``manifest.json`` and, for LLaMA-Factory, ``dataset_info.json``.
        mix: The plan that the instructions come from, for the manifest.
        decimals: Digits of a coordinate after the point.
    """

    def __init__(self, folder: Path, *, mix: InstructionMix, decimals: int = 2) -> None:
        self._folder = folder
        self._mix = mix
        self._boxes = LlavaBoxes(decimals)
        self._frames: Counter[str] = Counter()
        self._tasks: dict[str, Counter[str]] = {}

    @contextlib.contextmanager
    def split(self, split: str) -> Iterator[Write]:
        """Open a split; see :class:`sam2vlm.data_converter.output_writer.OutputWriter`."""
        tasks = self._tasks[split] = Counter()

        def write(sample: Sample) -> None:
            image = f"{IMAGES}/{sample.picture_name}"
            for name, question, answer in questions_and_answers(sample, self._boxes):
                lines.write(json_line(_conversation(name, image, question, answer)))
            tasks.update(item.task for item in sample.instructions)
            self._frames[split] += 1

        with open_atomic(self._folder / f"{split}.jsonl", "w") as lines:
            yield write

    def finish(self) -> dict[str, Any]:
        """Write the manifest."""
        splits = {
            split: {
                "file": f"{split}.jsonl",
                "frames": self._frames[split],
                "conversations": tasks.total(),
                "tasks": dict(sorted(tasks.items())),
            }
            for split, tasks in self._tasks.items()
        }
        boxes, mix = self._boxes, self._mix
        convention = {"name": boxes.name, "description": boxes.description, "decimals": boxes.decimals}
        manifest = {
            "format": "sam2vlm.llava/1",
            "box_convention": convention,
            "language": mix.language,
            "seed": mix.seed,
            "tasks": {task: mix.weights[task] for task in mix.tasks},
            "splits": splits,
        }
        write_json(self._folder / MANIFEST, manifest)
        write_json(self._folder / DATASET_INFO, {f"sam2vlm_{split}": _sharegpt(split) for split in self._tasks})
        counts = {split: tasks.total() for split, tasks in self._tasks.items()}
        return {"box_convention": convention, "conversations": counts}


def write_llava(
    splits: Mapping[str, Sequence[Frame]], folder: Path, *, mix: InstructionMix, decimals: int = 2
) -> dict[str, dict[str, int]]:
    """Write frames that are already assigned to splits, with their pictures, byte for byte, once a frame.

    Args:
        splits: The frames of each split, by its name, in the order in which they are written.
        folder: Gets ``<split>.jsonl``, ``images/`` and ``manifest.json``.
        mix: Which instructions a frame gets.
        decimals: Digits of a coordinate after the point.

    Returns:
        Conversations by split and task.

    Raises:
        DataError: A split is empty, or a picture is missing or damaged.
    """
    writers: dict[str, OutputWriter] = {
        "pictures": PictureFolder(folder / IMAGES),
        "llava": LlavaWriter(folder, mix=mix, decimals=decimals),
    }
    return write_outputs(splits, writers, ask=mix.for_frame)[0]


def _sharegpt(split: str) -> dict[str, Any]:
    return {
        "file_name": f"{split}.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "images": "image"},
    }


def _conversation(name: str, image: str, question: str, answer: str) -> dict[str, Any]:
    return {
        "id": name,
        "image": image,
        "conversations": [
            {"from": "human", "value": f"<image>\n{question}"},
            {"from": "gpt", "value": answer},
        ],
    }
