"""``python -m jobs.train``: decide what there is to do, and have it done under torchrun."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.catalog import known_names
from jobs.entrypoint import last_words, open_run, run_job
from jobs.job_settings import load_settings
from jobs.train.launcher import Verdict, launch
from jobs.train.settings import TrainSettings, deciding_settings, training_config
from sam2vlm.artifacts import PhaseWork, input_from_phase, open_phase
from sam2vlm.checkpoints import CheckpointManager
from sam2vlm.config import ModelRegistry, TrainingMethod
from sam2vlm.errors import EXIT_OK, DataError, InterruptedRunError, Sam2vlmError, SettingsError
from sam2vlm.logs import get_logger
from sam2vlm.modeling.source import find_model

if TYPE_CHECKING:
    from sam2vlm.config import TrainingConfig

PHASE = "train"


def work() -> str:
    """Train, or say that it is done already. Needs no torch itself."""
    settings = load_settings(TrainSettings, known=known_names())
    config = training_config(settings)
    layout = open_run(settings.run, PHASE)
    _warn_of_an_adapters_rate(settings, config)
    model = find_model(config.model.name, checkpoint=_checkpoint(settings, config))
    inputs = {"prepare": input_from_phase(layout, "prepare")[0], "model": model.digest}
    with open_phase(
        layout,
        PHASE,
        inputs=inputs,
        settings=deciding_settings(settings, config),
        seed=settings.seed,
        resumable=True,
        replace=settings.replace,
    ) as phase:
        if phase.finished is None:
            _raise_unless_done(_train(phase, settings, config, model.folder))
        else:
            get_logger(PHASE).info("already done", folder=str(phase.folder))
        return last_words(layout, PHASE, already=phase.finished is not None)


def _warn_of_an_adapters_rate(settings: TrainSettings, config: TrainingConfig) -> None:
    asked = settings.training.model_dump(exclude_none=True)
    if asked.get("method") == TrainingMethod.FULL and "learning_rate" not in asked:
        get_logger(PHASE).warning(
            "learning_rate_of_an_adapter",
            reason="the preset's was chosen for an adapter; whole weights usually take a tenth of it, "
            "SAM2VLM_TRAINING__LEARNING_RATE sets it",
            learning_rate=config.training.learning_rate,
        )


def _checkpoint(settings: TrainSettings, config: TrainingConfig) -> str:
    return str(settings.model_folder) if settings.model_folder else ModelRegistry.resolve(config.model.name)


def _train(phase: PhaseWork, settings: TrainSettings, config: TrainingConfig, model_folder: Path) -> Verdict:
    processes = config.devices.processes_per_node
    manager = CheckpointManager(phase.layout.checkpoints, fingerprint=phase.fingerprint, world_size=processes)
    manager.clean()
    newest = manager.newest()
    if newest is not None:
        get_logger(PHASE).info("resuming", checkpoint=newest.folder.name, step=newest.manifest.step)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = {
            "inputs": dict(phase.inputs),
            "model_folder": str(model_folder),
            "resume_step": newest.manifest.step if newest else None,
        }
        return launch(
            processes=processes,
            threads=settings.threads,
            grace_seconds=settings.grace_seconds,
            scratch=Path(scratch),
            stderr=phase.layout.logs / "train-stderr.log",
            arguments=arguments,
        )


def _raise_unless_done(verdict: Verdict) -> None:
    if verdict.exit_code == EXIT_OK:
        return
    for kind in (DataError, SettingsError, InterruptedRunError):
        if verdict.exit_code == kind.exit_code:
            raise kind(verdict.message)
    raise Sam2vlmError(verdict.message)


if __name__ == "__main__":
    run_job(PHASE, work, stray=sys.argv[1:])
