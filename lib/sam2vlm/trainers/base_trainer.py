"""Transformers' Trainer with our order of samples, validation loss, checkpoints and answer to a loss of NaN."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed
from transformers import PrinterCallback, Trainer

from sam2vlm.config.device_config import SHARDED_WEIGHTS
from sam2vlm.logs import get_logger
from sam2vlm.modeling.collator import IGNORED
from sam2vlm.modeling.packing import PackedRows
from sam2vlm.trainers.deepspeed import measure_gradients
from sam2vlm.trainers.lean_engine import leave_out_walks
from sam2vlm.trainers.not_finite import names_of_all_ranks, refuse_not_finite
from sam2vlm.trainers.safe_loading import load_values_only, naming_the_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor, nn
    from transformers import PreTrainedModel, TrainerCallback, TrainingArguments

    from sam2vlm.checkpoints import BestModelTracker, Checkpoint, CheckpointManager
    from sam2vlm.modeling.collator import Collator
    from sam2vlm.modeling.packing import PackingCollator
    from sam2vlm.modeling.samples import Samples
    from sam2vlm.trainers.interruption import Interruption
    from sam2vlm.trainers.sampling import StepSampler
    from sam2vlm.trainers.window import FiguresWindow

__all__ = ["BaseTrainer"]

TRAINER_STATE = "trainer_state.json"
# DeepSpeed copies programs of its own into every checkpoint; nothing of ours runs what lies in a run.
NOT_DATA = "*.py"


class BaseTrainer(Trainer):
    """The part that does not depend on which weights are trained; :meth:`save_weights` does.

    Args:
        model: The model to train.
        args: Transformers' arguments, with DeepSpeed's configuration.
        train_samples: What is trained on.
        val_samples: What the validation loss is measured on; None measures none.
        collator: Makes batches.
        sampler: The order of the training samples, or of rows of them.
        checkpoints: Where checkpoints go.
        tracker: Follows the validation loss.
        window: The figures since the last logged line.
        interruption: Whether the run was asked to stop, which leaves its last checkpoint incomplete.
        callbacks: In the order they are called.
        packing: Makes batches of the rows that are trained on; None where the sampler gives single samples. The
            validation loss is measured sample by sample either way.
    """

    def __init__(
        self,
        *,
        model: PreTrainedModel | nn.Module,
        args: TrainingArguments,
        train_samples: Samples,
        val_samples: Samples | None,
        collator: Collator,
        sampler: StepSampler,
        checkpoints: CheckpointManager,
        tracker: BestModelTracker,
        window: FiguresWindow,
        interruption: Interruption,
        callbacks: list[TrainerCallback],
        packing: PackingCollator | None = None,
    ) -> None:
        self._sampler = sampler
        self._collator = collator
        self._train_samples, self._val_samples = train_samples, val_samples
        self._checkpoints = checkpoints
        self._tracker = tracker
        self._window = window
        self._interruption = interruption
        self._log = get_logger("trainer")
        super().__init__(
            model=model,
            args=args,
            data_collator=packing or collator,
            train_dataset=PackedRows(train_samples) if packing else train_samples,
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)
        # Qwen's and Gemma's classes say that they do not divide their loss by the answers' tokens of the whole step,
        # and then every batch weighs alike whatever it holds, so that the number of ranks changes the training. They
        # hand the number on to the same loss as the others do; tests/integration/test_train_families.py shows it.
        self.model_accepts_loss_kwargs = True

    def resume_or_start(self, checkpoint: Checkpoint | None) -> None:
        """Train to the end, from a checkpoint where there is one.

        Raises:
            DataError: A file of the checkpoint holds something else than values.
        """
        load_values_only()
        if checkpoint is None:
            self.train()
            return
        self._tracker.restore(checkpoint.manifest.state["tracker"])
        self._window.restore(checkpoint.manifest.state, last_loss=checkpoint.manifest.loss)
        with naming_the_checkpoint(checkpoint):
            self.train(resume_from_checkpoint=str(checkpoint.folder))

    @property
    def finished(self) -> bool:
        """Whether training has come to its own end, not to that of a signal that came at another step."""
        own_end = self.state.global_step >= self.state.max_steps or self._tracker.exhausted
        return own_end or not self._interruption.agreed

    def save_weights(self, folder: Path) -> None:
        """Write what is trained into a checkpoint. Called on every rank."""
        raise NotImplementedError

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Run one forward and backward pass.

        Raises:
            DataError: The loss is not finite; the samples are named.
        """
        numbers, shape = inputs.pop("sample_numbers"), inputs["input_ids"].shape
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        batch = [self._train_samples.encoded[number] for number in numbers.tolist()]
        names = [item.target.sample_id for item in batch]
        self._refuse(loss.item(), what="loss", field="loss", step=self.state.global_step + 1, names=names)
        self._window.take_batch(names, useful=sum(item.length for item in batch), padded=shape.numel())
        return loss

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Measure the loss a token of the answers over the validation samples; every rank takes its share.

        The Trainer's own averages the means of batches, which changes with the batch size.

        Raises:
            DataError: The loss is not finite; the samples of each rank's first such batch are named.
        """
        del eval_dataset, ignore_keys
        sums = torch.zeros(2, dtype=torch.float64, device=self.args.device)
        model: Any = self.model
        parts: list[tuple[list[str], Tensor]] = []
        model.eval()
        with torch.no_grad():
            for names, batch in self._val_batches():
                tokens = (batch["labels"][:, 1:] != IGNORED).sum()
                loss = model(**batch).loss.double()
                part = torch.stack([loss * tokens if tokens else torch.zeros_like(loss), tokens.double()])
                parts.append((names, part))
                sums += part
        model.train()
        if self.args.world_size > 1:
            distributed.all_reduce(sums)
        metrics = {f"{metric_key_prefix}_loss": (sums[0] / sums[1]).item()}
        self._refuse_validation(metrics[f"{metric_key_prefix}_loss"], parts)
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return 0: the Trainer's own walks over all modules at every step, for a figure nobody reads."""
        del inputs
        return 0

    def store_flos(self) -> None:
        """Add nothing, see above, where the Trainer's own has the ranks exchange it at every step."""
        self.state.total_flos += self.current_flos

    def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
        prepared = super()._prepare_for_training(*args, **kwargs)  # type: ignore[no-untyped-call]  # so it is there
        measure_gradients(self.deepspeed)
        leave_out_walks(self.deepspeed)
        return prepared

    def _get_train_sampler(self, train_dataset: Any = None) -> StepSampler:
        del train_dataset
        return self._sampler

    def _refuse_validation(self, loss: float, parts: list[tuple[list[str], Tensor]]) -> None:
        # The sums are the ranks' own, so all of them come here or none does.
        if not math.isfinite(loss):
            names = next((names for names, part in parts if not torch.isfinite(part).all()), [])
            self._refuse(
                loss,
                what="validation loss",
                field="eval_loss",
                step=self.state.global_step,
                names=names_of_all_ranks(names),
            )

    def _refuse(self, value: float, **place: Any) -> None:
        refuse_not_finite(value, checkpoints=self._checkpoints, **place)

    def _val_batches(self) -> Iterator[tuple[list[str], dict[str, Any]]]:
        samples, size = self._val_samples, self.args.per_device_eval_batch_size
        assert samples is not None  # noqa: S101  told to mypy; evaluations are only asked for where there are samples
        by_length = sorted(range(len(samples)), key=lambda number: samples.lengths[number])
        batches = [by_length[start : start + size] for start in range(0, len(by_length), size)]
        rank, world = self.args.process_index, self.args.world_size
        for first in range(0, len(batches), world):
            # A rank without a batch of its own goes along with the last one and counts nothing of it: at stage 3
            # every forward pass is an exchange, and the others would wait for ever.
            mine = first + rank
            numbers = batches[min(mine, len(batches) - 1)]
            batch = self._collator([samples[number] for number in numbers])
            del batch["sample_numbers"]
            if mine >= len(batches):
                batch["labels"] = torch.full_like(batch["labels"], IGNORED)
            names = [samples.encoded[number].target.sample_id for number in numbers]
            yield names, self._prepare_inputs(batch)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a checkpoint the way :mod:`sam2vlm.checkpoints` wants it: staged, checked, sealed, renamed.

        Whatever fails leaves the checkpoints before it as they were.
        """
        del model, trial
        step = self.state.global_step
        self._window.settle()
        try:
            self._write_checkpoint(step, self._checkpoints.stage(step))
        except Exception:
            self._checkpoints.discard(step)
            raise

    def _write_checkpoint(self, step: int, staged: Path) -> None:
        with self._all_ranks():
            if self.is_world_process_zero():
                self._checkpoints.discard(step)
                staged.mkdir(parents=True)
        with self._all_ranks():
            self.save_weights(staged)
            self._save_optimizer_and_scheduler(str(staged))
            self._save_rng_state(str(staged))
        with self._all_ranks():
            if self.is_world_process_zero():
                self._seal(step, staged)

    def _seal(self, step: int, staged: Path) -> None:
        self.state.save_to_json(str(staged / TRAINER_STATE))
        for program in staged.glob(NOT_DATA):
            program.unlink()
        best = self._tracker.best_step
        checkpoint = self._checkpoints.commit(
            step,
            required=self._files_of_all_ranks(staged),
            keep=best,
            epoch=round(self.state.epoch or 0.0, 6),
            loss=self._window.last_loss,
            metric=self._tracker.last_value if self._tracker.last_step == step else None,
            complete=self.control.should_training_stop and self.finished,
            state={"tracker": self._tracker.state(), **self._window.state()},
        )
        self._log.info("checkpoint_saved", folder=checkpoint.folder.name, step=step, best_step=best)

    def _files_of_all_ranks(self, staged: Path) -> list[str]:
        """Name what every rank has to have written; DeepSpeed's names are those of 0.19."""
        world, tag = self.args.world_size, (staged / "latest").read_text(encoding="utf-8").strip()
        names = ["latest", TRAINER_STATE]
        names += [f"rng_state_{rank}.pth" for rank in range(world)] if world > 1 else ["rng_state.pth"]
        engine: Any = self.deepspeed
        if engine.zero_optimization_stage() < SHARDED_WEIGHTS:
            names.append(f"{tag}/mp_rank_00_model_states.pt")
        else:
            names += [f"{tag}/zero_pp_rank_{rank}_mp_rank_00_model_states.pt" for rank in range(world)]
        if engine.zero_optimization_stage() > 0:
            prefix = "bf16_" if engine.bfloat16_enabled() else ""
            names += [f"{tag}/{prefix}zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in range(world)]
        return names

    @contextlib.contextmanager
    def _all_ranks(self) -> Iterator[None]:
        """Leave the block together."""
        yield
        if self.args.world_size > 1:
            distributed.barrier()
