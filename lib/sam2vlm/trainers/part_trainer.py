"""Learning rates of parts of a model that have their own, whatever is trained in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.trainers.base_trainer import BaseTrainer
from sam2vlm.trainers.parameter_groups import parameter_groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

__all__ = ["PartTrainer"]


class PartTrainer(BaseTrainer):
    """Makes the optimizer.

    Args:
        rates: Learning rates of parts of the model that have their own; see
            :func:`sam2vlm.trainers.parameter_groups.part_rates`.
        others: Of :class:`BaseTrainer`.
    """

    def __init__(self, *, rates: Mapping[tuple[str, ...], float] | None = None, **others: Any) -> None:
        self._rates = rates or {}
        super().__init__(**others)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Make AdamW; where parts have rates of their own, with a group for each."""
        if self.optimizer is None and self._rates:
            trained: Any = self.model if model is None else model
            groups = parameter_groups(
                trained,
                self._rates,
                learning_rate=self.args.learning_rate,
                weight_decay=self.args.weight_decay,
                decayed=set(self.get_decay_parameter_names(trained)),
            )
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, trained)
            self.optimizer = kind(groups, **options)
        return super().create_optimizer(model)
