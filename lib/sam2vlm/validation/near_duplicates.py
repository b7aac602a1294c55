"""Near-copies among pictures: within the dataset, and across the splits that were made of it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

__all__ = ["leakage_audit", "near_duplicate_check", "sample_hashes"]

HASH_BITS = 64
#: Who has the right to a picture: of two splits, the later one's copy is the leak.
SPLIT_ORDER = ("train", "val", "test")
# Distances at once; each is worked out in some ten bytes.
_BLOCK_PAIRS = 1 << 20


def near_duplicate_check(dataset: Mapping[str, Any], *, max_distance: int = 4) -> RuleResult:
    """Look for pictures that are nearly the same as an earlier one.

    A frame is held against the frames before it that are themselves no near-copies; what is left without the found
    ones is a dataset in which no two pictures are near-copies of each other.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        max_distance: 64-bit perceptual hashes that differ in at most this many bits are near-copies.
    """
    data = CheckedDataset.of(dataset)
    table, positions = data.table, data.pictures.sound
    originals = _originals(data.pictures.column("hash")[positions].tolist(), max_distance)
    findings = []
    for number, (original, distance) in originals.items():
        position, first = int(positions[number]), table.frames[int(positions[original])]
        elsewhere = first["video"] != table.frames["video"][position]
        place = f"frame {first['index']}" + (f" of video {table.videos[first['video']]}" if elsewhere else "")
        message = f"looks like {place}: {distance} of {HASH_BITS} bits of their hashes differ"
        findings.append(table.of_frame(position, message, Severity.WARNING, original=int(positions[original])))
    left = len(positions) - len(findings)
    return RuleResult(
        rule_id="near_duplicate_check",
        severity=Severity.WARNING,
        checked=len(positions),
        unit="pictures",
        findings=tuple(findings),
        summary=f"{len(findings)} of {len(positions)} pictures are near-copies of an earlier one; {left} differ",
        recommendation=(
            "Export fewer frames a second where the camera stands still. Split by time or by video: near-copies on "
            "two sides of a split make the scores lie."
        ),
        facts={"near_duplicates": len(findings), "different": left, "max_distance": max_distance},
    )


def sample_hashes(dataset: Mapping[str, Any]) -> tuple[tuple[str, ...], Hashes]:
    """Return what :func:`leakage_audit` takes: the sample ids of all frames with a sound picture, and their hashes.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``, with the validation's ``scans``, or all pictures are read again.

    Returns:
        The ids, as :attr:`sam2vlm.annotations.Frame.sample_id`, and uint64 of shape (ids,).
    """
    data = CheckedDataset.of(dataset)
    table, positions = data.table, data.pictures.sound
    frames = table.frames[["video", "index"]][positions].tolist()
    ids = tuple(f"{table.videos[video]}/{index:06d}" for video, index in frames)
    return ids, np.asarray(data.pictures.column("hash")[positions], np.uint64)


def leakage_audit(
    sample_ids: Sequence[str], hashes: Hashes | Sequence[int], splits: Mapping[str, str], *, max_distance: int = 4
) -> RuleResult:
    """Look for near-copies that lie in different splits.

    Args:
        sample_ids: Of the frames that have a picture, ``<video_id>/<frame index>``.
        hashes: Their perceptual hashes, 64 bits each.
        splits: Each sample's split; a sample without one is in none.
        max_distance: Hashes that differ in at most this many bits are near-copies.

    Returns:
        The result of ``leakage_check``: one finding for each sample of a later split (in the order train, val, test,
        then by name) that is a near-copy of one in an earlier split, with the nearest of these.
    """
    values = np.asarray(hashes, np.uint64)
    members: defaultdict[str, list[int]] = defaultdict(list)
    for number, sample_id in enumerate(sample_ids):
        if sample_id in splits:
            members[splits[sample_id]].append(number)
    order = sorted(members, key=lambda name: (SPLIT_ORDER.index(name) if name in SPLIT_ORDER else 3, name))
    findings, leaks = [], {}
    for place, split in enumerate(order[1:], 1):
        own = np.array(members[split])
        earlier = np.array([number for name in order[:place] for number in members[name]])
        found = list(_nearest(values[own], values[earlier], max_distance))
        leaks[split] = len(found)
        for number, other, distance in found:
            sample_id, original = sample_ids[own[number]], sample_ids[earlier[other]]
            (video_id, index), compared_with = _frame_of(sample_id), _frame_of(original)
            message = (
                f"in {split} looks like {original} in {splits[original]}: {distance} of {HASH_BITS} bits of their "
                "hashes differ"
            )
            findings.append(Finding(message, Severity.WARNING, video_id, index, compared_with=compared_with))
    checked = sum(map(len, members.values()))
    return RuleResult(
        rule_id="leakage_check",
        severity=Severity.WARNING,
        checked=checked,
        unit="pictures",
        findings=tuple(findings),
        summary=f"{len(findings)} of {checked} pictures are near-copies of one in an earlier split",
        recommendation=(
            "Split by video where there are several, or widen the gap between the splits: what a model has seen in "
            "training it need not understand."
        ),
        facts={"near_copies": leaks, "pictures": {name: len(members[name]) for name in order}},
    )


def _originals(hashes: Sequence[int], most: int) -> dict[int, tuple[int, int]]:
    """Return for each near-copy the first picture that it is near to, and their distance.

    Two hashes that differ in at most ``most`` bits agree in at least one of ``most + 1`` parts, so only those are
    compared that do.
    """
    parts = _parts(most + 1)
    known: list[defaultdict[int, list[int]]] = [defaultdict(list) for _ in parts]
    found: dict[int, tuple[int, int]] = {}
    for number, value in enumerate(hashes):
        keys = [(value >> shift) & mask for shift, mask in parts]
        near = min(
            (
                other
                for part, key in zip(known, keys, strict=True)
                for other in part.get(key, ())
                if (hashes[other] ^ value).bit_count() <= most
            ),
            default=None,
        )
        if near is not None:
            found[number] = (near, (hashes[near] ^ value).bit_count())
            continue
        for part, key in zip(known, keys, strict=True):
            part[key].append(number)
    return found


def _frame_of(sample_id: str) -> tuple[str, int]:
    video_id, _slash, index = sample_id.rpartition("/")
    return video_id, int(index)


def _parts(count: int) -> list[tuple[int, int]]:
    """Cut 64 bits into parts of nearly equal width: the shift and the mask of each."""
    edges = [HASH_BITS * number // count for number in range(count + 1)]
    return [(low, (1 << (high - low)) - 1) for low, high in itertools.pairwise(edges)]


def _nearest(own: Hashes, others: Hashes, most: int) -> Iterator[tuple[int, int, int]]:
    """Yield those of ``own`` that are near one of ``others``: number, number of the nearest, distance."""
    distinct, first = np.unique(others, return_index=True)
    # By first occurrence, so that of two equally near ones the earlier is named.
    order = np.argsort(first)
    distinct, first = distinct[order], first[order]
    block = max(_BLOCK_PAIRS // max(len(distinct), 1), 1)
    for begin in range(0, len(own), block):
        apart = np.bitwise_count(own[begin : begin + block, None] ^ distinct)
        nearest = apart.argmin(axis=1)
        for row in np.flatnonzero(apart[np.arange(len(apart)), nearest] <= most).tolist():
            yield begin + row, int(first[nearest[row]]), int(apart[row, nearest[row]])
