"""The rules over an export and its splits, and what their findings mean for the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.prepare.report import write_page
from jobs.prepare.rules import chosen_rules, decodes_pictures, in_severity
from sam2vlm.errors import DataError, SettingsError
from sam2vlm.validation import (
    AFTER_SPLIT,
    ReportGenerator,
    Scans,
    Severity,
    Status,
    ValidationResults,
    Validator,
    leakage_audit,
    sample_hashes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from jobs.prepare.report_settings import ReportSettings
    from jobs.prepare.validation_settings import ValidationSettings
    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.export_set import ExportSet
    from sam2vlm.validation import PictureKeeper

__all__ = ["REFUSED_REPORT", "check_export", "check_splits", "dataset_name", "dataset_of", "require_fit"]

# Beside the logs, because a refused export leaves no RUN/prepare.
REFUSED_REPORT = "prepare-report"
STOPPING = {
    "strict": frozenset({Status.FAILED, Status.PASSED_WITH_WARNINGS}),
    "standard": frozenset({Status.FAILED}),
    "report-only": frozenset[Status](),
}


def dataset_of(
    export: ExportSet, settings: ValidationSettings, *, keeper: PictureKeeper | None = None
) -> dict[str, Any]:
    """Return what the rules look at; frames and pictures are scanned when the first rule asks, and once.

    Args:
        export: The frames.
        settings: Of the rules.
        keeper: Gets the pictures' bytes while they are looked at.
    """
    return {
        "frames": export.frames,
        "metadata": export.metadata,
        "videos": export.videos,
        "dropped": export.dropped,
        "scans": Scans(export.frames, decode=decodes_pictures(settings), together=True, keeper=keeper),
    }


def check_export(dataset: Mapping[str, Any], settings: ValidationSettings) -> ValidationResults:
    """Run the rules that are chosen.

    Args:
        dataset: See :func:`dataset_of`.
        settings: Of the rules.

    Raises:
        DataError: A picture cannot be read.
        SettingsError: A rule of the user's own cannot be had, fails, or has the name of another one.
    """
    try:
        return Validator().add_rule(chosen_rules(settings)).validate(dataset)
    except ValueError as error:
        raise SettingsError(str(error), source="SAM2VLM_VALIDATION") from None


def check_splits(
    results: ValidationResults,
    dataset: Mapping[str, Any],
    splits: Mapping[str, Iterable[Frame]],
    settings: ValidationSettings,
) -> ValidationResults:
    """Return the results with those of the audit for near-copies across splits.

    Args:
        results: Of :func:`check_export`.
        dataset: The same, so that no picture is read again.
        splits: The frames by split.
        settings: Of the rules.
    """
    if settings.severities.get(AFTER_SPLIT) == "off":
        return results
    split_of = {frame.sample_id: name for name, frames in splits.items() for frame in frames}
    audit = leakage_audit(*sample_hashes(dataset), split_of, max_distance=settings.max_distance)
    return results.with_rule(in_severity(audit, settings))


def dataset_name(export: ExportSet) -> str:
    """Return what the report calls the dataset: the video's name, else its identity; of several, how many."""
    if len(export.videos) > 1:
        return f"{len(export.videos)} exports"
    return export.metadata.filename or export.metadata.video_id


def require_fit(
    results: ValidationResults,
    level: str,
    *,
    frames: Iterable[Frame],
    name: str,
    source: Path | str,
    logs: Path,
    report: ReportSettings,
) -> None:
    """Refuse an export that the level does not let pass; the report then stands beside the logs.

    Raises:
        DataError: Names the rules and the report.
    """
    kept = {suffix: logs / f"{REFUSED_REPORT}{suffix}" for suffix in (".md", ".json", ".html")}
    for path in kept.values():
        path.unlink(missing_ok=True)
    if results.status not in STOPPING[level]:
        return
    ReportGenerator.save_report(ReportGenerator.generate_report(results, dataset_name=name), kept[".md"])
    ReportGenerator.save_report(results, kept[".json"])
    write_page(kept[".html"], results, frames, name=name, settings=report)
    stopping = [result for result in results.rules if result.status in STOPPING[level]]
    concerned = [result.rule_id for result in stopping]
    first = min((finding for result in stopping for finding in result.findings), key=lambda found: found.severity.value)
    raise DataError(
        f"does not pass {', '.join(concerned)}; {kept['.md']} says what and what to do about it",
        source=source,
        expected="no errors" if level == "standard" else "no errors and no warnings",
        found=f"{results.count(Severity.ERROR)} errors, {results.count(Severity.WARNING)} warnings, first "
        f"{f'{first.place}: ' if first.place else ''}{first.message}",
    )
