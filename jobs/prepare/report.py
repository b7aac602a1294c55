"""The prepare report: what the rules found, and behind it what was made of the export; in Markdown and as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts.markdown import escaped, table
from sam2vlm.validation import ReportGenerator, ValidationResults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from jobs.prepare.report_settings import ReportSettings
    from jobs.prepare.splitting import Splits
    from sam2vlm.annotations import Frame

__all__ = ["prepare_report", "write_page"]


def prepare_report(
    results: ValidationResults, splits: Splits, facts: Mapping[str, Mapping[str, Any]], *, name: str
) -> str:
    """Return the report in Markdown.

    Args:
        results: Of the rules.
        splits: The frames by split, and those left out.
        facts: Of each split, as the manifest has them.
        name: Of the dataset, for the title.
    """
    checked = ReportGenerator.generate_report(results, dataset_name=name)
    sections = [*_splits(splits, facts), *_labels(facts), *_instructions(facts)]
    return checked + "\n" + "\n".join(sections).rstrip("\n") + "\n"


def write_page(
    path: Path,
    results: ValidationResults,
    frames: Iterable[Frame],
    *,
    name: str,
    settings: ReportSettings,
    splits: Splits | None = None,
    asked: Mapping[str, Mapping[str, int]] | None = None,
    exports: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the report as one HTML page beside the Markdown; what a picture lacks is told in the page.

    Args:
        path: The page; the file of the same name that ends on ``.json`` has every finding.
        results: Of the rules.
        frames: All that were looked at.
        name: Of the dataset, for the title.
        settings: How many pictures.
        splits: The frames by split; None where the export was refused before.
        asked: Instructions by split and task.
        exports: The account of each export, where they are several.

    Raises:
        OSError: It cannot be written there; nothing partial is left.
    """
    page = ReportGenerator.generate_html(
        results,
        frames,
        dataset_name=name,
        json_name=path.with_suffix(".json").name,
        splits=None if splits is None else _split_by_frame(splits),
        split_notes=() if splits is None else splits.notes,
        instructions=asked,
        exports=exports,
        limits=settings.limits(),
    )
    ReportGenerator.save_report(page, path)


def _split_by_frame(splits: Splits) -> dict[tuple[str, int], str]:
    return {(frame.video_id, frame.frame_index): split for split, frames in splits.frames.items() for frame in frames}


def _splits(splits: Splits, facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## Splits", "")
    total = sum(map(len, splits.frames.values())) + sum(map(len, splits.dropped.values()))
    rows = [
        (
            split,
            found["frames"],
            f"{100 * found['frames'] / total:.1f} %",
            found["objects"],
            found["negatives"],
            f"{found['first_sec']:.2f} to {found['last_sec']:.2f} s",
        )
        for split, found in facts.items()
    ]
    header = ("Split", "Frames", "Share", "Objects", "Without objects", "Time")
    yield table(header, rows)
    yield ""
    if splits.notes:
        yield from (f"- {escaped(note)}" for note in splits.notes)
        yield ""


def _labels(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    counts: dict[str, dict[str, int]] = {}
    for split, found in facts.items():
        for label, count in found["labels"].items():
            counts.setdefault(label or "(none)", dict.fromkeys(facts, 0))[split] += count
    rows: list[tuple[Any, ...]] = [(escaped(label), *row.values()) for label, row in sorted(counts.items())]
    if rows:
        yield from ("Objects by label:", "")
        yield table(("Label", *facts), rows)
        yield ""


def _instructions(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## Instructions", "")
    asked: dict[str, Mapping[str, int]] = {split: found["instructions"] for split, found in facts.items()}
    tasks = sorted({task for counts in asked.values() for task in counts})
    rows = [(task, *(counts.get(task, 0) for counts in asked.values())) for task in tasks]
    yield table(("Task", *asked), rows)
