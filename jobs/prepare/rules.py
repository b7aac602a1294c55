"""From the settings to the rules that are run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sam2vlm.errors import SettingsError
from sam2vlm.validation import (
    AFTER_SPLIT,
    RULES,
    BalanceAnalyzer,
    BasicChecks,
    QualityMetrics,
    Severity,
    area_jump_check,
    area_outlier_check,
    blur_check,
    bright_picture_check,
    coordinate_space_check,
    dark_picture_check,
    default_label_check,
    flicker_check,
    fragmented_mask_check,
    identity_swap_check,
    label_change_check,
    label_spelling_check,
    load_rule,
    low_information_check,
    near_duplicate_check,
    object_area_check,
    overlap_check,
    painted_overlay_check,
    picture_integrity_check,
    picture_size_check,
    shape_jump_check,
    with_severity,
)

if TYPE_CHECKING:
    from jobs.prepare.validation_settings import ValidationSettings
    from sam2vlm.validation import Rule, RuleResult

__all__ = ["chosen_rules", "decodes_pictures", "in_severity"]

VARIABLE = "SAM2VLM_VALIDATION__RULES"
OFF = "off"


def chosen_rules(settings: ValidationSettings) -> list[Rule]:
    """Return the rules that are to be run before the split, the user's own last.

    Raises:
        SettingsError: A rule of the user's own cannot be had, or none is on.
    """
    rules = {**_of_masks(settings), **_of_tracks(settings), **_of_labels(settings), **_of_pictures(settings)}
    # In the catalogue's order, which is the report's.
    chosen = {info.rule_id: rules[info.rule_id] for info in RULES if info.rule_id != AFTER_SPLIT}
    for name in settings.rules:
        try:
            chosen[name.partition(":")[2]] = load_rule(name)
        except SettingsError as error:
            raise error.with_source(VARIABLE) from None
    found = [_adjusted(name, rule, settings) for name, rule in chosen.items() if settings.severities.get(name) != OFF]
    if not found:
        raise SettingsError(
            "switches off every rule that looks at the export",
            source="SAM2VLM_VALIDATION__SEVERITIES",
            expected="at least one that is on; where findings shall not stop the run, validation.level report-only",
            found=f"{len(chosen)} rules, all off",
        )
    return found


def decodes_pictures(settings: ValidationSettings) -> bool:
    """Tell whether any rule that is run needs all pictures decoded."""
    return any(info.decodes and settings.severities.get(info.rule_id) != OFF for info in RULES)


def in_severity(result: RuleResult, settings: ValidationSettings) -> RuleResult:
    """Return a result in the severity that is set for its rule."""
    return _adjusted(result.rule_id, lambda _dataset: result, settings)({})


def _adjusted(name: str, rule: Rule, settings: ValidationSettings) -> Rule:
    severity = settings.severities.get(name)
    return rule if severity is None else with_severity(rule, Severity(severity))


def _of_masks(settings: ValidationSettings) -> dict[str, Rule]:
    missing, duplicates, masks, boxes = BasicChecks.get_all_checks(
        max_missing_percent=settings.max_missing_percent,
        max_area_difference_percent=settings.max_area_difference_percent,
        warning_box_iou=settings.warning_box_iou,
        error_box_iou=settings.error_box_iou,
    )
    balance = BalanceAnalyzer(settings.severe_imbalance, moderate_threshold=settings.moderate_imbalance)
    quality = QualityMetrics(
        settings.min_object_area_percent,
        max_small_objects_percent=settings.max_small_objects_percent,
        min_objects_per_frame=settings.min_objects_per_frame,
    )
    return {
        "missing_annotations_check": missing,
        "duplicate_frames_check": duplicates,
        "mask_integrity_check": masks,
        "bounding_box_check": boxes,
        "class_balance_analysis": balance.check,
        "quality_metrics": quality.check,
        "coordinate_space_check": coordinate_space_check,
        "object_area_check": partial(object_area_check, max_area_percent=settings.max_area_percent),
        "area_outlier_check": partial(area_outlier_check, max_sigmas=settings.max_sigmas),
        "fragmented_mask_check": partial(fragmented_mask_check, max_outside_percent=settings.max_outside_percent),
    }


def _of_tracks(settings: ValidationSettings) -> dict[str, Rule]:
    return {
        "overlap_check": partial(overlap_check, max_overlap_iou=settings.max_overlap_iou),
        "identity_swap_check": partial(identity_swap_check, min_crossing=settings.min_crossing),
        "flicker_check": partial(flicker_check, max_gap_frames=settings.max_gap_frames),
        "area_jump_check": partial(area_jump_check, max_area_ratio=settings.max_area_ratio),
        "shape_jump_check": partial(shape_jump_check, min_aligned_iou=settings.min_aligned_iou),
    }


def _of_labels(settings: ValidationSettings) -> dict[str, Rule]:
    return {
        "label_spelling_check": partial(label_spelling_check, min_edit_length=settings.min_edit_length),
        "label_change_check": label_change_check,
        "default_label_check": partial(default_label_check, default_names=settings.default_names),
    }


def _of_pictures(settings: ValidationSettings) -> dict[str, Rule]:
    return {
        "picture_integrity_check": picture_integrity_check,
        "picture_size_check": picture_size_check,
        "dark_picture_check": partial(dark_picture_check, min_high_brightness=settings.min_high_brightness),
        "bright_picture_check": partial(bright_picture_check, max_low_brightness=settings.max_low_brightness),
        "low_information_check": partial(low_information_check, min_entropy_bits=settings.min_entropy_bits),
        "blur_check": partial(blur_check, min_sharpness_ratio=settings.min_sharpness_ratio),
        "painted_overlay_check": partial(
            painted_overlay_check,
            max_pictures=settings.max_pictures,
            max_painted_percent=settings.max_painted_percent,
        ),
        "near_duplicate_check": partial(near_duplicate_check, max_distance=settings.max_distance),
    }
