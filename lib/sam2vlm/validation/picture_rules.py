"""Rules over pictures: broken, dark, bright, empty, blurred, or of another size than their video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from sam2vlm.validation.object_table import ObjectTable
    from sam2vlm.validation.picture_scan import PictureScan

__all__ = [
    "blur_check",
    "bright_picture_check",
    "dark_picture_check",
    "low_information_check",
    "picture_integrity_check",
    "picture_size_check",
]


def picture_integrity_check(dataset: Mapping[str, Any]) -> RuleResult:
    """Look for pictures that cannot be decoded, from their first byte to their last.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
    """
    data = CheckedDataset.of(dataset)
    faults = data.pictures.faults
    return _result(
        data,
        "picture_integrity_check",
        [(position, f"its picture {faults[position]}") for position in sorted(faults)],
        severity=Severity.ERROR,
        what="cannot be decoded",
        recommendation="Export these frames again; the files are damaged.",
    )


def dark_picture_check(dataset: Mapping[str, Any], *, min_high_brightness: float = 0.32) -> RuleResult:
    """Look for pictures without a bright spot.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        min_high_brightness: A picture of which 99 % of the pixels are darker than this (0 black to 1 white) is a
            warning.
    """
    data = CheckedDataset.of(dataset)
    return _below(
        data,
        "dark_picture_check",
        _facts(data, "high"),
        min_high_brightness,
        message="is dark: 99 % of its pixels are at most {0:.2f} bright, expected {1:g}",
        what=f"are darker than {min_high_brightness:g} in 99 % of their pixels",
        recommendation="Leave out the dark part of the video, or brighten the video before it is exported.",
    )


def bright_picture_check(dataset: Mapping[str, Any], *, max_low_brightness: float = 0.95) -> RuleResult:
    """Look for pictures without a dark spot.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        max_low_brightness: A picture of which 95 % of the pixels are brighter than this (0 black to 1 white) is a
            warning.
    """
    data = CheckedDataset.of(dataset)
    found = [
        (position, f"is overexposed: 95 % of its pixels are at least {low:.2f} bright")
        for position, low in _facts(data, "low")
        if low > max_low_brightness
    ]
    return _result(
        data,
        "bright_picture_check",
        found,
        what=f"are brighter than {max_low_brightness:g} in 95 % of their pixels",
        recommendation="Leave out the overexposed part of the video.",
    )


def low_information_check(dataset: Mapping[str, Any], *, min_entropy_bits: float = 3.0) -> RuleResult:
    """Look for pictures with next to nothing on them.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        min_entropy_bits: Entropy of a picture's brightness in 256 steps; below it is a warning. 8 is the most, an
            even tone has 0.
    """
    data = CheckedDataset.of(dataset)
    return _below(
        data,
        "low_information_check",
        _facts(data, "entropy"),
        min_entropy_bits,
        message="shows next to nothing: {0:.1f} bits of entropy, expected {1:g}",
        what=f"have less than {min_entropy_bits:g} bits of entropy",
        recommendation="Leave these frames out: blank, faded or covered pictures have nothing to learn from.",
    )


def blur_check(dataset: Mapping[str, Any], *, min_sharpness_ratio: float = 0.2) -> RuleResult:
    """Look for pictures that are less sharp than is usual for their video.

    How sharp a picture is depends on its content far more than on its focus, so each is held against its own video's
    median. An even tone is no blurred picture; `low_information_check` finds it.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        min_sharpness_ratio: A sharpness below this share of the median is a warning.
    """
    data = CheckedDataset.of(dataset)
    return _below(
        data,
        "blur_check",
        _relative_sharpness(data.table, data.pictures),
        min_sharpness_ratio,
        message="is blurred: {0:.2f} of its video's usual sharpness, expected {1:g}",
        what=f"have less than {min_sharpness_ratio:g} of their video's usual sharpness",
        recommendation="Look at them; leave out what is out of focus or smeared by motion.",
    )


def picture_size_check(dataset: Mapping[str, Any]) -> RuleResult:
    """Look for pictures of another size than their video.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``. The video's size is what the export says, else that of most of
            its pictures.
    """
    data = CheckedDataset.of(dataset)
    positions = data.pictures.sound
    videos = data.table.frames["video"][positions]
    sizes = np.column_stack([data.pictures.column(side)[positions] for side in ("width", "height")])
    found: list[tuple[int, str]] = []
    for number in np.unique(videos):
        own = videos == number
        told = data.videos.get(data.table.videos[number])
        width, height = (told.width, told.height) if told else _commonest(sizes[own])
        other = own & (sizes != (width, height)).any(axis=1)
        found += [
            (position, f"is {size[0]} x {size[1]}, its video {width} x {height}")
            for position, size in zip(positions[other].tolist(), sizes[other].tolist(), strict=True)
        ]
    return _result(
        data,
        "picture_size_check",
        sorted(found),
        what="are of another size than their video",
        recommendation="Export all frames at one size; look whether these belong to this video at all.",
    )


def _facts(data: CheckedDataset, name: str) -> Iterator[tuple[int, float]]:
    positions = data.pictures.sound
    return zip(positions.tolist(), data.pictures.column(name)[positions].tolist(), strict=True)


def _relative_sharpness(table: ObjectTable, pictures: PictureScan) -> Iterator[tuple[int, float]]:
    sound, sharpness = pictures.sound, pictures.column("sharpness")
    sound = sound[sharpness[sound] > 0]
    video = table.frames["video"][sound]
    medians = {number: float(np.median(sharpness[sound[video == number]])) for number in np.unique(video)}
    return (
        (int(position), float(sharpness[position]) / medians[of]) for position, of in zip(sound, video, strict=True)
    )


def _below(
    data: CheckedDataset,
    rule_id: str,
    facts: Iterator[tuple[int, float]],
    least: float,
    *,
    message: str,
    what: str,
    recommendation: str,
) -> RuleResult:
    found = [(position, message.format(value, least)) for position, value in facts if value < least]
    return _result(data, rule_id, found, what=what, recommendation=recommendation)


def _result(
    data: CheckedDataset,
    rule_id: str,
    found: list[tuple[int, str]],
    *,
    what: str,
    recommendation: str,
    severity: Severity = Severity.WARNING,
) -> RuleResult:
    looked_at = len(data.pictures.pictures) if data.pictures.decoded else 0
    return RuleResult(
        rule_id=rule_id,
        severity=severity,
        checked=looked_at,
        unit="pictures",
        findings=tuple(data.table.of_frame(position, message, severity) for position, message in found),
        summary=f"{len(found)} of {looked_at} pictures {what}",
        recommendation=recommendation,
        facts={"pictures": len(found)},
    )


def _commonest(sizes: NDArray[np.int32]) -> tuple[int, int]:
    values, counts = np.unique(sizes, axis=0, return_counts=True)
    width, height = values[counts.argmax()]
    return int(width), int(height)
