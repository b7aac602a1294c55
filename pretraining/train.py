"""The run: first the tower alone by its auxiliary loss, then everything together on shapes, then on scenes.

The tower alone is three times cheaper a picture (120 against 35 pictures a second), and the language model has nothing
to learn from it until it sees. Scenes come last, when finding is learnt: they teach to tell things apart.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pretraining.auxiliary import PatchHeads, SceneHeads
from pretraining.batches import Batch, Batches, Conversations
from pretraining.evaluate import evaluate
from pretraining.folders import write_model, write_state
from pretraining.losses import LanguageLoss, joint_loss, tower_loss
from pretraining.model import TOWER_WIDTH, build_model, build_processor
from pretraining.muon import Muon
from pretraining.scenes import draw_scene
from pretraining.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

# Dimensions of a matrix.
_MATRIX = 2

Loss = Callable[[Batch], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Plan:
    """What a run is: everything that its weights depend on, apart from the versions of the libraries.

    ``matrix_rate`` and ``other_rate`` are the highest learning rates of Muon (the matrices of the layers) and of AdamW
    (embeddings, norms, biases, heads); Muon's is its authors', AdamW's and the rest were found by short trials. The
    scenes take ``scene_share`` of them.
    """

    seed: int = 0
    tower_steps: int = 2400
    tower_batch: int = 64
    steps: int = 1020
    span: int = 1800
    cool_steps: int = 450
    batch: int = 48
    easy_steps: int = 300
    scene_steps: int = 2100
    scene_share: float = 0.5
    scene_cool_steps: int = 700
    matrix_rate: float = 0.02
    other_rate: float = 2e-3
    decay: float = 0.01
    warm_up: int = 60
    clip: float = 1.0


@dataclass(frozen=True)
class Watch:
    """Where and how often a run reports; none of it changes the weights. Times in seconds, 0 for never."""

    snapshot: Path
    state: Path
    log: Path
    log_steps: int = 50
    snapshot_every: float = 180.0
    score_every: float = 420.0
    score_pictures: int = 100
    workers: int = 1


class Run:
    """One pre-training, from its plan; ``resume`` takes up the state of an interrupted one to the same end."""

    def __init__(self, plan: Plan, watch: Watch) -> None:
        self.plan, self.watch = plan, watch
        self.tokenizer = train_tokenizer(plan.seed)
        self.processor = build_processor(self.tokenizer)
        self.model = build_model(self.tokenizer, plan.seed)
        self.heads = PatchHeads(TOWER_WIDTH)
        self._language = LanguageLoss(self.tokenizer)
        self._optimizers = self._build_optimizers()
        self._among_scenes = False
        self._step = 0
        self._scores: dict[str, object] = {}
        self._began = self._saved = self._scored = time.monotonic()
        self._before = 0.0

    def _build_optimizers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        """Muon and AdamW, each with two groups of parameters: the tower with its heads, then the rest."""
        tower = [*self.model.model.vision_tower.named_parameters(), *self.heads.named_parameters()]
        known = {id(parameter) for _, parameter in tower}
        rest = [(name, item) for name, item in self.model.named_parameters() if id(item) not in known]
        groups = [[item for name, item in part if _is_matrix(name, item)] for part in (tower, rest)]
        others = [[item for name, item in part if not _is_matrix(name, item)] for part in (tower, rest)]
        return (
            Muon([{"params": part} for part in groups], lr=self.plan.matrix_rate, weight_decay=self.plan.decay),
            torch.optim.AdamW(
                [{"params": part} for part in others],
                lr=self.plan.other_rate,
                betas=(0.9, 0.98),
                weight_decay=self.plan.decay,
                fused=True,
            ),
        )

    def resume(self) -> None:
        """Continue from the state file, if there is one, of the same plan."""
        if not self.watch.state.exists():
            return
        state = torch.load(self.watch.state, weights_only=True)
        if state["plan"] != asdict(self.plan):
            raise ValueError(f"{self.watch.state} belongs to another plan: {state['plan']}, not {asdict(self.plan)}")
        if state["step"] > self._shape_steps:
            self._turn_to_scenes()
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self._step, self._before = state["step"], state["seconds"]

    @property
    def _shape_steps(self) -> int:
        return self.plan.tower_steps + self.plan.steps

    def _turn_to_scenes(self) -> None:
        """Give the tower the heads of the scenes, and forget the momentum of what it did before."""
        if not self._among_scenes:
            self._among_scenes = True
            torch.manual_seed(self.plan.seed)
            self.heads = SceneHeads(TOWER_WIDTH, self.heads)
            self._optimizers = self._build_optimizers()

    @property
    def seconds(self) -> float:
        """Wall time of the run until now, that before its interruptions included."""
        return self._before + time.monotonic() - self._began

    def train(self) -> None:
        """All phases, to the end of the plan."""
        plan, conversations = self.plan, Conversations(self.tokenizer)
        drawn = plan.tower_steps * plan.tower_batch
        first = Batches(conversations, seed=plan.seed, first=0, size=plan.tower_batch, steps=plan.tower_steps)
        second = Batches(
            conversations, seed=plan.seed, first=drawn, size=plan.batch, steps=plan.steps, easy=plan.easy_steps
        )
        self._phase(first, 0, lambda batch: tower_loss(self.model, self.heads, batch))
        third = Batches(
            conversations,
            seed=plan.seed,
            first=drawn + plan.steps * plan.batch,
            size=plan.batch,
            steps=plan.scene_steps,
            draw=draw_scene,
        )
        self._phase(second, plan.tower_steps, self._joint)
        self._turn_to_scenes()
        self._phase(third, self._shape_steps, self._joint)

    def _joint(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        return joint_loss(self.model, self.heads, self._language, batch)

    def _phase(self, batches: Batches, offset: int, loss: Loss) -> None:
        """The steps of one phase that are still to do; ``offset`` is the number of steps before it."""
        if self._step >= offset + len(batches):
            return
        began, begun = time.monotonic(), self._step
        for batch in batches.after(self._step - offset, self.watch.workers):
            parts = self._advance(batch, loss)
            self._step += 1
            if self._step % self.watch.log_steps == 0:
                rate = (self._step - begun) * len(batch.tokens) / (time.monotonic() - began)
                self._report({"step": self._step, "pictures_per_second": round(rate, 1), **parts})
                began, begun = time.monotonic(), self._step
            self._watch()

    def _advance(self, batch: Batch, loss: Loss) -> dict[str, float]:
        shares = rate_shares(self.plan, self._step)
        total, parts = loss(batch)
        total.backward()  # type: ignore[no-untyped-call]
        for optimizer, highest in zip(self._optimizers, (self.plan.matrix_rate, self.plan.other_rate), strict=True):
            for group, share in zip(optimizer.param_groups, shares, strict=True):
                group["lr"] = highest * share
                nn.utils.clip_grad_norm_(group["params"], self.plan.clip)
            optimizer.step()
            optimizer.zero_grad()
        return {name: round(value, 4) for name, value in parts.items()}

    def _report(self, line: Mapping[str, object]) -> None:
        with self.watch.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def _watch(self) -> None:
        """Score and save when it is time."""
        now = time.monotonic()
        if self._step > self.plan.tower_steps and 0 < self.watch.score_every <= now - self._scored:
            self._scored = now
            self._scores = asdict(evaluate(self.model, self.tokenizer, self.watch.score_pictures))
            self._report({"step": self._step, **self._scores})
        if 0 < self.watch.snapshot_every <= now - self._saved:
            self._saved = now
            self.save()

    def save(self) -> None:
        """Write the model's folder as it is now, and the state to continue from."""
        write_model(self.watch.snapshot, self.model, self.processor, {"step": self._step, **self._scores})
        write_state(
            self.watch.state,
            {
                "plan": asdict(self.plan),
                "step": self._step,
                "seconds": self.seconds,
                "model": self.model.state_dict(),
                "heads": self.heads.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            },
        )


def _is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon takes it: the matrices of the layers, not embeddings (rows of a table) nor the heads on top."""
    return parameter.dim() == _MATRIX and ("layers." in name or "projector" in name)


def rate_shares(plan: Plan, step: int) -> tuple[float, float]:
    """Shares of the highest learning rates at a step, of the tower and of the rest.

    Each warms up, then falls along a cosine to a fiftieth at the end of ``span``; the tower's curve spans both phases,
    the rest's the second. The last ``cool_steps`` bring both down to nothing in a straight line, so that a run can end
    before its span does: most of what a lower rate gives comes in the first steps at it (Haegele et al., 2024). Among
    the scenes both stay at ``scene_share`` from the warm-up to the last ``scene_cool_steps``, which end likewise.
    """
    among_scenes = step - plan.tower_steps - plan.steps
    if among_scenes >= 0:
        warm, left = (among_scenes + 1) / plan.warm_up, (plan.scene_steps - among_scenes) / plan.scene_cool_steps
        return (plan.scene_share * min(1.0, warm, left),) * 2

    def curve(done: int, total: int) -> float:
        if done < 0:
            return 0.0
        return min(1.0, (done + 1) / plan.warm_up) * (0.51 + 0.49 * math.cos(math.pi * done / total))

    cool = min(1.0, (plan.tower_steps + plan.steps - step) / plan.cool_steps)
    return cool * curve(step, plan.tower_steps + plan.span), cool * curve(step - plan.tower_steps, plan.span)
