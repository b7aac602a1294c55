"""``python -m sam2vlm.export.verify PLAN RESULT``: reload what was exported in a fresh process and let it answer.

The adapter on its base and the merged model alone have to answer the test split's questions as the trained model
did when it was evaluated. The questions come in the evaluation's own batches, so the arithmetic is the same and the
adapter's answers are the same letter by letter; merging rounds the weights once, so there the logits may differ
within a tolerance. Where the weights themselves were trained there is one model, and it answers letter by letter.
"""

from __future__ import annotations

import functools
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import write_json
from sam2vlm.errors import EXIT_OK, DataError, Sam2vlmError
from sam2vlm.logs import configure_logging, get_logger, track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datasets import Dataset
    from torch import Tensor
    from transformers import ProcessorMixin

    from sam2vlm.modeling.generation import Model, Question

__all__ = ["VerificationPlan", "compare_texts", "main", "verify"]

ADAPTER, MERGED, MODEL = "adapter", "merged", "model"


@dataclass(frozen=True, slots=True)
class VerificationPlan:
    """What is to be reloaded, asked and compared.

    Attributes:
        export: The folder with ``adapter`` and ``merged``, or with ``model``.
        base_name: The base model's registry name.
        base_folder: Its files.
        class_name: Its class in Transformers.
        dataset: ``RUN/prepare/dataset``.
        split: The split that was evaluated.
        predictions: ``RUN/evaluate/predictions/tuned.jsonl``.
        samples: Frames to ask about, rounded up to whole batches.
        batch_size: The evaluation's.
        max_new_tokens: The evaluation's.
        threads: The evaluation's.
        seed: The run's.
        device: The evaluation's; where it is not there, the CPU is taken.
        dtype: Of the evaluation, as torch names it.
        adapter_text_share: Least share of equal answers of the adapter, or of the whole model.
        merged_text_share: Least share of equal answers of the merged model.
        logits_tolerance: Largest absolute difference of logits between the two.
        logs: ``RUN/logs``.
        whole: Whether the weights themselves were trained, so that there is ``model`` alone.
    """

    export: str
    base_name: str
    base_folder: str
    class_name: str
    dataset: str
    split: str
    predictions: str
    samples: int
    batch_size: int
    max_new_tokens: int
    threads: int
    seed: int
    device: str
    dtype: str
    adapter_text_share: float
    merged_text_share: float
    logits_tolerance: float
    logs: str
    whole: bool = False

    def save(self, path: Path) -> None:
        """Write the plan as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> VerificationPlan:
        """Read a plan."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def verify(plan: VerificationPlan) -> dict[str, Any]:
    """Reload what was exported, ask it and compare.

    Returns:
        ``device``, ``frames``, ``answers``; ``adapter_text_share``, ``merged_text_share`` and
        ``max_logits_difference`` (two significant digits), or ``model_text_share``.

    Raises:
        DataError: A weight is missing or unexpected, or a model differs more than it may.
    """
    from datasets import load_from_disk

    split = load_from_disk(plan.dataset)[plan.split]
    by_task = chosen_predictions(Path(plan.predictions), samples=plan.samples, batch_size=plan.batch_size)
    expected = {row_name(row): str(row["answer"]) for rows in by_task for row in rows}
    device = _device(plan.device)
    asked = {"device": device, "frames": len(by_task[0]), "answers": len(expected)}
    if plan.whole:
        answers, _ = _ask_again(plan, MODEL, split, by_task, device)
        return {**asked, "model_text_share": compare_texts(MODEL, expected, answers, least=plan.adapter_text_share)}
    adapter_answers, adapter_logits = _ask_again(plan, ADAPTER, split, by_task, device)
    merged_answers, merged_logits = _ask_again(plan, MERGED, split, by_task, device)
    result = {
        **asked,
        "adapter_text_share": compare_texts(ADAPTER, expected, adapter_answers, least=plan.adapter_text_share),
        "merged_text_share": compare_texts(MERGED, expected, merged_answers, least=plan.merged_text_share),
    }
    difference = _largest_difference(adapter_logits, merged_logits)
    # Written so that NaN fails too.
    if not difference <= plan.logits_tolerance:
        raise DataError(
            "the merged model's logits differ from the adapter's",
            source=MERGED,
            expected=f"at most {plan.logits_tolerance:g}",
            found=f"{difference:.3g}",
        )
    return {**result, "max_logits_difference": float(f"{difference:.1e}")}


def chosen_predictions(path: Path, *, samples: int, batch_size: int) -> list[list[dict[str, Any]]]:
    """Return the recorded predictions to repeat, by task: whole batches from the front.

    Args:
        path: ``RUN/evaluate/predictions/tuned.jsonl``.
        samples: Frames wanted; a task's last batch is completed.
        batch_size: The evaluation's.
    """
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    count = -(-samples // batch_size) * batch_size
    return [[row for row in rows if row["task"] == task][:count] for task in tasks]


def row_name(row: dict[str, Any]) -> str:
    """Return what identifies a prediction: frame and task."""
    return f"{row['sample_id']}#{row['task']}"


def compare_texts(what: str, expected: dict[str, str], found: dict[str, str], *, least: float) -> float:
    """Return the share of answers that are equal letter by letter.

    Raises:
        DataError: It is below ``least``; the first answer that differs is named.
    """
    different = [name for name, text in expected.items() if found[name] != text]
    share = 1 - len(different) / len(expected)
    if share < least:
        raise DataError(
            f"the reloaded model answers {len(different)} of {len(expected)} questions otherwise than the trained one",
            source=what,
            field=different[0],
            expected=expected[different[0]],
            found=found[different[0]],
        )
    return round(share, 6)


def _ask_again(
    plan: VerificationPlan, what: str, split: Dataset, by_task: Sequence[Sequence[dict[str, Any]]], device: str
) -> tuple[dict[str, str], Tensor]:
    """Return one reloaded model's answers by name, and its logits at the questions of the first batch."""
    from sam2vlm.modeling.generation import ask

    model, processor = _reload(plan, what, device)
    rows_of = {name: row for row, name in enumerate(split["sample_id"])}
    answers: dict[str, str] = {}
    logits: Tensor | None = None
    for rows in by_task:
        questions = [_question(split, rows_of, row) for row in rows]
        if logits is None:
            logits = _logits(model, processor, questions[: plan.batch_size])
        said = ask(model, processor, questions, batch_size=plan.batch_size, max_new_tokens=plan.max_new_tokens)
        told = track(said, f"reloaded {what} answers {rows[0]['task']}", "answers", total=len(questions))
        answers |= {row_name(row): answer.text for row, answer in zip(rows, told, strict=True)}
    assert logits is not None  # noqa: S101  told to mypy; there is at least one task
    return answers, logits


def _device(evaluated_on: str) -> str:
    import torch

    if evaluated_on == "cuda" and not torch.cuda.is_available():
        get_logger("verify").warning("evaluated on CUDA and verified without: answers may differ in near ties")
        return "cpu"
    return evaluated_on


def _reload(plan: VerificationPlan, what: str, device: str) -> tuple[Model, ProcessorMixin]:
    import torch

    from sam2vlm.modeling.adapter import load_adapter
    from sam2vlm.modeling.loading import load_for_answers, load_processor
    from sam2vlm.modeling.source import ModelSource

    folder = Path(plan.export, what)
    weights = Path(plan.base_folder) if what == ADAPTER else folder
    source = ModelSource(name=plan.base_name if what == ADAPTER else what, folder=weights, digest="")
    model = load_for_answers(
        source, class_name=plan.class_name, dtype=getattr(torch, plan.dtype), device=torch.device(device)
    )
    processor = load_processor(folder, name=what)
    return (load_adapter(model, folder) if what == ADAPTER else model), processor


def _question(split: Dataset, rows_of: dict[str, int], row: dict[str, Any]) -> Question:
    from sam2vlm.modeling.generation import Question
    from sam2vlm.modeling.pictures import read_picture

    name = str(row["sample_id"])
    values = split[rows_of[name]]
    read = functools.partial(
        read_picture, split, rows_of[name], sample_id=name, width=values["width"], height=values["height"]
    )
    return Question(str(row["prompt"]), read)


def _logits(model: Model, processor: ProcessorMixin, questions: Sequence[Question]) -> Tensor:
    """Return the logits of a batch at every token that is no padding, shape (tokens, vocabulary)."""
    import torch

    from sam2vlm.modeling.generation import encode_questions

    inputs = encode_questions(processor, questions, model)
    with torch.inference_mode():
        logits: Tensor = model(**inputs).logits[inputs["attention_mask"].bool()]
    return logits.float().cpu()


def _largest_difference(one: Tensor, other: Tensor) -> float:
    # Another chat template asks in another number of tokens.
    return float((one - other).abs().max()) if one.shape == other.shape else float("inf")


def main(arguments: Sequence[str]) -> int:
    """Verify as a plan says; leave the result, or the error's sentence, in a file.

    Args:
        arguments: The plan's path and the result's.

    Returns:
        The exit code that fits.
    """
    plan, path = VerificationPlan.load(Path(arguments[0])), Path(arguments[1])
    configure_logging("export", folder=Path(plan.logs))
    from sam2vlm.modeling.determinism import make_deterministic, quiet_libraries

    quiet_libraries()
    make_deterministic(plan.seed, threads=plan.threads)
    try:
        write_json(path, verify(plan))
    except Sam2vlmError as error:
        write_json(path, {"error": str(error)})
        return error.exit_code
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
