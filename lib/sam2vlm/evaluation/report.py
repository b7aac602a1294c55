"""The evaluation in Markdown: the verdict first, then the figures before and after, then what they were made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts.markdown import UNDEFINED, escaped, figure, table
from sam2vlm.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Case", "render_report", "verdict"]

MODELS = ("base", "tuned", "ceiling")
DEFINITIONS = {
    "mAP50": "mean average precision over the classes at IoU 0.5 (COCOeval; every box has the score 1, since a "
    "language model states no confidence)",
    "mAP50_95": "the same, averaged over IoU 0.50 to 0.95",
    "mean_iou": "mean IoU of the true objects with the box of the same label assigned to them, 0 where there is none",
    "count_accuracy": "share of frames whose number of objects was answered rightly",
    "label_accuracy": "share of the located objects (IoU at least 0.5, whatever the label) with the right label",
    "localisation_recall": "share of the true objects that were located, whatever the label",
    "localisation_precision": "share of the predicted boxes that locate an object, whatever the label",
}
CEILING = (
    "The ceiling is the true answer's own text, read back by the same parser: what the rounding of its coordinates "
    "costs, and so what no model exceeds but by chance."
)
CASES = (
    "A frame's score is twice the sum of the IoUs of its objects over the number of true and predicted objects: "
    "missed and invented objects cost the same. Left the base model, right the tuned one."
)


@dataclass(frozen=True, slots=True)
class Case:
    """One frame that the report shows.

    Attributes:
        kind: ``best`` or ``worst``.
        sample_id: The frame.
        score: The tuned model's frame score, 0 to 1.
        base_score: The base model's.
        picture: The picture's path relative to the report.
        truth: The true answer's text.
        base_answer: What the base model said.
        tuned_answer: What the tuned model said.
    """

    kind: str
    sample_id: str
    score: float
    base_score: float
    picture: str
    truth: str
    base_answer: str
    tuned_answer: str


def verdict(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Return in one sentence whether tuning helped, judged by mAP50."""
    base, tuned = metrics["base"]["mAP50"], metrics["tuned"]["mAP50"]
    if base is None or tuned is None:
        return f"Whether the tuned model is better cannot be told: {metrics['tuned']['undefined']['mAP50']}"
    figures = f"mAP50 was {base:.3f} before and is {tuned:.3f} after"
    if tuned > base:
        return f"The tuned model is better than the base model: {figures}"
    return f"The tuned model is NOT better than the base model: {figures}"


def render_report(
    metrics: Mapping[str, Mapping[str, Any]],
    *,
    experiment: str,
    base_model: str,
    prompts: Mapping[str, str],
    reading: Mapping[str, Mapping[str, Mapping[str, Any]]],
    cases: Sequence[Case],
    settings: Mapping[str, Any],
) -> str:
    """Return the report.

    Args:
        metrics: ``metrics.json``: the figures of ``base``, ``tuned`` and ``ceiling``.
        experiment: Its name.
        base_model: The base model's registry name.
        prompts: The question asked, by task.
        reading: By model and task what :func:`sam2vlm.evaluation.parsing.reading_summary` counted.
        cases: The frames to show, best first.
        settings: The evaluation's settings.
    """
    parts = [
        f"# {verdict(metrics)}",
        f"Experiment `{experiment}`, base model `{base_model}`, greedy answers. Test split: {_size(metrics)}.",
        "## Before and after",
        _figures_table(metrics),
        _undefined(metrics),
        CEILING,
        "\n".join(f"- `{name}`: {meaning}." for name, meaning in DEFINITIONS.items()),
        "## By class",
        _class_table(metrics),
        _foreign(metrics),
        "## How the answers could be read",
        _reading_table(reading),
        _examples(reading),
        "## Best and worst cases",
        CASES,
        *map(_case, cases),
        "## How it was asked",
        "\n".join(f"- {task}: “{prompt}”" for task, prompt in prompts.items()),
        table(("setting", "value"), [(f"`{name}`", f"`{value}`") for name, value in sorted(settings.items())]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _size(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    tuned = metrics["tuned"]
    return f"{tuned['frames']} frames with {tuned['objects']} objects"


def _figures_table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    names = (*METRICS, "localisation_recall", "localisation_precision")
    rows = [
        (
            f"`{name}`",
            *(figure(metrics[model][name]) for model in ("base", "tuned")),
            _change(metrics["base"][name], metrics["tuned"][name]),
            figure(metrics["ceiling"][name]),
        )
        for name in names
    ]
    return table(("figure", "base", "tuned", "change", "ceiling"), rows)


def _undefined(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"- `{name}` of {model} is undefined: {reason}."
        for model in MODELS
        for name, reason in sorted(metrics[model]["undefined"].items())
    ]
    return "\n".join(lines)


def _class_table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    base, tuned = metrics["base"]["per_class"], metrics["tuned"]["per_class"]
    rows = [
        (
            escaped(label),
            tuned[label]["objects"],
            figure(base[label]["AP50"]),
            figure(tuned[label]["AP50"]),
            figure(base[label]["AP50_95"]),
            figure(tuned[label]["AP50_95"]),
            figure(tuned[label]["mean_iou"]),
        )
        for label in sorted(tuned)
    ]
    if not rows:
        return "There are no objects in the test split."
    head = ("class", "objects", "AP50 base", "AP50 tuned", "AP50-95 base", "AP50-95 tuned", "mean IoU tuned")
    return table(head, rows)


def _foreign(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    counts = [
        f"{metrics[model]['foreign_labels']} of {metrics[model]['predicted_objects']} boxes of the {model} model"
        for model in ("base", "tuned")
    ]
    return f"With a label that is no class of the test split, so that they enter no AP: {' and '.join(counts)}."


def _reading_table(reading: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    rows = [
        (model, task, counts["answers"], counts["unreadable"], counts["unreadable_parts"], counts["cut_off"])
        for model, tasks in reading.items()
        for task, counts in tasks.items()
    ]
    return table(("model", "question", "answers", "with something unreadable", "unreadable parts", "cut off"), rows)


def _examples(reading: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    lines = [
        f"- {model}, {task}, `{example['sample_id']}`: {_quoted(example['text'])}"
        for model, tasks in reading.items()
        for task, counts in tasks.items()
        for example in counts["examples"]
    ]
    return "\n".join(["The first that could not be read:", "", *lines]) if lines else "Everything could be read."


def _case(case: Case) -> str:
    lines = [
        f"### {case.kind.capitalize()}: {escaped(case.sample_id)}, score {case.score:.2f} (base {case.base_score:.2f})",
        f"![{case.kind} case: true and predicted boxes of the base and of the tuned model]({case.picture})",
        "\n".join(
            [
                f"- truth: {_quoted(case.truth)}",
                f"- base: {_quoted(case.base_answer)}",
                f"- tuned: {_quoted(case.tuned_answer)}",
            ]
        ),
    ]
    return "\n\n".join(lines)


def _change(before: float | None, after: float | None) -> str:
    return UNDEFINED if before is None or after is None else f"{after - before:+.3f}"


def _quoted(text: str, limit: int = 300) -> str:
    flat = " ".join(text.split()).replace("`", "'")
    shown = flat if len(flat) <= limit else flat[: limit - 1] + "…"
    return f"`{shown}`" if shown else "(nothing)"
