"""``python -m jobs.evaluate``: base and tuned model answer the test split's questions, scored before and after."""

from __future__ import annotations

import sys
from typing import Any

from jobs.catalog import known_names
from jobs.entrypoint import last_words, open_run, run_job
from jobs.evaluate.settings import EvaluateSettings
from jobs.job_settings import load_settings
from sam2vlm.artifacts import Manifest, PhaseWork, inputs_from_phases, open_phase
from sam2vlm.logs import get_logger
from sam2vlm.modeling.trained import find_trained_base, trained_folder

PHASE = "evaluate"


def work() -> str:
    """Evaluate, or say that it is done already. Needs no torch itself."""
    settings = load_settings(EvaluateSettings, known=known_names())
    layout = open_run(settings.run, PHASE)
    read = inputs_from_phases(layout, "prepare", "train")
    with open_phase(
        layout,
        PHASE,
        inputs={name: digest for name, (digest, _) in read.items()},
        settings=_deciding(settings),
        seed=settings.seed,
        replace=settings.replace,
    ) as phase:
        if phase.finished is None:
            _evaluate(phase, settings, read["train"][1])
        else:
            get_logger(PHASE).info("already done", folder=str(phase.folder))
        return last_words(layout, PHASE, already=phase.finished is not None)


def _deciding(settings: EvaluateSettings) -> dict[str, Any]:
    """Return the settings that decide the result's bytes."""
    return {
        **settings.evaluation.model_dump(mode="json"),
        "experiment": settings.experiment,
        "threads": settings.threads,
    }


def _evaluate(phase: PhaseWork, settings: EvaluateSettings, train: Manifest) -> None:
    base = find_trained_base(train, folder=settings.model_folder)
    # Imported here, so that a wrong setting is told before torch is loaded.
    from sam2vlm.evaluation.evaluator import evaluate
    from sam2vlm.modeling.determinism import make_deterministic, quiet_libraries

    quiet_libraries()
    make_deterministic(settings.seed, threads=settings.threads)
    counts, facts = evaluate(
        phase.folder,
        dataset=phase.layout.dataset,
        trained=trained_folder(phase.layout, base),
        base=base,
        experiment=settings.experiment,
        options=_deciding(settings),
    )
    phase.finish(counts=counts, facts=facts)


if __name__ == "__main__":
    run_job(PHASE, work, stray=sys.argv[1:])
