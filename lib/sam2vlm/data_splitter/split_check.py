"""Whether a split is sound: nothing empty, nothing twice, sizes and class shares near what was asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sam2vlm.data_splitter.split_config import SPLITS, SplitConfig, SplitStrategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sam2vlm.data_splitter.sample_facts import SampleFacts

__all__ = ["ClassShares", "absence_notes", "check_split", "class_counts"]

#: Share of a split's samples that show a class, by split and class; ``all`` is the whole.
ClassShares = dict[str, dict[str, float]]


def class_counts(samples: Sequence[SampleFacts]) -> Counter[str]:
    """Return in how many samples each class is."""
    return Counter(label for sample in samples for label in sample.labels)


def absence_notes(splits: Mapping[str, Sequence[SampleFacts]]) -> tuple[str, ...]:
    """Return one sentence for each class that is not in every split."""
    counts = {name: class_counts(samples) for name, samples in splits.items()}
    whole = sum(counts.values(), Counter[str]())
    return tuple(_absence(label, whole[label], counts) for label in sorted(whole) if _missing(label, counts))


def _missing(label: str, counts: Mapping[str, Counter[str]]) -> list[str]:
    return [name for name, counted in counts.items() if not counted[label]]


def _absence(label: str, total: int, counts: Mapping[str, Counter[str]]) -> str:
    where = " and ".join(_missing(label, counts))
    samples = "1 sample" if total == 1 else f"{total} samples"
    rare = ", too rare for every split," if total < len(SPLITS) else ""
    return f"The class {label!r} ({samples}){rare} is absent from {where}."


@dataclass
class _Findings:
    issues: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, sentence: str, *, severe: bool) -> None:
        (self.issues if severe else self.notes).append(sentence)


def check_split(
    splits: Mapping[str, Sequence[SampleFacts]], config: SplitConfig, *, tolerance: float
) -> dict[str, Any]:
    """Check a split.

    Args:
        splits: The samples of train, val and test.
        config: What was asked for.
        tolerance: By how much sizes and class shares may differ, as a share.

    Returns:
        ``is_valid``; ``issues``, why it is not; ``notes``, what cannot be better with these counts or with
        this strategy; ``class_shares``, see :data:`ClassShares`.
    """
    found = _Findings()
    _check_presence(splits, found)
    _check_overlap(splits, config, found)
    shares = _class_shares(splits)
    if all(splits.values()):
        _check_sizes(splits, config, tolerance, found)
        _check_shares(splits, shares, config, tolerance, found)
    found.notes += absence_notes(splits)
    return {"is_valid": not found.issues, "issues": found.issues, "notes": found.notes, "class_shares": shares}


def _check_presence(splits: Mapping[str, Sequence[SampleFacts]], found: _Findings) -> None:
    for name, samples in splits.items():
        if not samples:
            found.add(f"{name} is empty.", severe=True)


def _check_overlap(splits: Mapping[str, Sequence[SampleFacts]], config: SplitConfig, found: _Findings) -> None:
    # Samples without ids of their own may be equal and yet two.
    ids = Counter(sample.sample_id for samples in splits.values() for sample in samples if sample.named)
    twice = sorted(name for name, count in ids.items() if count > 1)
    if twice:
        found.add(f"{len(twice)} samples occur more than once, for example {twice[0]}.", severe=True)
    if not config.by_video:
        return
    videos = Counter(video for samples in splits.values() for video in {sample.video_id for sample in samples})
    cut = sorted(name for name, count in videos.items() if count > 1)
    if cut:
        found.add(f"{len(cut)} videos are in more than one split, for example {cut[0]}.", severe=True)


def _check_sizes(
    splits: Mapping[str, Sequence[SampleFacts]], config: SplitConfig, tolerance: float, found: _Findings
) -> None:
    total = sum(map(len, splits.values()))
    videos = Counter(sample.video_id for samples in splits.values() for sample in samples)
    # Nothing smaller than a unit (a sample, or a video that stays whole) can be moved.
    unit = max(videos.values()) if config.by_video else 1
    for name, ratio in zip(SPLITS, config.ratios, strict=True):
        share = len(splits[name]) / total
        if abs(share - ratio) > tolerance:
            sentence = (
                f"{name} has {len(splits[name])} of {total} samples ({share:.1%}) where {ratio:.1%} were asked for."
            )
            found.add(sentence, severe=abs(share - ratio) > unit / total)


def _class_shares(splits: Mapping[str, Sequence[SampleFacts]]) -> ClassShares:
    whole = [sample for samples in splits.values() for sample in samples]
    labels = sorted(class_counts(whole))
    shares: ClassShares = {}
    for name, samples in {**splits, "all": whole}.items():
        counts = class_counts(samples)
        shares[name] = {label: counts[label] / len(samples) if samples else 0.0 for label in labels}
    return shares


def _check_shares(
    splits: Mapping[str, Sequence[SampleFacts]],
    shares: ClassShares,
    config: SplitConfig,
    tolerance: float,
    found: _Findings,
) -> None:
    # Blocks of time and blind choice promise nothing about classes, and whole videos cannot be divided further.
    promised = config.strategy is SplitStrategy.STRATIFIED and not config.by_video
    for name in SPLITS:
        for label, whole in shares["all"].items():
            off = abs(shares[name][label] - whole)
            if off > tolerance:
                sentence = (
                    f"{name}: {label!r} is in {shares[name][label]:.1%} of the samples, in all of them {whole:.1%}."
                )
                found.add(sentence, severe=promised and off > 1 / len(splits[name]))
