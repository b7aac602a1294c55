"""``python -m jobs.train``: decide what there is to do, and have it done under torchrun."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from jobs.catalog import known_names
from jobs.entrypoint import last_words, open_run, run_job
from jobs.job_settings import load_settings
from jobs.train.attempt import Attempt, train_as_first, train_as_other
from jobs.train.nodes import this_node
from jobs.train.settings import TrainSettings, deciding_settings, training_config
from jobs.train.verdicts import raise_unless_done
from sam2vlm.artifacts import input_from_phase, open_phase
from sam2vlm.config import ModelRegistry, TrainingMethod
from sam2vlm.logs import get_logger, held_back
from sam2vlm.modeling.source import find_model
from sam2vlm.tracking import require_trackers

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.train.nodes import Node
    from sam2vlm.artifacts import RunLayout
    from sam2vlm.config import TrainingConfig

PHASE = "train"


def work() -> str:
    """Train, or say that it is done already. Needs no torch itself."""
    settings = load_settings(TrainSettings, known=known_names())
    config = training_config(settings)
    require_trackers(settings.report_to)
    node = this_node(config.devices.nodes, settings.rendezvous)
    first_rank = node.index * config.devices.processes_per_node if node else 0
    layout = open_run(settings.run, PHASE, rank=first_rank, speak=True)
    # The plan has the first word, and a process that loads torch says it.
    with held_back() as planned:
        _warn_of_an_adapters_rate(settings, config)
        return _work(settings, config, layout, node, planned)


def _work(
    settings: TrainSettings, config: TrainingConfig, layout: RunLayout, node: Node | None, planned: Callable[[], None]
) -> str:
    model = find_model(config.model.name, checkpoint=_checkpoint(settings, config))
    inputs = {"prepare": input_from_phase(layout, "prepare")[0], "model": model.digest}
    deciding = deciding_settings(settings, config)
    attempt = Attempt(settings, config, layout, model.folder, node, planned)
    if node is not None and node.index > 0:
        raise_unless_done(train_as_other(attempt, inputs=inputs, deciding=deciding))
        return last_words(layout, PHASE, already=False)
    with open_phase(
        layout,
        PHASE,
        inputs=inputs,
        settings=deciding,
        seed=settings.seed,
        resumable=True,
        replace=settings.replace,
    ) as phase:
        if phase.finished is None:
            raise_unless_done(train_as_first(attempt, phase))
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


if __name__ == "__main__":
    run_job(PHASE, work, stray=sys.argv[1:])
