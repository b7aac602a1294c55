"""A plan fitted to a dataset: what only the whole of it tells, found without keeping any frame."""

from __future__ import annotations

import dataclasses
from array import array
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.instructions.general_data import GeneralFrame
from sam2vlm.data_converter.instructions.mixture import Tally, answer_key
from sam2vlm.data_converter.instructions.picture_tasks import visible_objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.instructions.mixture import InstructionMix

__all__ = ["MixFacts", "fit_mix"]


@dataclasses.dataclass(frozen=True, slots=True)
class MixFacts:
    """What a plan does to a dataset.

    Attributes:
        left_out: Questions that are not asked, by reason: ``same_answer``, ``nothing_to_ask``, ``no_short_outline``.
        outlines: Of the polygons that are asked for: ``count``, ``mean_iou`` and ``min_iou`` with their masks,
            ``most_points``; empty where there are none.
        conversations: By split, before any is left out for its answer.
    """

    left_out: Mapping[str, int]
    outlines: Mapping[str, Any]
    conversations: Mapping[str, int]


def fit_mix(mix: InstructionMix, splits: Mapping[str, Iterable[Frame]]) -> tuple[InstructionMix, MixFacts]:
    """Return the plan with its vocabulary and its caps, and what they do.

    Args:
        mix: Not fitted.
        splits: The frames of each split; gone through once, or twice for the vocabulary.

    Raises:
        DataError: A label is no Unicode text.
    """
    if "absent" in mix.tasks:
        mix = dataclasses.replace(mix, vocabulary=_vocabulary(splits))
    tally = Tally()
    # By task and answer the lots of its conversations, as plain numbers: most answers come once.
    lots: defaultdict[str, dict[bytes, array[float]]] = defaultdict(dict)
    asked: dict[str, int] = {}
    for split, frames in splits.items():
        asked[split] = 0
        for frame in frames:
            if isinstance(frame, GeneralFrame):
                continue
            items, seen = mix.for_frame(frame, tally), visible_objects(frame)
            asked[split] += len(items)
            for place, item in enumerate(items):
                same = lots[item.task].setdefault(answer_key(item, seen), array("d"))
                same.append(mix.lot(frame.sample_id, place))
    left_out, kept_below = Counter(tally.left_out), {}
    for answers in lots.values():
        limit = max(1, int(mix.max_same_answer * sum(map(len, answers.values()))))
        for key, same in answers.items():
            if len(same) > limit:
                kept_below[key] = sorted(same)[limit - 1]
                left_out["same_answer"] += len(same) - limit
    mix = dataclasses.replace(mix, kept_below=kept_below)
    return mix, MixFacts(dict(sorted(left_out.items())), _outline_facts(tally), asked)


def _vocabulary(splits: Mapping[str, Iterable[Frame]]) -> tuple[str, ...]:
    labels: set[str] = set()
    for frames in splits.values():
        for frame in frames:
            labels.update(item.label for item in frame.objects if item.label.strip())
    return tuple(sorted(labels))


def _outline_facts(tally: Tally) -> dict[str, Any]:
    if not tally.outline_ious:
        return {}
    return {
        "count": len(tally.outline_ious),
        "mean_iou": round(sum(tally.outline_ious) / len(tally.outline_ious), 4),
        "min_iou": round(min(tally.outline_ious), 4),
        "most_points": max(tally.outline_points),
    }
