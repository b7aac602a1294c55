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
    results: ValidationResults, splits: Splits, asked: Mapping[str, Mapping[str, int]], *, name: str
) -> str:
    """Return the report in Markdown.

    Args:
        results: Of the rules.
        splits: The frames by split, and those left out.
        asked: Instructions by split and task.
        name: Of the dataset, for the title.
    """
    checked = ReportGenerator.generate_report(results, dataset_name=name)
    return checked + "\n" + "\n".join([*_splits(splits), *_labels(splits), *_instructions(asked)]).rstrip("\n") + "\n"


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


def _splits(splits: Splits) -> Iterator[str]:
    yield from ("## Splits", "")
    total = sum(map(len, splits.frames.values())) + sum(map(len, splits.dropped.values()))
    rows = [
        (
            split,
            len(frames),
            f"{100 * len(frames) / total:.1f} %",
            sum(len(frame.visible_objects) for frame in frames),
            sum(not frame.visible_objects for frame in frames),
            _span([frame.timestamp_sec for frame in frames]),
        )
        for split, frames in splits.frames.items()
    ]
    header = ("Split", "Frames", "Share", "Objects", "Without objects", "Time")
    yield table(header, rows)
    yield ""
    if splits.notes:
        yield from (f"- {escaped(note)}" for note in splits.notes)
        yield ""


def _span(times: Sequence[float]) -> str:
    return f"{min(times):.2f} to {max(times):.2f} s"


def _labels(splits: Splits) -> Iterator[str]:
    counts: dict[str, dict[str, int]] = {}
    for split, frames in splits.frames.items():
        for frame in frames:
            for item in frame.visible_objects:
                row = counts.setdefault(item.label or "(none)", dict.fromkeys(splits.frames, 0))
                row[split] += 1
    rows: list[tuple[Any, ...]] = [(escaped(label), *row.values()) for label, row in sorted(counts.items())]
    if rows:
        yield from ("Objects by label:", "")
        yield table(("Label", *splits.frames), rows)
        yield ""


def _instructions(asked: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield from ("## Instructions", "")
    tasks = sorted({task for counts in asked.values() for task in counts})
    rows = [(task, *(counts.get(task, 0) for counts in asked.values())) for task in tasks]
    yield table(("Task", *asked), rows)
