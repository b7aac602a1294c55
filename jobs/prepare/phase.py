"""The prepare phase from the export to the manifest, to be read from top to bottom."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from jobs.prepare.checking import check_export, dataset_name, require_fit
from jobs.prepare.reading import read_export
from jobs.prepare.report import prepare_report
from jobs.prepare.splitting import split_frames
from sam2vlm.artifacts import Counts, write_json
from sam2vlm.data_converter.huggingface_converter import write_dataset_dict
from sam2vlm.data_converter.instructions import InstructionMix, LlavaBoxes
from sam2vlm.data_converter.llava_converter import write_llava
from sam2vlm.errors import SettingsError
from sam2vlm.logs import get_logger
from sam2vlm.validation import ReportGenerator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobs.prepare.settings import InstructionSettings, PrepareSettings
    from jobs.prepare.splitting import Splits
    from sam2vlm.annotations import Frame
    from sam2vlm.artifacts import Manifest, PhaseWork
    from sam2vlm.data_converter.sam2_parser import ParsedExport
    from sam2vlm.data_splitter import Splitter
    from sam2vlm.validation import ValidationResults

__all__ = ["instruction_mix", "prepare"]


def instruction_mix(settings: InstructionSettings, seed: int) -> InstructionMix:
    """Return the plan of what is asked about each frame.

    Raises:
        SettingsError: It asks nothing, or more than there are wordings for.
    """
    try:
        return InstructionMix(
            weights=settings.weights, per_frame=settings.per_frame, seed=seed, language=settings.language
        )
    except SettingsError as error:
        raise error.with_source("SAM2VLM_INSTRUCTIONS") from None


def prepare(
    phase: PhaseWork, settings: PrepareSettings, source: Path, *, splitter: Splitter, mix: InstructionMix
) -> Manifest:
    """Read, check, split and write an export.

    A frame without a visible object is kept as a negative example; nothing else is dropped but for a reason that
    the manifest counts.

    Args:
        phase: Holds the lock; everything is written into its folder.
        settings: The job's settings.
        source: The export.
        splitter: Decides which frames are used for what.
        mix: What is asked about each frame.

    Raises:
        DataError: The export is wrong, does not pass the rules at the level that is set, or is too short to split.
    """
    log = get_logger(phase.name)
    export = read_export(source, settings.archive)
    log.info("read", frames=len(export.frames), dialect=export.metadata.dialect, evidence=export.metadata.evidence)
    results = check_export(export, settings.validation)
    log.info("checked", status=results.status.value, **{rule.rule_id: rule.status.value for rule in results.rules})
    name = dataset_name(export)
    require_fit(results, settings.validation.level, name=name, source=source, logs=phase.layout.logs)
    splits = split_frames(export.frames, splitter, source=source)
    log.info("split", **{split: len(frames) for split, frames in splits.frames.items()})

    asked = write_dataset_dict(splits.frames, phase.folder / "dataset", mix=mix)
    write_llava(splits.frames, phase.folder / "llava", mix=mix, decimals=settings.instructions.decimals)
    report = prepare_report(results, splits, asked, name=name)
    ReportGenerator.save_report(report, phase.folder / "report.md")
    write_json(
        phase.folder / "report.json",
        {**results.to_dict(), "splits": _split_facts(splits, asked), "split_notes": list(splits.notes)},
    )
    manifest = phase.finish(
        counts=_counts(export, splits),
        facts=_facts(export, results, splits, asked, decimals=settings.instructions.decimals),
    )
    log.info("prepared", folder=str(phase.layout.phase(phase.name)), **manifest.counts.model_dump())
    return manifest


def _counts(export: ParsedExport, splits: Splits) -> Counts:
    dropped = {reason: len(indices) for reason, indices in export.dropped.items()}
    dropped |= {reason: len(frames) for reason, frames in splits.dropped.items()}
    kept = sum(map(len, splits.frames.values()))
    return Counts(seen=len(export.frames) + sum(map(len, export.dropped.values())), kept=kept, dropped=dropped)


def _facts(
    export: ParsedExport,
    results: ValidationResults,
    splits: Splits,
    asked: Mapping[str, Mapping[str, int]],
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
        "labels": sorted(_labels(frame for frames in splits.frames.values() for frame in frames)),
        "splits": _split_facts(splits, asked),
        "split_notes": list(splits.notes),
        "boxes": {
            "dataset": "[x, y, w, h], frame pixels, origin top left",
            "llava": f"{LlavaBoxes(decimals).description}, {decimals} decimals",
        },
    }


def _split_facts(splits: Splits, asked: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    return {split: _one_split(frames, asked[split]) for split, frames in splits.frames.items()}


def _one_split(frames: Sequence[Frame], asked: Mapping[str, int]) -> dict[str, Any]:
    return {
        "frames": len(frames),
        "negatives": sum(not frame.visible_objects for frame in frames),
        "objects": sum(len(frame.visible_objects) for frame in frames),
        "labels": dict(sorted(_labels(frames).items())),
        "instructions": dict(asked),
        "first_sec": min(frame.timestamp_sec for frame in frames),
        "last_sec": max(frame.timestamp_sec for frame in frames),
    }


def _labels(frames: Any) -> Counter[str]:
    return Counter(item.label for frame in frames for item in frame.visible_objects)
