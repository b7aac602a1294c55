"""``python -m pretraining --out DIR --seed 0 --steps N``: make the tiny model and score it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
import transformers

from pretraining.evaluate import evaluate
from pretraining.folders import write_model
from pretraining.pictures import draw_picture
from pretraining.train import Plan, Run, Watch

# One thread. The sums of a matrix product depend on how it is split, so this is part of what makes a run repeatable;
# and beside other work on the same cores, two threads waiting for each other were several times slower.
_THREADS = 1
_FINAL_PICTURES = 1000


def _parse() -> argparse.Namespace:
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--tower-steps", type=int, default=plan.tower_steps, help="steps of the tower alone")
    parser.add_argument("--steps", type=int, default=plan.steps, help="steps of the whole model on shapes")
    parser.add_argument("--scene-steps", type=int, default=plan.scene_steps, help="steps of the whole model on scenes")
    parser.add_argument("--work", type=Path, help="folder of snapshots, state and log (default: OUT.work)")
    return parser.parse_args()


def main() -> None:
    """Train to the end of the plan, continuing where an interrupted run stopped, then score and write the model."""
    arguments = _parse()
    torch.set_num_threads(_THREADS)
    torch.use_deterministic_algorithms(mode=True)
    work: Path = arguments.work or arguments.out.with_name(f"{arguments.out.name}.work")
    work.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        seed=arguments.seed,
        tower_steps=arguments.tower_steps,
        steps=arguments.steps,
        scene_steps=arguments.scene_steps,
    )
    run = Run(plan, Watch(snapshot=work / "latest", state=work / "state.pt", log=work / "log.jsonl"))
    run.resume()
    run.train()
    run.save()
    trained = run.seconds
    scores = {
        "scenes": asdict(evaluate(run.model, run.tokenizer, _FINAL_PICTURES)),
        "shapes": asdict(evaluate(run.model, run.tokenizer, _FINAL_PICTURES, draw_picture)),
    }
    write_model(
        arguments.out,
        run.model,
        run.processor,
        {
            **scores,
            **asdict(plan),
            "pictures_seen": plan.tower_steps * plan.tower_batch + (plan.steps + plan.scene_steps) * plan.batch,
            "wall_seconds": round(trained),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            # Without the folders, which are nobody else's.
            "command": f"python -m pretraining --out DIR --seed {plan.seed}"
            f" --tower-steps {plan.tower_steps} --steps {plan.steps} --scene-steps {plan.scene_steps}",
        },
    )


if __name__ == "__main__":
    main()
