"""``python -m jobs.prepare``: an export in; datasets, report and manifest out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from jobs.catalog import known_names
from jobs.entrypoint import last_words, open_run, run_job
from jobs.job_settings import load_settings
from jobs.prepare.phase import instruction_mix, prepare
from jobs.prepare.reading import open_export
from jobs.prepare.settings import PrepareSettings, deciding_settings
from jobs.prepare.splitting import frame_splitter
from sam2vlm.artifacts import digest_of_tree, open_phase
from sam2vlm.config import ConfigPresets
from sam2vlm.errors import SettingsError
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from pathlib import Path

PHASE = "prepare"


def work() -> str:
    """Prepare the export, or say that it is done already."""
    settings = load_settings(PrepareSettings, known=known_names())
    # Another phase's setting; but a typo in it had better end the first phase than the second.
    ConfigPresets.description(settings.preset)
    # Both refuse impossible settings, so they are made before a long export is read.
    splitter = frame_splitter(settings.split, settings.seed)
    mix = instruction_mix(settings.instructions, settings.seed)
    export = _required(settings.export)
    layout = open_run(settings.run, PHASE)
    # Before the digest: it refuses what must not be read at all, such as links and devices.
    open_export(export, settings.archive)
    with open_phase(
        layout,
        PHASE,
        inputs={"export": digest_of_tree(export)},
        settings=deciding_settings(settings),
        seed=settings.seed,
        replace=settings.replace,
    ) as phase:
        if phase.finished is None:
            prepare(phase, settings, export, splitter=splitter, mix=mix)
        else:
            get_logger(PHASE).info("already done", folder=str(phase.folder), frames=phase.finished.counts.kept)
        return last_words(layout, PHASE, already=phase.finished is not None)


def _required(export: Path | None) -> Path:
    if export is None:
        raise SettingsError(
            "names no export to prepare", source="SAM2VLM_EXPORT", expected="a ZIP archive or a folder", found="nothing"
        )
    return export


if __name__ == "__main__":
    run_job(PHASE, work, stray=sys.argv[1:])
