"""The four basic rules: annotations there, frames different, masks sound, boxes sound."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.validation.box_check import bounding_box_check
from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.mask_check import mask_integrity_check
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sam2vlm.validation.object_table import ObjectTable
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
    table = data.table
    unlisted = _listed_but_absent(data)
    empty = np.flatnonzero((table.frames["listed"] == 0) & ~table.frames["picture"])
    expected = len(table.frames) + len(unlisted)
    missing = len(unlisted) + len(empty)
    too_many = missing * 100 > max_missing_percent * expected
    severity = Severity.ERROR if too_many else Severity.WARNING
    findings = list(_nothing_at_all(table))
    findings += [table.of_frame(position, "has neither objects nor a picture", severity) for position in empty.tolist()]
    findings += [
        Finding(f"{len(indices)} frames were left out: {reason}", Severity.WARNING)
        for reason, indices in sorted(data.dropped.items())
    ]
    findings += [
        Finding("is listed by the exporter but has no annotation", severity, video_id, index)
        for video_id, index in unlisted
    ]
    shows = np.zeros(len(table.frames), bool)
    shows[table.objects["frame"][table.visible]] = True
    negatives = int((table.frames["picture"] & ~shows).sum())
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
    pictures = len(data.pictures.pictures)
    findings = (*_repeated_indices(data.table), *_repeated_pictures(data))
    return RuleResult(
        rule_id="duplicate_frames_check",
        severity=Severity.WARNING,
        checked=len(data.table.frames),
        unit="frames",
        findings=findings,
        summary=(
            f"{len(findings)} repeated among {len(data.table.frames)} frames, {pictures} pictures compared by content"
        ),
        recommendation=(
            "Export fewer frames a second, or drop the repeated ones: they add no information, and across two "
            "splits they would leak the answer."
        ),
        facts={"duplicates": len(findings), "pictures": pictures},
    )


def _nothing_at_all(table: ObjectTable) -> Iterator[Finding]:
    if not len(table.frames):
        yield Finding("the dataset has no frames", Severity.ERROR)
    elif not len(table.visible):
        yield Finding("no frame shows a single object", Severity.ERROR)


def _listed_but_absent(data: CheckedDataset) -> list[tuple[str, int]]:
    left_out = {index for indices in data.dropped.values() for index in indices}
    there = {video_id: set(data.table.frames["index"][at].tolist()) for video_id, at in data.table.timelines()}
    return [
        (video_id, index)
        for video_id, told in data.videos.items()
        for index in sorted(set(told.frame_indices) - there.get(video_id, set()) - left_out)
    ]


def _repeated_indices(table: ObjectTable) -> Iterator[Finding]:
    seen: set[tuple[int, int]] = set()
    for position, key in enumerate(table.frames[["video", "index"]].tolist()):
        if key in seen:
            yield table.of_frame(position, "its index comes more than once", Severity.WARNING)
        seen.add(key)


def _repeated_pictures(data: CheckedDataset) -> Iterator[Finding]:
    table, digests = data.table, data.pictures.column("digest")
    first: dict[tuple[int, bytes], int] = {}
    for position in data.pictures.pictures.tolist():
        frame = table.frames[position]
        original = first.setdefault((int(frame["video"]), digests[position].tobytes()), int(frame["index"]))
        if original != frame["index"]:
            message = f"has the same picture as frame {original}, byte by byte"
            finding = table.of_frame(position, message, Severity.WARNING)
            yield replace(finding, compared_with=(table.videos[frame["video"]], original))
