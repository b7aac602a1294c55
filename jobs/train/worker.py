"""One training process: started by torchrun, it leaves its verdict in a file and its exit code to nobody.

The first one of a machine speaks for it, and its first word is the plan.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.catalog import known_names
from jobs.entrypoint import open_run
from jobs.job_settings import load_settings
from jobs.train.settings import TrainSettings, deciding_settings, training_config
from jobs.train.verdicts import PLANNED, Verdict, leave_verdict
from sam2vlm.artifacts import PhaseWork
from sam2vlm.config import TrainingMethod
from sam2vlm.errors import (
    EXIT_OK,
    EXIT_UNFORESEEN,
    InterruptedRunError,
    Sam2vlmError,
    from_library_error,
    from_os_error,
)
from sam2vlm.imports import not_found, uncollected
from sam2vlm.logs import get_logger
from sam2vlm.orphans import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sam2vlm.artifacts import RunLayout
    from sam2vlm.config import TrainingConfig

# How gloo and NCCL tell that a rank has gone in the middle of an exchange.
LOST_PEER = re.compile(r"Connection (closed|reset) by peer|\bgloo/transport/|NCCL (communicator was aborted|timeout)")


def main() -> int:
    """Train; return the exit code."""
    rank, arguments = int(os.environ["RANK"]), json.loads(sys.argv[1])
    die_with_parent(launcher=arguments["launcher"])
    try:
        _work(rank, arguments)
        verdict = Verdict(EXIT_OK, "done")
    except Sam2vlmError as error:
        verdict = Verdict(error.exit_code, str(error))
    except OSError as error:
        told = from_os_error(error, doing="training")
        verdict = Verdict(told.exit_code, str(told))
    except MemoryError:
        verdict = Verdict(InterruptedRunError.exit_code, "out of memory; give training more, or lower its batch size")
    except Exception as error:  # noqa: BLE001  the edge of the process: an unforeseen error becomes one event
        verdict = _unforeseen(error)
    leave_verdict(Path(arguments["verdicts"]), rank, verdict)
    return verdict.exit_code


def _unforeseen(error: Exception) -> Verdict:
    known = from_library_error(error, doing="training")
    if known is not None:
        return Verdict(known.exit_code, str(known))
    told = f"{type(error).__name__}: {error}"
    if LOST_PEER.search(told):
        get_logger("worker").warning("lost_another_process", reason=told)
        return Verdict(EXIT_UNFORESEEN, "lost another training process", follows=True)
    get_logger("worker").error("failed", error=told, traceback="".join(traceback.format_exception(error)))
    return Verdict(EXIT_UNFORESEEN, told)


def _work(rank: int, arguments: dict[str, Any]) -> None:
    settings = load_settings(TrainSettings, known=known_names())
    config = training_config(settings)
    # PEFT loads it wherever it is installed, and with it torch's compiler: a fifth of the way to the first step.
    unused = () if config.training.method is TrainingMethod.QLORA else ("bitsandbytes",)
    with not_found(*unused):
        _plan_and_train(rank, arguments, settings, config)


def _plan_and_train(rank: int, arguments: dict[str, Any], settings: TrainSettings, config: TrainingConfig) -> None:
    first = os.environ["LOCAL_RANK"] == "0"
    layout = open_run(settings.run, "train", rank=rank, speak=first)
    if first and not arguments.get("planned", False):
        _tell_plan(settings, config, layout, Path(arguments["model_folder"]))
        (Path(arguments["verdicts"]) / PLANNED).touch()
    if arguments.get("only_plan", False):
        return
    phase = PhaseWork(
        layout=layout,
        name="train",
        inputs=arguments["inputs"],
        settings=deciding_settings(settings, config),
        seed=settings.seed,
        folder=layout.phase("train"),
        finished=None,
        resumable=True,
    )
    # Imported here, so that a wrong setting is told before torch is loaded.
    with _loading():
        from jobs.train.run import train

    train(
        phase,
        settings,
        config,
        model_folder=Path(arguments["model_folder"]),
        resume_step=arguments["resume_step"],
    )


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """Keep imports short, and off standard output, one JSON line an event: Transformers says that W&B is offline."""
    # Transformers loads SciPy for the losses of object detectors, wherever it is installed.
    with contextlib.redirect_stdout(sys.stderr), not_found("scipy"), uncollected():
        yield


def _tell_plan(settings: TrainSettings, config: TrainingConfig, layout: RunLayout, model_folder: Path) -> None:
    with _loading():
        from jobs.train.model import precision_of
        from jobs.train.plan import plan_before_loading, questions_of, visible_card
        from sam2vlm.modeling.determinism import quiet_libraries

        quiet_libraries()
    plan_before_loading(
        config,
        visible_card(),
        precision=precision_of(config),
        model_folder=model_folder,
        questions=questions_of(layout, settings.samples.tasks),
        force=settings.force_plan,
    )


if __name__ == "__main__":
    # Without the interpreter's own end: libraries' threads and process groups have hung there, and all is written.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
