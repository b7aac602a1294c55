"""Rules over neighbouring objects and frames: overlaps, exchanged identities, flicker and jumps.

A low IoU between neighbouring frames says nothing about identity: below 0.1 it flags 42 % of clean transitions. What
each rule here asks instead, and how often it is wrong, is in `docs/rules.md`.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from sam2vlm.annotations.tracks import Track
    from sam2vlm.validation.object_table import ObjectTable

__all__ = ["area_jump_check", "flicker_check", "identity_swap_check", "overlap_check", "shape_jump_check"]


def overlap_check(dataset: Mapping[str, Any], *, max_overlap_iou: float = 0.8) -> RuleResult:
    """Look for two objects of one frame with nearly the same mask.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        max_overlap_iou: A mask IoU above it is a warning.
    """
    table = CheckedDataset.of(dataset).table
    found = [pair for pair in table.overlaps if pair.iou > max_overlap_iou]
    return RuleResult(
        rule_id="overlap_check",
        severity=Severity.WARNING,
        checked=len(table.frames),
        unit="frames",
        findings=tuple(
            table.of_object(
                pair.second,
                f"has nearly the mask of {_named(table, pair.first)}: IoU {pair.iou:.2f}",
                Severity.WARNING,
            )
            for pair in found
        ),
        summary=f"{len(found)} pairs of objects share a mask with an IoU above {max_overlap_iou:g}",
        recommendation="One of the two is the other one's copy, or has slipped onto it: leave it out of these frames.",
        facts={"pairs": len(found)},
    )


def identity_swap_check(dataset: Mapping[str, Any], *, min_crossing: float = 0.2) -> RuleResult:
    """Look for two objects that have exchanged their identities between neighbouring frames.

    For each pair of objects in two neighbouring frames: the IoU of each one's mask with the other's is summed, and
    compared with the sum of each with itself.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        min_crossing: The crossed sum exceeding the straight one by more than this is a warning.
    """
    table = CheckedDataset.of(dataset).table
    found = [pair for pair in table.crossings if pair.crossed - pair.straight > min_crossing]
    transitions = _transitions(table)
    return RuleResult(
        rule_id="identity_swap_check",
        severity=Severity.WARNING,
        checked=transitions,
        unit="transitions",
        findings=tuple(
            table.of_change(
                pair.second,
                f"seems to have exchanged its identity with {_named(table, pair.first)} since the frame before: each "
                f"lies where the other was (IoU {pair.crossed:.2f} crossed, {pair.straight:.2f} straight)",
                Severity.WARNING,
            )
            for pair in found
        ),
        summary=f"{len(found)} exchanges of identity in {transitions} transitions of objects between frames",
        recommendation=(
            "Look at the frame and the one before; where the tracker confused the two, exchange their ids from there "
            "on, or track them again."
        ),
        facts={"swaps": len(found), "transitions": transitions},
    )


def flicker_check(dataset: Mapping[str, Any], *, max_gap_frames: int = 2) -> RuleResult:
    """Look for objects that are gone for a moment and then there again.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``. An annotated frame that the reader left out because it shows
            nothing counts as an absence; of several videos' such frames nothing is known.
        max_gap_frames: An absence of at most this many annotated frames between two presences is a warning.
    """
    data = CheckedDataset.of(dataset)
    tracks = data.table.tracks(data.left_out())
    indices = {video_id: data.table.frames["index"][positions] for video_id, positions in data.table.timelines()}
    findings = tuple(finding for track in tracks for finding in _gaps(track, max_gap_frames, indices[track.video_id]))
    return RuleResult(
        rule_id="flicker_check",
        severity=Severity.WARNING,
        checked=len(tracks),
        unit="tracks",
        findings=findings,
        summary=f"{len(findings)} absences of at most {max_gap_frames} frames in {len(tracks)} tracks",
        recommendation=(
            "Where the object can be seen in these frames its mask was lost: segment it there, or the answer will "
            "say that it is not there."
        ),
        facts={"gaps": len(findings)},
    )


def area_jump_check(dataset: Mapping[str, Any], *, max_area_ratio: float = 3.0) -> RuleResult:
    """Look for objects that grow or shrink too fast.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        max_area_ratio: Areas in neighbouring frames that differ by more than this factor are a warning.
    """
    table = CheckedDataset.of(dataset).table
    rows = np.flatnonzero(table.objects["before"] >= 0)
    # Of the frame, so that a frame of another size is no jump.
    shares = 100 * np.maximum(table.objects["area"], 1e-9) / table.sizes(np.arange(len(table.objects)))
    now, before = shares[rows], shares[table.objects["before"][rows]]
    ratio = np.maximum(now / before, before / now)
    found = np.flatnonzero(ratio > max_area_ratio)
    return RuleResult(
        rule_id="area_jump_check",
        severity=Severity.WARNING,
        checked=len(rows),
        unit="transitions",
        findings=tuple(
            table.of_change(
                int(rows[number]),
                f"covers {now[number]:.2f} % of the frame after {before[number]:.2f} % in the frame before, "
                f"{ratio[number]:.1f} times {'more' if now[number] > before[number] else 'less'}",
                Severity.WARNING,
            )
            for number in found
        ),
        summary=f"{len(found)} of {len(rows)} transitions change an area by more than {max_area_ratio:g} times",
        recommendation=(
            "Right where the object enters or leaves the picture or goes behind another; else its mask has run out or "
            "was lost in part."
        ),
        facts={"jumps": len(found)},
    )


def shape_jump_check(dataset: Mapping[str, Any], *, min_aligned_iou: float = 0.3) -> RuleResult:
    """Look for objects that change their shape too fast, whatever way they moved.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        min_aligned_iou: The IoU of an object's masks in neighbouring frames after their centroids were aligned; below
            it is a warning.
    """
    table = CheckedDataset.of(dataset).table
    rows = np.flatnonzero(~np.isnan(table.objects["aligned"]))
    iou = table.objects["aligned"][rows]
    found = np.flatnonzero(iou < min_aligned_iou)
    return RuleResult(
        rule_id="shape_jump_check",
        severity=Severity.WARNING,
        checked=len(rows),
        unit="transitions",
        findings=tuple(
            table.of_change(
                int(rows[number]),
                f"has another shape than in the frame before: IoU {iou[number]:.2f} with their centroids aligned",
                Severity.WARNING,
            )
            for number in found
        ),
        summary=f"{len(found)} of {len(rows)} transitions change a shape to an aligned IoU below {min_aligned_iou:g}",
        recommendation=(
            "Right where something comes in front of the object; else the mask has gone over to another one, or the "
            "identity is wrong."
        ),
        facts={"jumps": len(found)},
    )


def _named(table: ObjectTable, row: int) -> str:
    label = table.label(row)
    return f"object {table.objects['object_id'][row]}" + (f" ({label})" if label else "")


def _transitions(table: ObjectTable) -> int:
    return int((table.objects["before"] >= 0).sum())


def _gaps(track: Track, most: int, indices: NDArray[np.int64]) -> Iterator[Finding]:
    for before, after in itertools.pairwise(track.intervals):
        gap = after.first_position - before.last_position - 1
        if gap <= most:
            message = (
                f"is absent for {gap} frame{'s' if gap > 1 else ''} between frames {before.last_frame} and "
                f"{after.first_frame}"
            )
            # The first frame in which it is absent; the reader may have left that out, and then the one before.
            gone = int(indices[np.searchsorted(indices, before.last_frame, side="right")])
            yield Finding(
                message,
                Severity.WARNING,
                track.video_id,
                after.first_frame,
                track.object_id,
                track.label or None,
                compared_with=(track.video_id, gone if gone < after.first_frame else before.last_frame),
            )
