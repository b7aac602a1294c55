"""The train phase's speed: against a bare PyTorch loop, against TRL's SFTTrainer, and what a checkpoint costs.

Run it as ``python -m benchmarks.train [--json] [--rounds N] [--threads N] [--trl PYTHON]``. All train a LLaVA of 0.92
million parameters (LoRA of rank 8, fp32, batch 4 x 2) for a hundred steps on the same prepared samples, one after the
other and in rounds; of each the fastest round counts, because other work on the machine only ever slows. ``--trl``
names the Python of an environment with ``pip install trl peft pillow``; without, one is made for the measurement.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, arguments, report
from benchmarks.training.work import ACCUMULATION, BATCH, LEARNING_RATE, RANK, STEPS, TARGET, WARM, make_model

if TYPE_CHECKING:
    import argparse

TO_BARE, TO_TRL, START_S, CHECKPOINT_SHARE = 0.97, 1.15, 15.0, 0.03
FRAMES, OBJECTS, SIZE = 360, 4, (320, 240)
# Often enough for the cost of one to stand out of the steps' own time.
SAVES_EVERY = 10
NEVER = 1_000_000
SAMPLES = (STEPS - WARM) * BATCH * ACCUMULATION


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement needs.

    Attributes:
        folder: Everything lies in here.
        threads: CPU threads of a training.
        epochs: Passes over the data that make a hundred steps.
    """

    folder: Path
    threads: int
    epochs: float

    @property
    def run(self) -> Path:
        """The prepared run."""
        return self.folder / "run"

    @property
    def model(self) -> Path:
        """The model's files."""
        return self.folder / "model"


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="sam2vlm-train-") as name:
        folder = Path(name)
        bench = Bench(folder, options.threads, _prepared(folder))
        parameters = make_model(bench.model)
        python = options.trl or _trl_environment(folder / "trl")
        seconds: dict[str, list[float]] = {"ours": [], "bare": [], "trl": [], "saving": []}
        for _ in range(options.rounds):
            seconds["bare"].append(_bare(bench))
            seconds["ours"].append(_ours(bench))
            seconds["trl"].append(_trl(bench, python))
            seconds["saving"].append(_ours(bench, save_every=SAVES_EVERY))
        start = min(_start(bench) for _ in range(options.rounds))
    best = {name: min(found) for name, found in seconds.items()}
    report(
        _figures(best, start=start, parameters=parameters),
        as_json=options.json,
        title=f"training, {options.threads} threads",
    )


def _options() -> argparse.Namespace:
    parser = arguments("The train phase against a bare loop and against TRL.")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of a training")
    parser.add_argument("--trl", type=Path, help="Python of an environment with trl and peft")
    return parser.parse_args()


def _figures(best: dict[str, float], *, start: float, parameters: int) -> list[Figure]:
    from sam2vlm.config import CheckpointConfig

    to_bare, to_trl = best["bare"] / best["ours"], best["trl"] / best["ours"]
    step = best["ours"] / (STEPS - WARM)
    # The checkpoint of the last step is behind the clock.
    one = max(best["saving"] - best["ours"], 0.0) / ((STEPS - WARM) / SAVES_EVERY - 1)
    share = one / (CheckpointConfig().save_every_steps * step)
    return [
        Figure("parameters of the model", parameters, "", "1", None),
        Figure("bare PyTorch loop", SAMPLES / best["bare"], "", "samples/s", None),
        Figure("the train phase", SAMPLES / best["ours"], "", "samples/s", None),
        Figure("TRL's SFTTrainer", SAMPLES / best["trl"], "", "samples/s", None),
        Figure("to the bare loop", to_bare, f">= {TO_BARE}", "1", to_bare >= TO_BARE),
        Figure("to TRL", to_trl, f">= {TO_TRL}", "1", to_trl >= TO_TRL),
        Figure("from the start to the first step", start, f"<= {START_S:g}", "s", start <= START_S),
        Figure("one checkpoint", one, "", "s", None),
        Figure("checkpoints' share of the time", share, f"<= {CHECKPOINT_SHARE}", "1", share <= CHECKPOINT_SHARE),
    ]


def _prepared(folder: Path) -> float:
    """Prepare a run; return the epochs that are a hundred steps."""
    import contextlib

    from sam2vlm.artifacts import read_manifest
    from sam2vlm.sample import write_sample

    with contextlib.redirect_stdout(sys.stderr):
        write_sample(folder / "export.zip", frames=FRAMES, objects=OBJECTS, width=SIZE[0], height=SIZE[1])
    _checked(
        [sys.executable, "-m", "jobs.prepare"],
        SAM2VLM_RUN=folder / "run",
        SAM2VLM_EXPORT=folder / "export.zip",
    )
    facts = read_manifest(folder / "run" / "prepare" / "manifest.json").facts
    samples = sum(facts["splits"]["train"]["instructions"].values())
    # Whole steps an epoch, as the trainer counts them; a fraction that is a whisker above makes the hundredth.
    a_epoch = -(-samples // (BATCH * ACCUMULATION))
    return (STEPS - 0.5) / a_epoch


def _ours(bench: Bench, *, save_every: int = NEVER) -> float:
    told = _trained(bench, bench.epochs, logging=WARM, save_every=save_every)
    times = {event["step"]: event["timestamp"] for event in told if event.get("event") == "training_step"}
    return _seconds(times[WARM], times[STEPS])


def _start(bench: Bench) -> float:
    """Return the seconds from the start of the process to behind the first step."""
    began = datetime.now().astimezone().isoformat()
    told = _trained(bench, bench.epochs / STEPS, logging=1, save_every=NEVER)
    return _seconds(began, next(event["timestamp"] for event in told if event.get("event") == "training_step"))


def _trained(bench: Bench, epochs: float, *, logging: int, save_every: int) -> list[dict[str, Any]]:
    # A finished phase that is started again does nothing.
    shutil.rmtree(bench.run / "train", ignore_errors=True)
    out = _checked(
        [sys.executable, "-m", "jobs.train"],
        SAM2VLM_RUN=bench.run,
        SAM2VLM_PRESET="quick_test",
        SAM2VLM_MODEL="tiny-llava",
        SAM2VLM_MODEL_FOLDER=bench.model,
        SAM2VLM_THREADS=bench.threads,
        SAM2VLM_REQUIRE_LEARNING="false",
        SAM2VLM_SEED=0,
        SAM2VLM_TRAINING__BATCH_SIZE=BATCH,
        SAM2VLM_TRAINING__GRADIENT_ACCUMULATION_STEPS=ACCUMULATION,
        SAM2VLM_TRAINING__NUM_EPOCHS=epochs,
        SAM2VLM_TRAINING__LEARNING_RATE=LEARNING_RATE,
        SAM2VLM_TRAINING__WARMUP_RATIO=0,
        SAM2VLM_LORA__RANK=RANK,
        SAM2VLM_LORA__ALPHA=2 * RANK,
        SAM2VLM_LORA__DROPOUT=0,
        SAM2VLM_LORA__TARGET_MODULES=TARGET,
        SAM2VLM_DEVICES__PRECISION="fp32",
        SAM2VLM_DEVICES__ZERO_STAGE=0,
        SAM2VLM_DEVICES__GRADIENT_CHECKPOINTING="false",
        SAM2VLM_DEVICES__PROCESSES_PER_NODE=1,
        SAM2VLM_CHECKPOINTS__SAVE_EVERY_STEPS=save_every,
        SAM2VLM_TRACKING__EVAL_EVERY_STEPS=NEVER,
        SAM2VLM_TRACKING__PREDICTION_FRAMES=0,
        SAM2VLM_TRACKING__LOGGING_EVERY_STEPS=logging,
    )
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def _bare(bench: Bench) -> float:
    command = [sys.executable, "-m", "benchmarks.training.bare", bench.run, bench.model, bench.threads]
    return float(_checked(command, **_threads(bench)).split()[-1])


def _trl(bench: Bench, python: Path) -> float:
    messages = bench.run / "prepare" / "messages" / "train.jsonl"
    script = Path(__file__).parent / "training" / "trl_sft.py"
    numbers = (bench.threads, BATCH, ACCUMULATION, RANK, STEPS, WARM)
    command = [python, script, messages, bench.model, *numbers, TARGET]
    return float(_checked(command, **_threads(bench), HF_HUB_OFFLINE=1).split()[-1])


def _threads(bench: Bench) -> dict[str, Any]:
    # As the train phase's launcher has it: spinning threads would be a handicap, and not what is measured.
    return {"OMP_NUM_THREADS": bench.threads, "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}


def _trl_environment(folder: Path) -> Path:
    import torch

    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    same = torch.__version__.partition("+")[0]
    _checked([python, "-m", "pip", "install", "--quiet", f"torch=={same}", "trl", "peft", "pillow"])
    return python


def _checked(command: list[Any], **variables: Any) -> str:
    """Run a command and return what it said; without any of the caller's own settings of ours."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
    environment |= {name: str(value) for name, value in variables.items()}
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def _seconds(began: str, ended: str) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()


if __name__ == "__main__":
    main()
