"""The prepare report: what the rules found, and behind it what was made of the export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts.markdown import escaped, table
from sam2vlm.validation import ReportGenerator, ValidationResults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jobs.prepare.splitting import Splits

__all__ = ["prepare_report"]


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
