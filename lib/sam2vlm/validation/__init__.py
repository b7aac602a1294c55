"""Is a dataset fit for training? Named rules, their results and the report."""

from sam2vlm.validation.balance_analysis import BalanceAnalyzer
from sam2vlm.validation.basic_checks import BasicChecks, duplicate_frames_check, missing_annotations_check
from sam2vlm.validation.box_check import bounding_box_check
from sam2vlm.validation.catalog import AFTER_SPLIT, RULE_IDS, RULES, RuleInfo
from sam2vlm.validation.label_rules import default_label_check, label_change_check, label_spelling_check
from sam2vlm.validation.mask_check import mask_integrity_check
from sam2vlm.validation.near_duplicates import leakage_audit, near_duplicate_check, sample_hashes
from sam2vlm.validation.overlay_check import painted_overlay_check
from sam2vlm.validation.own_rules import load_rule, with_severity
from sam2vlm.validation.picture_facts import PictureFacts, picture_facts
from sam2vlm.validation.picture_rules import (
    blur_check,
    bright_picture_check,
    dark_picture_check,
    low_information_check,
    picture_integrity_check,
    picture_size_check,
)
from sam2vlm.validation.picture_scan import PictureKeeper, PictureScan, scan_pictures
from sam2vlm.validation.quality_metrics import QualityMetrics
from sam2vlm.validation.report_generator import ReportGenerator
from sam2vlm.validation.results import Finding, RuleResult, Severity, Status, ValidationResults
from sam2vlm.validation.scans import Scans
from sam2vlm.validation.size_rules import (
    area_outlier_check,
    coordinate_space_check,
    fragmented_mask_check,
    object_area_check,
)
from sam2vlm.validation.track_rules import (
    area_jump_check,
    flicker_check,
    identity_swap_check,
    overlap_check,
    shape_jump_check,
)
from sam2vlm.validation.validator import Rule, RuleObject, Validator

__all__ = [
    "AFTER_SPLIT",
    "RULES",
    "RULE_IDS",
    "BalanceAnalyzer",
    "BasicChecks",
    "Finding",
    "PictureFacts",
    "PictureKeeper",
    "PictureScan",
    "QualityMetrics",
    "ReportGenerator",
    "Rule",
    "RuleInfo",
    "RuleObject",
    "RuleResult",
    "Scans",
    "Severity",
    "Status",
    "ValidationResults",
    "Validator",
    "area_jump_check",
    "area_outlier_check",
    "blur_check",
    "bounding_box_check",
    "bright_picture_check",
    "coordinate_space_check",
    "dark_picture_check",
    "default_label_check",
    "duplicate_frames_check",
    "flicker_check",
    "fragmented_mask_check",
    "identity_swap_check",
    "label_change_check",
    "label_spelling_check",
    "leakage_audit",
    "load_rule",
    "low_information_check",
    "mask_integrity_check",
    "missing_annotations_check",
    "near_duplicate_check",
    "object_area_check",
    "overlap_check",
    "painted_overlay_check",
    "picture_facts",
    "picture_integrity_check",
    "picture_size_check",
    "sample_hashes",
    "scan_pictures",
    "shape_jump_check",
    "with_severity",
]
