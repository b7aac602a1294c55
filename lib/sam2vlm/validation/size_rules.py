"""Rules over single masks: the grid they are on, how much of the frame they cover, and whether they hang together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.validation.box_check import DEMO_DIALECT
from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["area_outlier_check", "coordinate_space_check", "fragmented_mask_check", "object_area_check"]

# The low-resolution logits of SAM 2, whatever the video's size.
LOGITS_DIALECTS = frozenset({DEMO_DIALECT, "logits-column-major"})


def coordinate_space_check(dataset: Mapping[str, Any]) -> RuleResult:
    """Look for masks on a grid of another size than their frame, where the dialect does not mean it so.

    They are scaled to the frame with their boxes; whether that is right only a look can tell.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
    """
    data = CheckedDataset.of(dataset)
    table = data.table
    rows = table.visible
    objects = table.objects[rows]
    frames = table.frames[objects["frame"]]
    named = (data.videos.get(video_id, data.metadata) for video_id in table.videos)
    meant = np.array([told is not None and told.dialect in LOGITS_DIALECTS for told in named], bool)
    other = (objects["grid_width"] != frames["width"]) | (objects["grid_height"] != frames["height"])
    other &= ~meant[frames["video"]]
    findings = [
        table.of_object(
            int(row),
            f"its mask is on a grid of {item['grid_width']} x {item['grid_height']}, the frame has "
            f"{frame['width']} x {frame['height']}",
            Severity.WARNING,
        )
        for row, item, frame in zip(rows[other], objects[other], frames[other], strict=True)
    ]
    return RuleResult(
        rule_id="coordinate_space_check",
        severity=Severity.WARNING,
        checked=len(rows),
        unit="objects",
        findings=tuple(findings),
        summary=f"{len(findings)} of {len(rows)} masks are on a grid of another size than their frame",
        recommendation=(
            "They are scaled to the frame. Where the proportions differ too, look whether pictures and masks come "
            "from the same video, and export both at one size."
        ),
        facts={"other_grids": len(findings)},
    )


def object_area_check(dataset: Mapping[str, Any], *, max_area_percent: float = 95.0) -> RuleResult:
    """Look for masks of nearly the whole frame: an inverted mask, or the background taken for an object.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        max_area_percent: An object that covers more of its frame than this is an error.
    """
    table = CheckedDataset.of(dataset).table
    rows = table.visible
    shares = 100 * table.objects["area"][rows] / table.sizes(rows)
    found = np.flatnonzero(shares > max_area_percent)
    return RuleResult(
        rule_id="object_area_check",
        severity=Severity.ERROR,
        checked=len(rows),
        unit="objects",
        findings=tuple(
            table.of_object(int(rows[number]), f"covers {shares[number]:.1f} % of the frame", Severity.ERROR)
            for number in found
        ),
        summary=f"{len(found)} of {len(rows)} objects cover more than {max_area_percent:g} % of their frame",
        recommendation="Look whether these masks are inverted or show the background; segment them again.",
        facts={"whole_frames": len(found), "largest_percent": round(float(shares.max(initial=0.0)), 4)},
    )


def area_outlier_check(dataset: Mapping[str, Any], *, max_sigmas: float = 5.0) -> RuleResult:
    """Look for objects whose size is far from what is usual for their label.

    One among n objects lies at most ``sqrt(n - 1)`` standard deviations from their mean, so with fewer than 27
    objects of a label nothing is beyond 5.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        max_sigmas: Standard deviations from the mean share of the frame of all objects of the label; further away is
            a warning.
    """
    table = CheckedDataset.of(dataset).table
    findings = []
    for label, rows in table.by_label():
        shares = 100 * table.objects["area"][rows] / table.sizes(rows)
        mean, sigma = float(shares.mean()), float(shares.std())
        for row, share in zip(rows.tolist(), shares.tolist(), strict=True):
            if abs(share - mean) > max_sigmas * sigma > 0:
                message = (
                    f"covers {share:.2f} % of the frame, {abs(share - mean) / sigma:.1f} standard deviations from the "
                    f"{mean:.2f} % that {label or 'an object without a label'} covers on average"
                )
                findings.append((row, table.of_object(row, message, Severity.WARNING)))
    return RuleResult(
        rule_id="area_outlier_check",
        severity=Severity.WARNING,
        checked=len(table.visible),
        unit="objects",
        findings=tuple(finding for _row, finding in sorted(findings, key=lambda pair: pair[0])),
        summary=(
            f"{len(findings)} of {len(table.visible)} objects are more than {max_sigmas:g} standard deviations from "
            "the usual size of their label"
        ),
        recommendation="Look whether the mask ran out over the background, or the label belongs to another object.",
        facts={"outliers": len(findings)},
    )


def fragmented_mask_check(dataset: Mapping[str, Any], *, max_outside_percent: float = 5.0) -> RuleResult:
    """Look for masks of which a good part is not connected with the rest.

    Components are not counted: clean masks have up to eight, most of a few pixels.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        max_outside_percent: More of a mask's area than this outside of its largest 8-connected component is a
            warning.
    """
    table = CheckedDataset.of(dataset).table
    rows = np.flatnonzero(table.objects["grid_area"] > 0)
    objects = table.objects[rows]
    outside = 100 * (objects["grid_area"] - objects["largest"]) / objects["grid_area"]
    found = np.flatnonzero(outside > max_outside_percent)
    return RuleResult(
        rule_id="fragmented_mask_check",
        severity=Severity.WARNING,
        checked=len(rows),
        unit="objects",
        findings=tuple(
            table.of_object(
                int(rows[number]), f"{outside[number]:.1f} % of its mask is apart from the rest", Severity.WARNING
            )
            for number in found
        ),
        summary=(
            f"{len(found)} of {len(rows)} masks have more than {max_outside_percent:g} % of their area outside of "
            "their largest part"
        ),
        recommendation=(
            "Where something stands in front of the object this is right; else segment it again, for the box is "
            "drawn around all parts."
        ),
        facts={"fragmented": len(found)},
    )
