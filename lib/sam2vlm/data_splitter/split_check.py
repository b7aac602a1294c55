"""Whether a split is sound: nothing empty, nothing twice, sizes and class shares near what was asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sam2vlm.data_splitter.split_config import SPLITS, SplitConfig, SplitStrategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sam2vlm.data_splitter.sample_facts import SampleFacts

__all__ = ["ClassShares", "absence_notes", "check_split", "class_counts", "group_of"]

# Seconds; times are sums and differences of numbers like 1/30.
_ROUNDING = 1e-6

#: Share of a split's samples that show a class, by split and class; ``all`` is the whole.
ClassShares = dict[str, dict[str, float]]


def class_counts(samples: Sequence[SampleFacts]) -> Counter[str]:
    """Return in how many samples each class is."""
    return Counter(label for sample in samples for label in sample.labels)


def group_of(sample: SampleFacts, config: SplitConfig) -> tuple[str, str]:
    """Return the kind and name of what a sample belongs to; a group and a video of one name are two."""
    named = config.groups.get(sample.sample_id, config.groups.get(sample.video_id))
    if named is not None:
        return "group", named
    return ("video", sample.video_id) if config.keeps_groups else ("sample", sample.sample_id)


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
    if config.strategy is SplitStrategy.TEMPORAL:
        _check_gaps(splits, config, found)
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
    if not config.keeps_groups:
        return
    groups = Counter(name for samples in splits.values() for name in {group_of(sample, config) for sample in samples})
    for what in ("group", "video"):
        cut = sorted(name for (kind, name), count in groups.items() if count > 1 and kind == what)
        if cut:
            found.add(f"{len(cut)} {what}s are in more than one split, for example {cut[0]}.", severe=True)


def _check_gaps(splits: Mapping[str, Sequence[SampleFacts]], config: SplitConfig, found: _Findings) -> None:
    """Where videos are cut, the gap is on both sides of a border: nothing across it is nearer than two gaps."""
    times: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for name, samples in splits.items():
        for sample in samples:
            if sample.timestamp_sec is not None:
                times[sample.video_id].append((sample.timestamp_sec, name))
    near = sum(
        here != there and second - first < 2 * config.gap_sec - _ROUNDING
        for moments in times.values()
        for (first, here), (second, there) in pairwise(sorted(moments))
    )
    if near:
        found.add(f"{near} times frames of two splits are nearer than the gaps of {config.gap_sec:g} s.", severe=True)


def _check_sizes(
    splits: Mapping[str, Sequence[SampleFacts]], config: SplitConfig, tolerance: float, found: _Findings
) -> None:
    total = sum(map(len, splits.values()))
    units = Counter(group_of(sample, config) for samples in splits.values() for sample in samples)
    # Nothing smaller than a unit (a sample, or a group that stays whole) can be moved.
    unit = max(units.values()) if config.keeps_groups else 1
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
    off_by = {(name, label): shares[name][label] - whole for label, whole in shares["all"].items() for name in SPLITS}
    beyond = [(name, label) for (name, label), off in off_by.items() if abs(off) > tolerance]
    # Blocks of time and blind choice promise nothing about classes, and whole groups cannot be divided further.
    if beyond and (config.strategy is not SplitStrategy.STRATIFIED or config.keeps_groups):
        labels = ", ".join(repr(label) for label in dict.fromkeys(label for _name, label in beyond))
        found.add(
            f"The shares of {labels} in some split are more than {tolerance:.0%} off those in all samples, which "
            f"{_reason(config)} cannot help.",
            severe=False,
        )
        return
    for name, label in beyond:
        sentence = (
            f"{name}: {label!r} is in {shares[name][label]:.1%} of the samples, in all of them "
            f"{shares['all'][label]:.1%}."
        )
        found.add(sentence, severe=abs(off_by[name, label]) > 1 / len(splits[name]))


def _reason(config: SplitConfig) -> str:
    if config.keeps_groups:
        return "groups that stay whole" if config.groups else "videos that stay whole"
    return "blocks of time" if config.strategy is SplitStrategy.TEMPORAL else "chance"
