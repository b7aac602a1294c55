"""Is a dataset fit for training? Named rules, their results and the report."""

from sam2vlm.validation.balance_analysis import BalanceAnalyzer
from sam2vlm.validation.basic_checks import BasicChecks, duplicate_frames_check, missing_annotations_check
from sam2vlm.validation.box_check import bounding_box_check
from sam2vlm.validation.mask_check import mask_integrity_check
from sam2vlm.validation.quality_metrics import QualityMetrics
from sam2vlm.validation.report_generator import ReportGenerator
from sam2vlm.validation.results import Finding, RuleResult, Severity, Status, ValidationResults
from sam2vlm.validation.validator import Rule, RuleObject, Validator

__all__ = [
    "BalanceAnalyzer",
    "BasicChecks",
    "Finding",
    "QualityMetrics",
    "ReportGenerator",
    "Rule",
    "RuleObject",
    "RuleResult",
    "Severity",
    "Status",
    "ValidationResults",
    "Validator",
    "bounding_box_check",
    "duplicate_frames_check",
    "mask_integrity_check",
    "missing_annotations_check",
]
