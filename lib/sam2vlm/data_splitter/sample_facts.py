"""What the splitters look at in a sample, whatever form it has."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import digest_of_value
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["SampleFacts", "facts_of", "rank"]


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """One sample.

    Attributes:
        position: In the caller's sequence.
        sample_id: Unique.
        named: Whether the id is the sample's own.
        labels: All of its classes.
        video_id: Empty where the sample tells none.
        frame_index: 0 where the sample tells none.
        timestamp_sec: None where the sample tells none.
    """

    position: int
    sample_id: str
    named: bool
    labels: frozenset[str]
    video_id: str
    frame_index: int
    timestamp_sec: float | None


def facts_of(samples: Sequence[Any], *, same_video: Mapping[str, str] | None = None) -> list[SampleFacts]:
    """Read the facts of mappings or objects, sorted by video, frame index and id: the input's order is forgotten.

    A sample has ``sample_id`` (or ``id``), ``labels`` (or ``annotations``, ``objects`` or
    ``visible_objects`` that have a ``label`` each), ``video_id``, ``frame_index`` and ``timestamp_sec``. Where
    the id is missing, the digest of a sample that is plain JSON serves, and its position where it is not.

    Args:
        samples: Mappings or objects.
        same_video: Ids of videos that are taken to be another one, each with that one's id.

    Raises:
        DataError: Two samples have one id, or a field is of the wrong type.
    """
    # Few sets of labels and few videos for many samples: each is kept once.
    shared: dict[Any, Any] = {}
    found = [_facts(position, sample, shared) for position, sample in enumerate(samples)]
    seen: dict[str, int] = {}
    copies: Counter[str] = Counter()
    for number, facts in enumerate(found):
        if facts.sample_id not in seen:
            seen[facts.sample_id] = facts.position
        elif facts.named:
            raise DataError(
                "two samples have one id",
                field=f"samples[{facts.position}].sample_id",
                expected="unique ids",
                found=f"{facts.sample_id}, also samples[{seen[facts.sample_id]}]",
            )
        else:
            # Equal samples without ids of their own: it does not matter which of them is which.
            copies[facts.sample_id] += 1
            found[number] = replace(facts, sample_id=f"{facts.sample_id}#{copies[facts.sample_id]}")
    if same_video:
        found = [replace(facts, video_id=same_video.get(facts.video_id, facts.video_id)) for facts in found]
    return sorted(found, key=lambda facts: (facts.video_id, facts.frame_index, facts.sample_id))


def rank(seed: int, name: str) -> bytes:
    """Return a sort key that is as good as random, and the same on any machine."""
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def _facts(position: int, sample: Any, shared: dict[Any, Any]) -> SampleFacts:
    stamp = _field(sample, "timestamp_sec")
    sample_id, named = _id(position, sample)
    try:
        labels = frozenset(_labels(sample))
        video_id = str(_field(sample, "video_id") or "")
        return SampleFacts(
            position=position,
            sample_id=sample_id,
            named=named,
            labels=shared.setdefault(labels, labels),
            video_id=shared.setdefault(video_id, video_id),
            frame_index=int(_field(sample, "frame_index") or 0),
            timestamp_sec=None if stamp is None else float(stamp),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"cannot be split: {error}", field=f"samples[{position}]") from None


def _field(sample: Any, name: str) -> Any:
    return sample.get(name) if isinstance(sample, Mapping) else getattr(sample, name, None)


def _id(position: int, sample: Any) -> tuple[str, bool]:
    """Return a sample's id, and whether it is the sample's own."""
    for name in ("sample_id", "id"):
        value = _field(sample, name)
        if value is not None:
            return str(value), True
    try:
        return digest_of_value(sample), False
    except (TypeError, ValueError):
        return f"#{position:09d}", False


def _labels(sample: Any) -> Iterable[str]:
    labels = _field(sample, "labels")
    if labels is not None:
        if isinstance(labels, str):
            raise TypeError("labels is a string, not a list of strings")
        return [str(label) for label in labels]
    for name in ("visible_objects", "annotations", "objects"):
        items = _field(sample, name)
        if items is not None:
            return [str(_field(item, "label")) for item in items if _field(item, "label") is not None]
    return []
