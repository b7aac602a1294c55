"""The prepare phase from the export to the manifest, to be read from top to bottom."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.prepare.asking import instruction_mix, plan_questions
from jobs.prepare.checking import check_export, check_splits, dataset_name, dataset_of, require_fit
from jobs.prepare.extending import extend
from jobs.prepare.outputs import stored_pictures, write_card, write_formats
from jobs.prepare.reading import read_sources
from jobs.prepare.report import prepare_report, write_page
from jobs.prepare.source_report import source_facts, source_sections
from jobs.prepare.splitting import split_frames
from sam2vlm.artifacts import Counts, write_json
from sam2vlm.data_converter.instructions import LlavaBoxes
from sam2vlm.logs import get_logger
from sam2vlm.validation import ReportGenerator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobs.prepare.extending import Extension
    from jobs.prepare.reading import Sources
    from jobs.prepare.settings import PrepareSettings
    from jobs.prepare.splitting import Splits
    from sam2vlm.annotations import Frame
    from sam2vlm.artifacts import Manifest, PhaseWork
    from sam2vlm.data_converter.export_set import ExportSet
    from sam2vlm.data_converter.instructions import InstructionMix
    from sam2vlm.data_converter.picture_folder import StoredPictures
    from sam2vlm.data_splitter import Splitter
    from sam2vlm.validation import ValidationResults

__all__ = ["instruction_mix", "prepare"]

# Frames from videos and lists of frames, for as long as the phase works.
SCRATCH = ".sources"


def prepare(
    phase: PhaseWork, settings: PrepareSettings, sources: Sources, *, splitter: Splitter, mix: InstructionMix
) -> Manifest:
    """Read, check, split and write one export or several.

    A frame without a visible object is kept as a negative example; nothing else is dropped but for a reason that
    the manifest counts.

    Args:
        phase: Holds the lock; everything is written into its folder.
        settings: The job's settings.
        sources: The exports, their videos, and the dataset that they are added to.
        splitter: Decides which frames are used for what.
        mix: What is asked about each frame.

    Raises:
        DataError: The export is wrong, does not pass the rules at the level that is set, or is too short to split.
    """
    log = get_logger(phase.name)
    scratch = phase.folder / SCRATCH
    source = sources.where
    exports = read_sources(sources, settings, scratch)
    extension = None if sources.earlier is None else extend(exports, sources.earlier)
    export = exports if extension is None else extension.exports
    log.info("read", frames=len(export.frames), dialect=export.metadata.dialect, evidence=export.metadata.evidence)
    name = dataset_name(export) if extension is None else f"version {extension.number}"
    stored = stored_pictures(phase.folder, settings)
    results, splits = _checked_splits(
        phase, settings, export, extension, name=name, source=source, splitter=splitter, stored=stored
    )
    asking = plan_questions(splits.frames, phase.folder, mix, settings.instructions)
    written = write_formats(asking.splits, phase.folder, settings, mix=asking.mix, stored=stored)
    asked = written.asked
    split_facts = _split_facts(splits, asked)
    write_card(phase.folder, written, splits, results, split_facts=split_facts, name=name)
    report = prepare_report(results, splits, split_facts, name=name) + asking.section()
    report += source_sections(exports, extension)
    ReportGenerator.save_report(report, phase.folder / "report.md")
    write_json(
        phase.folder / "report.json",
        {
            **results.to_dict(),
            **source_facts(exports, extension),
            "splits": split_facts,
            "split_notes": list(splits.notes),
        },
    )
    write_page(
        phase.folder / "report.html",
        results,
        export.frames,
        name=name,
        settings=settings.report,
        splits=splits,
        asked=asked,
        exports=source_facts(exports, extension)["exports"],
    )
    if extension is not None:
        write_json(phase.folder / "changes.json", extension.version.changes.to_dict())
    shutil.rmtree(scratch, ignore_errors=True)
    manifest = phase.finish(
        counts=_counts(export, splits, extension),
        facts={
            **source_facts(exports, extension),
            **_facts(export, results, splits, split_facts, decimals=settings.instructions.decimals),
            "split": splits.facts(),
            "outputs": written.facts,
            "instructions": dict(asking.facts),
        },
        written=written.files,
    )
    log.info("prepared", folder=str(phase.layout.phase(phase.name)), **manifest.counts.model_dump())
    return manifest


def _checked_splits(
    phase: PhaseWork,
    settings: PrepareSettings,
    export: ExportSet,
    extension: Extension | None,
    *,
    name: str,
    source: str,
    splitter: Splitter,
    stored: StoredPictures | None,
) -> tuple[ValidationResults, Splits]:
    """Run the rules, split, and run what only splits can break; the scans' memory is free when this is done."""
    log = get_logger(phase.name)
    dataset = dataset_of(export, settings.validation, keeper=stored)
    results = check_export(dataset, settings.validation)
    log.info("checked", status=results.status.value, **{rule.rule_id: rule.status.value for rule in results.rules})
    require = partial(
        require_fit,
        level=settings.validation.level,
        frames=export.frames,
        name=name,
        source=source,
        logs=phase.layout.logs,
        report=settings.report,
    )
    require(results)
    splits = (
        split_frames(export.frames, splitter, source=source, videos=export.videos, same_video=export.same_video)
        if extension is None
        else extension.split(splitter, source=source)
    )
    results = check_splits(results, dataset, splits.frames, settings.validation)
    require(results)
    if stored is not None:
        stored.discard(frame for frames in splits.dropped.values() for frame in frames)
    log.info("split", strategy=splits.config.strategy, **{name: len(frames) for name, frames in splits.frames.items()})
    return results, splits


def _counts(export: ExportSet, splits: Splits, extension: Extension | None) -> Counts:
    dropped = {reason: len(indices) for reason, indices in export.dropped.items()}
    dropped |= {} if extension is None else extension.not_taken
    seen = len(export.frames) + sum(dropped.values())
    dropped |= {reason: len(frames) for reason, frames in splits.dropped.items()}
    kept = sum(map(len, splits.frames.values()))
    return Counts(seen=seen, kept=kept, dropped=dropped)


def _facts(
    export: ExportSet,
    results: ValidationResults,
    splits: Splits,
    split_facts: Mapping[str, Mapping[str, Any]],
    *,
    decimals: int,
) -> dict[str, Any]:
    """Return what later phases and people need; all of it follows from the export and the settings."""
    metadata = export.metadata
    return {
        "video": {
            "video_id": metadata.video_id,
            "filename": metadata.filename,
            "width": metadata.width,
            "height": metadata.height,
            "source_fps": metadata.source_fps,
        },
        "dialect": metadata.dialect,
        "evidence": metadata.evidence,
        "notes": list(metadata.notes),
        "validation": results.status.value,
        "labels": sorted({label for facts in split_facts.values() for label in facts["labels"]}),
        "splits": dict(split_facts),
        "split_notes": list(splits.notes),
        "boxes": {
            "dataset": "[x, y, w, h], frame pixels, origin top left",
            "llava": f"{LlavaBoxes(decimals).description}, {decimals} decimals",
        },
    }


def _split_facts(splits: Splits, asked: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    return {split: _one_split(frames, asked[split]) for split, frames in splits.frames.items()}


def _one_split(frames: Sequence[Frame], asked: Mapping[str, int]) -> dict[str, Any]:
    """Count a split's frames and objects in one pass: each makes the frames anew from the disk."""
    labels: Counter[str] = Counter()
    negatives, first, last = 0, math.inf, -math.inf
    for frame in frames:
        visible = frame.visible_objects
        labels.update(item.label for item in visible)
        negatives += not visible
        first, last = min(first, frame.timestamp_sec), max(last, frame.timestamp_sec)
    return {
        "frames": len(frames),
        "negatives": negatives,
        "objects": labels.total(),
        "labels": dict(sorted(labels.items())),
        "instructions": dict(asked),
        "first_sec": first,
        "last_sec": last,
    }
