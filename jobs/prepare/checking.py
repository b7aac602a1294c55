"""The six rules over an export, and what their findings mean for the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.errors import DataError
from sam2vlm.validation import (
    BalanceAnalyzer,
    BasicChecks,
    QualityMetrics,
    ReportGenerator,
    Severity,
    Status,
    ValidationResults,
    Validator,
)

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.prepare.settings import ValidationSettings
    from sam2vlm.data_converter.sam2_parser import ParsedExport

__all__ = ["REFUSED_REPORT", "check_export", "dataset_name", "require_fit"]

# Beside the logs, because a refused export leaves no RUN/prepare.
REFUSED_REPORT = "prepare-report"
STOPPING = {
    "strict": frozenset({Status.FAILED, Status.PASSED_WITH_WARNINGS}),
    "standard": frozenset({Status.FAILED}),
    "report-only": frozenset[Status](),
}


def check_export(export: ParsedExport, settings: ValidationSettings) -> ValidationResults:
    """Run the six rules."""
    validator = (
        Validator()
        .add_rule(
            BasicChecks.get_all_checks(
                max_missing_percent=settings.max_missing_percent,
                max_area_difference_percent=settings.max_area_difference_percent,
                warning_box_iou=settings.warning_box_iou,
                error_box_iou=settings.error_box_iou,
            )
        )
        .add_rule(BalanceAnalyzer(settings.severe_imbalance, moderate_threshold=settings.moderate_imbalance))
        .add_rule(
            QualityMetrics(
                settings.min_object_area_percent,
                max_small_objects_percent=settings.max_small_objects_percent,
                min_objects_per_frame=settings.min_objects_per_frame,
            )
        )
    )
    return validator.validate({"frames": export.frames, "metadata": export.metadata, "dropped": export.dropped})


def dataset_name(export: ParsedExport) -> str:
    """Return what the report calls the dataset: the video's name, else its identity."""
    return export.metadata.filename or export.metadata.video_id


def require_fit(results: ValidationResults, level: str, *, name: str, source: Path, logs: Path) -> None:
    """Refuse an export that the level does not let pass; the report then stands beside the logs.

    Raises:
        DataError: Names the rules and the report.
    """
    kept = {suffix: logs / f"{REFUSED_REPORT}{suffix}" for suffix in (".md", ".json")}
    for path in kept.values():
        path.unlink(missing_ok=True)
    if results.status not in STOPPING[level]:
        return
    ReportGenerator.save_report(ReportGenerator.generate_report(results, dataset_name=name), kept[".md"])
    ReportGenerator.save_report(results, kept[".json"])
    concerned = [result.rule_id for result in results.rules if result.status in STOPPING[level]]
    raise DataError(
        f"does not pass {', '.join(concerned)}; {kept['.md']} says what and what to do about it",
        source=source,
        expected="no errors" if level == "standard" else "no errors and no warnings",
        found=f"{results.count(Severity.ERROR)} errors, {results.count(Severity.WARNING)} warnings",
    )
