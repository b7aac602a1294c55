"""``python -m jobs.prepare``: an export in; datasets, report and manifest out."""

from __future__ import annotations

import sys

from jobs.catalog import known_names
from jobs.entrypoint import last_words, open_run, run_job
from jobs.job_settings import load_settings
from jobs.prepare.asking import instruction_inputs
from jobs.prepare.input_digests import digests_beside
from jobs.prepare.phase import instruction_mix, prepare
from jobs.prepare.reading import find_sources
from jobs.prepare.rules import chosen_rules
from jobs.prepare.settings import PrepareSettings, deciding_settings
from jobs.prepare.splitting import frame_splitter
from sam2vlm.artifacts import open_phase
from sam2vlm.config import ConfigPresets
from sam2vlm.errors import SettingsError
from sam2vlm.logs import get_logger

PHASE = "prepare"


def work() -> str:
    """Prepare the export, or say that it is done already."""
    settings = load_settings(PrepareSettings, known=known_names())
    # Another phase's setting; but a typo in it had better end the first phase than the second.
    ConfigPresets.description(settings.preset)
    # All three refuse impossible settings, so they are made before a long export is read.
    chosen_rules(settings.validation)
    splitter = frame_splitter(settings.split, settings.seed)
    mix = instruction_mix(settings.instructions, settings.seed)
    layout = open_run(settings.run, PHASE)
    # Before the digests: it refuses what must not be read at all, such as links and devices.
    sources = find_sources(settings)
    if sources.earlier is not None and sources.earlier.resolve() == layout.phase(PHASE).resolve():
        raise SettingsError(
            "is this run's own; a new version needs a run of its own, and the earlier one stays as it is",
            source="SAM2VLM_EXTEND",
            expected="another run than SAM2VLM_RUN",
            found=sources.earlier,
        )
    with (
        digests_beside(lambda: {**sources.digests(), **instruction_inputs(settings.instructions)}) as inputs,
        open_phase(
            layout,
            PHASE,
            inputs=inputs,
            settings=deciding_settings(settings),
            seed=settings.seed,
            replace=settings.replace,
        ) as phase,
    ):
        if phase.finished is None:
            prepare(phase, settings, sources, splitter=splitter, mix=mix)
        else:
            get_logger(PHASE).info("already done", folder=str(phase.folder), frames=phase.finished.counts.kept)
        return last_words(layout, PHASE, already=phase.finished is not None)


if __name__ == "__main__":
    run_job(PHASE, work, stray=sys.argv[1:])
