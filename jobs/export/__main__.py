"""``python -m jobs.export``: adapter, merged model and model card, reloaded and compared before they are published."""

from __future__ import annotations

import sys
from typing import Any

from jobs.catalog import known_names
from jobs.entrypoint import last_words, open_run, run_job
from jobs.export.settings import ExportSettings
from jobs.job_settings import load_settings
from sam2vlm.artifacts import Counts, Manifest, PhaseWork, inputs_from_phases, open_phase
from sam2vlm.logs import get_logger
from sam2vlm.modeling.trained import find_trained_base

PHASE = "export"
EARLIER = ("prepare", "train", "evaluate")


def work() -> str:
    """Export, or say that it is done already. Needs no torch itself."""
    settings = load_settings(ExportSettings, known=known_names())
    layout = open_run(settings.run, PHASE)
    read = inputs_from_phases(layout, *EARLIER)
    with open_phase(
        layout,
        PHASE,
        inputs={name: digest for name, (digest, _) in read.items()},
        settings=_deciding(settings),
        seed=settings.seed,
        replace=settings.replace,
    ) as phase:
        if phase.finished is None:
            _export(phase, settings, {name: manifest for name, (_, manifest) in read.items()})
        else:
            get_logger(PHASE).info("already done", folder=str(phase.folder))
        return last_words(layout, PHASE, already=phase.finished is not None)


def _deciding(settings: ExportSettings) -> dict[str, Any]:
    """Return the settings that decide the result's bytes."""
    return {**settings.packaging.model_dump(mode="json"), "experiment": settings.experiment}


def _export(phase: PhaseWork, settings: ExportSettings, manifests: dict[str, Manifest]) -> None:
    base = find_trained_base(manifests["train"], folder=settings.model_folder)
    # Imported here, so that a wrong setting is told before torch is loaded.
    from sam2vlm.export.packager import Earlier, package
    from sam2vlm.modeling.determinism import make_deterministic, quiet_libraries

    quiet_libraries()
    make_deterministic(settings.seed, threads=int(manifests["evaluate"].settings["threads"]))
    facts = package(
        phase.folder,
        layout=phase.layout,
        earlier=Earlier(**manifests),
        base=base,
        experiment=settings.experiment,
        options=_deciding(settings),
    )
    answers = int(facts["verification"]["answers"])
    phase.finish(counts=Counts(seen=answers, kept=answers), facts=facts)


if __name__ == "__main__":
    run_job(PHASE, work, stray=sys.argv[1:])
