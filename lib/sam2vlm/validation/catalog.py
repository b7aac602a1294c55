"""The built-in rules by name: what each finds, how bad that is, and what it has to look at."""

from __future__ import annotations

from dataclasses import dataclass

from sam2vlm.validation.results import Severity

__all__ = ["AFTER_SPLIT", "RULES", "RULE_IDS", "RuleInfo"]


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """One rule.

    Attributes:
        rule_id: Its name.
        severity: The worst that one of its findings can be.
        decodes: Whether it needs all pictures decoded; such rules share one pass over them.
        finds: What it finds, in a few words.
    """

    rule_id: str
    severity: Severity
    decodes: bool
    finds: str


def _rule(rule_id: str, severity: Severity, finds: str, *, decodes: bool = False) -> RuleInfo:
    return RuleInfo(rule_id, severity, decodes, finds)


#: In the order in which they are run and reported.
RULES = (
    _rule("missing_annotations_check", Severity.ERROR, "frames that should be annotated and are not"),
    _rule("duplicate_frames_check", Severity.WARNING, "a frame index that comes twice, pictures with equal bytes"),
    _rule("mask_integrity_check", Severity.ERROR, "masks that are broken, lost, or of another area than told"),
    _rule("bounding_box_check", Severity.ERROR, "boxes that leave the frame or disagree with their mask"),
    _rule("class_balance_analysis", Severity.ERROR, "labels that are far more frequent than others; no labels"),
    _rule("quality_metrics", Severity.WARNING, "too many small objects, too few objects"),
    _rule("coordinate_space_check", Severity.WARNING, "masks on a grid of another size than their frame"),
    _rule("object_area_check", Severity.ERROR, "masks of nearly the whole frame"),
    _rule("area_outlier_check", Severity.WARNING, "sizes far from what is usual for the label"),
    _rule("fragmented_mask_check", Severity.WARNING, "masks in pieces"),
    _rule("overlap_check", Severity.WARNING, "two objects with nearly one mask"),
    _rule("identity_swap_check", Severity.WARNING, "two objects that exchanged their identities"),
    _rule("flicker_check", Severity.WARNING, "objects that are gone for a moment"),
    _rule("area_jump_check", Severity.WARNING, "objects that grow or shrink too fast"),
    _rule("shape_jump_check", Severity.WARNING, "objects that change their shape too fast"),
    _rule("label_spelling_check", Severity.WARNING, "one label in two spellings"),
    _rule("label_change_check", Severity.WARNING, "objects with more than one label"),
    _rule("default_label_check", Severity.WARNING, "objects that nobody has named"),
    _rule("picture_integrity_check", Severity.ERROR, "pictures that cannot be decoded", decodes=True),
    _rule("picture_size_check", Severity.WARNING, "pictures of another size than their video", decodes=True),
    _rule("dark_picture_check", Severity.WARNING, "pictures without a bright spot", decodes=True),
    _rule("bright_picture_check", Severity.WARNING, "pictures without a dark spot", decodes=True),
    _rule("low_information_check", Severity.WARNING, "pictures with next to nothing on them", decodes=True),
    _rule("blur_check", Severity.WARNING, "pictures less sharp than usual for their video", decodes=True),
    # It decodes some pictures by itself, in colour.
    _rule("painted_overlay_check", Severity.ERROR, "pictures that show the answer"),
    _rule("near_duplicate_check", Severity.WARNING, "pictures that are nearly the same", decodes=True),
    _rule("leakage_check", Severity.WARNING, "near-copies in different splits", decodes=True),
)
RULE_IDS = tuple(rule.rule_id for rule in RULES)
#: Run on the splits, when they are made.
AFTER_SPLIT = "leakage_check"
