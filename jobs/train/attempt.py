"""One attempt at the training: alone, as the first of several nodes, or as another one of them."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.train.launcher import launch, tell_plan
from jobs.train.other_node import join
from jobs.train.rendezvous import FirstNode
from jobs.train.verdicts import Verdict
from sam2vlm.artifacts import fingerprint_of, read_manifest, verify_outputs
from sam2vlm.checkpoints import CheckpointManager
from sam2vlm.errors import EXIT_OK, DataError
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jobs.train.launcher import OtherLaunchers
    from jobs.train.nodes import Node
    from jobs.train.settings import TrainSettings
    from sam2vlm.artifacts import PhaseWork, RunLayout
    from sam2vlm.config import TrainingConfig

__all__ = ["Attempt", "train_as_first", "train_as_other"]

PHASE = "train"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is to be trained, and where.

    Attributes:
        settings: The job's settings.
        config: The configuration made from them.
        layout: The run's paths.
        model_folder: The base model's files.
        node: Which of several nodes this is; None where there is one.
        planned: Called once, when this machine's first word, the plan, has been said.
    """

    settings: TrainSettings
    config: TrainingConfig
    layout: RunLayout
    model_folder: Path
    node: Node | None
    planned: Callable[[], None]

    @property
    def stderr(self) -> Path:
        """Where this node's libraries complain: no file is written by two nodes."""
        own = f"-{self.node.index}" if self.node and self.node.index else ""
        return self.layout.logs / f"train-stderr{own}.log"


def train_as_first(attempt: Attempt, phase: PhaseWork) -> Verdict:
    """Train on this machine, and on the others where there are any; they are told what to go on from."""
    with contextlib.ExitStack() as stack:
        others: FirstNode | None = None
        if attempt.node is not None:
            verdict = _plan(attempt)
            if verdict.exit_code != EXIT_OK:
                return verdict
            others = stack.enter_context(
                FirstNode(
                    attempt.node,
                    fingerprint=phase.fingerprint,
                    folder=phase.layout.root,
                    grace_s=attempt.settings.grace_seconds,
                )
            )
            others.gather()
        start = {"inputs": dict(phase.inputs), "resume_step": _resume_step(attempt, phase)}
        if others is not None:
            others.begin(start)
        return _launch(attempt, start, others)


def train_as_other(attempt: Attempt, *, inputs: Mapping[str, str], deciding: Mapping[str, Any]) -> Verdict:
    """Train on this machine with what the first node says; nothing of the run is opened or cleared up here.

    Args:
        attempt: The attempt.
        inputs: Digest of each input by name, as this node finds them.
        deciding: The settings that decide the result, as this node has them.

    Returns:
        How this node is to end; 0 where the phase is finished, with or without this node.

    Raises:
        RendezvousError: The first node was not to be reached in time.
    """
    assert attempt.node is not None  # noqa: S101  told to mypy; only one of several nodes comes here
    fingerprint = fingerprint_of(PHASE, inputs, deciding, attempt.settings.seed)

    def finished() -> bool:
        with contextlib.suppress(DataError):
            manifest = read_manifest(attempt.layout.manifest(PHASE))
            if manifest.fingerprint == fingerprint:
                # Node 0 may be about to discard a damaged one.
                verify_outputs(attempt.layout.phase(PHASE), manifest)
                return True
        return False

    if finished():
        return Verdict(EXIT_OK, "done")
    verdict = _plan(attempt)
    if verdict.exit_code != EXIT_OK:
        return verdict
    found = join(attempt.node, fingerprint=fingerprint, folder=attempt.layout.root, finished=finished)
    if found is None:
        return Verdict(EXIT_OK, "done")
    if isinstance(found, Verdict):
        return found
    first, start = found
    with first:
        return _launch(attempt, start, first)


def _resume_step(attempt: Attempt, phase: PhaseWork) -> int | None:
    manager = CheckpointManager(
        phase.layout.checkpoints, fingerprint=phase.fingerprint, world_size=attempt.config.devices.world_size
    )
    manager.clean()
    newest = manager.newest()
    if newest is None:
        return None
    get_logger(PHASE).info("resuming", checkpoint=newest.folder.name, step=newest.manifest.step)
    return newest.manifest.step


def _plan(attempt: Attempt) -> Verdict:
    assert attempt.node is not None  # noqa: S101  told to mypy; alone, the first rank tells it, which loads less
    with tempfile.TemporaryDirectory() as scratch:
        verdict = tell_plan(
            rank=attempt.node.index * attempt.config.devices.processes_per_node,
            threads=attempt.settings.threads,
            scratch=Path(scratch),
            stderr=attempt.stderr,
            arguments={"model_folder": str(attempt.model_folder)},
        )
    attempt.planned()
    return verdict


def _launch(attempt: Attempt, start: Mapping[str, Any], others: OtherLaunchers | None) -> Verdict:
    with tempfile.TemporaryDirectory() as scratch:
        return launch(
            processes=attempt.config.devices.processes_per_node,
            threads=attempt.settings.threads,
            grace_seconds=attempt.settings.grace_seconds,
            scratch=Path(scratch),
            stderr=attempt.stderr,
            arguments={**start, "model_folder": str(attempt.model_folder), "planned": others is not None},
            planned=attempt.planned,
            others=others,
        )
