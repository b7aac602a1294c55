"""What the splitters have in common."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, TypeVar

from sam2vlm.data_splitter.sample_facts import SampleFacts, facts_of
from sam2vlm.data_splitter.split_check import absence_notes, check_split
from sam2vlm.data_splitter.split_config import SPLITS, SplitConfig, SplitResult
from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Assignment", "Splitter", "exact_sizes"]

Sample = TypeVar("Sample")
#: For each split its samples; dropped ones stand under their reason.
Assignment = dict[str, list[SampleFacts]]


class Splitter(abc.ABC):
    """Splits samples into train, val and test.

    Equal samples and equal settings give equal splits, in any order of the input, on any machine.

    Args:
        config: How; the defaults where None.
    """

    def __init__(self, config: SplitConfig | None = None) -> None:
        self.config = config or SplitConfig()

    def split(self, samples: Sequence[Sample]) -> SplitResult[Sample]:
        """Split.

        Args:
            samples: Mappings or objects, see :func:`sam2vlm.data_splitter.sample_facts.facts_of`.

        Raises:
            DataError: A split would be empty, or the samples are not fit to be split.
        """
        facts = facts_of(samples, same_video=self.config.same_video)
        if len(facts) < len(SPLITS):
            raise DataError(
                "a split would be empty", field="samples", expected=f"at least {len(SPLITS)} frames", found=len(facts)
            )
        chosen_splitter, why = self._chosen(facts)
        assigned, notes = chosen_splitter._assign(facts)  # noqa: SLF001  of the same kind as self, mostly self
        splits = {name: assigned[name] for name in SPLITS}
        reasons = {name: found for name, found in assigned.items() if name not in SPLITS and found}
        chosen = {
            name: _picked(samples, [item.position for item in _in_order(found)]) for name, found in assigned.items()
        }
        return SplitResult(
            **{name: chosen[name] for name in SPLITS},
            config=chosen_splitter.config,
            dropped={name: chosen[name] for name in reasons},
            notes=(*why, *notes, *_dropped_notes(reasons), *absence_notes(splits)),
        )

    def validate_split(
        self, train: Sequence[Any], val: Sequence[Any], test: Sequence[Any], tolerance: float = 0.05
    ) -> dict[str, Any]:
        """Check a split; see :func:`sam2vlm.data_splitter.split_check.check_split` for what comes back.

        Args:
            train: Samples.
            val: Samples.
            test: Samples.
            tolerance: By how much sizes and class shares may differ, as a share.

        Raises:
            SettingsError: The tolerance is not between 0 and 1.
        """
        if not 0 <= tolerance <= 1:
            raise SettingsError("out of range", field="tolerance", expected="0 to 1", found=tolerance)
        same = self.config.same_video
        splits = {
            name: facts_of(samples, same_video=same) for name, samples in zip(SPLITS, (train, val, test), strict=True)
        }
        chosen, _why = self._chosen([sample for samples in splits.values() for sample in samples])
        return check_split(splits, chosen.config, tolerance=tolerance)

    def _chosen(self, samples: list[SampleFacts]) -> tuple[Splitter, list[str]]:  # noqa: ARG002  for those that choose
        """Return the splitter that does the work, and why this one."""
        return self, []

    @abc.abstractmethod
    def _assign(self, samples: list[SampleFacts]) -> tuple[Assignment, list[str]]:
        """Return where each sample goes and what is worth a note; no split may be empty."""


def exact_sizes(total: int, ratios: Sequence[float]) -> list[int]:
    """Return whole sizes that add up to the total and are as near to the ratios as can be, none of them 0.

    The largest remainders are rounded up (Hamilton's method); at equal ones the earlier split wins.

    Args:
        total: At least as many as there are ratios.
        ratios: Adding up to 1.
    """
    sizes = [int(total * ratio + 1e-9) for ratio in ratios]
    by_remainder = sorted(range(len(ratios)), key=lambda place: (sizes[place] - total * ratios[place], place))
    for place in by_remainder[: total - sum(sizes)]:
        sizes[place] += 1
    while 0 in sizes:
        sizes[sizes.index(max(sizes))] -= 1
        sizes[sizes.index(0)] += 1
    return sizes


def _in_order(found: list[SampleFacts]) -> list[SampleFacts]:
    return sorted(found, key=lambda item: (item.video_id, item.frame_index, item.sample_id))


def _picked(samples: Sequence[Sample], positions: list[int]) -> Sequence[Sample]:
    # Frames on the disk are not brought into memory by being chosen.
    view = getattr(samples, "view", None)
    return [samples[position] for position in positions] if view is None else view(positions)


def _dropped_notes(reasons: Assignment) -> list[str]:
    return [f"{len(found)} samples are in no split ({name})." for name, found in sorted(reasons.items())]
