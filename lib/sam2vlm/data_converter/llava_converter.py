"""Frames to LLaVA's JSON lines with pictures beside them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sam2vlm.artifacts import open_atomic, write_json
from sam2vlm.data_converter.conversion_result import ConversionResult, staged_folder
from sam2vlm.data_converter.dataset_rows import read_picture
from sam2vlm.data_converter.dialects import AUTO
from sam2vlm.data_converter.instructions import InstructionMix, LlavaBoxes, answer_text
from sam2vlm.data_converter.pictures import picture_extension
from sam2vlm.data_converter.sam2_parser import SAM2Parser
from sam2vlm.errors import DataError
from sam2vlm.logs import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.archive import ArchiveLimits
    from sam2vlm.data_converter.instructions import Instruction

__all__ = ["LLaVAConverter", "write_llava"]

MANIFEST = "manifest.json"
# JSON may hold these as they are, but readers that split a text into lines take them for ends of lines.
_LINE_ENDS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}


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


def write_llava(
    splits: Mapping[str, Sequence[Frame]], folder: Path, *, mix: InstructionMix, decimals: int = 2
) -> dict[str, dict[str, int]]:
    """Write frames that are already assigned to splits.

    One line is one conversation: ``{"id", "image", "conversations": [human, gpt]}``; ``image`` is relative to
    ``folder``, pictures are copied byte for byte, once a frame.

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
    for split, frames in splits.items():
        if not frames:
            raise DataError(f"the {split} split is empty", expected="at least one frame", found="none")
    boxes = LlavaBoxes(decimals)
    counts = {}
    with progress(sum(map(len, splits.values())), "writing LLaVA conversations", "frames") as advance:
        for split, frames in splits.items():
            with open_atomic(folder / f"{split}.jsonl", "w") as lines:
                counts[split] = _write_split(frames, folder, lines, mix=mix, boxes=boxes, advance=advance)
    write_json(folder / MANIFEST, _manifest(splits, counts, mix, boxes))
    return counts


def _write_split(
    frames: Sequence[Frame],
    folder: Path,
    lines: IO[str],
    *,
    mix: InstructionMix,
    boxes: LlavaBoxes,
    advance: Callable[[int], None],
) -> dict[str, int]:
    tasks: Counter[str] = Counter()
    for frame in frames:
        image = _copy_picture(frame, folder)
        for number, instruction in enumerate(mix.for_sample(frame.sample_id)):
            line = _conversation(frame, image, instruction, number, boxes)
            lines.write(json.dumps(line, ensure_ascii=False).translate(_LINE_ENDS) + "\n")
            tasks[instruction.task] += 1
        advance(1)
    return dict(sorted(tasks.items()))


def _copy_picture(frame: Frame, folder: Path) -> str:
    content = read_picture(frame)
    name = f"images/{frame.sample_id}{picture_extension(content)}"
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return name


def _conversation(frame: Frame, image: str, instruction: Instruction, number: int, boxes: LlavaBoxes) -> dict[str, Any]:
    answer = answer_text(instruction.task, frame.objects, frame.width, frame.height, boxes=boxes)
    return {
        "id": f"{frame.sample_id}/{number}",
        "image": image,
        "conversations": [
            {"from": "human", "value": f"<image>\n{instruction.prompt}"},
            {"from": "gpt", "value": answer},
        ],
    }


def _manifest(
    splits: Mapping[str, Sequence[Frame]],
    counts: Mapping[str, Mapping[str, int]],
    mix: InstructionMix,
    boxes: LlavaBoxes,
) -> dict[str, Any]:
    return {
        "format": "sam2vlm.llava/1",
        "box_convention": {"name": boxes.name, "description": boxes.description, "decimals": boxes.decimals},
        "language": mix.language,
        "seed": mix.seed,
        "tasks": {task: mix.weights[task] for task in mix.tasks},
        "splits": {
            split: {
                "file": f"{split}.jsonl",
                "frames": len(frames),
                "conversations": sum(counts[split].values()),
                "tasks": dict(counts[split]),
            }
            for split, frames in splits.items()
        },
    }
