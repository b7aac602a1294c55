"""A figure that is no finite number: the run stops, says at which samples, and keeps the checkpoint before it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import distributed

from sam2vlm.errors import DataError
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.checkpoints import CheckpointManager

__all__ = ["names_of_all_ranks", "refuse_not_finite"]

#: Samples that the sentence names; Kubernetes keeps 4,096 letters of it, and a packed step has thousands of samples.
NAMED = 16


def refuse_not_finite(
    value: float, *, what: str, field: str, step: int, names: Sequence[str], checkpoints: CheckpointManager
) -> None:
    """Do nothing for a finite number.

    Args:
        value: The figure.
        what: Its name in a sentence.
        field: Its name in the run's files.
        step: The optimizer step it belongs to; 0 is before training.
        names: The ids of the samples that it was computed from.
        checkpoints: Of the run; none was written since the figure went wrong.

    Raises:
        DataError: It is not finite; step, samples and the checkpoint that is there are named. Of many samples the
            sentence names the first ones, and an event ``not_finite`` all.
    """
    if math.isfinite(value):
        return
    kept = checkpoints.steps()
    left = f"the checkpoint of step {max(kept)} is kept" if kept else "there is no checkpoint before it"
    when = f"at step {step}" if step else "before the first step"
    advice = "lower the learning rate or look at these samples" if step else "look at the model and at these samples"
    # The last step of an epoch is filled up with its first samples, so one may come twice.
    samples = list(dict.fromkeys(names))
    shown = ", ".join(samples[:NAMED])
    if len(samples) > NAMED:
        shown += f" and {len(samples) - NAMED} more, which the log names"
        get_logger("trainer").warning("not_finite", step=step, field=field, samples=samples)
    raise DataError(
        f"the {what} is not finite {when}; {advice}; {left}",
        source=shown or None,
        field=field,
        expected="a finite number",
        found=value,
    )


def names_of_all_ranks(names: Sequence[str]) -> list[str]:
    """Return the ranks' samples joined. Every rank has to call it at the same step."""
    if not (distributed.is_initialized() and distributed.get_world_size() > 1):
        return list(names)
    gathered: list[list[str]] = [[] for _ in range(distributed.get_world_size())]
    distributed.all_gather_object(gathered, list(names))
    return [name for of_rank in gathered for name in of_rank]
