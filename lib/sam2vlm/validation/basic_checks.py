"""The four basic rules: annotations there, frames different, masks sound, boxes sound."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

from sam2vlm.logs import track
from sam2vlm.validation.box_check import bounding_box_check
from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.mask_check import mask_integrity_check
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sam2vlm.annotations.types import Frame
    from sam2vlm.validation.validator import Rule

__all__ = ["BasicChecks", "duplicate_frames_check", "missing_annotations_check"]


class BasicChecks:
    """The basic rules as a list for :meth:`Validator.add_rule`."""

    @staticmethod
    def get_all_checks(
        *,
        max_missing_percent: float = 20.0,
        max_area_difference_percent: float = 1.0,
        warning_box_iou: float = 0.95,
        error_box_iou: float = 0.5,
    ) -> list[Rule]:
        """Return the four rules.

        Args:
            max_missing_percent: See :func:`missing_annotations_check`.
            max_area_difference_percent: See :func:`~sam2vlm.validation.mask_check.mask_integrity_check`.
            warning_box_iou: See :func:`~sam2vlm.validation.box_check.bounding_box_check`.
            error_box_iou: See there.
        """
        return [
            partial(missing_annotations_check, max_missing_percent=max_missing_percent),
            duplicate_frames_check,
            partial(mask_integrity_check, max_area_difference_percent=max_area_difference_percent),
            partial(bounding_box_check, warning_iou=warning_box_iou, error_iou=error_box_iou),
        ]


def missing_annotations_check(dataset: Mapping[str, Any], *, max_missing_percent: float = 20.0) -> RuleResult:
    """Look for frames that should be annotated and are not.

    A frame with a picture and without objects is a negative example, not a fault. Missing are: a frame that the
    exporter lists and that has no annotation (it swallows errors of single frames), and an annotation with
    neither objects nor a picture. Not one visible object in the whole dataset is an error of its own.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}`` and, as ``dropped``, what the parser left out: such a frame is
            not missing, it is a negative example that is lost.
        max_missing_percent: Up to this share of the frames each one missing is a warning, above it an error.
    """
    data = CheckedDataset.of(dataset)
    unlisted = _listed_but_absent(data)
    empty = [frame for frame in data.frames if not frame.objects and frame.read_image is None]
    expected = len(data.frames) + len(unlisted)
    missing = len(unlisted) + len(empty)
    too_many = missing * 100 > max_missing_percent * expected
    severity = Severity.ERROR if too_many else Severity.WARNING
    findings = list(_nothing_at_all(data))
    findings += [Finding.of_frame(frame, "has neither objects nor a picture", severity) for frame in empty]
    findings += [
        Finding(f"{len(indices)} frames were left out: {reason}", Severity.WARNING)
        for reason, indices in sorted(data.dropped.items())
    ]
    findings += [
        Finding("is listed by the exporter but has no annotation", severity, video_id, index)
        for video_id, index in unlisted
    ]
    negatives = sum(not frame.visible_objects and frame.read_image is not None for frame in data.frames)
    return RuleResult(
        rule_id="missing_annotations_check",
        severity=Severity.ERROR,
        checked=expected,
        unit="frames",
        findings=tuple(findings),
        summary=f"{missing} of {expected} frames lack annotations; {negatives} show no object (negative examples)",
        recommendation=(
            "Export the missing frames again; the exporter drops a frame whose own export fails, and writes no picture "
            "for one without an object."
        ),
        facts={"missing": missing, "negatives": negatives, "max_missing_percent": max_missing_percent},
    )


def duplicate_frames_check(dataset: Mapping[str, Any]) -> RuleResult:
    """Look for a frame index that comes twice in a video, and for pictures with the same bytes.

    Pictures are compared as stored, without decoding: a video that stands still still differs by sensor noise,
    so equal bytes mean that one frame was written twice.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
    """
    data = CheckedDataset.of(dataset)
    findings = (*_repeated_indices(data.frames), *_repeated_pictures(data.frames))
    pictures = sum(frame.read_image is not None for frame in data.frames)
    return RuleResult(
        rule_id="duplicate_frames_check",
        severity=Severity.WARNING,
        checked=len(data.frames),
        unit="frames",
        findings=findings,
        summary=f"{len(findings)} repeated among {len(data.frames)} frames, {pictures} pictures compared by content",
        recommendation=(
            "Export fewer frames a second, or drop the repeated ones: they add no information, and across two "
            "splits they would leak the answer."
        ),
        facts={"duplicates": len(findings), "pictures": pictures},
    )


def _nothing_at_all(data: CheckedDataset) -> Iterator[Finding]:
    if not data.frames:
        yield Finding("the dataset has no frames", Severity.ERROR)
    elif not any(frame.visible_objects for frame in data.frames):
        yield Finding("no frame shows a single object", Severity.ERROR)


def _listed_but_absent(data: CheckedDataset) -> list[tuple[str, int]]:
    if data.metadata is None:
        return []
    video_id = data.metadata.video_id
    there = {frame.frame_index for frame in data.frames if frame.video_id == video_id}
    there.update(*data.dropped.values())
    return [(video_id, index) for index in sorted(set(data.metadata.frame_indices) - there)]


def _repeated_indices(frames: tuple[Frame, ...]) -> Iterator[Finding]:
    seen: set[tuple[str, int]] = set()
    for frame in frames:
        key = (frame.video_id, frame.frame_index)
        if key in seen:
            yield Finding.of_frame(frame, "its index comes more than once", Severity.WARNING)
        seen.add(key)


def _repeated_pictures(frames: tuple[Frame, ...]) -> Iterator[Finding]:
    first: dict[tuple[str, bytes], int] = {}
    for frame in track(frames, "comparing pictures", "frames", total=len(frames)):
        if frame.read_image is None:
            continue
        key = (frame.video_id, hashlib.blake2b(frame.read_image(), digest_size=16).digest())
        original = first.setdefault(key, frame.frame_index)
        if original != frame.frame_index:
            yield Finding.of_frame(frame, f"has the same picture as frame {original}, byte by byte", Severity.WARNING)
