"""What ``sam2vlm runs`` says of a run: cells for people, values for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import PHASES
from sam2vlm.tracking.runs.comparison import EVALUATION_FIGURES
from sam2vlm.tracking.runs.nearest_preset import nearest_preset
from sam2vlm.tracking.runs.words import NOTHING, measured, plain

if TYPE_CHECKING:
    from sam2vlm.tracking.runs import Comparison, RunRecord

__all__ = ["LIST_COLUMNS", "comparison_facts", "list_row", "phase_rows", "result_rows", "run_facts"]

LIST_COLUMNS = (
    *("Run", *PHASES, "Experiment", "Model", "Preset", "Steps", "Validation loss"),
    *("mAP50 before", "mAP50 after"),
)


def run_facts(run: RunRecord) -> dict[str, Any]:
    """Return a run's facts as JSON values; None where a phase that would tell is not done."""
    result = run.trained.result if run.trained else None
    preset = nearest_preset(run.manifests["train"].settings) if run.trained else None
    return {
        "run": run.name,
        "phases": {phase: standing.value for phase, standing in run.standing.items()},
        "experiment": run.experiment,
        "model": run.trained.base_model.name if run.trained else None,
        "preset": {"nearest": preset.name, "changed": preset.changed} if preset else None,
        "result": result.model_dump(mode="json") if result else None,
        "figures": {
            name: {model: run.evaluated.figure(model, name) for model in ("base", "tuned")}
            for name in EVALUATION_FIGURES
        }
        if run.evaluated
        else None,
    }


def list_row(run: RunRecord) -> tuple[str, ...]:
    """Return a run's line of the list."""
    facts = run_facts(run)
    result, figures = facts["result"] or {}, facts["figures"] or {}
    precision = figures.get("mAP50", {})
    return (
        plain(run.name),
        *facts["phases"].values(),
        plain(facts["experiment"]),
        plain(facts["model"]),
        _preset(facts["preset"]),
        plain(result.get("steps")),
        _told(result.get("best_val_loss")),
        _told(precision.get("base")),
        _told(precision.get("tuned")),
    )


def phase_rows(run: RunRecord) -> list[tuple[str, ...]]:
    """Return a row a phase: standing and counts."""
    rows: list[tuple[str, ...]] = []
    for phase, standing in run.standing.items():
        counts = run.manifests[phase].counts if phase in run.manifests else None
        dropped = ", ".join(f"{number} {reason}" for reason, number in counts.dropped.items()) if counts else ""
        told = (str(counts.seen), str(counts.kept), plain(dropped or "none")) if counts else (NOTHING,) * 3
        rows.append((phase, standing.value, *told))
    return rows


def result_rows(run: RunRecord) -> list[tuple[str, str, str]]:
    """Return what training and evaluation came to."""
    facts = run_facts(run)
    rows = [
        ("experiment", "", plain(facts["experiment"])),
        ("model", "", plain(facts["model"])),
        ("nearest preset", "", _preset(facts["preset"])),
    ]
    if result := facts["result"]:
        rows += [
            ("steps", "", f"{result['steps']}, the best is {plain(result['best_step'])}"),
            ("epochs", "", plain(result["epochs"])),
            ("validation loss, nats a token", _told(result["initial_val_loss"]), _told(result["best_val_loss"])),
        ]
    for name, values in (facts["figures"] or {}).items():
        rows.append((name, _told(values["base"]), _told(values["tuned"])))
    return rows


def comparison_facts(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON values."""
    names = [run.name for run in comparison.runs]
    return {
        "runs": [run_facts(run) for run in comparison.runs],
        "settings": [
            {"setting": row.name, "values": dict(zip(names, row.values, strict=True))} for row in comparison.settings
        ],
        "versions": [
            {"package": row.name, "values": dict(zip(names, row.values, strict=True))} for row in comparison.versions
        ],
        "inputs": [
            {"input": row.name, "values": dict(zip(names, row.values, strict=True))} for row in comparison.inputs
        ],
        "same_splits": comparison.splits,
        "figures": [
            {
                "figure": row.name,
                "better": "more" if row.more_is_better else "less",
                "values": dict(zip(names, row.values, strict=True)),
                "comparable": row.comparable,
                "best": [names[place] for place in row.best],
                "margin": row.margin,
            }
            for row in comparison.figures
        ],
        "curves": {run.name: [dict(line) for line in run.curve] for run in comparison.runs},
        "cautions": list(comparison.cautions),
    }


def _preset(preset: dict[str, Any] | None) -> str:
    if preset is None:
        return NOTHING
    return str(preset["nearest"]) + (f" + {preset['changed']} changed" if preset["changed"] else "")


def _told(value: float | None) -> str:
    return NOTHING if value is None else measured(value)
