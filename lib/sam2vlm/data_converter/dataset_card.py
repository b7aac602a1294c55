"""The dataset's card: a README with the Hub's metadata, so that the folder can be uploaded as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import write_text
from sam2vlm.artifacts.markdown import escaped, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["CardFacts", "write_dataset_card"]

# The Hub's own classes: https://huggingface.co/docs/hub/datasets-cards
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGER = "1M<n<10M"
_COLUMNS = (
    ("sample_id", "`<video_id>/<frame index>`, unique"),
    ("split", "train, val or test"),
    ("video_id, frame_index, timestamp_sec", "where and when in the source video"),
    ("image", "the frame as it was exported, byte for byte"),
    ("width, height", "pixels"),
    ("objects", "what can be seen, in reading order"),
    ("objects: object_id, track_id", "its identity along its video, and in the whole dataset"),
    ("objects: label, label_id", "its class by name and by number; no number where it has no name"),
    ("objects: bbox, area", "`[x, y, w, h]` and area in frame pixels, computed from the mask"),
    ("objects: segmentation", "the mask as COCO RLE, on its own grid, which may be coarser than the frame"),
    ("objects: confidence", "what the exporter wrote; the demo tool writes a constant"),
    ("instructions", "questions and answers in a form that suits no family of models more than another"),
)
_ABOUT = (
    "Frames of a video with the masks that SAM 2 drew, boxes that are computed from the masks, and questions and "
    "answers about them. Made by sam2vlm."
)
_LIMITS = (
    "The masks are a model's, and people have corrected them as far as they did. The license of the pictures is their "
    "owner's to say; fill it in above before you publish them."
)


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card says.

    Attributes:
        name: Of the dataset.
        labels: All of them.
        splits: For each split ``frames``, ``negatives``, ``objects`` and ``instructions`` (by task).
        strategy: How it was split.
        notes: What there is to know of the split, as sentences.
        validation: The rules' verdict.
        languages: Of the instructions, two letters each.
    """

    name: str
    labels: Sequence[str]
    splits: Mapping[str, Mapping[str, Any]]
    strategy: str
    notes: Sequence[str]
    validation: str
    languages: Sequence[str]


def write_dataset_card(folder: Path, facts: CardFacts) -> None:
    """Write ``README.md`` beside the dataset's splits.

    Args:
        folder: ``RUN/prepare/dataset``.
        facts: What is to be said.
    """
    from huggingface_hub import DatasetCardData

    frames = sum(split["frames"] for split in facts.splits.values())
    metadata = DatasetCardData(
        language=list(facts.languages),
        license="unknown",
        annotations_creators=["machine-generated"],
        task_categories=["image-text-to-text", "object-detection", "image-segmentation"],
        tags=["sam2", "sam2vlm", "vision-language-model"],
        pretty_name=facts.name,
        size_categories=[next((name for limit, name in _SIZES if frames < limit), _LARGER)],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"{split}/*.arrow"} for split in facts.splits],
            }
        ],
    )
    write_text(folder / "README.md", f"---\n{metadata.to_yaml()}\n---\n\n{_body(facts)}")


def _body(facts: CardFacts) -> str:
    rows = [
        (name, split["frames"], split["negatives"], split["objects"], sum(split["instructions"].values()))
        for name, split in facts.splits.items()
    ]
    labels = ", ".join(escaped(label) for label in facts.labels) or "none"
    return "\n".join(
        [
            f"# {escaped(facts.name)}",
            "",
            _ABOUT,
            "",
            table(("split", "frames", "without objects", "objects", "instructions"), rows),
            "",
            f"- labels: {labels}",
            f"- split: {facts.strategy}",
            f"- checks of the masks, boxes, labels and pictures: {facts.validation}",
            *(f"- {escaped(note)}" for note in facts.notes),
            "",
            _LIMITS,
            "",
            "## Columns",
            "",
            table(("column", "meaning"), _COLUMNS),
            "",
            "## Loading",
            "",
            "```python",
            "from datasets import load_from_disk",
            "",
            'dataset = load_from_disk("dataset")  # this folder; from the Hub: load_dataset("<owner>/<name>")',
            "```",
            "",
        ]
    )
