"""A training as a run of Weights & Biases; with ``WANDB_MODE=offline`` in ``RUN/logs/wandb``, for ``wandb sync``."""

from __future__ import annotations

import io
import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sam2vlm.tracking.predictions import SamplePrediction

__all__ = ["WandbTracker", "open_run", "refuse_environment"]

#: Modes in which nothing is sent, so that no key is needed.
SILENT_MODES = frozenset({"offline", "disabled", "dryrun"})
#: Seconds. W&B sends in a process of its own; only its beginning and its end are waited for, the end for less than a
#: pod is given after SIGTERM.
LONGEST_START, LONGEST_END = 30.0, 20.0
#: Seconds between writes of W&B's own file (15 by default): what a kill may take from it.
FLUSH = 1.0
STEP = "step"


class WandbTracker:
    """One run.

    Args:
        run: Of ``wandb.init``.
    """

    def __init__(self, run: Any) -> None:
        self._run = run
        self.run_id = str(run.id)

    def write(self, figures: Mapping[str, float], *, step: int) -> None:
        """Log figures; the step is one of them, because W&B's own cannot go back where a resume repeats some."""
        self._run.log({**figures, STEP: step})

    def show(self, predictions: Sequence[SamplePrediction], *, step: int) -> None:
        """Log pictures, with their texts below."""
        import wandb
        from PIL import Image

        pictures = {
            f"predictions/{prediction.name}": wandb.Image(
                Image.open(io.BytesIO(prediction.picture)), caption=prediction.text
            )
            for prediction in predictions
        }
        self._run.log({**pictures, STEP: step})

    def keep(self, files: Mapping[str, Path], facts: Mapping[str, Any]) -> None:
        """Upload files and put facts into the summary."""
        place = Path(self._run.dir)
        for name, path in files.items():
            # A copy: W&B would make links, which point nowhere once the run's folder is moved.
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / name)
            self._run.save(str(place / name), base_path=str(place), policy="now")
        self._run.summary.update(dict(facts))

    def finish(self, *, outcome: str) -> None:
        """End the run; it can be continued by its id whatever the outcome was."""
        self._run.finish(exit_code=0 if outcome == "done" else 1)


def refuse_environment(environment: Mapping[str, str]) -> None:
    """Refuse to be asked for a key in the middle of a start.

    Raises:
        SettingsError: W&B would send, and there is no key.
    """
    if environment.get("WANDB_MODE") not in SILENT_MODES and not environment.get("WANDB_API_KEY"):
        raise SettingsError(
            "report_to names W&B, and there is no key to send with",
            source="WANDB_API_KEY",
            expected="a key, or WANDB_MODE=offline",
            found="nothing",
        )


def open_run(
    run_id: str | None, *, folder: Path, experiment: str, run_name: str, settings: Mapping[str, Any]
) -> WandbTracker:
    """Begin a run, or continue one.

    Args:
        run_id: The one to continue.
        folder: W&B keeps its files in ``wandb`` below it.
        experiment: The project's name; ``WANDB_PROJECT`` wins.
        run_name: The run's; ``WANDB_NAME`` wins.
        settings: Nested; the run's configuration.
    """
    # Its makers' reports about its own errors.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT") or experiment,
        name=os.environ.get("WANDB_NAME") or run_name,
        id=run_id or uuid.uuid4().hex[:12],
        resume="allow",
        dir=str(folder),
        config=dict(settings),
        settings=wandb.Settings(
            # Standard output is one JSON line an event, and the code belongs to people who have not been asked.
            silent=True,
            console="off",
            save_code=False,
            disable_git=True,
            init_timeout=LONGEST_START,
            finish_timeout=LONGEST_END,
            x_transaction_log_flush_interval=FLUSH,
        ),
    )
    run.define_metric(STEP)
    run.define_metric("*", step_metric=STEP)
    return WandbTracker(run)
