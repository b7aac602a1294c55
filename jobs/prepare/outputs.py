"""From the settings to the writers, and from the frames to every output in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import WrittenFiles
from sam2vlm.data_converter.coco_writer import CocoWriter, category_names
from sam2vlm.data_converter.dataset_card import CardFacts, write_dataset_card
from sam2vlm.data_converter.huggingface_converter import DatasetWriter, label_names, labels_of
from sam2vlm.data_converter.instructions import box_convention
from sam2vlm.data_converter.llava_converter import IMAGES, LlavaWriter
from sam2vlm.data_converter.messages_writer import MessagesWriter
from sam2vlm.data_converter.output_writer import finished, write_outputs, write_split
from sam2vlm.data_converter.picture_folder import PictureFolder, StoredPictures
from sam2vlm.data_converter.yolo_writer import YoloWriter
from sam2vlm.logs import progress
from sam2vlm.workers import beside, can_fork, cores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobs.prepare.settings import PrepareSettings
    from jobs.prepare.splitting import Splits
    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.instructions import InstructionMix
    from sam2vlm.data_converter.output_writer import Ask, Named, OutputWriter
    from sam2vlm.validation import ValidationResults

__all__ = ["Written", "stored_pictures", "write_card", "write_formats"]

DATASET, LLAVA, PICTURES, YOLO = "dataset", "llava", "pictures", "yolo"
# Below it, the second process costs more than it saves.
_WORTH_A_PROCESS = 200


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        asked: Instructions by split and task.
        facts: What each output's writer says of it, by format; ``pictures`` are the files that the others name.
        labels: The names of the dataset's labels, in the order of their numbers.
        language: Of the instructions.
        files: What is known of the large ones from writing them.
    """

    asked: Mapping[str, Mapping[str, int]]
    facts: Mapping[str, Mapping[str, Any]]
    labels: Sequence[str]
    language: str
    files: WrittenFiles


def stored_pictures(folder: Path, settings: PrepareSettings) -> StoredPictures | None:
    """Return what stores the pictures while they are looked at; None where no output that is wanted names them.

    Args:
        folder: ``RUN/prepare``.
        settings: The job's settings.
    """
    named = set(settings.outputs.formats) - {DATASET}
    # All name these files; LLaVA's are where its own readers look for them.
    return StoredPictures(folder / LLAVA / IMAGES) if named else None


def write_formats(
    splits: Mapping[str, Sequence[Frame]],
    folder: Path,
    settings: PrepareSettings,
    *,
    mix: InstructionMix,
    stored: StoredPictures | None,
) -> Written:
    """Write every format that the settings name.

    Args:
        splits: The frames of each split, in the order in which they are written.
        folder: ``RUN/prepare``; every format gets a folder of its name there.
        settings: The job's settings.
        mix: The plan that the instructions come from.
        stored: Of :func:`stored_pictures`.

    Raises:
        DataError: A picture is missing or damaged.
    """
    labels = labels_of(frame for frames in splits.values() for frame in frames)
    files = WrittenFiles()
    writers = _writers(folder, settings, splits=list(splits), labels=labels, mix=mix, stored=stored, files=files)
    asked, facts = _written_in_two(splits, writers, mix.for_frame, files, None if stored is None else stored.name_of)
    if stored is not None:
        # Into the larger one.
        stored.files.update(files)
        files = stored.files
    return Written(asked=asked, facts=facts, labels=label_names(labels), language=mix.language, files=files)


def _written_in_two(
    splits: Mapping[str, Sequence[Frame]],
    writers: Mapping[str, OutputWriter],
    ask: Ask,
    files: WrittenFiles,
    named: Named | None,
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, Any]]]:
    """Write the largest split's dataset here, and in a process beside the others' and all that only names pictures.

    With the usual shares, both take as long. They go through the largest split's frames each for itself: handing a
    frame over would cost more than reading it twice.
    """
    if sum(map(len, splits.values())) < _WORTH_A_PROCESS or cores() < 2 or not can_fork():  # noqa: PLR2004  one each
        return write_outputs(splits, writers, ask=ask)
    largest = max(splits, key=lambda split: len(splits[split]))
    dataset = writers[DATASET]
    assert isinstance(dataset, DatasetWriter)  # noqa: S101  told to mypy; _writers() made it
    others = {name: writer for name, writer in writers.items() if writer is not dataset}

    def quietly() -> tuple[dict[str, dict[str, int]], dict[str, dict[str, Any]], WrittenFiles]:
        asked = {}
        # In their order, by which some outputs number what they write.
        for split, frames in splits.items():
            some, known = (others, named) if split == largest else (writers, None)
            if some:
                asked[split] = write_split(split, frames, some.values(), ask=ask, named=known)
        return asked, finished(writers), files

    with progress(len(splits[largest]), f"writing the {largest} split", "frames") as advance, beside(quietly) as other:

        def step(done: int) -> None:
            other.check()
            advance(done)

        asked = {largest: write_split(largest, splits[largest], [dataset], ask=ask, advance=step)}
        other_asked, facts, other_files = other.result()
    files.update(other_files)
    asked, rows = {**other_asked, **asked}, {**facts[DATASET]["rows"], **dataset.rows}
    facts[DATASET]["rows"] = {split: rows[split] for split in splits}
    return {split: asked[split] for split in splits}, facts


def write_card(
    folder: Path,
    written: Written,
    splits: Splits,
    results: ValidationResults,
    *,
    split_facts: Mapping[str, Mapping[str, Any]],
    name: str,
) -> None:
    """Write the dataset's card.

    Args:
        folder: ``RUN/prepare``.
        written: What the dataset holds.
        splits: How it was split.
        results: What the rules said.
        split_facts: Frames, negatives, objects and instructions of each split.
        name: Of the dataset.
    """
    strategy = splits.config.strategy.value
    facts = CardFacts(
        name=name,
        labels=written.labels,
        splits=split_facts,
        strategy=f"{strategy}, {splits.whole} whole" if splits.whole else strategy,
        notes=splits.notes,
        validation=results.status.value,
        languages=[written.language],
    )
    write_dataset_card(folder / "dataset", facts)


def _writers(
    folder: Path,
    settings: PrepareSettings,
    *,
    splits: Sequence[str],
    labels: Sequence[str],
    mix: InstructionMix,
    stored: StoredPictures | None,
    files: WrittenFiles,
) -> dict[str, OutputWriter]:
    formats = settings.outputs.formats
    pictures = folder / LLAVA / IMAGES
    dataset = DatasetWriter(folder / "dataset", label_names(labels), splits=splits, files=files)
    writers: dict[str, OutputWriter] = {DATASET: dataset}
    if stored is not None:
        writers[PICTURES] = PictureFolder(pictures, stored=stored, files=files)
    if LLAVA in formats:
        writers[LLAVA] = LlavaWriter(folder / LLAVA, mix=mix, decimals=settings.instructions.decimals)
    if "coco" in formats:
        writers["coco"] = CocoWriter(folder / "coco", category_names(labels))
    if "messages" in formats:
        writers["messages"] = MessagesWriter(
            folder / "messages",
            pictures=f"../{LLAVA}/{IMAGES}",
            boxes=box_convention(settings.outputs.messages_family),
        )
    if YOLO in formats:
        writers[YOLO] = YoloWriter(folder / "yolo", category_names(labels), pictures=pictures)
    return writers
